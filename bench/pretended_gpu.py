"""Train on tensors that pretend to lie on a CUDA GPU, and report what a real one would object to. Needs no GPU.

    python bench/pretended_gpu.py                            # recipes of every kind, shipped specs, planted faults
    python bench/pretended_gpu.py --only recipes muon        # of these, what has `muon` in its name
    python bench/pretended_gpu.py --only specs --seeds 2

Claims: no step waits for the device or does what can't be recorded, no replay differs from its step, no stream races
with another one, and every planted fault is found. tests/helpers/pretended_gpu/findings.py lists what counts. Values,
times, memory, and what libraries do inside of a kernel can't be seen. Needs a build of torch for CUDA.
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "tests"))

from helpers.pretended_gpu.cases import PLANTED, RECIPES, Planted, shipped, train_recipe, train_spec
from helpers.pretended_gpu.training import Report


def main() -> int:
    """Train everything, and return 1 if a claim doesn't hold."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="parts of names")
    parser.add_argument("--only", choices=("recipes", "specs", "planted"))
    parser.add_argument("--seeds", type=int, default=1, help="side by side")
    parser.add_argument("--engine", default="auto", choices=("auto", "eager", "graph"))
    options = parser.parse_args()
    failed = 0
    for name, check in _checks(options):
        if options.names and not any(part in name for part in options.names):
            continue
        begun = time.process_time()
        summary, problems = check()
        failed += bool(problems)
        print(
            f"{'FAULTY' if problems else 'fine':<6} {name}: {summary}, {time.process_time() - begun:.1f} s", flush=True
        )
        for problem in problems:
            print(f"       {problem}", flush=True)
    print(f"{failed} of them faulty" if failed else "no fault")
    return int(failed > 0)


_Check = Callable[[], tuple[str, list[str]]]


def _checks(options: argparse.Namespace) -> Iterator[tuple[str, _Check]]:
    how = {"seeds": options.seeds, "engine": options.engine}
    if options.only in {None, "recipes"}:
        for name, case in RECIPES.items():
            yield name, lambda case=case: _judged(train_recipe(case, **how))
    if options.only in {None, "specs"}:
        for name, path in shipped().items():
            yield name, lambda path=path: _judged(train_spec(path, **how))
    if options.only in {None, "planted"}:
        for name, planted in PLANTED.items():
            yield f"planted: {name}", lambda planted=planted: _found(planted)


def _judged(report: Report) -> tuple[str, list[str]]:
    summary = f"{report.engine} ({report.reason}), {sum(report.steps.values())} steps, {report.recorded} recordings"
    return f"{summary}, {report.replayed} replays", [*map(str, report.faults), *report.trace.splitlines()[-8:]]


def _found(planted: Planted) -> tuple[str, list[str]]:
    kinds = {finding.kind for finding in planted.train().findings if finding.is_fault}
    missed = planted.expected - kinds
    return f"found {', '.join(sorted(planted.expected & kinds))}", [f"missed: {', '.join(missed)}"] if missed else []


if __name__ == "__main__":
    sys.exit(main())
