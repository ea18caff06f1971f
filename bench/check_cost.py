"""The time and memory of a check for the steps that it charges.

    python bench/check_cost.py [--brief] [--tries 3] [NAME ...]

Claims: the most expensive texts that are known (`costly` in tests/helpers/bombs.py), each as large as a file can be or
refused at the limit of steps, take at most 2 s of CPU time on an idle core and 200 MB each. Each try is a process of
its own; the fastest counts, since other processes only slow a try down. Exits with 1 if a claim doesn't hold.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from measure import verdict

_TESTS = Path(__file__).parents[1] / "tests"
sys.path.append(str(_TESTS))

from helpers.bombs import costly  # noqa: E402  # shared with the tests

_SECONDS, _BYTES = 2.0, 200 * 10**6


def main() -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="texts to measure; by default all")
    parser.add_argument("--tries", type=int, default=3)
    parser.add_argument("--brief", action="store_true", help="print only the worst figures")
    options = parser.parse_args()
    texts = {name: text for name, text in costly().items() if not options.names or name in options.names}
    slowest = largest = most = 0.0
    for name, text in texts.items():
        tries = [_measured(text) for _ in range(options.tries)]
        seconds, memory, steps = min(one["time_s"] for one in tries), tries[0]["memory"], tries[0]["steps"]
        slowest, largest, most = max(slowest, seconds), max(largest, memory), max(most, steps)
        if not options.brief:
            per_step = 1e6 * seconds / max(1, steps)
            print(
                f"{name:36} {len(text):6,} bytes {steps:9,} steps {seconds:5.2f} s {per_step:5.2f} us a step"
                f"  {memory / 1e6:4.0f} MB  {', '.join(tries[0]['codes'])}",
                flush=True,
            )
    if options.brief:
        print(f"{len(texts)} texts: at most {slowest:.2f} s, {largest / 1e6:.0f} MB and {most:,.0f} steps")
        return int(slowest > _SECONDS or largest > _BYTES)
    return verdict({"at most 2 s": slowest <= _SECONDS, "at most 200 MB": largest <= _BYTES})


def _measured(text: str) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "costly.arch"
        path.write_text(text, encoding="utf-8")
        program = [sys.executable, _TESTS / "helpers" / "measured.py", path]
        return dict(json.loads(subprocess.run(program, check=True, capture_output=True, text=True).stdout))


if __name__ == "__main__":
    sys.exit(main())
