"""The rate of false claims of comparisons and the coverage of their intervals, where the truth is known.

    python bench/false_claims.py [PART ...] [--count 500] [--n 3 5 10] [--seed 0]

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

stopping  draws equal specs and looks at them after every pair of counts, as comparisons until decided may be stopped at
          any of them. Prints the share of tables with a claim at some look, of tables in which some interval missed the
          truth at some look, and of specs that differ by the margin and are called equivalent. Exits with 1 if it is
          above 5 % (equivalence: 2 %) beyond three Monte Carlo errors, for normal accuracies.
costs     simulates comparisons until decided, round by round, and prints their trainings over those of the design with
          20 seeds of each, how often both find the true effects, and by how much the differences that were claimed are
          larger than the true ones. --count / 5 tables.
resampled simulates comparisons until decided whose accuracies are drawn with replacement from those of
          bench/recorded/accuracies.csv: `small` is the baseline, and compared with `small` under another name, with
          `wide`, which is better, and with `rough`, which is worse. Prints the verdicts and the trainings. Exits with 1
          if `small` is reported to differ from itself in more than 5 % of comparisons (beyond three Monte Carlo
          errors), or a spec is reported better that is worse, or the reverse. --count / 2 tables.
best      simulates searches for the best of 8 specs (`sweep --until-decided`), seven of which are worse than the eighth
          by just the margin, or by 0 to 5 spreads. Prints how often the chosen one is worse than the best by the margin
          or more, how often what is said of it at some look is false, the trainings over those of 20 seeds of each, and
          how often halving, where all rounds are as telling as the last, chooses one that is worse by the margin.
          Exits with 1 if elimination errs in more than 5 % (beyond three Monte Carlo errors) for normal accuracies with
          spreads up to 8 times apart. --count / 5 tables.
calibrate prints the shares of alpha that may be spent (`_SHARES` in experiments/comparison/sequential.py). Hours.

Without a part, all but the last are run. Deterministic for a seed.
"""

import argparse
import csv
import math
import statistics
import sys
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
from attrs import define
from measure import verdict
from scipy import special
from simulated import SCENES, Floats, Scene, draws, monte_carlo_error

from cifar_dsl.experiments import elimination
from cifar_dsl.experiments.comparison import sequential
from cifar_dsl.experiments.comparison.effects import ALPHA, Effect, Sample, effects
from cifar_dsl.experiments.comparison.multiplicity import ManyToOne, chi
from cifar_dsl.experiments.comparison.sequential import (
    FIRST,
    Design,
    margin_of_error,
    moments,
    next_round,
    nominal_levels,
)
from cifar_dsl.experiments.comparison.unequal_spreads import capped_degrees, honest_level, size

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


def stopping(options: argparse.Namespace) -> dict[str, bool]:
    """Print how often comparisons until decided claim something false at any look, and judge it."""
    count = 4 * options.count
    columns = [(specs, cap) for cap in options.caps for specs in (1, 7)]
    heads = [f"{specs} spec{'s' * (specs > 1)}, cap {cap}" for specs, cap in columns]
    print(f"\n% of {count:,} tables of equal specs with a claim at any look (Monte Carlo error)\n")
    print(f"{'':<50}{''.join(head.rjust(17) for head in heads)}{'equivalent':>15}")
    claims: dict[str, bool] = {}
    for number, scene in enumerate(SCENES):
        cells = []
        for (specs, cap), head in zip(columns, heads, strict=True):
            rng = np.random.default_rng((options.seed, number, specs, cap))
            rate = _claims_at_any_look(rng, scene, Design(specs, cap), count)
            cells.append(f"{100 * rate:.1f} ({100 * monte_carlo_error(rate, count):.1f})".rjust(17))
            if scene.is_promised:
                most = 0.05 + 3 * monte_carlo_error(0.05, count)
                claims[f"{scene.name}, {head}: false claims at any look in at most 5 % of tables"] = rate <= most
        false = _false_equivalence(np.random.default_rng((options.seed, number)), scene, options.caps[0], count)
        if scene.is_promised:
            most = 0.02 + 3 * monte_carlo_error(0.02, count)
            claims[f"{scene.name}: false equivalence in at most 2 %"] = false <= most
        cells.append(f"{100 * false:.1f} ({100 * monte_carlo_error(false, count):.1f})".rjust(15))
        print(f"{scene.name:<50}{''.join(cells)}", flush=True)
    for specs in (1, 7):
        rate = _naive(np.random.default_rng((options.seed, specs)), specs, max(options.caps), count)
        print(
            f"the fixed design's test at every look, equal spreads, {specs} spec{'s' * (specs > 1)}: {100 * rate:.1f}"
        )
    return claims


