"""The rate of false claims of comparisons and the coverage of their intervals, where the truth is known.

    python bench/false_claims.py [recorded] [spreads] [--count 500] [--n 3 5 10] [--seed 0]

recorded  draws "runs" with replacement from bench/recorded/accuracies.csv, which holds accuracies of three small specs
          with many seeds each (bench/record_accuracies.py). So the truth is known: two specs drawn from one pool are
          equal, and two pools differ by exactly the difference of their means. Prints for each setting how often at
          least one spec was reported better than the baseline (and better or worse), although all are equal; how often
          a single interval, and how often all intervals together, contained the true difference; and how often the
          interval of P(beats) contained the true probability. Exits with 1 if a spec under several names is reported
          better than itself in more than 5 % of comparisons, or if less than 93 % or more than 98 % of its intervals
          contain the truth.
spreads   draws equal specs from distributions of other spreads and shapes. Prints the share of tables with a false
          claim of better or worse, for 1 and 7 specs beside the baseline, with the Monte Carlo error, from 10 times as
          many tables. Exits with 1 if it is above 5 % (beyond three Monte Carlo errors) for normal accuracies with
          spreads up to 8 times apart.

Without a part, all are run. Deterministic for a seed.
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
from scipy import special
from simulated import SCENES, Scene, draws, monte_carlo_error

from cifar_dsl.experiments.comparison.effects import ALPHA, Effect, Sample, effects
from cifar_dsl.experiments.comparison.multiplicity import ManyToOne, chi
from cifar_dsl.experiments.comparison.unequal_spreads import capped_degrees, size

RECORDED = Path(__file__).parent / "recorded" / "accuracies.csv"

Pool = np.ndarray


@define
class Tally:
    """Counts over simulated comparisons."""

    count: int = 0
    better: int = 0
    better_or_worse: int = 0
    pooled: int = 0
    together: int = 0
    intervals: int = 0
    covered: int = 0
    superiority: int = 0

    def add(self, found: list[Effect], truths: list[float], probabilities: list[float], *, pooled_claims: bool) -> None:
        """Add one comparison."""
        self.count += 1
        self.better += any(effect.verdict == "better" for effect in found)
        self.better_or_worse += any(effect.verdict in {"better", "worse"} for effect in found)
        self.pooled += pooled_claims
        self.together += all(_contains(effect.simultaneous, truth) for effect, truth in zip(found, truths, strict=True))
        for effect, truth, probability in zip(found, truths, probabilities, strict=True):
            self.intervals += 1
            self.covered += _contains(effect.interval, truth)
            self.superiority += _contains(effect.superiority_interval, probability)

    def line(self, name: str) -> str:
        """One row of the table, in percent."""
        shares = [self.better, self.better_or_worse, self.pooled]
        first = "".join(f"{100 * share / self.count:9.1f}" for share in shares)
        single = 100 * self.covered / self.intervals
        return (
            f"{name:<44}{first}{single:10.1f}{100 * self.together / self.count:10.1f}"
            f"{100 * self.superiority / self.intervals:10.1f}"
        )


def pools() -> dict[str, Pool]:
    """The recorded accuracies of each spec, without diverged runs."""
    found: dict[str, list[float]] = defaultdict(list)
    with RECORDED.open(newline="") as file:
        for line in csv.DictReader(file):
            if line["accuracy"]:
                found[line["spec"]].append(float(line["accuracy"]))
    return {name: np.array(values) for name, values in found.items()}


def simulate(base: Pool, others: list[Pool], n: int, count: int, draw: np.random.Generator) -> Tally:
    """Simulate `count` comparisons with `n` runs of each spec."""
    tally = Tally()
    truths = [float(other.mean() - base.mean()) for other in others]
    probabilities = [_superiority(base, other) for other in others]
    while tally.count < count:
        ours, *theirs = (Sample(tuple(map(float, draw.choice(pool, n)))) for pool in (base, *others))
        found = [effect for effect in effects(ours, theirs) if effect and effect.interval]
        if len(found) == len(others):  # otherwise all runs of two specs are equal by chance
            tally.add(found, truths, probabilities, pooled_claims=_pooled_dunnett(ours, theirs))
    return tally


def recorded(options: argparse.Namespace) -> dict[str, bool]:
    """Print what comparisons of recorded accuracies claim, and judge it."""
    found = pools()
    for name, pool in found.items():
        print(f"{name}: {len(pool)} runs, mean {pool.mean():.4f}, standard deviation {pool.std(ddof=1):.4f}")
    print(_correlations(found))
    small, rough = found["small"], found["rough"]
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
                is_covered = 0.93 <= tally.covered / tally.intervals <= 0.98
                claims[f"{title}, n = {n}: 93 to 98 % of the intervals hold the truth"] = is_covered
    return claims


def spreads(options: argparse.Namespace) -> dict[str, bool]:
    """Print how often a table of equal specs makes a claim, and judge it."""
    count = 10 * options.count
    columns = [(specs, n) for specs in (1, 7) for n in options.n]
    print(f"\n% of {count:,} tables of equal specs with a false claim (Monte Carlo error)\n")
    print(f"{'':<50}{''.join(f'{specs} x {n} seeds'.rjust(15) for specs, n in columns)}")
    claims: dict[str, bool] = {}
    for number, scene in enumerate(SCENES):
        cells = []
        for specs, n in columns:
            rng = np.random.default_rng((options.seed, number, specs, n))
            rate = _claims(rng, scene, specs, n, count)
            error = monte_carlo_error(rate, count)
            cells.append(f"{100 * rate:.1f} ({100 * error:.1f})")
            if scene.is_promised:
                most = 0.05 + 3 * monte_carlo_error(0.05, count)
                claims[f"{scene.name}, {specs} specs, n = {n}: false claims in at most 5 % of tables"] = rate <= most
        print(f"{scene.name:<50}{''.join(cell.rjust(15) for cell in cells)}", flush=True)
    return claims


def _claims(rng: np.random.Generator, scene: Scene, specs: int, n: int, count: int) -> float:
    """The share of tables of equal specs that claim that one is better or worse.

    That is, as in `effects`, those whose smallest p-value is below ALPHA when it is adjusted.
    """
    base = scene.base * draws(rng, (count, 1, n), scene.shape)
    others = scene.others * draws(rng, (count, specs, n), scene.shape)
    ours, theirs = base.var(axis=2, ddof=1) / n, others.var(axis=2, ddof=1) / n
    t = (others.mean(axis=2) - base.mean(axis=2)) / np.sqrt(ours + theirs)
    smallest = (2 * special.stdtr(capped_degrees(ours, n, theirs, n), -np.abs(t))).min(axis=1)
    loadings = np.sqrt(ours / (ours + theirs))
    claimed = 0
    for p, row in zip(smallest, loadings, strict=True):
        alone = size(float(p), n, n)
        claimed += alone <= ALPHA and ManyToOne(row).adjusted(alone) < ALPHA
    return claimed / count


PARTS = {"recorded": recorded, "spreads": spreads}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], metavar="PART", help="recorded, spreads")
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--n", type=int, nargs="+", default=[3, 5, 10], help="seeds of each spec")
    options = parser.parse_args()
    claims: dict[str, bool] = {}
    for part in options.parts or PARTS:
        claims |= PARTS[part](options)
    return verdict(claims)


def _contains(interval: tuple[float, float] | None, truth: float) -> bool:
    return interval is not None and interval[0] <= truth + 1e-12 and truth - 1e-12 <= interval[1]


def _superiority(base: Pool, other: Pool) -> float:
    return float((other[:, None] > base).mean() + (other[:, None] == base).mean() / 2)


def _pooled_dunnett(base: Sample, others: list[Sample]) -> bool:
    """Whether Dunnett's original test, which assumes equal variances, finds a difference."""
    groups = [base, *others]
    variance = float(np.mean([(group.deviation or 0.0) ** 2 for group in groups]))
    error = math.sqrt(2 * variance / base.n)
    degrees = len(groups) * (base.n - 1)
    family = ManyToOne([math.sqrt(0.5)] * len(others))
    largest = max(abs((other.mean or 0.0) - (base.mean or 0.0)) for other in others) / error
    spreads, weights = chi(degrees)  # one estimated spread, shared by all
    p = float(weights @ [family.adjusted(float(2 * special.ndtr(-largest * spread))) for spread in spreads])
    return p < ALPHA


def _correlations(recorded: dict[str, Pool]) -> str:
    """The correlation of two specs' accuracies over shared seeds."""
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
