"""Comparisons in Python: train specs that have no runs yet, and compare the runs of all."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import cattrs

from cifar_dsl.api.arguments import run_options
from cifar_dsl.api.python_warnings import warn_caller
from cifar_dsl.api.run import Run
from cifar_dsl.api.specs import PathLike, Spec, load
from cifar_dsl.api.training import train_one
from cifar_dsl.foundation.errors import UserError
from cifar_dsl.foundation.extras import required
from cifar_dsl.foundation.records import frozen
from cifar_dsl.training.options import RunOptions

if TYPE_CHECKING:
    from cifar_dsl.experiments.comparison import ComparedSpec
    from cifar_dsl.experiments.comparison import Comparison as Figures
    from cifar_dsl.training.events import Listener

Compared = Spec | Run | PathLike


@frozen(repr=False)
class Comparison:
    """A comparison of specs by their runs; `print` shows its table and findings, and a notebook, too.

    `figures` holds all numbers: a row for each spec, the baseline first.
    """

    figures: "Figures"

    @property
    def baseline(self) -> str:
        """The name of the spec that the others are compared with."""
        return self.figures.baseline

    def to_dataframe(self) -> Any:
        """A `pandas.DataFrame` with a row for each spec, its figures, and its difference from the baseline.

        `difference`, `interval` and `p` are those of `cifar-dsl compare`; missing for the baseline and for single runs.
        Raises UserError without pandas.
        """
        pandas = required("pandas", "to_dataframe()", "notebook")
        return pandas.DataFrame(self._records()).set_index("spec")

    def _records(self) -> list[dict[str, Any]]:
        records = []
        for row in self.figures.rows:
            effect = cattrs.unstructure(row.effect) if row.effect else {}
            low, high = row.interval or (None, None)
            records.append(
                {
                    "spec": row.name,
                    "change": row.change,
                    "accuracy": row.mean,
                    "deviation": row.deviation,
                    "low": low,
                    "high": high,
                    "runs": len(row.accuracies),
                    "parameters": row.parameters,
                    "macs": row.macs,
                    "time_s": row.time_s,
                    **{key: effect.get(key) for key in ("difference", "p", "p_adjusted", "verdict")},
                }
            )
        return records

    def __str__(self) -> str:
        from cifar_dsl.experiments.comparison.tables import as_text

        return "\n".join(as_text(self.figures))

    def __repr__(self) -> str:
        return f"<Comparison of {len(self.figures.rows)} specs with {self.baseline}>"

    def _repr_html_(self) -> str:
        from cifar_dsl.api.displays import comparison_html

        return comparison_html(self.figures)


def compare(
    specs: "Iterable[Compared] | Mapping[str, Compared]",
    *,
    seeds: int = 1,
    data: str | None = None,
    baseline: str | None = None,
    listener: "Listener | None" = None,
    **options: Any,
) -> Comparison:
    """Train those of `specs` that have no runs yet, with `seeds` seeds from 0, and compare all runs of each.

    `specs` are specs, paths of specs, and runs, or a mapping of names to them. Runs of one fingerprint count as one
    spec, and are compared as they are. `data` replaces the dataset of the specs, `baseline` names the spec to compare
    the others with, and `options` are those of `train`. Warns where a run can't be read. Raises what `train` raises;
    RunError if the runs can't be compared.
    """
    from cifar_dsl.api.progress import default_listener
    from cifar_dsl.experiments.comparison import compare as compare_entries

    if seeds < 1:
        raise UserError(f"seeds is {seeds}, but must be at least 1")
    chosen = run_options(options, compare)
    entries = []
    for name, item in _named(specs, data):
        if isinstance(item, Run):
            entries.append(_of_runs(name, [item]))
            continue
        trained = []
        for seed in range(seeds):
            shown = listener or default_listener(f"{name}, seed {seed}", keeps_curves=False)
            trained.append(train_one(item, seed=seed, listener=shown, options=options))
        entries.append(_of_spec(name, item, trained, chosen))
    return Comparison(compare_entries(_merged(entries), baseline))


def _named(specs: "Iterable[Compared] | Mapping[str, Compared]", data: str | None) -> list[tuple[str, Spec | Run]]:
    """Each spec or run with its name; of specs of one name, the overrides follow it."""
    if isinstance(specs, str | Spec | Run):
        raise UserError("compare takes a list of specs and runs", "pass compare([first, second])")
    is_named = isinstance(specs, Mapping)
    pairs = list(specs.items()) if isinstance(specs, Mapping) else [("", item) for item in specs]
    if not pairs:
        raise UserError("there is nothing to compare", "pass specs or runs: compare([first, second])")
    opened = [(name, item if isinstance(item, Run) else _opened(item, data)) for name, item in pairs]
    if is_named:
        return opened
    own = {id(item): item.record().spec if isinstance(item, Run) else item.identity for _, item in opened}
    distinct = {(identity.name, identity.fingerprint) for identity in own.values()}
    repeated = Counter(name for name, _ in distinct)
    named = []
    for _, item in opened:
        identity = own[id(item)]
        suffix = ", ".join(identity.overrides) or identity.fingerprint
        named.append((f"{identity.name} {suffix}" if repeated[identity.name] > 1 else identity.name, item))
    return named


def _opened(item: Spec | PathLike, data: str | None) -> Spec:
    """The spec, with its dataset replaced."""
    from cifar_dsl.api.specs import open_data

    spec = item if isinstance(item, Spec) else load(item, data=data)
    return open_data(spec, data)[0] if data is not None and isinstance(item, Spec) else spec


def _of_spec(name: str, spec: Spec, trained: list[Run], options: RunOptions) -> "ComparedSpec":
    """A spec with all its runs on the data of those that were trained now."""
    from cifar_dsl.experiments.comparison import ComparedSpec, read_run, readable_runs

    digest = trained[0].record().data.digest
    found = readable_runs(options.runs, trained[0].record().spec.fingerprint)
    for error in found.errors:
        warn_caller(error.message)
    return ComparedSpec(
        display_name=name,
        spec=spec.identity,
        parameters=spec.graph.cost.parameters,
        macs=spec.graph.cost.macs,
        runs=(*map(read_run, trained), *(run for run in found.complete if run.record.data.digest == digest)),
        failed=tuple(run for run in found.failed if run.record.data.digest == digest),
    )


def _of_runs(name: str, runs: list[Run]) -> "ComparedSpec":
    from cifar_dsl.experiments.comparison import ComparedSpec, read_run

    read = tuple(map(read_run, runs))
    record, result = read[0].record, read[0].result
    return ComparedSpec(name, record.spec, result.parameters, result.macs, read)


def _merged(entries: "list[ComparedSpec]") -> "list[ComparedSpec]":
    """Entries of one name and fingerprint as one, with the runs of all."""
    from cifar_dsl.foundation.records import evolve

    merged: dict[tuple[str, str], ComparedSpec] = {}
    for entry in entries:
        key = entry.display_name, entry.spec.fingerprint
        known = merged.get(key)
        merged[key] = evolve(known, runs=(*known.runs, *entry.runs)) if known else entry
    return list(merged.values())