def _naive(rng: np.random.Generator, specs: int, cap: int, count: int) -> float:
    """The share of tables of equal specs that the fixed design claims to differ at some look at equal counts."""
    (mean, variance), (mean2, variance2) = (moments(rng.standard_normal((count, k, cap))) for k in (1, specs))
    level = ManyToOne([math.sqrt(0.5)] * specs).level(ALPHA)
    claimed = np.zeros(count, bool)
    for n in range(FIRST, cap + 1):
        ours, theirs = variance[:, :, n - 1] / n, variance2[:, :, n - 1] / n
        t = (mean2[:, :, n - 1] - mean[:, :, n - 1]) / np.sqrt(ours + theirs)
        p = 2 * special.stdtr(capped_degrees(ours, n, theirs, n), -np.abs(t))
        claimed |= (p <= honest_level(level, n, n)).any(axis=1)
    return float(claimed.mean())


def _bounds(design: Design, base: Floats, other: Floats) -> tuple[Floats, Floats]:
    """The intersected intervals of all looks at any pair of counts, for arrays (tables, cap)."""
    (mean, variance), (mean2, variance2) = moments(base), moments(other)
    low, high = np.full(len(base), -np.inf), np.full(len(base), np.inf)
    for i in range(FIRST, design.cap + 1):
        for j in range(FIRST, design.cap + 1):
            reach = margin_of_error(design, variance[:, i - 1], i, variance2[:, j - 1], j)
            difference = mean2[:, j - 1] - mean[:, i - 1]
            low, high = np.maximum(low, difference - reach), np.minimum(high, difference + reach)
    return low, high


def _claims_at_any_look(rng: np.random.Generator, scene: Scene, design: Design, count: int) -> float:
    """The share of tables of equal specs in which some interval misses 0, which is the truth, at some look."""
    base = scene.base * draws(rng, (count, design.cap), scene.shape)
    claimed = np.zeros(count, bool)
    for _ in range(design.specs):
        low, high = _bounds(design, base, scene.others * draws(rng, (count, design.cap), scene.shape))
        claimed |= (low > 0) | (high < 0)
    return float(claimed.mean())


def _false_equivalence(rng: np.random.Generator, scene: Scene, cap: int, count: int) -> float:
    """How often one spec that differs by just the margin is within it at some look."""
    scale = 0.5 / math.hypot(scene.base, scene.others)
    margin = 1.5 * 0.5  # so that a few seeds can show equivalence
    base = scale * scene.base * draws(rng, (count, cap), scene.shape)
    other = margin + scale * scene.others * draws(rng, (count, cap), scene.shape)
    low, high = _bounds(Design(1, cap, margin), base, other)
    return float(((low > -margin) & (high < margin)).mean())


SETTINGS = (
    ("3 specs: 0.2, 1 and 10 points at a spread of 0.4", (0.5, 2.5, 25.0)),
    ("7 specs: 0, 0, 0.2, 0.2, 1, 1 and 10 points", (0.0, 0.0, 0.5, 0.5, 2.5, 2.5, 25.0)),
    ("3 specs: 0 to 5 spreads", None),
    ("1 spec: 0 to 5 spreads", ()),
)


