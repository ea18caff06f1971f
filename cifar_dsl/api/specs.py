"""Specs in Python: `load` a spec, inspect it, `build` its module, `train` it."""

import inspect
import os
import warnings
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrs import fields

from cifar_dsl.api.run import Run
from cifar_dsl.compiler import Analysis, Library, analyze, examine
from cifar_dsl.experiments.jobs import Job
from cifar_dsl.foundation.errors import RunError, SpecWarning, UserError
from cifar_dsl.foundation.records import evolve, frozen
from cifar_dsl.foundation.text import in_short
from cifar_dsl.ir import Graph, Recipe
from cifar_dsl.language.diagnostics import Diagnostic, render_concise
from cifar_dsl.language.syntax import print_spec
from cifar_dsl.operations.recipe import ARTIFACTS
from cifar_dsl.runs import Run as StoredRun
from cifar_dsl.runs import SpecIdentity, check_place, find_runs, open_run, run_path
from cifar_dsl.runs.places import SPEC
from cifar_dsl.training.artifacts import (
    ArtifactFile,
    continuing,
    override_of,
    read_artifact,
    used_by,
)
from cifar_dsl.training.options import RunOptions, TrainOptions
from cifar_dsl.training.starting_weights import match_all
from cifar_dsl.training.used_artifacts import check_artifacts

if TYPE_CHECKING:
    from torch import nn

    from cifar_dsl.importing.importer import Imported
    from cifar_dsl.importing.verification import Agreement
    from cifar_dsl.training.datasets import DataChoice, Dataset
    from cifar_dsl.training.datasets.progress import Progress
    from cifar_dsl.training.events import Listener

PathLike = str | os.PathLike[str]
_DEFAULTS = TrainOptions()


