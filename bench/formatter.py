"""Format generated specs.

    python bench/formatter.py [--count 2000] [--seed 0]

Claim: `cifar-dsl fmt` keeps the fingerprint of every spec and all of its comments, and a second pass changes nothing.
Specs are drawn from all layers, joins, blocks, loops and settings, with random space, line breaks and comments wherever
the language allows them. Exits with 1 at the first counterexample, and prints it minimized.
"""

import argparse
import random
import sys
import time
from pathlib import Path

from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st
from measure import hardware

from cifar_dsl.compiler import analyze_text
from cifar_dsl.language.source import Source
from cifar_dsl.language.syntax.formatter import format_text

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from helpers.layouts import comments_of, scattered
from helpers.networks import networks, specs


def main() -> None:
    """Draw specs and check each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    seen = {"specs": 0, "lines": 0, "comments": 0}

    @seed(options.seed)
    @settings(max_examples=options.count, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(specs() | networks(), st.randoms(use_true_random=False))
    def keeps(text: str, draws: random.Random) -> None:
        ugly = scattered(text, draws)
        canonical = format_text(Source("drawn", ugly))
        assert analyze_text(canonical).fingerprint == analyze_text(text).fingerprint, "another meaning"
        assert comments_of(canonical) == comments_of(ugly), "other comments"
        assert format_text(Source("again", canonical)) == canonical, "a second pass changes something"
        seen["specs"] += 1
        seen["lines"] += canonical.count("\n")
        seen["comments"] += len(comments_of(ugly))

    start = time.perf_counter()
    keeps()
    print(f"formatter on generated specs\n{hardware()}\n")
    print(", ".join(f"{number:,} {what}" for what, number in seen.items()))
    print(f"same fingerprints, no comment lost, second pass changed none; {time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
