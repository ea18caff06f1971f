"""`python -m cifar_dsl`, the same as `cifar-dsl`."""

import sys

from cifar_dsl.cli import main

if __name__ == "__main__":  # a process that is started for a job imports this, too
    sys.exit(main())