@frozen(repr=False)
class Spec:
    """A checked spec, with its network and recipe. Created by `load`; needs no torch until `build`.

    `path` is its file, `root` the folder that `extends` can't leave, `overrides` are the changes made with `--set` or
    in Python, `data` is the dataset chosen in place of the one in the text, and `uses` are the artifacts chosen beside
    it, such as weights to start from. `continues` is the spec of the run that it trains longer, if it does. In a
    notebook, a spec shows its text and a table of its layers.
    """

    path: Path
    analysis: Analysis
    root: Path | None = None
    overrides: tuple[str, ...] = ()
    unsaved: str | None = None  # its text, if it isn't in a file
    data: "DataChoice | None" = None
    uses: tuple[ArtifactFile, ...] = ()
    continues: SpecIdentity | None = None

    @cached_property
    def identity(self) -> SpecIdentity:
        """The part of a spec that a run records: name, fingerprint, lineage, changes, overrides."""
        chosen = (self.data.chosen.override,) if self.data else ()
        used = override_of(self.uses, self.recipe)
        own = SpecIdentity.of(self.analysis, (*self.overrides, *chosen, *used))
        return self.continues.continued(own) if self.continues else own

    @property
    def name(self) -> str:
        """The name of the spec, from its first line."""
        return self.analysis.program.name.text

    @property
    def graph(self) -> Graph:
        """The network, with shapes and costs."""
        return self.analysis.graph

    @property
    def recipe(self) -> Recipe | None:
        """The training recipe; None if neither the spec nor a base has one."""
        return self.analysis.recipe

    @property
    def fingerprint(self) -> str:
        """Twelve hex digits that identify the network and recipe, whatever the formatting of the spec."""
        return self.identity.fingerprint

    @property
    def changes(self) -> tuple[str, ...]:
        """The changes from its base, one phrase each."""
        return self.identity.changes

    @cached_property
    def warnings(self) -> "tuple[Diagnostic, ...]":
        """The warnings of `cifar-dsl check` about its text, except those that comments `# allow:` silence."""
        from cifar_dsl.compiler.lints.inspection import warnings

        return warnings(self.analysis)

    @property
    def text(self) -> str:
        """The resolved spec: one formatted text with the same meaning, without `extends`.

        It holds the input and the number of classes, also where the spec leaves them to the dataset.
        """
        return print_spec(self.analysis.program.as_spec())

    def build(self, seed: int = 0) -> "nn.Module":
        """The network as a `torch.nn.Module` on the CPU: (N, C, H, W) -> (N, classes).

        It has the initial weights of a training with `seed`.
        """
        from cifar_dsl.training.lowering.torch_module import build_module

        return build_module(self.graph, self.name, seed)

    def train(
        self,
        epochs: float | None = None,
        *,
        seed: int = _DEFAULTS.seed,
        overrides: Sequence[str] = (),
        data: str | None = _DEFAULTS.data,
        start: "PathLike | None" = _DEFAULTS.start,
        teacher: "PathLike | None" = _DEFAULTS.teacher,
        selection: "PathLike | None" = _DEFAULTS.selection,
        listener: "Listener | None" = None,
        **options: Any,
    ) -> Run:
        """Train with one seed and return the run; `epochs` replaces that of the recipe.

        The other arguments are those of `cifar_dsl.train`: `device`, `threads`, `runs`, `retrain` ...
        """
        changed = (*_listed(overrides), *([] if epochs is None else [f"train.epochs={epochs}"]))
        return train_one(
            self,
            data=data,
            seed=seed,
            overrides=changed,
            start=start,
            teacher=teacher,
            selection=selection,
            listener=listener,
            options=options,
            depth=4,
        )

    def to_pytorch(self) -> str:
        """The text of a Python file with the network as a module, which needs torch alone.

        Its `state_dict` has the keys of `build`, so it takes the weights of a run. Needs no torch, and isn't compared
        with the network, as `cifar-dsl export` does.
        """
        from cifar_dsl.export.source.module import pytorch_source

        return pytorch_source(self.analysis)

    def __repr__(self) -> str:
        return f"<Spec {self.name} {self.fingerprint}: {self._summary()}>"

    def _summary(self) -> str:
        graph, cost = self.graph, self.graph.cost
        return (
            f"{graph.input} -> {graph.shape_of(graph.output)}, {cost.parameters:,} parameters, "
            f"{in_short(cost.macs)} multiply-accumulates"
        )

    def _repr_html_(self) -> str:
        """HTML for notebooks: the highlighted text of the spec, and a table of its layers."""
        from html import escape

        from cifar_dsl.language.highlighting import html_of_source, html_of_table

        graph, cost = self.graph, self.graph.cost
        rows = [["layer", "path", "output", "parameters", "macs"], ["input", "", str(graph.input), "", ""]]
        for node in graph.nodes:
            own, macs = (f"{number:,}" if number else "" for number in (node.cost.parameters, node.cost.macs))
            parameters = f"= {graph.later_uses[node.output].label}" if node.shares else own
            rows.append([node.operation.brief(), node.path, str(node.shape), parameters, macs])
        rows.append(["total", "", str(graph.shape_of(graph.output)), f"{cost.parameters:,}", f"{cost.macs:,}"])
        changed = "".join(f"<br><code>--set {escape(text)}</code>" for text in self.overrides)
        return (
            f"<p><strong>{escape(self.name)}</strong> <code>{self.fingerprint}</code> "
            f"{escape(self._summary())}{changed}</p>"
            + html_of_source(self.analysis.program.name.span.source.text)
            + html_of_table(rows, right=frozenset({3, 4}))
        )


def load(
    path: PathLike,
    *,
    root: PathLike | None = None,
    overrides: Sequence[str] = (),
    data: "str | DataChoice | None" = None,
    start: "PathLike | ArtifactFile | None" = None,
    teacher: "PathLike | ArtifactFile | None" = None,
    selection: "PathLike | ArtifactFile | None" = None,
    subset: int | None = None,
) -> Spec:
    """Load and check the spec at `path`.

    `root` is the folder that `extends` can't leave (default: the spec's folder). `overrides` have the syntax of
    `--set`, such as `"train.batch=128"`. `data` replaces the dataset of the spec and of `overrides`: a name such as
    `shapes`, or `npz:PATH`. `start` are weights to start from: a run, or a file in the safetensors format. `teacher`
    is the run that a recipe with `distill` learns from, and `selection` the run that chose the images for a recipe with
    `keep chosen`; other recipes leave them out. `subset` is the number of training images to use of the
    dataset, for a first try. Raises SpecError with all errors and their locations; DataError or RunError if a file
    can't be read.
    """
    root_path = Path(root) if root is not None else None
    uses = artifacts_of(weights=start, teacher=teacher, selection=selection)
    loaded = _loaded(Path(path), root_path, _listed(overrides), choice_of(data, _warn), uses)
    return loaded if subset is None else _on_subset(loaded, subset)


