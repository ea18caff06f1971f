"""The Python interface: `load` a spec, look at it, `build` its module, `train` it."""

import inspect
import os
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrs import evolve, fields

from cifar_dsl import compiler
from cifar_dsl.compiler import Analysis, Library, analyze, analyze_text, examine
from cifar_dsl.experiments.jobs import Job
from cifar_dsl.foundation.errors import RunError, UserError
from cifar_dsl.foundation.records import frozen
from cifar_dsl.foundation.text import in_short
from cifar_dsl.ir import Graph, Recipe
from cifar_dsl.language.diagnostics import nearest
from cifar_dsl.language.syntax import print_spec
from cifar_dsl.operations.recipe import DATASETS
from cifar_dsl.runs import Run, SpecIdentity, find_runs, open_run, run_path
from cifar_dsl.training.options import RunOptions, TrainOptions

if TYPE_CHECKING:
    from torch import nn

    from cifar_dsl.training.datasets import Dataset
    from cifar_dsl.training.datasets.progress import Progress
    from cifar_dsl.training.events import Listener

PathLike = str | os.PathLike[str]
_DEFAULTS = TrainOptions()


@frozen(repr=False)
class Spec:
    """A spec that was read, checked and expanded. Made by `load`; needs no torch until `build`."""

    path: Path
    analysis: Analysis
    root: Path | None = None
    overrides: tuple[str, ...] = ()
    unsaved: str | None = None  # its own text, where no file holds it

    @cached_property
    def identity(self) -> SpecIdentity:
        """What a run keeps of it: name, fingerprint, lineage, changes, overrides."""
        return SpecIdentity.of(self.analysis, self.overrides)

    @property
    def name(self) -> str:
        """What the spec calls itself."""
        return self.analysis.program.name.text

    @property
    def graph(self) -> Graph:
        """The network, with shapes and costs."""
        return self.analysis.graph

    @property
    def recipe(self) -> Recipe | None:
        """How it is trained; None where neither the spec nor a base says it."""
        return self.analysis.recipe

    @property
    def fingerprint(self) -> str:
        """Twelve digits that stand for graph and recipe, however the spec is laid out."""
        return self.identity.fingerprint

    @property
    def changes(self) -> tuple[str, ...]:
        """What it says that its base doesn't, a phrase each."""
        return self.identity.changes

    @property
    def text(self) -> str:
        """The resolved spec: one canonical text with the same meaning that extends nothing."""
        return print_spec(self.analysis.program.as_spec())

    def build(self, seed: int = 0) -> "nn.Module":
        """The network as a `torch.nn.Module` on the CPU: (N, C, H, W) -> (N, classes).

        The weights are those that a training with `seed` starts from.
        """
        from cifar_dsl.training.lowering.torch_module import build_module

        return build_module(self.graph, self.name, seed)

    def __repr__(self) -> str:
        return f"<Spec {self.name} {self.fingerprint}: {self._summary()}>"

    def _summary(self) -> str:
        graph, cost = self.graph, self.graph.cost
        return (
            f"{graph.input} -> {graph.shape_of(graph.output)}, {cost.parameters:,} parameters, "
            f"{in_short(cost.macs)} multiply-accumulates"
        )

    def _repr_html_(self) -> str:
        """The spec's own text in colours and its layers as a table: how a notebook shows it."""
        from html import escape

        from cifar_dsl.language.highlighting import html_of_source, html_of_table

        graph, cost = self.graph, self.graph.cost
        rows = [["layer", "path", "output", "parameters", "macs"], ["input", "", str(graph.input), "", ""]]
        for node in graph.nodes:
            costs = [f"{number:,}" if number else "" for number in (node.cost.parameters, node.cost.macs)]
            rows.append([node.operation.brief(), node.path, str(node.shape), *costs])
        rows.append(["total", "", str(graph.shape_of(graph.output)), f"{cost.parameters:,}", f"{cost.macs:,}"])
        changed = "".join(f"<br><code>--set {escape(text)}</code>" for text in self.overrides)
        return (
            f"<p><strong>{escape(self.name)}</strong> <code>{self.fingerprint}</code> "
            f"{escape(self._summary())}{changed}</p>"
            + html_of_source(self.analysis.program.name.span.source.text)
            + html_of_table(rows, right=frozenset({3, 4}))
        )


