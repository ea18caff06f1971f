"""Compare networks of the zoo with the code that others have published.

    pip install timm einops
    python bench/originals.py [NETWORK ...] [--pairs]

Claim: with the same random weights and running statistics, both compute the same outputs, in training and in evaluation
mode, and the same gradients of a cross-entropy loss, in float64. Prints a table: lines of the network here and there
(docstrings, comments, recipe and imported layers don't count), parameters, and the largest differences, relative to the
largest element. Exits with 1 if one is above 1e-9, or if a count differs. Networks whose library isn't installed are
skipped with a note. `--pairs` lists which weights were matched.
"""

import argparse
import sys
from pathlib import Path

from measure import hardware

sys.path.append(str(Path(__file__).parents[1] / "tests"))

from helpers.originals import compare  # shared with the tests
from helpers.published import ORIGINALS

_LIMIT = 1e-9  # a wrong network differs by 1e-3 at least; rounding in a hundred layers reaches 1e-12
_HEAD = "| network | source | lines | theirs | parameters | training | evaluation | gradients | mechanism |"


def main() -> int:
    """Compare the networks and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("networks", nargs="*", help="[default: all]")
    parser.add_argument("--pairs", action="store_true", help="list the weights that were matched")
    options = parser.parse_args()
    print(f"{hardware()}\n\n{_HEAD}\n| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | --- |")
    wrong = False
    for original in ORIGINALS:
        if options.networks and original.spec not in options.networks:
            continue
        if not original.is_installed:
            print(f"{original.spec}: skipped, {original.library} isn't installed", file=sys.stderr)
            continue
        found = compare(original)
        own, theirs = found.parameters
        wrong |= found.worst > _LIMIT or own != theirs
        count = f"{own:,}" if own == theirs else f"{own:,}, {theirs:,} there"
        differences = " | ".join(f"{one:.0e}" for one in (found.training, found.evaluation, found.gradients))
        lines = f"{found.lines[0]} | {found.lines[1]}"
        print(f"| {original.spec} | {original.source} | {lines} | {count} | {differences} | {original.mechanism} |")
        if options.pairs:
            for pair in found.matched:
                print("{} = {}".format(*pair), file=sys.stderr)
    return int(wrong)


if __name__ == "__main__":
    sys.exit(main())