def _loaded(
    path: Path,
    root: Path | None,
    overrides: tuple[str, ...],
    choice: "DataChoice | None",
    uses: tuple[ArtifactFile, ...],
) -> Spec:
    chosen = choice.chosen if choice else None
    analysis = analyze(path, root, overrides, chosen)
    if used := override_of(uses, analysis.recipe):
        analysis = analyze(path, root, (*overrides, *used), chosen)
    return Spec(path, analysis, root, overrides, data=choice, uses=used_by(analysis.recipe, uses))


def _on_subset(spec: Spec, count: int) -> Spec:
    """The spec on this number of training images of its dataset. Raises SpecError, RunError without a recipe."""
    setting = spec.analysis.require_recipe().data.changed(subset=count).brief()
    if spec.data is None:
        return with_overrides(spec, f"train.data={setting}")
    choice = evolve(spec.data, chosen=evolve(spec.data.chosen, setting=setting))
    return _reloaded(spec, spec.overrides, choice, spec.uses)


def check_used(specs: "Iterable[Spec]", **given: "PathLike | ArtifactFile | None") -> None:
    """Raise UserError if an artifact is given, by its kind, and none of the specs uses it."""
    specs = list(specs)
    used = {file.record.kind for spec in specs for file in spec.uses}
    for kind, path in given.items():
        if path is None or not specs or kind in used:
            continue
        subject = f"`{specs[0].name}` doesn't learn" if len(specs) == 1 else "none of the specs learns"
        artifact = ARTIFACTS[kind]
        raise UserError(
            f"{subject} from {artifact.phrase}",
            f"add {artifact.remedy} to `train`, or pass --set {artifact.override}",
            f"or leave out {artifact.option}",
        )


def artifacts_of(**paths: "PathLike | ArtifactFile | None") -> tuple[ArtifactFile, ...]:
    """The artifacts at these paths, by their kinds; those that are read already stay. Raises RunError, UserError."""
    found = (artifact_at(kind, each) for kind, each in paths.items())
    return tuple(each for each in found if each is not None)


def artifact_at(kind: str, path: "PathLike | ArtifactFile | None") -> ArtifactFile | None:
    """The artifact of a kind at a path; one that is read already stays. Raises RunError, UserError."""
    return path if isinstance(path, ArtifactFile | None) else read_artifact(kind, os.fspath(path))


def _listed(overrides: Sequence[str]) -> tuple[str, ...]:
    """The overrides; a single one may be given as a text."""
    return (overrides,) if isinstance(overrides, str) else tuple(overrides)


def choice_of(data: "str | DataChoice | None", warn: Callable[[str], None]) -> "DataChoice | None":
    """The dataset that `data=` names, read if it is a file; `warn` gets its notes. Raises DataError, UserError."""
    if not isinstance(data, str):
        return data
    from cifar_dsl.training.datasets import choose_data

    return choose_data(data, warn)


def spec_of_text(
    text: str,
    path: PathLike,
    overrides: Sequence[str] = (),
    data: "str | DataChoice | None" = None,
    uses: tuple[ArtifactFile, ...] = (),
) -> Spec:
    """Load a spec from its text, as if it were in a file at `path`. Raises SpecError; UserError for a library."""
    place, choice = Path(path), choice_of(data, _warn)

    def examined(*more: str) -> Analysis:
        chosen, texts = choice.chosen if choice else None, {place.resolve(): text}
        found = examine(place, overrides=(*overrides, *more), texts=texts, data=chosen)
        if isinstance(found, Library):
            raise UserError("this is a library: it has blocks, but no model")
        return found

    analysis = examined()
    if used := override_of(uses, analysis.recipe):
        analysis = examined(*used)
    return Spec(
        place, analysis, overrides=tuple(overrides), unsaved=text, data=choice, uses=used_by(analysis.recipe, uses)
    )