def load(path: PathLike, *, root: PathLike | None = None, overrides: Sequence[str] = ()) -> Spec:
    """Read and check the spec at `path`.

    `root` is the folder that `extends` may not leave (default: the spec's own); `overrides` are written as
    after `--set`. Raises SpecError, which carries everything that is wrong, with its place.
    """
    if isinstance(overrides, str):
        overrides = (overrides,)
    root_path = Path(root) if root is not None else None
    return Spec(Path(path), analyze(Path(path), root_path, overrides), root_path, tuple(overrides))


def spec_of_text(text: str, path: PathLike, overrides: Sequence[str] = ()) -> Spec:
    """The spec that a text says, as if a file at `path` held it. Raises SpecError; UserError for a library."""
    place = Path(path)
    found = examine(place, overrides=overrides, texts={place.resolve(): text})
    if isinstance(found, Library):
        raise UserError("this is a library: it has blocks alone, and no model to work with")
    return Spec(place, found, overrides=tuple(overrides), unsaved=text)


def open_data(
    spec: Spec, data: str | None = None, *, data_dir: PathLike | None = None, progress: "Progress | None" = None
) -> "tuple[Spec, Dataset]":
    """The data set to train `spec` on, and the spec as it is trained with it.

    `data` replaces what the spec says: a name such as `shapes`, or `npz:PATH`. Raises DataError, SpecError.
    """
    ((opened, dataset),) = open_data_for_all([spec], data, data_dir=data_dir, progress=progress)
    return opened, dataset


def open_data_for_all(
    specs: Sequence[Spec],
    data: str | None = None,
    *,
    data_dir: PathLike | None = None,
    progress: "Progress | None" = None,
) -> "list[tuple[Spec, Dataset]]":
    """The same for several specs, which are held against their data; every data set is loaded once."""
    from cifar_dsl.foundation.errors import DataError
    from cifar_dsl.training.datasets import Dataset, load_dataset

    folder = Path(data_dir) if data_dir is not None else None
    loaded: dict[str, Dataset] = {}
    opened: list[tuple[Spec, Dataset]] = []
    for spec in specs:
        spec.analysis.require_recipe()
        if data is not None and data.startswith("npz:"):
            if data not in loaded:
                loaded[data] = load_dataset("npz", path=Path(data.removeprefix("npz:")).expanduser())
            dataset = loaded[data]
            opened.append((with_data(spec, f'npz("{dataset.digest[:16]}")'), dataset))
            continue
        if data is not None and (data not in DATASETS or data == "npz"):
            raise _unknown_data(data)
        trained = spec if data is None else with_data(spec, data)
        declared = trained.analysis.require_recipe().data
        if declared.name == "npz":
            raise DataError(
                f"`{spec.name}` is trained on a file of arrays, and the spec can't say where it lies",
                "say where the file is: --data npz:PATH",
                reason=f"specs name such data by its content, here {declared.arguments()['digest']}",
            )
        if declared.name not in loaded:
            loaded[declared.name] = load_dataset(declared.name, data_dir=folder, progress=progress)
        opened.append((trained, loaded[declared.name]))
    for spec, dataset in opened:
        spec.analysis.check_data(dataset.data_shape)
    return opened


def _unknown_data(data: str) -> UserError:
    near = nearest(data, DATASETS)
    return UserError(
        f"there is no data set `{data}`",
        f"did you mean `{near}`?" if near else f"there are {', '.join(name for name in DATASETS if name != 'npz')}",
        "a file of arrays is named by its path: --data npz:PATH",
    )


