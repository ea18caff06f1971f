"""The rows of a comparison: for each spec, its accuracies, costs and difference from the baseline."""

import math
import statistics
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from itertools import combinations
from typing import TypeVar

from cifar_dsl.experiments.comparison.curves import Curve, curve
from cifar_dsl.experiments.comparison.effects import (
    ALPHA,
    Effect,
    Interval,
    Sample,
    Verdict,
    effects,
    seeds_needed,
    welch,
)
from cifar_dsl.experiments.comparison.images import SpecImages, describe, spec_predictions
from cifar_dsl.experiments.comparison.multiplicity import holm
from cifar_dsl.experiments.comparison.plan import Plan
from cifar_dsl.experiments.comparison.readable import FailedRun, ReadRun
from cifar_dsl.experiments.comparison.sequential import effect
from cifar_dsl.foundation.errors import RunError
from cifar_dsl.foundation.records import evolve, field, frozen
from cifar_dsl.foundation.text import natural_order
from cifar_dsl.runs import DataRecord, Machine, SpecIdentity

OneRun = TypeVar("OneRun", ReadRun, FailedRun)


def _one_of_each_seed(runs: Iterable[OneRun]) -> tuple[OneRun, ...]:
    first: dict[tuple[int, str], OneRun] = {}
    for run in runs:
        first.setdefault((run.record.seed, run.record.data.digest), run)
    return tuple(first.values())


def _distinct(runs: Iterable[ReadRun]) -> tuple[ReadRun, ...]:  # mypy can't infer the types of a generic converter
    return _one_of_each_seed(runs)


def _distinct_failed(runs: Iterable[FailedRun]) -> tuple[FailedRun, ...]:
    return _one_of_each_seed(runs)


@frozen
class ComparedSpec:
    """A spec in a comparison, with its complete runs and its failed ones.

    `display_name` is its unique name in the comparison. Of runs with the same seed and data, under two names, only the
    first counts.
    """

    display_name: str
    spec: SpecIdentity
    parameters: int
    macs: int
    runs: tuple[ReadRun, ...] = field(converter=_distinct)
    failed: tuple[FailedRun, ...] = field(default=(), converter=_distinct_failed)


@frozen
class Row:
    """One row of a comparison, as in comparison.json; `name` is the display name.

    `accuracies` (0 to 1) are those of the finished runs on the test images, by seed; `diverged` and `failed` count the
    other runs. `deviation` is the sample standard deviation (n - 1), None for fewer than two runs; `interval` is
    Student's for the mean. `effect` is the difference from the baseline; None for the baseline itself, for a spec with
    the same fingerprint, and if one of the two has no accuracy. `gain_per_parameter` is the difference per additional
    parameter, None if there are none. `time_s`, `energy_j` and `cross_entropy` (on the test images) are means of the
    finished runs, None unless all have one. `images` is None if no predictions were saved. `at_chance` are the seeds of
    the runs that are no better than guessing, as far as their predictions were saved. `epochs` are those that the
    finished runs trained for; early stopping ended `stopped_early` of these runs.
    """

    name: str
    changes: tuple[str, ...]
    fingerprint: str
    parameters: int
    macs: int
    seeds: tuple[int, ...]
    accuracies: tuple[float, ...]
    diverged: int
    failed: int
    mean: float | None
    deviation: float | None
    interval: Interval | None
    effect: Effect | None
    gain_per_parameter: float | None
    time_s: float | None
    energy_j: float | None
    curve: Curve
    images: SpecImages | None
    cross_entropy: float | None
    at_chance: tuple[int, ...] = ()
    epochs: tuple[float, ...] = ()
    stopped_early: int = 0

    @property
    def change(self) -> str:
        """What the spec changes, in one phrase."""
        return "; ".join(self.changes) or "-"

    @property
    def lost(self) -> int:
        """The number of runs without an accuracy."""
        return self.diverged + self.failed

    @property
    def sample(self) -> Sample:
        """The row's accuracies and lost runs, for the statistics."""
        return Sample(self.accuracies, self.lost)


@frozen
class Pair:
    """Two specs, neither necessarily the baseline: `second` minus `first`.

    `interval` is Welch's for this pair alone. `p_adjusted` is Holm's for all pairs of fingerprints, and decides the
    verdict on `second`. If it claims a difference, the interval excludes 0, but not vice versa.
    """

    first: str
    second: str
    difference: float
    interval: Interval | None
    p_adjusted: float | None
    verdict: Verdict