def longer(
    run: StoredRun,
    epochs: float,
    data: "str | DataChoice | None" = None,
    teacher: "PathLike | None" = None,
    selection: "PathLike | None" = None,
) -> Spec:
    """The spec of a complete run, changed to continue its training up to `epochs`.

    Training begins after the run's epochs, from its weights, with the schedule of `epochs`. `data` is where its array
    file is, and `teacher` and `selection` where the runs are that teach and that chose its images, if they have moved.
    Raises RunError if the run has no usable weights, SpecError if it has as many epochs.
    """
    located = {one.kind: one.path for one in run.record().uses}
    moved = {"teacher": teacher, "selection": selection}
    file, *others = artifacts_of(weights=run.path, **{kind: path or located.get(kind) for kind, path in moved.items()})
    record, result, recipe = run.record(), run.result(), run.analysis().require_recipe()
    if result.epochs != int(result.epochs):
        raise RunError(
            f"{run.path} ended within an epoch, after {result.epochs:g}, and can't be trained longer",
            "train its spec again, or start another training from its weights with --from",
        )
    overrides = (f"train.epochs={epochs:g}", continuing(file, recipe))
    choice = choice_of(data, _warn)
    spec = spec_of_text(run.spec_text, run.path / SPEC, overrides, choice, (file, *others))
    return evolve(spec, continues=record.spec)


def open_data(
    spec: Spec,
    data: str | None = None,
    *,
    data_dir: PathLike | None = None,
    progress: "Progress | None" = None,
    warn: Callable[[str], None] = lambda _: None,
) -> "tuple[Spec, Dataset]":
    """Load the dataset of `spec`, and return the spec changed to use it, with the dataset.

    `data` replaces the dataset in the spec: a name such as `shapes`, or `npz:PATH`. `warn` is called with what is
    probably wrong with a dataset that can be trained on. Raises DataError, SpecError.
    """
    ((opened, dataset),) = open_data_for_all([spec], data, data_dir=data_dir, progress=progress, warn=warn)
    return opened, dataset


def open_data_for_all(
    specs: Sequence[Spec],
    data: str | None = None,
    *,
    data_dir: PathLike | None = None,
    progress: "Progress | None" = None,
    warn: Callable[[str], None] = lambda _: None,
) -> "list[tuple[Spec, Dataset]]":
    """Like `open_data`, for several specs. Loads each dataset once, and checks that it fits its specs."""
    from cifar_dsl.training.datasets import Dataset, load_dataset

    for spec in specs:
        spec.analysis.require_recipe()
    if (choice := choice_of(data, warn)) is not None:
        specs = [_reloaded(spec, spec.overrides, choice, spec.uses) for spec in specs]
    folder = Path(data_dir) if data_dir is not None else None
    loaded: dict[str, Dataset] = {}
    opened: list[tuple[Spec, Dataset]] = []
    for spec in specs:
        dataset = spec.data.file if spec.data else None
        if dataset is None:
            name = _name_of_dataset(spec)
            if name not in loaded:
                loaded[name] = load_dataset(name, data_dir=folder, progress=progress)
            dataset = loaded[name]
        opened.append((spec, dataset.part(spec.analysis.require_recipe().data.subset)))
    for dataset in loaded.values():
        dataset.report_notes(warn)  # before the spec is checked: a wrong label can look like a missing output
    for spec, dataset in opened:
        spec.analysis.check_data(dataset.data_shape)
        check_artifacts(spec.name, spec.graph, spec.analysis.require_recipe(), dataset, spec.uses)
        match_all(spec.graph, spec.recipe, spec.uses)
    return opened


def _name_of_dataset(spec: Spec) -> str:
    """The name of the spec's dataset. Raises DataError for an array file."""
    from cifar_dsl.foundation.errors import DataError

    declared = spec.analysis.require_recipe().data
    if declared.name == "npz":
        raise DataError(
            f"`{spec.name}` needs an array file, whose path isn't in the spec",
            "pass the path: --data npz:PATH",
            reason=f"a spec identifies such a dataset by its digest, here {declared.arguments()['digest']}",
        )
    return declared.name


def train(
    spec: "Spec | PathLike",
    *,
    data: str | None = _DEFAULTS.data,
    seed: int = _DEFAULTS.seed,
    overrides: Sequence[str] = (),
    start: PathLike | None = _DEFAULTS.start,
    teacher: PathLike | None = _DEFAULTS.teacher,
    selection: PathLike | None = _DEFAULTS.selection,
    listener: "Listener | None" = None,
    **options: Any,
) -> Run:
    """Train a spec with one seed and return the run. Returns a complete run as it is, and resumes an interrupted one.

    `data` replaces the dataset in the spec: a name such as `shapes`, or `npz:PATH`. `overrides` have the syntax of
    `--set`. `start` are weights to start from: a run, or a file in the safetensors format; see docs/runs.md. `teacher`
    is the run that a spec with `distill` learns from; see docs/distillation.md. `selection` is the run that chose the
    images for a spec with `keep chosen`; see docs/selection.md. `listener` receives the events of the training; without
    one, a notebook shows its progress. `options` are the fields of `RunOptions`, such as `device`,
    `threads`, `runs` and `retrain`; see `cifar-dsl train --help`. Issues each of the spec's `warnings` as a
    SpecWarning, a Python warning, and warns if the run is no better than guessing. Raises SpecError, DataError,
    DeviceError, EngineError and RunError; UserError for an option out of bounds.
    """
    return train_one(
        spec,
        data=data,
        seed=seed,
        overrides=overrides,
        start=start,
        teacher=teacher,
        selection=selection,
        listener=listener,
        options=options,
        depth=4,
    )


