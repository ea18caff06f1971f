"""What a comparison says of each spec."""

import statistics
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from itertools import combinations

from attrs import evolve, field

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
from cifar_dsl.experiments.comparison.images import SpecImages, describe, read_answers
from cifar_dsl.experiments.comparison.multiplicity import holm
from cifar_dsl.foundation.errors import RunError
from cifar_dsl.foundation.records import frozen
from cifar_dsl.runs import DataRecord, Machine, Run, SpecIdentity


def _one_of_each_seed(runs: Iterable[Run]) -> tuple[Run, ...]:
    first: dict[tuple[int, str], Run] = {}
    for run in runs:
        record = run.record()
        first.setdefault((record.seed, record.data.digest), run)
    return tuple(first.values())


@frozen
class ComparedSpec:
    """A spec that takes part: which it is, its complete runs, and what there is of runs whose training failed.

    `display_name` is its name in the comparison, which no other has.

    A seed that was trained twice on the same data, under two names, takes part once.
    """

    display_name: str
    spec: SpecIdentity
    parameters: int
    macs: int
    runs: tuple[Run, ...] = field(converter=_one_of_each_seed)
    failed: tuple[Run, ...] = field(default=(), converter=_one_of_each_seed)


@frozen
class Row:
    """One line of a comparison, as comparison.json holds it; `name` is the display name.

    `accuracies` are those of the finished runs on the test images, by seed, from 0 to 1; `diverged` and `failed`
    count the runs that have none. `deviation` is the sample standard deviation (n - 1) and None for fewer than two
    runs; `interval` is Student's for the mean. `effect` is the difference from the baseline, None for the baseline
    itself, for a spec that means the same, and where one of the two has no accuracy. `gain_per_parameter` is
    the difference for each parameter more than the baseline has, and None where none was added. `time_s` and
    `energy_j` are the means of a finished run. `images` is None where no predictions were kept.
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

    @property
    def change(self) -> str:
        """What the spec changes, in one phrase."""
        return "; ".join(self.changes) or "-"

    @property
    def lost(self) -> int:
        """How many runs came to no accuracy."""
        return self.diverged + self.failed

    @property
    def sample(self) -> Sample:
        """What the statistics see of it."""
        return Sample(self.accuracies, self.lost)


@frozen
class Pair:
    """Two specs, neither of which need be the baseline: `second` minus `first`.

    `interval` is Welch's for this pair alone; `p_adjusted` is Holm's for all pairs, each pair of meanings counted
    once, and decides the verdict on `second`. Where it claims a difference, the interval leaves out 0; the reverse need
    not be.
    """

    first: str
    second: str
    difference: float
    interval: Interval | None
    p_adjusted: float | None
    verdict: Verdict


@frozen
class Comparison:
    """Specs side by side, the baseline first. All runs used `data`; `pairs` are empty unless asked for."""

    baseline: str
    data: DataRecord | None
    environments: tuple[Machine, ...]
    rows: tuple[Row, ...]
    pairs: tuple[Pair, ...]

    @property
    def devices(self) -> tuple[str, ...]:
        """What the runs were computed on, each once."""
        return tuple(sorted({environment.device_name for environment in self.environments}))

    @property
    def base_row(self) -> Row:
        """The baseline's line."""
        return self.rows[0]


def compare(entries: Sequence[ComparedSpec], baseline: str | None = None, *, all_pairs: bool = False) -> Comparison:
    """Compare specs by their runs. Raises RunError where they can't be compared.

    Without `baseline`, it is the spec that most others extend, else the first.
    """
    records = [run.record() for entry in entries for run in entry.runs]
    data = {record.data.digest: record.data for record in records}
    if len(data) > 1:
        listed = ", ".join(f"{d.name} ({d.origin}; digest {d.digest[:12]})" for d in data.values())
        raise RunError(f"the runs used different data: {listed}", "train all specs on the same data")
    for name, count in Counter(entry.display_name for entry in entries).items():
        if count > 1:
            raise RunError(f"{count} specs are called {name}", "give them different names")
    entries = [evolve(entry, failed=_still_failed(entry, data)) for entry in entries]
    base = _baseline(entries, baseline)
    ordered = sorted(entries, key=lambda entry: entry is not base)
    first, *others = map(_row, ordered, _images(ordered))
    rows = (first, *_against(first, others))
    return Comparison(
        baseline=base.display_name,
        data=next(iter(data.values()), None),
        environments=tuple(dict.fromkeys(record.environment for record in records)),
        rows=rows,
        pairs=_pairs(rows) if all_pairs else (),
    )