def costs(options: argparse.Namespace) -> dict[str, bool]:
    """Print what comparisons until decided cost and find, beside the design with 20 seeds."""
    count = max(1, options.count // 5)
    print(f"\n{count} tables, effects in spreads, cap 30\n")
    print(f"{'':<50}{'trainings / fixed':>20}{'found':>9}{'by 20':>9}{'claimed / true':>18}")
    for number, (name, fixed) in enumerate(SETTINGS):
        rng = np.random.default_rng((options.seed, number))
        specs = len(fixed) if fixed else 1 if fixed == () else 3
        ratios, found, by_fixed, inflation = [], [], [], []
        for _ in range(count):
            truth = fixed or tuple(rng.uniform(0, 5, specs))
            base, *others = rng.standard_normal((specs + 1, 30))
            samples = {str(i): shift + other for i, (shift, other) in enumerate(zip(truth, others, strict=True))}
            used, effects_ = _until_decided(Design(specs), base, samples)
            ratios.append(used / (20 * (specs + 1)))
            reference = effects(_sample(base, 20), [_sample(each, 20) for each in samples.values()])
            for shift, one, two in zip(truth, effects_, reference, strict=True):
                if shift > 0:
                    found.append(one.verdict == "better")
                    by_fixed.append(two is not None and two.verdict == "better")
                if shift > 0 and one.verdict == "better":
                    inflation.append(one.difference / shift)
        shares = f"{statistics.fmean(ratios):.2f} ({statistics.stdev(ratios) / math.sqrt(count):.2f})"
        larger = f"{statistics.fmean(inflation):.2f} ({statistics.stdev(inflation) / math.sqrt(len(inflation)):.2f})"
        powers = f"{100 * statistics.fmean(found):7.0f} %{100 * statistics.fmean(by_fixed):7.0f} %"
        print(f"{name:<50}{shares:>20}{powers}{larger:>18}", flush=True)
    return {}


def resampled(options: argparse.Namespace) -> dict[str, bool]:
    """Print what comparisons until decided find in recorded accuracies, and judge it."""
    count = max(1, options.count // 2)
    found = pools()
    names = {"small under another name": "small", "wide": "wide", "rough": "rough"}
    base, others = found["small"], {name: found[spec] for name, spec in names.items()}
    claims: dict[str, bool] = {}
    for cap in options.caps:
        design = Design(len(others), cap)
        rng = np.random.default_rng((options.seed, cap))
        verdicts: dict[str, Counter[str]] = {name: Counter() for name in others}
        trainings, is_covered = [], []
        for _ in range(count):
            drawn = {name: rng.choice(pool, cap) for name, pool in others.items()}
            used, effects_ = _until_decided(design, rng.choice(base, cap), drawn)
            trainings.append(used)
            for (name, pool), one in zip(others.items(), effects_, strict=True):
                verdicts[name][one.verdict] += 1
                is_covered.append(_contains(one.simultaneous, float(pool.mean() - base.mean())))
        print(f"\n% of {count} comparisons of recorded accuracies, at most {cap} seeds; in points\n")
        print(f"{'':<28}{'true difference':>16}{'better':>9}{'worse':>9}{'no claim':>10}")
        for name, pool in others.items():
            better, worse = (100 * verdicts[name][verdict_] / count for verdict_ in ("better", "worse"))
            difference = 100 * float(pool.mean() - base.mean())
            print(f"{name:<28}{difference:>16.1f}{better:>9.1f}{worse:>9.1f}{100 - better - worse:>10.1f}")
        share = statistics.fmean(trainings) / ((len(others) + 1) * cap)
        print(f"intervals that contain the true difference: {100 * statistics.fmean(is_covered):.1f} %; ", end="")
        print(f"trainings: {statistics.fmean(trainings):.1f}, {share:.2f} of the most", flush=True)
        false = sum(verdicts["small under another name"][verdict_] for verdict_ in ("better", "worse")) / count
        most = 0.05 + 3 * monte_carlo_error(0.05, count)
        claims[f"cap {cap}: a spec differs from itself in at most 5 % of comparisons"] = false <= most
        wrong = verdicts["wide"]["worse"] + verdicts["rough"]["better"]
        claims[f"cap {cap}: no claim has the wrong sign"] = wrong == 0
    return claims


def _until_decided(design: Design, base: Floats, others: dict[str, Floats]) -> tuple[int, list[Effect]]:
    """Train round by round; the number of trainings, and the last effects."""
    counts: dict[str | None, int] = dict.fromkeys([None, *others], 0)
    while True:
        ours = _sample(base, counts[None])
        theirs = {name: _sample(values, counts[name]) for name, values in others.items()}
        more = next_round(design, ours, theirs)
        if not more:
            found = [sequential.effect(design, ours, each) for each in theirs.values()]
            return sum(counts.values()), [each for each in found if each]
        for name, number in more.items():
            counts[name] += number


def _sample(values: Floats, n: int) -> Sample:
    return Sample(tuple(map(float, values[:n])))


def best(options: argparse.Namespace) -> dict[str, bool]:
    """Print how often searches for the best of 8 specs err, and judge it."""
    count, spread, cap = max(1, options.count // 5), 0.1, options.caps[0]
    margin = 1.5 * spread
    design = Design(7, cap, margin)
    scenes = [scene for scene in SCENES if scene.is_promised]
    print(f"\n% of {count} searches for the best of 8 specs, margin 1.5 spreads, cap {cap} (Monte Carlo error)\n")
    print(f"{'':<62}{'wrong':>12}{'false bound':>14}{'trainings':>12}{'halving wrong':>16}")
    claims: dict[str, bool] = {}
    for number, scene in enumerate(scenes):
        for name, is_spread in (("worse by the margin", False), ("worse by 0 to 5 spreads", True)):
            rng = np.random.default_rng((options.seed, number, is_spread))
            wrong = false = halved = 0
            used = []
            for _ in range(count):
                shifts = -(spread * rng.uniform(0, 5, 8) if is_spread else np.full(8, margin * (1 + 1e-9)))
                shifts[0] = 0.0
                scales = spread * np.array([scene.base, *[scene.others] * 7]) / math.hypot(scene.base, scene.others)
                values = shifts[:, None] + scales[:, None] * draws(rng, (8, cap), scene.shape)
                outcome = _search(design, values, -shifts)
                wrong += outcome.is_wrong
                false += outcome.is_false
                used.append(outcome.trainings / (8 * 20))
                halved += -shifts[_halved(values)] > margin
            error = 100 * monte_carlo_error(wrong / count, count)
            cells = f"{100 * wrong / count:.1f} ({error:.1f})".rjust(12) + f"{100 * false / count:14.1f}"
            print(
                f"{f'{scene.name}, {name}':<62}{cells}{statistics.fmean(used):12.2f}{100 * halved / count:16.1f}",
                flush=True,
            )
            most = 0.05 + 3 * monte_carlo_error(0.05, count)
            claims[f"{scene.name}, {name}: at most 5 % of searches err"] = max(wrong, false) / count <= most
    return claims


@define
class Search:
    """How a search ended: whether a decision was wrong, whether a bound was too small at some look, and its cost."""

    is_wrong: bool
    is_false: bool
    trainings: int


def _search(design: Design, values: Floats, worse_by: Floats) -> Search:
    """Search for the best, given the accuracies of each spec and by how much each is worse than the best."""
    counts = dict.fromkeys(map(str, range(len(values))), 0)
    is_false = False
    while True:
        samples = {name: _sample(values[int(name)], number) for name, number in counts.items()}
        found = elimination.standing(design, samples)
        truth = float(worse_by[int(found.chosen)])
        is_false |= truth > found.worse_by[found.chosen]
        more = elimination.next_round(design, samples)
        if not more:
            is_wrong = elimination.is_decided(design, found) and truth > (design.margin or 0.0)
            return Search(is_wrong, is_false, sum(counts.values()))
        for name, number in more.items():
            counts[name] += number


def _halved(values: Floats) -> int:
    left = list(map(str, range(len(values))))
    for look in range(len(elimination.rounds_of(len(values), 1))):
        left = elimination.better_half({name: float(values[int(name), look]) for name in left})
    return int(left[0])


def calibrate(options: argparse.Namespace) -> dict[str, bool]:
    """Print how often levels are exceeded, over the level, by ratio of spreads; and the shares that follow."""
    count, chunk = 40 * options.count, 2000
    for cap in (4, 6, 8, 12, 16, 20, 30):
        worst = 0.0
        for alpha, more in ((0.05, 1), (0.05 / 7, 3), (0.05 / 50, 10)):
            levels = nominal_levels(range(FIRST, cap + 1), alpha)
            for ratio in (1.0, 2.0, 3.0, 5.0, 8.0):
                rng = np.random.default_rng((options.seed, cap, round(1 / alpha), int(ratio)))
                chunks = max(1, more * count // chunk)
                exceeded = sum(_exceeds(levels, cap, ratio, rng, chunk) for _ in range(chunks))
                rate = exceeded / (chunks * chunk) / alpha
                worst = max(worst, rate)
                print(f"cap {cap:>2}  alpha {alpha:.4f}  spreads 1:{ratio:g}  {rate:.3f}", flush=True)
        print(f"cap {cap:>2}  share {0.97 / worst:.3f}", flush=True)
    return {}


def _exceeds(levels: Floats, cap: int, ratio: float, rng: np.random.Generator, count: int) -> int:
    """The number of pairs of equal specs that exceed a level at any pair of counts."""
    (mean, variance), (mean2, variance2) = (moments(s * rng.standard_normal((count, cap))) for s in (1.0, ratio))
    found = np.zeros(count, bool)
    for i in range(FIRST, cap + 1):
        for j in range(FIRST, cap + 1):
            first, second = variance[:, i - 1] / i, variance2[:, j - 1] / j
            t = (mean2[:, j - 1] - mean[:, i - 1]) / np.sqrt(first + second)
            p = 2 * special.stdtr(capped_degrees(first, i, second, j), -np.abs(t))
            found |= p <= honest_level(float(levels[min(i, j) - FIRST]), i, j)
    return int(found.sum())


PARTS = {
    "recorded": recorded,
    "spreads": spreads,
    "stopping": stopping,
    "costs": costs,
    "resampled": resampled,
    "best": best,
}
ALL_PARTS = {**PARTS, "calibrate": calibrate}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", choices=[*ALL_PARTS, []], metavar="PART")
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--n", type=int, nargs="+", default=[3, 5, 10], help="seeds of each spec")
    parser.add_argument("--caps", type=int, nargs="+", default=[8, 30], help="caps of comparisons until decided")
    options = parser.parse_args()
    claims: dict[str, bool] = {}
    for part in options.parts or PARTS:
        claims |= ALL_PARTS[part](options)
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
