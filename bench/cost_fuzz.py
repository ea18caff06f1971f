"""Hunt for inputs whose check takes longer than what it charges.

    python bench/cost_fuzz.py [--count 200000] [--seed 0] [--minutes M] [--keep FOLDER]

Prints the ten inputs that are most expensive for the steps that they charge (`STEPS` in docs/limits.md), and saves them
in --keep. The budget of steps is reduced, so that only work that isn't charged takes long.
"""

import argparse
import gc
import sys
import tempfile
import time
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "tests"))

from helpers.cost_fuzzing import CostFuzzer, most_expensive, save  # shared with the tests

_REPORT_EVERY = 500


def main() -> int:
    """Fuzz, and print the most expensive inputs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=200_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--minutes", metavar="M", type=float, default=float("inf"), help="stop after M minutes")
    parser.add_argument("--keep", type=Path, help="save the most expensive inputs in this folder")
    options = parser.parse_args()
    end = time.monotonic() + 60 * options.minutes
    with tempfile.TemporaryDirectory() as folder:
        fuzzer = CostFuzzer(Path(folder), options.seed)
        gc.disable()  # a collection would be charged to the mutant that it interrupts
        while fuzzer.count < options.count and time.monotonic() < end:
            fuzzer.run(min(_REPORT_EVERY, options.count - fuzzer.count))
            gc.collect()
            gc.freeze()
            worst = most_expensive(fuzzer.pool)
            print(f"{fuzzer.count:,} mutants; at most {worst[0].price:.2f} us a step", file=sys.stderr, flush=True)
            if options.keep:
                save(worst, options.keep)
    print(f"{fuzzer.count:,} mutants of seed {options.seed}; the most expensive:\n")
    for one in most_expensive(fuzzer.pool):
        text = b" ".join(one.input.content.split())[:70].decode(errors="replace")
        size = f"{len(one.input.content):6,} bytes {one.steps:7,} steps"
        print(f"{one.cost / 1000:7.1f} ms {size} {one.price:5.2f} us a step  {text}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
