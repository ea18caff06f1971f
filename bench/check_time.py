"""`cifar-dsl check` against `python -c "import torch"`.

    python bench/check_time.py

Claims: checking the eight specs of the reference table takes at most 0.08 of the time of importing torch, checking one
spec 0.07, and checking NASNet-A or Swin-T, which are large, 0.15, because a check never imports it; a warm process
checks at least 200 specs per second. Each measurement is a new process; rounds are interleaved, and the median of
`--rounds` counts. Exits with 1 if a claim doesn't hold.
"""

import argparse
import statistics
import sys
import time
from functools import partial
from pathlib import Path

from measure import child, interleaved, report, verdict

_SPECS = sorted((Path(__file__).parents[1] / "specs").glob("*.arch"))
_LARGE = [Path(__file__).parents[1] / "specs" / "zoo" / f"{name}.arch" for name in ("nasnet_a", "swin_t")]


def main() -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()

    def timed(arguments: list[str]) -> float:
        start = time.perf_counter()
        child(arguments)
        return 1000 * (time.perf_counter() - start)

    names = [str(path) for path in _SPECS]
    one, ours, theirs = "check of 1 spec", f"check of {len(names)} specs", "import torch"
    large = {f"check of {path.stem}": str(path) for path in _LARGE}
    sides = {
        theirs: lambda: timed(["-c", "import torch"]),
        ours: lambda: timed(["-m", "cifar_dsl", "check", "-q", *names]),
        one: lambda: timed(["-m", "cifar_dsl", "check", "-q", names[0]]),
        **{side: partial(timed, ["-m", "cifar_dsl", "check", "-q", path]) for side, path in large.items()},
    }
    for run in sides.values():
        run()  # not measured: fills the file cache
    times = interleaved(sides, options.rounds)
    report("check against import torch", times, "ms", reference=ours)
    rate = _warm_rate()
    print(f"\nwarm: {rate:.0f} specs a second")
    median = {name: statistics.median(values) for name, values in times.items()}
    claims = {
        f"{side} takes at most {most} of {theirs}": median[side] <= most * median[theirs]
        for side, most in ((ours, 0.08), (one, 0.07), *((side, 0.15) for side in large))
    }
    return verdict({**claims, "200 a second, warm": rate >= 200})


def _warm_rate() -> float:
    from cifar_dsl.compiler import analyze
    from cifar_dsl.language.syntax.parser import parsed_within

    for path in _SPECS:
        analyze(path)
    start, count = time.perf_counter(), 0
    while time.perf_counter() - start < 2:
        parsed_within.cache_clear()
        for path in _SPECS:
            analyze(path)
        count += len(_SPECS)
    return count / (time.perf_counter() - start)


if __name__ == "__main__":
    sys.exit(main())
