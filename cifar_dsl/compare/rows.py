"""What a comparison says of each spec."""

import statistics
from collections.abc import Iterable, Sequence

from attrs import field, frozen

from cifar_dsl.runs import DataRecord, Run, RunError


def _one_of_each_seed(runs: Iterable[Run]) -> tuple[Run, ...]:
    first: dict[tuple[int, str], Run] = {}
    for run in runs:
        record = run.record()
        first.setdefault((record.seed, record.data.digest), run)
    return tuple(first.values())


@frozen
class Entry:
    """A spec that takes part: what it is, and its complete runs.

    A seed that was trained twice on the same data, under two names, takes part once.
    """

    name: str
    lineage: tuple[str, ...]
    changes: tuple[str, ...]
    fingerprint: str
    parameters: int
    macs: int
    runs: tuple[Run, ...] = field(converter=_one_of_each_seed)


@frozen
class Row:
    """One line of a comparison.

    `accuracies` are those of the finished runs on the test images, by seed, from 0 to 1. `deviation` is the
    sample standard deviation (n - 1) and None for fewer than two runs. `difference` is mean minus the
    baseline's mean. `gain_per_parameter` is that difference for each parameter more than the baseline has, and
    None where none was added. `time_s` is the mean duration of a run.
    """

    name: str
    changes: tuple[str, ...]
    fingerprint: str
    parameters: int
    macs: int
    seeds: tuple[int, ...]
    accuracies: tuple[float, ...]
    diverged: int
    mean: float | None
    deviation: float | None
    difference: float | None
    gain_per_parameter: float | None
    time_s: float | None

    @property
    def change(self) -> str:
        """What the spec changes, in one phrase."""
        return "; ".join(self.changes) or "-"


@frozen
class Comparison:
    """Specs side by side, the baseline first. All runs used `data`, and were computed on `devices`."""

    baseline: str
    data: DataRecord | None
    devices: tuple[str, ...]
    rows: tuple[Row, ...]


def compare(entries: Sequence[Entry], baseline: str | None = None) -> Comparison:
    """Compare specs by their runs. Raises RunError where they can't be compared.

    Without `baseline`, it is the spec that most others extend, else the first.
    """
    base = _baseline(entries, baseline)
    records = [run.record() for entry in entries for run in entry.runs]
    data = {record.data.digest: record.data for record in records}
    if len(data) > 1:
        listed = ", ".join(f"{d.name} ({d.origin}; digest {d.digest[:12]})" for d in data.values())
        raise RunError(f"the runs used different data: {listed}", "train all specs on the same data")
    base_row = _row(base, None)
    return Comparison(
        baseline=base.name,
        data=next(iter(data.values()), None),
        devices=tuple(sorted({record.environment.device_name for record in records})),
        rows=tuple(_row(entry, base_row) for entry in sorted(entries, key=lambda entry: entry is not base)),
    )


def check_baseline(names: Sequence[str], wanted: str | None) -> None:
    """Raise RunError if specs of these names can't be measured against `wanted`."""
    if wanted not in {None, *names}:
        raise RunError(f"the baseline {wanted} is not among the specs", f"choose one of {', '.join(names)}")


def _baseline(entries: Sequence[Entry], wanted: str | None) -> Entry:
    if wanted is not None:
        check_baseline([entry.name for entry in entries], wanted)
        return next(entry for entry in entries if entry.name == wanted)

    def descendants(entry: Entry) -> int:
        return sum(entry.name in other.lineage[1:] for other in entries)

    return max(entries, key=descendants)  # the first of equals


def _row(entry: Entry, baseline: Row | None) -> Row:
    results = [(run.record().seed, run.result()) for run in entry.runs]
    finished = [(seed, result) for seed, result in results if result.accuracy is not None]
    accuracies = tuple(result.accuracy for _, result in finished if result.accuracy is not None)
    mean = statistics.fmean(accuracies) if accuracies else None
    difference = gain = None
    if baseline is not None and mean is not None and baseline.mean is not None:
        difference = mean - baseline.mean
        added = entry.parameters - baseline.parameters
        gain = difference / added if added > 0 else None
    return Row(
        name=entry.name,
        changes=entry.changes,
        fingerprint=entry.fingerprint,
        parameters=entry.parameters,
        macs=entry.macs,
        seeds=tuple(seed for seed, _ in finished),
        accuracies=accuracies,
        diverged=len(results) - len(finished),
        mean=mean,
        deviation=statistics.stdev(accuracies) if len(accuracies) > 1 else None,
        difference=difference,
        gain_per_parameter=gain,
        time_s=statistics.fmean(result.time_s for _, result in finished) if finished else None,
    )
