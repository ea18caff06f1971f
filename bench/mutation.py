"""Mutants of the code that infers shapes and counts, and of the code that writes checkpoints and runs.

    python bench/mutation.py [layers] [runs] [--children 1] [--show]

Claim: the tests kill at least 90 % of the mutants of what infers and counts in cifar_dsl/layers (`layers`), and of
what writes and verifies runs and their checkpoints (`runs`). A mutant is one small change, such as `+` for `-`, 2 for
1, another text, that mutmut makes; it is killed when a test fails. Mutants that no test runs count as alive. What is
alive is listed with --show; why that is so stands in docs/promises.md. The tests are those that [tool.mutmut] of
pyproject.toml names. mutmut works in ./mutants, which may be deleted, and goes on where it stopped; what it hasn't come
to when it is broken off is not counted. Exits with 1 where fewer are killed.
"""

import argparse
import fnmatch
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

_ROOT = Path(__file__).parents[1]
_SHARE = 0.9
_SURVIVED, _UNTESTED = 0, 33  # codes that mutmut keeps
_AREAS = {
    # What infers and counts; not `emit`, which the equality of modules with torch's holds, nor `check` of arguments.
    "layers": [
        *(
            f"cifar_dsl.layers.*ǁ{name}__mutmut_*"
            for name in ("infer", "parameters", "macs", "activations", "cost", "unseen")
        ),
        *(
            f"cifar_dsl.layers.*ǁ{name}__mutmut_*"
            for name in ("_extents", "_padding", "_sides", "_slopes", "_steps", "_error")
        ),
        "cifar_dsl.layers.window.*",
        "cifar_dsl.layers.divisible.*",
        "cifar_dsl.layers.initializer.x_fans__*",
        "cifar_dsl.layers.base.*",
        "cifar_dsl.layers.conv.x__check_groups__*",
        "cifar_dsl.layers.join.*",
    ],
    "runs": [
        "cifar_dsl.atomic.*",
        "cifar_dsl.runs.checkpoints.*",
        "cifar_dsl.runs.digests.*",
        "cifar_dsl.runs.verification.*",
        "cifar_dsl.runs.writer.*",
        "cifar_dsl.training.checkpoints.*",
    ],
}


def main() -> int:
    """Run mutmut, and count."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("areas", nargs="*", metavar="AREA", help=", ".join(_AREAS))
    parser.add_argument("--children", type=int, default=1)
    parser.add_argument("--show", action="store_true", help="list what is alive, with its change")
    options = parser.parse_args()
    if unknown := set(options.areas) - set(_AREAS):
        parser.error(f"no area is called {', '.join(sorted(unknown))}; there are {', '.join(_AREAS)}")
    return max(_measure(area, options.children, show=options.show) for area in options.areas or _AREAS)


def _measure(area: str, children: int, *, show: bool) -> int:
    """Try the mutants of an area; 1 where too many live."""
    command = [sys.executable, "-m", "mutmut"]
    subprocess.run([*command, "run", "--max-children", str(children), *_AREAS[area]], cwd=_ROOT, check=False)
    codes = dict(_codes(_AREAS[area]))
    alive = sorted(name for name, code in codes.items() if code in {_SURVIVED, _UNTESTED})
    for name in alive if show else []:
        subprocess.run([*command, "show", name], cwd=_ROOT, check=False)
    kinds = Counter(
        {_SURVIVED: "survived", _UNTESTED: "not run by any test"}.get(code, "killed") for code in codes.values()
    )
    share = kinds["killed"] / max(1, len(codes))
    print(f"{area}: {len(codes):,} mutants: " + ", ".join(f"{count:,} {kind}" for kind, count in kinds.most_common()))
    print(f"{share:.1%} killed")
    return int(share < _SHARE)


def _codes(patterns: Sequence[str]) -> Iterator[tuple[str, int]]:
    """The mutants that count and were tried, with what pytest, or else mutmut, says of each."""
    for path in sorted((_ROOT / "mutants" / "cifar_dsl").rglob("*.meta")):
        for name, code in json.loads(path.read_text(encoding="utf-8"))["exit_code_by_key"].items():
            if code is not None and any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns):
                yield name, code


if __name__ == "__main__":
    sys.exit(main())
