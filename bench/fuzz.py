"""Fuzz the language: every input ends in a model or in located diagnostics.

    python bench/fuzz.py [--count 1000000] [--seed 0] [--processes 1] [--minutes M] [--keep FOLDER]

Claim: of 1,000,000 inputs, none raises an exception other than SpecError, none takes more than 20 s of CPU time or
2 GB, no message contains a terminal control character, and the formatter keeps the meaning of every input that parses.
Inputs are mutations of all shipped specs and of the cases in tests/language/diagnostics (by token and by byte), splices
of them, pairs of mistakes planted in them, derivations of the grammar, and random overrides. Inputs that parse are
formatted; valid ones are also compared and drawn. Failures are minimized and saved in --keep, by default
tests/fuzz/corpus, which the test suite reruns. Exits with 1 after a failure.
"""

import argparse
import gc
import multiprocessing
import resource
import sys
import tempfile
import time
import traceback
from pathlib import Path

_TESTS = Path(__file__).parents[1] / "tests"
sys.path.append(str(_TESTS))

from helpers.fuzzing import CORPUS, Fuzzer, Input  # noqa: E402  # shared with the tests, which fuzz a little on each run

_MEMORY = 2 * 1024**3
_REPORT_EVERY_S = 60


def main() -> int:
    """Fuzz, and report the failures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0, help="number of the first input, to reproduce a failure")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--minutes", metavar="M", type=float, default=float("inf"), help="stop after M minutes")
    parser.add_argument("--keep", type=Path, default=CORPUS)
    options = parser.parse_args()
    start = time.perf_counter()
    jobs = [
        (options.seed, range(options.first + i, options.first + options.count, options.processes), options.minutes)
        for i in range(options.processes)
    ]
    if options.processes == 1:
        results = [_fuzz(*jobs[0])]
    else:
        with multiprocessing.get_context("spawn").Pool(options.processes) as pool:
            results = pool.starmap(_fuzz, jobs)
    count = sum(done for done, _ in results)
    seconds = time.perf_counter() - start
    failures = {place: failure for _, found in results for place, failure in found.items()}
    for place, (number, smallest, report) in failures.items():
        options.keep.mkdir(parents=True, exist_ok=True)
        path = options.keep / f"{place.replace(' ', '_')}.arch"
        smallest.save(path)
        print(f"FAILURE: {place}, input {number}, saved to {path}\n{report}")
    rate = f"{count / seconds:,.0f} a second"
    print(f"{count:,} inputs in {seconds:,.0f} s ({rate}), seed {options.seed}: {len(failures)} failures")
    return int(bool(failures))


def _fuzz(seed: int, numbers: range, minutes: float) -> tuple[int, dict[str, tuple[int, Input, str]]]:
    """The number of inputs tried, and the failures by place: input number, minimized input, report."""
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    failures: dict[str, tuple[int, Input, str]] = {}
    end = time.monotonic() + 60 * minutes
    reported_at = time.monotonic()
    done = 0
    with tempfile.TemporaryDirectory() as folder:
        fuzzer = Fuzzer(Path(folder))
        gc.freeze()
        for number in numbers:
            if time.monotonic() > end:
                break
            done += 1
            found = fuzzer.find(fuzzer.input(seed, number))
            if found and found.place not in failures:
                print(f"input {number}: {found.place}", file=sys.stderr, flush=True)
                smallest = fuzzer.smallest(found)
                report = "".join(traceback.format_exception(smallest.error))
                failures[found.place] = (number, smallest.input, report)
            if time.monotonic() > reported_at + _REPORT_EVERY_S:
                reported_at = time.monotonic()
                print(f"input {number:,}: {len(failures)} failures", file=sys.stderr, flush=True)
    return done, failures


if __name__ == "__main__":
    sys.exit(main())