def check_baseline(names: Sequence[str], wanted: str | None) -> None:
    """Raise RunError if specs of these names can't be measured against `wanted`."""
    if wanted not in {None, *names}:
        raise RunError(f"the baseline {wanted} is not among the specs", f"choose one of {', '.join(names)}")


def _baseline(entries: Sequence[ComparedSpec], wanted: str | None) -> ComparedSpec:
    if wanted is not None:
        check_baseline([entry.display_name for entry in entries], wanted)
        return next(entry for entry in entries if entry.display_name == wanted)

    def descendants(entry: ComparedSpec) -> int:
        return sum(entry.display_name in other.spec.lineage[1:] for other in entries)

    return max(entries, key=descendants)  # the first of equals


def _still_failed(entry: ComparedSpec, data: Collection[str]) -> list[Run]:
    """The failed runs on the data that is compared, but for seeds that are complete after all."""
    complete = {run.record().seed for run in entry.runs}
    records = [(run, run.record()) for run in entry.failed]
    return [run for run, record in records if record.seed not in complete and (not data or record.data.digest in data)]


def _row(entry: ComparedSpec, images: SpecImages | None) -> Row:
    results = [(run.record().seed, run.result()) for run in entry.runs]
    finished = [(seed, result, result.accuracy) for seed, result in results if result.accuracy is not None]
    diverged = sum(result.status == "diverged" for _, result in results)
    sample = Sample(tuple(accuracy for *_, accuracy in finished))
    energies = [result.energy_j for _, result, _ in finished if result.energy_j is not None]
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
        energy_j=statistics.fmean(energies) if energies and len(energies) == len(finished) else None,
        curve=curve(entry.runs, entry.failed),
        images=images,
    )


def _against(base: Row, others: Sequence[Row]) -> list[Row]:
    """`others` with their effects, adjusted for all that mean something else than the baseline, each meaning once."""
    samples = {row.fingerprint: row.sample for row in others if row.fingerprint != base.fingerprint}
    found = dict(zip(samples, effects(base.sample, list(samples.values())), strict=True))
    for fingerprint, effect in found.items():
        if effect and effect.verdict == "unclear":
            needed = seeds_needed(base.sample, samples[fingerprint], list(samples.values()))
            found[fingerprint] = evolve(effect, seeds_needed=needed)
    compared = []
    for row in others:
        effect = found.get(row.fingerprint)
        added = row.parameters - base.parameters
        gain = effect.difference / added if effect and added > 0 else None
        compared.append(evolve(row, effect=effect, gain_per_parameter=gain))
    return compared


def _images(entries: Sequence[ComparedSpec]) -> list[SpecImages | None]:
    """Image by image, for the specs that kept their predictions; `entries` begin with the baseline."""
    base, *others = (read_answers(entry.display_name, entry.runs) for entry in entries)
    return [describe(each, base if each is not base else None) if each else None for each in (base, *others)]


def _pairs(rows: Sequence[Row]) -> tuple[Pair, ...]:
    couples = [
        (a, b)
        for a, b in combinations(rows, 2)
        if a.mean is not None and b.mean is not None and a.fingerprint != b.fingerprint
    ]
    tests = [welch(a.sample, b.sample) for a, b in couples]
    tried = {_meanings(a, b): test.p for (a, b), test in zip(couples, tests, strict=True) if test}
    adjusted = dict(zip(tried, holm(list(tried.values())), strict=True))
    pairs = []
    for (a, b), test in zip(couples, tests, strict=True):
        difference = (b.mean or 0.0) - (a.mean or 0.0)
        p = adjusted[_meanings(a, b)] if test else None
        verdict: Verdict = "untested" if p is None else "unclear"
        if p is not None and p < ALPHA:
            verdict = "better" if difference > 0 else "worse"
        pairs.append(Pair(a.name, b.name, difference, test.interval if test else None, p, verdict))
    return tuple(pairs)


def _meanings(a: Row, b: Row) -> frozenset[str]:
    return frozenset({a.fingerprint, b.fingerprint})
