"""Mutated, spliced and generated inputs: each ends in a model or in located diagnostics.

    python bench/fuzz.py [--count 1000000] [--seed 0] [--processes 1] [--minutes M] [--keep FOLDER]

Claim: of 1,000,000 inputs none ends in another exception than SpecError, none takes more than 20 s of a core or 2 GB,
none is told with a character that acts on a terminal, and the formatter keeps the meaning of all that parse. Inputs are
mutations of all shipped specs and of the cases of tests/language/diagnostics, token by token and byte by byte,
splices of them, derivations of the grammar, and random overrides; what parses is formatted, what is right also compared
and drawn. Exits with 1 where something is found. --keep makes finds smaller and writes them into a folder, by default
tests/fuzz/corpus, whose inputs the suite runs each time.
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

from helpers.fuzzing import CORPUS, Fuzzer, Input  # noqa: E402  # lies with the tests, which fuzz a little each time

_MEMORY = 2 * 1024**3
_REPORT_EVERY_S = 60


def main() -> int:
    """Fuzz, and say what was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0, help="number of the first input, to make a find again")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=float("inf"), help="stop after so long")
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
    finds = {place: told for _, found in results for place, told in found.items()}
    for place, (number, smallest, told) in finds.items():
        options.keep.mkdir(parents=True, exist_ok=True)
        path = options.keep / f"{place.replace(' ', '_')}.arch"
        smallest.save(path)
        print(f"FIND: {place}, input {number}, kept in {path}\n{told}")
    rate = f"{count / seconds:,.0f} a second"
    print(f"{count:,} inputs in {seconds:,.0f} s ({rate}), seed {options.seed}: {len(finds)} finds")
    return int(bool(finds))


def _fuzz(seed: int, numbers: range, minutes: float) -> tuple[int, dict[str, tuple[int, Input, str]]]:
    """How many inputs were tried, and the finds by their places."""
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    finds: dict[str, tuple[int, Input, str]] = {}
    end = time.monotonic() + 60 * minutes
    told_at = time.monotonic()
    done = 0
    with tempfile.TemporaryDirectory() as folder:
        fuzzer = Fuzzer(Path(folder))
        gc.freeze()
        for number in numbers:
            if time.monotonic() > end:
                break
            done += 1
            found = fuzzer.find(fuzzer.input(seed, number))
            if found and found.place not in finds:
                print(f"input {number}: {found.place}", file=sys.stderr, flush=True)
                smallest = fuzzer.smallest(found)
                told = "".join(traceback.format_exception(smallest.error))
                finds[found.place] = (number, smallest.input, told)
            if time.monotonic() > told_at + _REPORT_EVERY_S:
                told_at = time.monotonic()
                print(f"input {number:,}: {len(finds)} finds", file=sys.stderr, flush=True)
    return done, finds


if __name__ == "__main__":
    sys.exit(main())
