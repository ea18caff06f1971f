"""What a side of a comparison does (`sides`), with nothing but the standard library."""

import json
import sys
from collections.abc import Callable


def serve(run: Callable[[], float]) -> None:
    """Run a round for every line on standard input, and print its seconds."""
    print("ready", flush=True)
    for _ in sys.stdin:
        print(json.dumps(run()), flush=True)
