"""Specs in Python: `load` a spec, inspect it, `build` its module, `train` it."""

import os
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cifar_dsl.api.python_warnings import warn_caller
from cifar_dsl.api.run import Run
from cifar_dsl.compiler import Analysis, Library, analyze, examine
from cifar_dsl.foundation.errors import RunError, UserError
from cifar_dsl.foundation.records import evolve, frozen
from cifar_dsl.foundation.resources import located
from cifar_dsl.foundation.text import in_epochs, in_short
from cifar_dsl.ir import Graph, Recipe
from cifar_dsl.language.diagnostics import Diagnostic
from cifar_dsl.language.syntax import print_spec
from cifar_dsl.operations.recipe import ARTIFACTS
from cifar_dsl.runs import Run as StoredRun
from cifar_dsl.runs import SpecIdentity
from cifar_dsl.runs.places import SPEC
from cifar_dsl.training.artifacts import (
    ArtifactFile,
    continuing,
    override_of,
    read_artifact,
    used_by,
)
from cifar_dsl.training.options import TrainOptions
from cifar_dsl.training.starting_weights import match_all
from cifar_dsl.training.used_artifacts import check_artifacts

if TYPE_CHECKING:
    from torch import nn

    from cifar_dsl.training.datasets import DataChoice, Dataset
    from cifar_dsl.training.datasets.progress import Progress
    from cifar_dsl.training.events import Listener

PathLike = str | os.PathLike[str]
DEFAULT_OPTIONS = TrainOptions()


@frozen(repr=False)
class Spec:
    """A checked spec, with its network and recipe. Created by `load`; needs no torch until `build`.

    `path` is its file, `root` the folder that `extends` can't leave, `overrides` are the changes made with `--set` or
    in Python, `data` is the dataset chosen in place of the one in the text, and `uses` are the artifacts chosen beside
    it, such as weights to start from. `continues` is the spec of the run that it trains longer, if it does. In a
    notebook, a spec shows its warnings, its picture and its layers.
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
        seed: int = DEFAULT_OPTIONS.seed,
        overrides: Sequence[str] = (),
        data: str | None = DEFAULT_OPTIONS.data,
        start: "PathLike | None" = DEFAULT_OPTIONS.start,
        teacher: "PathLike | None" = DEFAULT_OPTIONS.teacher,
        selection: "PathLike | None" = DEFAULT_OPTIONS.selection,
        listener: "Listener | None" = None,
        **options: Any,
    ) -> Run:
        """Train with one seed and return the run; `epochs` replaces that of the recipe.

        The other arguments are those of `cifar_dsl.train`: `device`, `threads`, `runs`, `retrain` ...
        """
        from cifar_dsl.api.training import train_one

        return train_one(
            self,
            epochs=epochs,
            data=data,
            seed=seed,
            overrides=overrides,
            start=start,
            teacher=teacher,
            selection=selection,
            listener=listener,
            options=options,
            function=self.train,
        )

    def to_pytorch(self) -> str:
        """The text of a Python file with the network as a module, which needs torch alone.

        Its `state_dict` has the keys of `build`, so it takes the weights of a run. Needs no torch, and isn't compared
        with the network, as `cifar-dsl export` does.
        """
        from cifar_dsl.export.source.module import pytorch_source

        return pytorch_source(self.analysis)

    def __repr__(self) -> str:
        return f"<Spec {self.name} {self.fingerprint}: {summary_of(self.graph)}>"

    def _repr_html_(self) -> str:
        """HTML for notebooks: the warnings, the picture and the layers, and the text, folded."""
        from cifar_dsl.api.displays import spec_html

        return spec_html(self, has_source=True)


def summary_of(graph: Graph) -> str:
    """The shapes and counts of a network."""
    cost = graph.cost
    return (
        f"{graph.input} -> {graph.shape_of(graph.output)}, {cost.parameters:,} parameters, "
        f"{in_short(cost.macs)} multiply-accumulates"
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
    """Load and check the spec at `path`, or the shipped spec of this name, such as `resnet18`.

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
    loaded = _loaded(located(os.fspath(path)), root_path, listed(overrides), choice_of(data, warn_caller), uses)
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
    return reloaded(spec, spec.overrides, choice, spec.uses)


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


def listed(overrides: Sequence[str]) -> tuple[str, ...]:
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
    place, choice = Path(path), choice_of(data, warn_caller)

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
    Raises RunError if the run has no usable weights, or as many epochs.
    """
    located = {one.kind: one.path for one in run.record().uses}
    moved = {"teacher": teacher, "selection": selection}
    file, *others = artifacts_of(weights=run.path, **{kind: path or located.get(kind) for kind, path in moved.items()})
    record, result, recipe = run.record(), run.result(), run.analysis().require_recipe()
    if result.epochs != int(result.epochs):
        raise RunError(
            f"{run.path} ended within an epoch, after {result.epochs:g}, and can't be trained longer",
            "train its spec again, or start another training from its weights",
        )
    if not epochs > result.epochs:
        raise RunError(
            f"{run.path} has trained for {in_epochs(result.epochs)}, so it can't be continued to {epochs:g}",
            f"pass more epochs, such as train.epochs={2 * result.epochs:g}",
        )
    overrides = (f"train.epochs={epochs:g}", continuing(file, recipe))
    choice = choice_of(data, warn_caller)
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
        specs = [reloaded(spec, spec.overrides, choice, spec.uses) for spec in specs]
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
            "pass its path as the dataset: npz:PATH",
            reason=f"a spec identifies such a dataset by its digest, here {declared.arguments()['digest']}",
        )
    return declared.name


def data(name: str, *, data_dir: PathLike | None = None) -> "Dataset":
    """Load a dataset: `x_train`, `y_train`, `x_test`, `y_test` as arrays, and the names of the `classes`.

    `name` is one such as `shapes` or `cifar10`, which is downloaded to `data_dir` if necessary, or `npz:PATH`. Raises
    DataError, UserError.
    """
    if not isinstance(name, str):
        raise UserError(f"data takes the name of a dataset, or `npz:PATH`, not a {type(name).__name__}")
    choice = choice_of(name, warn_caller)
    assert choice is not None
    return choice.load(Path(data_dir) if data_dir is not None else None)


def with_overrides(spec: Spec, *overrides: str) -> Spec:
    """Load the spec again with additional overrides. Raises SpecError."""
    return reloaded(spec, (*spec.overrides, *overrides), spec.data, spec.uses)


def reloaded(spec: Spec, overrides: tuple[str, ...], data: "DataChoice | None", uses: tuple[ArtifactFile, ...]) -> Spec:
    """Load the spec again with these overrides, this dataset and these artifacts. Raises SpecError."""
    if spec.unsaved is not None:
        return spec_of_text(spec.unsaved, spec.path, overrides, data, uses)
    return _loaded(spec.path, spec.root, overrides, data, uses)