def train(
    spec: "Spec | PathLike",
    *,
    data: str | None = _DEFAULTS.data,
    seed: int = _DEFAULTS.seed,
    overrides: Sequence[str] = (),
    listener: "Listener | None" = None,
    **options: Any,
) -> Run:
    """Train a spec with one seed, and give back the run; a run that is there already is given back as it is.

    One that was broken off goes on. `overrides` are written as after `--set`. `options` are those of
    `training.options.RunOptions`: `device`, `threads`, `runs`, `retrain` ..., which `cifar-dsl train --help` explains.
    `listener` gets the events of the training (see `cifar_dsl.training.events`). Raises SpecError, DataError,
    DeviceError, EngineError, RunError; UserError for an option out of bounds.
    """
    from cifar_dsl.training.device import choose_device
    from cifar_dsl.training.events import ignore
    from cifar_dsl.training.session import train_runs

    chosen = RunOptions(**options)
    choice = choose_device(chosen.device)
    loaded = with_overrides(spec, *overrides) if isinstance(spec, Spec) else load(spec, overrides=overrides)
    spec, dataset = open_data(loaded, data, data_dir=chosen.data_dir)
    if not chosen.retrain and (found := find_run(spec, chosen.runs, seed, dataset.digest)):
        return found
    set_threads(chosen.threads)
    return train_runs(
        spec.analysis,
        spec.identity,
        dataset,
        [seed],
        chosen,
        choice=choice,
        listener=listener or ignore,
    )[0]


def _shown_signature() -> inspect.Signature:
    """That of `train`, with each option of a run in place of `**options`, for `help` and notebooks."""
    shown = inspect.signature(train)
    kept = [each for each in shown.parameters.values() if each.kind is not inspect.Parameter.VAR_KEYWORD]
    options = [
        inspect.Parameter(each.name, inspect.Parameter.KEYWORD_ONLY, default=each.default, annotation=each.type)
        for each in fields(RunOptions)
    ]
    return shown.replace(parameters=[*kept, *options])


train.__signature__ = _shown_signature()  # type: ignore[attr-defined]


def load_trained(run: "Run | PathLike") -> "nn.Module":
    """The trained network of a run, or of the run at a path, as a module on the CPU in evaluation mode.

    Raises RunError.
    """
    from cifar_dsl.training.weights import load_weights

    opened = run if isinstance(run, Run) else open_run(Path(run))
    return load_weights(opened, analyze_text(opened.spec_text, str(opened.path / "spec.arch"))).eval()


def find_run(spec: Spec, runs: Path, seed: int, digest: str | None = None) -> Run | None:
    """The complete run of this spec and seed, whatever name it was trained under; None if there is none.

    Where `digest` is given, the run must have used this very data. Raises RunError if the run in the place
    where this one would be kept used other data of the same name.
    """
    for run in find_runs(runs, spec.fingerprint):
        record = run.record()
        if record.seed == seed and digest in {None, record.data.digest}:
            return run
    place = run_path(runs, spec.identity, seed)
    if place.exists():
        raise RunError(
            f"{place} was trained on other data that is also called {open_run(place).record().data.name}",
            "keep the runs apart with --runs, or replace the old one with --retrain",
        )
    return None


def job(
    spec: Spec,
    dataset: "Dataset",
    seeds: Sequence[int],
    options: RunOptions,
    *,
    display_name: str | None = None,
    shares_device: bool = False,
) -> Job:
    """The training of an opened spec with these seeds, as data that another process can run."""
    return Job(
        spec_text=spec.text,
        spec=spec.identity,
        data=dataset.name,
        digest=dataset.digest,
        seeds=tuple(seeds),
        options=options,
        data_path=str(dataset.path) if dataset.path and dataset.name == "npz" else None,
        display_name=display_name or spec.name,
        analysis=spec.analysis,
        shares_device=shares_device,
    )


def set_threads(threads: int | None) -> None:
    """Pin torch's CPU threads; None leaves torch's choice."""
    import torch

    if threads is not None:
        torch.set_num_threads(threads)


def with_data(spec: Spec, data: str) -> Spec:
    """The spec with the override `train.data=DATA`; its graph isn't made again. Raises SpecError."""
    return evolve(
        spec,
        analysis=compiler.with_data(spec.analysis, data),
        overrides=(*spec.overrides, f"train.data={data}"),
    )


def with_overrides(spec: Spec, *overrides: str) -> Spec:
    """The spec, loaded again with further overrides. Raises SpecError."""
    overrides = (*spec.overrides, *overrides)
    if spec.unsaved is not None:
        return spec_of_text(spec.unsaved, spec.path, overrides)
    return load(spec.path, root=spec.root, overrides=overrides)
