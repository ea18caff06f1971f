"""`python -m cifar_dsl`, the same as `cifar-dsl`."""

import sys

from cifar_dsl.cli import main

sys.exit(main())