@frozen
class Comparison:
    """Compared specs, the baseline first. All runs used `data`; `pairs` is empty unless requested.

    `left_out` names the specs and runs that couldn't be compared, each with the reason, without their folders. `plan`
    is that of a comparison until decided.
    """

    baseline: str
    data: DataRecord | None
    environments: tuple[Machine, ...]
    rows: tuple[Row, ...]
    pairs: tuple[Pair, ...]
    left_out: tuple[str, ...] = ()
    plan: Plan | None = None

    @property
    def devices(self) -> tuple[str, ...]:
        """The names of the devices that computed the runs, without repeats."""
        return tuple(sorted({environment.device_name for environment in self.environments}))

    @property
    def base_row(self) -> Row:
        """The baseline's row."""
        return self.rows[0]


def compare(
    entries: Sequence[ComparedSpec],
    baseline: str | None = None,
    *,
    all_pairs: bool = False,
    left_out: Sequence[str] = (),
    plan: Plan | None = None,
    sort: str | None = None,
) -> Comparison:
    """Compare specs by their runs. Raises RunError if they can't be compared.

    `baseline` defaults to the spec that most others extend, else to the first. `left_out`: see `Comparison`. With a
    `plan`, whose specs are these, the effects are those of its design. `sort` is the order of the rows after the
    baseline: by "effect", "name" or "parameters"; None: as given.
    """
    records = [run.record for entry in entries for run in entry.runs]
    data = {record.data.digest: record.data for record in records}
    if len(data) > 1:
        listed = ", ".join(f"{d.title} ({d.shareable.origin}; digest {d.digest[:12]})" for d in data.values())
        raise RunError(f"the runs used different datasets: {listed}", "train all specs on the same dataset")
    for name, count in Counter(entry.display_name for entry in entries).items():
        if count > 1:
            raise RunError(f"{count} specs are named {name}", "give them different names")
    entries = [evolve(entry, failed=_still_failed(entry, data)) for entry in entries]
    base = choose_baseline(entries, baseline)
    ordered = sorted(entries, key=lambda entry: entry is not base)
    first, *others = map(_row, ordered, _images(ordered))
    rows = (first, *_sorted(_against(first, others, plan), sort))
    return Comparison(
        baseline=base.display_name,
        data=next(iter(data.values()), None),
        environments=tuple(dict.fromkeys(record.environment for record in records)),
        rows=rows,
        pairs=_pairs(rows) if all_pairs else (),
        left_out=tuple(left_out),
        plan=plan,
    )


def check_baseline(names: Sequence[str], wanted: str | None) -> None:
    """Raise RunError if specs of these names can't be measured against `wanted`."""
    if wanted not in {None, *names}:
        raise RunError(
            f"the baseline {wanted} is not among the specs",
            f"choose one of {', '.join(names)}",
        )


def choose_baseline(entries: Sequence[ComparedSpec], wanted: str | None) -> ComparedSpec:
    """The spec named `wanted`, else the one that most others extend, else the first. Raises RunError."""
    if wanted is not None:
        check_baseline([entry.display_name for entry in entries], wanted)
        return next(entry for entry in entries if entry.display_name == wanted)

    def descendants(entry: ComparedSpec) -> int:
        return sum(entry.display_name in other.spec.lineage[1:] for other in entries)

    return max(entries, key=descendants)  # the first of ties


def _still_failed(entry: ComparedSpec, data: Collection[str]) -> list[FailedRun]:
    """The failed runs on the compared data, except seeds that were completed later."""
    complete = {run.record.seed for run in entry.runs}
    return [
        run for run in entry.failed if run.record.seed not in complete and (not data or run.record.data.digest in data)
    ]


def _row(entry: ComparedSpec, images: SpecImages | None) -> Row:
    results = [(run.record.seed, run.result) for run in entry.runs]
    finished = [(seed, result, result.accuracy) for seed, result in results if result.accuracy is not None]
    diverged = sum(result.status == "diverged" for _, result in results)
    sample = Sample(tuple(accuracy for *_, accuracy in finished))
    return Row(
        name=entry.display_name,
        changes=entry.spec.changes,
        fingerprint=entry.spec.fingerprint,
        parameters=entry.parameters,
        macs=entry.macs,
        seeds=tuple(seed for seed, *_ in finished),
        accuracies=sample.accuracies,
        diverged=diverged,
        failed=len(entry.failed),
        mean=sample.mean,
        deviation=sample.deviation,
        interval=sample.interval,
        effect=None,
        gain_per_parameter=None,
        time_s=statistics.fmean(result.time_s for _, result, _ in finished) if finished else None,
        energy_j=_mean(result.energy_j for _, result, _ in finished),
        curve=curve(entry.runs, entry.failed),
        images=images,
        cross_entropy=_mean(result.cross_entropy for _, result, _ in finished),
        epochs=tuple(result.epochs for _, result, _ in finished),
        stopped_early=sum(result.stopped_early for _, result, _ in finished),
        at_chance=tuple(run.record.seed for run in entry.runs if run.chance),
    )


