"""How often a comparison claims what isn't so, and how often its intervals hold: on recorded accuracies.

    python bench/false_claims.py [--count 500] [--n 3 5 10] [--seed 0]

bench/recorded/accuracies.csv holds accuracies of three small specs with many seeds each, recorded by
bench/record_accuracies.py. A simulated comparison draws "runs" from them with replacement, so that the truth is known:
two specs drawn from one pool are equal, and two pools differ by exactly the difference of their means.

Shown for each setting: how often at least one spec was said to be better than the baseline (and better or worse),
although all are equal; how often a single interval, and how often all intervals together, held the true difference;
and how often the interval of P(beats) held the true probability. Exits with 1 where one spec under several names is
said to be better than itself in more than 5 %, or less than 93 % or more than 97 % of its intervals hold.
"""

import argparse
import csv
import math
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np
from attrs import define
from measure import verdict

from cifar_dsl.experiments.comparison.effects import ALPHA, Effect, Sample, effects
from cifar_dsl.experiments.comparison.multiplicity import ManyToOne

RECORDED = Path(__file__).parent / "recorded" / "accuracies.csv"

Pool = np.ndarray


@define
class Tally:
    """What happened in some simulated comparisons."""

    count: int = 0
    better: int = 0
    claimed: int = 0
    pooled: int = 0
    together: int = 0
    intervals: int = 0
    held: int = 0
    superiority: int = 0

    def add(self, found: list[Effect], truths: list[float], probabilities: list[float], *, pooled_claims: bool) -> None:
        """Count one comparison."""
        self.count += 1
        self.better += any(effect.verdict == "better" for effect in found)
        self.claimed += any(effect.verdict in {"better", "worse"} for effect in found)
        self.pooled += pooled_claims
        self.together += all(_holds(effect.simultaneous, truth) for effect, truth in zip(found, truths, strict=True))
        for effect, truth, probability in zip(found, truths, probabilities, strict=True):
            self.intervals += 1
            self.held += _holds(effect.interval, truth)
            self.superiority += _holds(effect.superiority_interval, probability)

    def line(self, name: str) -> str:
        """The shares in percent."""
        shares = [self.better, self.claimed, self.pooled]
        first = "".join(f"{100 * share / self.count:9.1f}" for share in shares)
        single = 100 * self.held / self.intervals
        return (
            f"{name:<44}{first}{single:10.1f}{100 * self.together / self.count:10.1f}"
            f"{100 * self.superiority / self.intervals:10.1f}"
        )


def pools() -> dict[str, Pool]:
    """The recorded accuracies by spec; runs that diverged are left out."""
    found: dict[str, list[float]] = defaultdict(list)
    with RECORDED.open(newline="") as file:
        for line in csv.DictReader(file):
            if line["accuracy"]:
                found[line["spec"]].append(float(line["accuracy"]))
    return {name: np.array(values) for name, values in found.items()}


def simulate(base: Pool, others: list[Pool], n: int, count: int, draw: np.random.Generator) -> Tally:
    """`count` comparisons of `n` runs of each."""
    tally = Tally()
    truths = [float(other.mean() - base.mean()) for other in others]
    probabilities = [_superiority(base, other) for other in others]
    while tally.count < count:
        ours, *theirs = (Sample(tuple(map(float, draw.choice(pool, n)))) for pool in (base, *others))
        found = [effect for effect in effects(ours, theirs) if effect and effect.interval]
        if len(found) == len(others):  # else all n runs of two specs happened to be equal
            tally.add(found, truths, probabilities, pooled_claims=_pooled_dunnett(ours, theirs))
    return tally


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--n", type=int, nargs="+", default=[3, 5, 10], help="seeds of each spec")
    options = parser.parse_args()
    recorded = pools()
    for name, pool in recorded.items():
        print(f"{name}: {len(pool)} runs, mean {pool.mean():.4f}, standard deviation {pool.std(ddof=1):.4f}")
    print(_correlations(recorded))
    small, rough = recorded["small"], recorded["rough"]
    level = rough - rough.mean() + small.mean()  # the same mean, another spread
    settings: list[tuple[str, Pool, list[Pool]]] = [
        ("one spec under two names", small, [small]),
        ("really different: small, rough", small, [rough]),
        ("one spec under eight names", small, [small] * 7),
        ("equal means, two of seven scatter more", small, [small] * 5 + [level] * 2),
        ("equal means, the baseline scatters more", level, [small] * 7),
    ]
    print(f"\n% of {options.count} comparisons\n")
    heads = ("better", "claimed", "pooled"), ("interval", "together", "P(beats)")
    print(f"{'':<44}{''.join(f'{head:>9}' for head in heads[0])}{''.join(f'{head:>10}' for head in heads[1])}")
    claims: dict[str, bool] = {}
    for number, (title, base, others) in enumerate(settings):
        for n in options.n:
            draw = np.random.default_rng((options.seed, number, n))
            tally = simulate(base, others, n, options.count, draw)
            print(tally.line(f"{title}, n = {n}"), flush=True)
            if title.startswith("one spec"):
                claims[f"{title}, n = {n}: better than itself in at most 5 %"] = tally.better <= 0.05 * tally.count
                is_held = 0.93 <= tally.held / tally.intervals <= 0.97
                claims[f"{title}, n = {n}: 93 to 97 % of the intervals hold the truth"] = is_held
    return verdict(claims)


def _holds(interval: tuple[float, float] | None, truth: float) -> bool:
    return interval is not None and interval[0] <= truth + 1e-12 and truth - 1e-12 <= interval[1]


def _superiority(base: Pool, other: Pool) -> float:
    return float((other[:, None] > base).mean() + (other[:, None] == base).mean() / 2)


def _pooled_dunnett(base: Sample, others: list[Sample]) -> bool:
    """Whether Dunnett's own test, which takes all specs to scatter alike, claims anything."""
    groups = [base, *others]
    variance = float(np.mean([(group.deviation or 0.0) ** 2 for group in groups]))
    error = math.sqrt(2 * variance / base.n)
    degrees = len(groups) * (base.n - 1)
    largest = max(abs((other.mean or 0.0) - (base.mean or 0.0)) for other in others) / error
    return ManyToOne([math.sqrt(0.5)] * len(others)).exceedance(largest, degrees) < ALPHA


def _correlations(recorded: dict[str, Pool]) -> str:
    """How much two specs' accuracies of one seed go together."""
    lines = []
    base = recorded["small"]
    for name, pool in recorded.items():
        n = min(len(base), len(pool))
        if name != "small":
            r = float(np.corrcoef(base[:n], pool[:n])[0, 1])
            reach = 1.96 / math.sqrt(n - 3)
            low, high = math.tanh(math.atanh(r) - reach), math.tanh(math.atanh(r) + reach)
            lines.append(f"correlation of small and {name} over {n} shared seeds: {r:+.2f} ({low:+.2f} to {high:+.2f})")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
