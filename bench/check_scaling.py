"""The time of a check as the network grows.

    python bench/check_scaling.py

Claim: 10 times as many layers take at most 11 times as long, up to 10,000 layers, for layers from a loop, layers
written one by one, and layers nested in blocks and joins. One process without torch runs the sizes interleaved; the
fastest of `--rounds` counts, since disturbances only make a run slower.
"""

import argparse
import itertools
import sys
import time
from collections.abc import Callable

from measure import hardware, interleaved, verdict

_HEAD = "arch scaled\ninput 3x32x32\n"


def looped(layers: int) -> str:
    """Layers from a loop."""
    return f"{_HEAD}model {{\nconv(8, 3, pad=1)\nrepeat {(layers - 1) // 2} {{ conv(8, 3, pad=1) -> relu }}\n}}\n"


def written(layers: int) -> str:
    """Layers written one by one, as many as a file can hold, in a loop."""
    lines = "    bn -> relu\n" * 50
    return f"{_HEAD}model {{\nrepeat {layers // 100} {{\n{lines}}}\n}}\n"


def nested(layers: int) -> str:
    """Residual blocks: calls, joins, scopes, conditions on shapes. Eight nodes per block."""
    return f"{_HEAD}model {{\nconv(8, 3, pad=1)\nrepeat {(layers - 1) // 8} {{ basic_block(in_channels) }}\n}}\n"


def main() -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    print(f"check of a network and of one with ten times the layers\n{hardware()}\n")
    claims: dict[str, bool] = {}
    for make in (looped, written, nested):
        sizes = (100, 1_000, 10_000)
        times = interleaved({f"{make.__name__} {size:,}": _checked(make(size)) for size in sizes}, options.rounds)
        best = [1000 * min(values) for values in times.values()]
        ratios = [larger / smaller for smaller, larger in itertools.pairwise(best)]
        shown = ", ".join(f"{size:,} layers {ms:.1f} ms" for size, ms in zip(sizes, best, strict=True))
        print(f"{make.__name__:<8} {shown}; ratios {' and '.join(f'{ratio:.1f}' for ratio in ratios)}")
        claims[f"{make.__name__}: at most 11 times as long"] = max(ratios) <= 11
    return verdict(claims)


def _checked(text: str) -> Callable[[], float]:
    from cifar_dsl.compiler import analyze_text
    from cifar_dsl.language.syntax.parser import parsed_within

    def run() -> float:
        parsed_within.cache_clear()
        start = time.perf_counter()
        found = analyze_text(text)
        assert found.fingerprint
        return time.perf_counter() - start

    run()
    return run


if __name__ == "__main__":
    sys.exit(main())