def train_one(
    spec: "Spec | PathLike",
    *,
    data: str | None = None,
    seed: int,
    overrides: Sequence[str] = (),
    start: PathLike | None = None,
    teacher: PathLike | None = None,
    selection: PathLike | None = None,
    listener: "Listener | None",
    options: dict[str, Any],
    depth: int,
) -> Run:
    """Train as `train` does; Python warnings name the caller `depth` frames above those that issue them."""
    from cifar_dsl.api.progress import default_listener
    from cifar_dsl.training.device import choose_device, set_threads
    from cifar_dsl.training.session import train_runs

    chosen = RunOptions(**options)
    choice = choose_device(chosen.device)
    replacing = choice_of(data, _warn)
    if not isinstance(spec, Spec):
        spec = load(spec, overrides=overrides, data=replacing, start=start, teacher=teacher, selection=selection)
    elif overrides or any(given is not None for given in (replacing, start, teacher, selection)):
        uses = (*spec.uses, *artifacts_of(weights=start, teacher=teacher, selection=selection))
        spec = _reloaded(spec, (*spec.overrides, *_listed(overrides)), replacing or spec.data, uses)
    check_used([spec], teacher=teacher, selection=selection)
    for warning in spec.warnings:
        warnings.warn("; ".join([render_concise(warning), *warning.help]), SpecWarning, stacklevel=depth - 1)
    spec, dataset = open_data(spec, data_dir=chosen.data_dir, warn=_warn)
    if not chosen.retrain and (complete := find_run(spec, chosen.runs, seed, dataset.digest)):
        return _warned_of_chance(Run(complete.path), depth)
    for file, match in match_all(spec.graph, spec.recipe, spec.uses):
        if not match.is_whole:
            _warn("; ".join(match.lines(file.record.source)))
    set_threads(chosen.threads)
    (run,) = train_runs(
        spec.analysis,
        spec.identity,
        dataset,
        [seed],
        chosen,
        choice=choice,
        artifacts=spec.uses,
        listener=listener or default_listener(f"{spec.name}, seed {seed}"),
    )
    return _warned_of_chance(Run(run.path), depth)


def _warned_of_chance(run: Run, depth: int) -> Run:
    """The run, after a Python warning if it is no better than guessing."""
    from cifar_dsl.runs.chance import find_chance

    if chance := find_chance(run):
        warnings.warn("; ".join([chance.message, *chance.help]), UserWarning, stacklevel=depth)
    return run


def _warn(text: str) -> None:
    warnings.warn(text, UserWarning, stacklevel=5)


def _shown_signature() -> inspect.Signature:
    """The signature of `train` with the options of a run in place of `**options`, for `help` and notebooks."""
    shown = inspect.signature(train)
    kept = [each for each in shown.parameters.values() if each.kind is not inspect.Parameter.VAR_KEYWORD]
    options = [
        inspect.Parameter(each.name, inspect.Parameter.KEYWORD_ONLY, default=each.default, annotation=each.type)
        for each in fields(RunOptions)
    ]
    return shown.replace(parameters=[*kept, *options])


train.__signature__ = _shown_signature()  # type: ignore[attr-defined]


def data(name: str, *, data_dir: PathLike | None = None) -> "Dataset":
    """Load a dataset: `x_train`, `y_train`, `x_test`, `y_test` as arrays, and the names of the `classes`.

    `name` is one such as `shapes` or `cifar10`, which is downloaded to `data_dir` if necessary, or `npz:PATH`. Raises
    DataError, UserError.
    """
    choice = choice_of(name, _warn)
    assert choice is not None
    return choice.load(Path(data_dir) if data_dir is not None else None)


