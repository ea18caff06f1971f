"""Mutation testing of shape inference and costs, and of the code that writes checkpoints and runs.

    python bench/mutation.py [layers] [runs] [--sample 200] [--children 1] [--show]

Claim: the tests kill at least 90 % of the mutants of shape inference and costs in cifar_dsl/operations/layers
(`layers`), and of the code that writes and verifies runs and checkpoints (`runs`). A mutant is one small change made by
mutmut, such as `+` for `-`, 2 for 1 or another string; it is killed when a test fails. Mutants that no test runs count
as alive. --show lists the survivors; docs/promises.md explains each. [tool.mutmut] in pyproject.toml selects the tests.
--sample draws COUNT mutants of each area, always the same ones, and prints the 95 % interval (Wilson) for the share of
all. mutmut works in ./mutants, which can be deleted, and resumes where it stopped; mutants that an interrupted run
didn't reach aren't counted. Exits with 1 if the claim doesn't hold.
"""

import argparse
import fnmatch
import json
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from scipy.stats import binomtest

_ROOT = Path(__file__).parents[1]
_SHARE = 0.9
_SURVIVED, _UNTESTED = 0, 33  # exit codes in mutmut's files
_AREAS = {
    # Not `lower`, which is tested against torch's modules, nor `check` of arguments.
    "layers": [
        *(
            f"cifar_dsl.operations.layers.*ǁ{name}__mutmut_*"
            for name in ("infer", "parameters", "macs", "cost", "dropped_border")
        ),
        *(
            f"cifar_dsl.operations.layers.*ǁ{name}__mutmut_*"
            for name in ("_extents", "_padding", "_sides", "_slopes", "_steps", "_error")
        ),
        "cifar_dsl.operations.layers.window.*",
        "cifar_dsl.operations.layers.divisible.*",
        "cifar_dsl.operations.layers.initializer.x_fans__*",
        "cifar_dsl.operations.layers.base.*",
        "cifar_dsl.operations.layers.conv.x__check_groups__*",
        "cifar_dsl.operations.layers.join.*",
    ],
    "runs": [
        "cifar_dsl.foundation.atomic.*",
        "cifar_dsl.runs.checkpoints.*",
        "cifar_dsl.runs.sums.*",
        "cifar_dsl.runs.verification.*",
        "cifar_dsl.runs.writer.*",
        "cifar_dsl.training.checkpoints.*",
    ],
}


def main() -> int:
    """Run mutmut and count."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("areas", nargs="*", metavar="AREA", help=", ".join(_AREAS))
    parser.add_argument("--children", type=int, default=1)
    parser.add_argument("--show", action="store_true", help="list the survivors with their changes")
    parser.add_argument("--sample", type=int, metavar="COUNT", help="test only COUNT mutants of each area")
    options = parser.parse_args()
    if unknown := set(options.areas) - set(_AREAS):
        parser.error(f"unknown area {', '.join(sorted(unknown))}; choose from {', '.join(_AREAS)}")
    areas = options.areas or _AREAS
    return max(_measure(area, options.sample, options.children, show=options.show) for area in areas)


def _measure(area: str, sample: int | None, children: int, *, show: bool) -> int:
    """Test the mutants of an area; return 1 if too many survive."""
    command = [sys.executable, "-m", "mutmut"]
    run = [*command, "run", "--max-children", str(children)]
    names = dict(_codes(area))
    if not names:  # none exist yet; with a pattern that matches none, mutmut creates all and tests none
        subprocess.run([*run, "none"], cwd=_ROOT, check=False, capture_output=True)
        names = dict(_codes(area))
    chosen = random.Random(0).sample(sorted(names), min(sample or len(names), len(names)))
    subprocess.run([*run, *chosen], cwd=_ROOT, check=False)
    tried = dict(_codes(area))
    codes = {name: code for name in chosen if (code := tried[name]) is not None}
    alive = sorted(name for name, code in codes.items() if code in {_SURVIVED, _UNTESTED})
    for name in alive if show else []:
        subprocess.run([*command, "show", name], cwd=_ROOT, check=False)
    kinds = Counter(
        {_SURVIVED: "survived", _UNTESTED: "not run by any test"}.get(code, "killed") for code in codes.values()
    )
    share = kinds["killed"] / max(1, len(codes))
    print(f"{area}: {len(codes):,} mutants: " + ", ".join(f"{count:,} {kind}" for kind, count in kinds.most_common()))
    summary = f"{share:.1%} killed"
    if sample and len(codes) < len(names):
        interval = binomtest(kinds["killed"], len(codes)).proportion_ci(method="wilson")
        summary += f", of all {len(names):,} between {interval.low:.1%} and {interval.high:.1%}"
    print(summary)
    return int(share < _SHARE)


def _codes(area: str) -> Iterator[tuple[str, int | None]]:
    """The mutants of an area and the exit code of each test run; None if the mutant hasn't been tested."""
    for path in sorted((_ROOT / "mutants" / "cifar_dsl").rglob("*.meta")):
        for name, code in json.loads(path.read_text(encoding="utf-8"))["exit_code_by_key"].items():
            if any(fnmatch.fnmatchcase(name, pattern) for pattern in _AREAS[area]) and "ǁemit__" not in name:
                yield name, code


if __name__ == "__main__":
    sys.exit(main())