def _mean(values: Iterable[float | None]) -> float | None:
    """The mean; None if there are no values, or one is None."""
    all_values = list(values)
    known = [value for value in all_values if value is not None]
    return statistics.fmean(known) if known and len(known) == len(all_values) else None


def _sorted(rows: Sequence[Row], by: str | None) -> list[Row]:
    """Rows in order; those without an effect come last in an order by effect."""
    if by == "effect":
        return sorted(rows, key=lambda row: -row.effect.difference if row.effect else math.inf)
    if by == "name":
        return sorted(rows, key=lambda row: natural_order(row.name))
    return sorted(rows, key=lambda row: row.parameters) if by == "parameters" else list(rows)


def planned_sample(plan: Plan, row: Row) -> Sample:
    """The accuracies of a row, in the order in which they count."""
    return plan.sample(row.fingerprint, dict(zip(row.seeds, row.accuracies, strict=True)), row.diverged)


def _against(base: Row, others: Sequence[Row], plan: Plan | None) -> list[Row]:
    """`others` with their effects, adjusted for all fingerprints that differ from the baseline's."""
    by_fingerprint = _fixed(base, others) if plan is None else _until_decided(base, others, plan)
    compared = []
    for row in others:
        found = by_fingerprint.get(row.fingerprint)
        added = row.parameters - base.parameters
        gain = found.difference / added if found and added > 0 else None
        compared.append(evolve(row, effect=found, gain_per_parameter=gain))
    return compared


def _until_decided(base: Row, others: Sequence[Row], plan: Plan) -> dict[str, Effect | None]:
    ours = planned_sample(plan, base)
    planned = {spec.fingerprint for spec in plan.specs}
    return {
        row.fingerprint: effect(plan.design, ours, planned_sample(plan, row))
        for row in others
        if row.fingerprint in planned
    }


def _fixed(base: Row, others: Sequence[Row]) -> dict[str, Effect | None]:
    samples = {row.fingerprint: row.sample for row in others if row.fingerprint != base.fingerprint}
    by_fingerprint: dict[str, Effect | None] = dict(
        zip(samples, effects(base.sample, list(samples.values())), strict=True)
    )
    for fingerprint, found in by_fingerprint.items():
        if found and found.verdict == "unclear":
            needed = seeds_needed(base.sample, samples[fingerprint], list(samples.values()))
            by_fingerprint[fingerprint] = evolve(found, seeds_needed=needed)
    return by_fingerprint


def _images(entries: Sequence[ComparedSpec]) -> list[SpecImages | None]:
    """Comparisons by image, for specs with saved predictions; `entries` start with the baseline."""
    described: list[SpecImages | None] = []
    base = None
    for i, entry in enumerate(entries):  # one after another: the predictions of a spec take megabytes
        predictions = spec_predictions(entry.display_name, entry.runs)
        base = predictions if i == 0 else base
        described.append(describe(predictions, base if i > 0 else None) if predictions else None)
    return described


def _pairs(rows: Sequence[Row]) -> tuple[Pair, ...]:
    couples = [
        (a, b)
        for a, b in combinations(rows, 2)
        if a.mean is not None and b.mean is not None and a.fingerprint != b.fingerprint
    ]
    tests = [welch(a.sample, b.sample) for a, b in couples]
    tried = {_fingerprints(a, b): test.p for (a, b), test in zip(couples, tests, strict=True) if test}
    adjusted = dict(zip(tried, holm(list(tried.values())), strict=True))
    pairs = []
    for (a, b), test in zip(couples, tests, strict=True):
        difference = (b.mean or 0.0) - (a.mean or 0.0)
        p = adjusted[_fingerprints(a, b)] if test else None
        verdict: Verdict = "untested" if p is None else "unclear"
        if p is not None and p < ALPHA:
            verdict = "better" if difference > 0 else "worse"
        pairs.append(Pair(a.name, b.name, difference, test.interval if test else None, p, verdict))
    return tuple(pairs)


def _fingerprints(a: Row, b: Row) -> frozenset[str]:
    return frozenset({a.fingerprint, b.fingerprint})