def load_trained(
    run: "StoredRun | PathLike", *, raw: bool = False, data: str | None = None, data_dir: PathLike | None = None
) -> "nn.Module":
    """Load the trained network of a run, or of the run at a path, as a module on the CPU in evaluation mode.

    The module takes images (N, C, H, W), uint8 from 0 to 255 or floats from 0 to 1, normalizes them as in training, and
    returns scores (N, classes). It raises UserError for other images. `module.classes` are the names of the classes.

    With `raw`, it is the network alone, which takes normalized images and checks nothing. `data` is the run's dataset,
    a name or `npz:PATH`; only a run of version 0.1.0 that normalizes `per_channel` needs it. Raises RunError if the run
    has no usable weights, DataError for another dataset.
    """
    from cifar_dsl.training.weights import load_network, load_weights

    opened = run if isinstance(run, StoredRun) else open_run(Path(run))
    analysis = opened.analysis()
    if raw:
        return load_weights(opened, analysis).eval()
    choice = choice_of(data, _warn)
    dataset = choice.load(Path(data_dir) if data_dir is not None else None) if choice else None
    return load_network(opened, analysis, dataset).eval()


@frozen
class ImportedSpec:
    """A spec that computes what a module of PyTorch computes. Created by `from_torch`.

    `agreement` tells how the scores of both compare.
    """

    spec: Spec
    imported: "Imported"
    module: "nn.Module"

    @property
    def agreement(self) -> "Agreement":
        """The largest differences of the scores, and their spread between images."""
        return self.imported.agreement

    def network(self) -> "nn.Module":
        """The network of the spec as a module on the CPU, with the weights of the imported one."""
        from cifar_dsl.importing.importer import network_of

        return network_of(self.imported, self.module)

    def save(self, path: PathLike) -> None:
        """Write the spec, and its weights beside it as a file that ends in .safetensors. Raises OSError."""
        from cifar_dsl.importing.importer import safetensors, save

        place = Path(path)
        content = safetensors(self.imported, self.module)
        save(self.imported, content, place, place.with_suffix(".safetensors"), f"a {type(self.module).__name__}")


def from_torch(module: "nn.Module", input: Sequence[int], name: str = "imported") -> ImportedSpec:  # noqa: A002
    """Import a module that takes a batch of images of shape `input`, (C, H, W), as a spec called `name`.

    Compares the scores of both. Raises UserError if torch can't trace the module, the language can't say it, or the
    scores differ.
    """
    from cifar_dsl.importing.importer import import_module
    from cifar_dsl.ir import Shape

    imported = import_module(module, Shape(tuple(input)), name)
    return ImportedSpec(spec_of_text(imported.text, f"{name}.arch"), imported, module)


def find_run(spec: Spec, runs: Path, seed: int, digest: str | None = None) -> StoredRun | None:
    """Find the complete run with this fingerprint and seed, under any name; None if there is none.

    With `digest`, the run must have used the dataset with this digest. Raises RunError if the folder for such a run
    holds a damaged one, that of another spec or seed, or one on another dataset of the same name.
    """
    place = run_path(runs, spec.identity, seed)
    for run in sorted(find_runs(runs, spec.fingerprint), key=lambda run: run.path != place):
        record = run.record()
        if record.seed == seed and digest in {None, record.data.digest}:
            return run
    if place.exists():
        run = open_run(place)
        check_place(place, run.record())
        run.result()
        raise RunError(
            f"{place} was trained on a different dataset that is also called {run.record().data.name}",
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
    """A job that trains an opened spec with these seeds, possibly in another process."""
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
        uses=tuple(each.record for each in spec.uses),
    )


def with_overrides(spec: Spec, *overrides: str) -> Spec:
    """Load the spec again with additional overrides. Raises SpecError."""
    return _reloaded(spec, (*spec.overrides, *overrides), spec.data, spec.uses)


def _reloaded(
    spec: Spec, overrides: tuple[str, ...], data: "DataChoice | None", uses: tuple[ArtifactFile, ...]
) -> Spec:
    """Load the spec again with these overrides, this dataset and these artifacts. Raises SpecError."""
    if spec.unsaved is not None:
        return spec_of_text(spec.unsaved, spec.path, overrides, data, uses)
    return _loaded(spec.path, spec.root, overrides, data, uses)
