"""Reads the artifacts that a training uses: what a run holds, or a file.

An artifact is identified by its content, so a moved file or a copied run is the same artifact.
"""

import hashlib
import math
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from cifar_dsl.foundation.errors import RunError
from cifar_dsl.foundation.reading import open_regular
from cifar_dsl.foundation.records import field, frozen
from cifar_dsl.foundation.text import reason_of
from cifar_dsl.foundation.user_folders import expanded
from cifar_dsl.ir import Graph, Recipe, Standardization
from cifar_dsl.ir.recipe import Artifact
from cifar_dsl.operations.recipe import ARTIFACTS
from cifar_dsl.operations.recipe.artifact import Selection, Teacher, Weights
from cifar_dsl.operations.recipe.selection import Hardest
from cifar_dsl.runs.file_errors import changed, damaged, without_weights
from cifar_dsl.runs.folder import Run, open_run
from cifar_dsl.runs.places import RESULT, SELECTION, partial_path
from cifar_dsl.runs.records import ArtifactRecord, RunRecord

_DIGITS = 16  # of a digest in a spec
KEPT = "kept"  # the tensor of a selection


@frozen
class ArtifactFile:
    """An artifact that was read: as a recipe uses it, its record, and the bytes of its file.

    `continued` and `seed` are of the weights of a run: how a recipe uses them that continues its training, and the
    only seed that can.
    """

    artifact: Artifact
    record: ArtifactRecord
    content: bytes = field(repr=False, eq=False)
    continued: Weights | None = field(default=None, kw_only=True)
    seed: int = field(default=0, kw_only=True)

    def stands_for(self, artifact: Artifact) -> bool:
        """Whether it is what a recipe means by `artifact`."""
        return artifact in (self.artifact, self.continued)


@frozen
class TeacherFile(ArtifactFile):
    """A trained network to learn from: its weights are the `content`, and these are the other facts of its run.

    `classes` are the names of its classes; empty if its run doesn't have them.
    """

    graph: Graph = field(repr=False, eq=False)
    normalization: Standardization
    classes: tuple[str, ...]


@frozen
class SelectionFile(ArtifactFile):
    """The images that a run chose in each of its epochs.

    The file has one tensor, `kept`: for each epoch, a bit for each training image that isn't held out, in bytes whose
    first bit is the lowest. `kept` are its bytes, `epochs` counts its rows, and `epochs_done` the epochs of the run,
    of which the last may be a fraction. Of each batch, the run chose the same `share`, rounded up.
    """

    kept: bytes = field(repr=False, eq=False)
    epochs: int
    epochs_done: float
    share: float
    run: RunRecord
    recipe: Recipe = field(repr=False)


def read_artifact(kind: str, path: str | Path) -> ArtifactFile:
    """The artifact of a kind, one of `ARTIFACTS`, at `path`: a run or a file. Raises RunError, UserError."""
    return _READERS[kind](expanded(path).absolute())


def network_of_teacher(files: Iterable[ArtifactFile]) -> Graph | None:
    """The network of the teacher among artifacts; None if there is none."""
    teacher = teacher_of(files)
    return teacher.graph if teacher else None


def used_by(recipe: Recipe | None, files: Iterable[ArtifactFile]) -> tuple[ArtifactFile, ...]:
    """The artifacts that a recipe uses, of each kind the last one: a recipe that doesn't `distill` uses no teacher."""
    last = {file.record.kind: file for file in files}
    return tuple(file for file in last.values() if recipe is None or file.artifact.is_used_by(recipe))


def override_of(files: Iterable[ArtifactFile], recipe: Recipe | None) -> tuple[str, ...]:
    """The override that makes a recipe use these artifacts, in the syntax of `--set`; none without files.

    They replace those of the same kinds that it uses, and the others stay, as do those of the same content.
    """
    uses = {each.name: each for each in recipe.uses} if recipe else {}
    chosen = used_by(recipe, files)
    for file in chosen:
        kind = file.record.kind
        if kind not in uses or not file.stands_for(uses[kind]):
            uses[kind] = file.artifact
    return (_override(uses.values()),) if chosen else ()


def continuing(file: ArtifactFile, recipe: Recipe) -> str:
    """The override that makes a recipe continue the training of a run from its weights."""
    others = (each for each in recipe.uses if each.name != Weights.name)
    assert file.continued is not None
    return _override([*others, file.continued])


def _override(artifacts: Iterable[Artifact]) -> str:
    """The override that makes a recipe use these artifacts alone."""
    return f"train.uses={' -> '.join(each.brief() for each in artifacts)}"


def teacher_of(files: Iterable[ArtifactFile]) -> TeacherFile | None:
    """The teacher among artifacts; None if there is none."""
    return next((file for file in files if isinstance(file, TeacherFile)), None)


def selection_of(files: Iterable[ArtifactFile]) -> SelectionFile | None:
    """The selection of images among artifacts; None if there is none."""
    return next((file for file in files if isinstance(file, SelectionFile)), None)


def share_seen(files: Iterable[ArtifactFile]) -> float:
    """The share of the training images that a network sees which uses these artifacts."""
    selection = selection_of(files)
    return selection.share if selection else 1.0


def without_selection(files: Iterable[ArtifactFile]) -> tuple[ArtifactFile, ...]:
    """The artifacts but for a selection of images, which belongs to the epochs and images of a whole training."""
    return tuple(file for file in files if not isinstance(file, SelectionFile))


def check_located(name: str, recipe: Recipe, files: Iterable[ArtifactFile]) -> None:
    """Raise RunError unless `files` are the artifacts that training the spec `name` needs."""
    found = {file.record.kind: file for file in files}
    for artifact in recipe.uses:
        if artifact.name not in found:
            raise RunError(
                f"`{name}` uses {artifact.phrase} whose path isn't in the spec",
                f"pass the path: {artifact.option} PATH",
                reason=f"a spec identifies {artifact.phrase} by digest, here {artifact.digest}",
            )
        if not (there := found[artifact.name]).stands_for(artifact):
            shown = there.continued if artifact.epochs_before and there.continued else there.artifact
            raise changed_artifact(artifact.name, artifact.brief(), shown.brief())
    if recipe.distill.weight and not any(artifact.name == "teacher" for artifact in recipe.uses):
        raise RunError(
            f"`{name}` learns from a teacher, and none is given",
            "pass the run of a trained network: --teacher RUN, such as runs/resnet18-3bad09c9a433/seed-0",
            "or train without one: --set train.distill=none",
            reason=f"its recipe has `distill {recipe.distill.brief()}`",
        )
    if recipe.keep.takes_selection and not any(artifact.name == "selection" for artifact in recipe.uses):
        raise RunError(
            f"`{name}` learns from images that another run chose, and none is given",
            "pass a run with `keep hardest(...)`: --selection RUN, such as runs/proxy-3bad09c9a433/seed-0",
            "or learn from all images: --set train.keep=all",
            reason=f"its recipe has `keep {recipe.keep.brief()}`",
        )


def check_seeds(name: str, recipe: Recipe, files: Iterable[ArtifactFile], seeds: Iterable[int]) -> None:
    """Raise RunError if the spec `name` continues a run, and is to be trained with another seed than that run."""
    for file in files:
        if not recipe.epochs_before or file.record.kind != Weights.name:
            continue
        for seed in seeds:
            if seed != file.seed:
                other = Path(file.record.path).parent / f"seed-{seed}"
                raise RunError(
                    f"`{name}` continues a run, and {file.record.path} has seed {file.seed}, not {seed}",
                    f"continue the run of this seed: cifar-dsl train --resume {other} --set "
                    f"train.epochs={recipe.epochs:g}",
                    "or leave out this seed: `compare --no-train` compares the runs that exist",
                    reason="each seed goes on from its own weights",
                )


def changed_artifact(kind: str, wanted: str, found: str) -> RunError:
    """The error that an artifact that was `found` isn't the `wanted` one; both are digests, or texts with one."""
    artifact = ARTIFACTS[kind]
    return RunError(
        f"{artifact.misfit} of the recipe",
        f"restore the file, or pass the path of the right one: {artifact.option} PATH",
        reason=f"the recipe has {wanted}, and this is {found}",
    )


def tensors_of(content: bytes) -> dict[str, dict[str, Any]]:
    """The tensors of a safetensors file by name: `dtype`, `shape`, and `data` as bytes. Raises SafetensorError."""
    from safetensors import deserialize  # most commands read no tensors

    return dict(sorted(deserialize(content), key=lambda item: item[0]))  # type: ignore[no-untyped-call]


def _weights(path: Path) -> ArtifactFile:
    """Weights from the last epoch of a run, or from a safetensors file."""
    run = _finished(path) if path.is_dir() else None
    file = run.weights if run else path
    content = _weights_of(run) if run else _content(file)
    digest = _digest_of_tensors(file, content)
    if run is None:
        return ArtifactFile(Weights(digest), ArtifactRecord(Weights.name, digest, str(path), ""), content)
    record, epochs = run.record(), run.result().epochs
    return ArtifactFile(
        Weights(digest),
        ArtifactRecord(Weights.name, digest, str(path), _origin(record)),
        content,
        continued=Weights(record.spec.fingerprint, epochs=int(epochs)) if epochs == int(epochs) else None,
        seed=record.seed,
    )


def _run_at(path: Path, missing: str, *, what: str, why: str) -> Run:
    """The finished run at a path. Raises RunError with the help `missing` if there is none, and for a file."""
    if not (path.exists() or partial_path(path).exists()):
        raise RunError(f"there is no run at {path}", missing)
    if path.is_file():
        raise RunError(
            f"{path} is a file, and {what}",
            "pass the folder of a run, such as runs/baseline-0123456789ab/seed-0",
            reason=why,
        )
    return _finished(path)


def _teacher(path: Path) -> TeacherFile:
    """The network of a run, with the weights of its last epoch."""
    run = _run_at(
        path,
        "pass the run of the teacher: --teacher RUN",
        what="a teacher is a run",
        why="a file of weights doesn't say how its images were normalized",
    )
    content, record, analysis = _weights_of(run), run.record(), run.analysis()
    graph, recipe = analysis.graph, analysis.require_recipe()
    if recipe.normalize.is_first:
        raise RunError(
            f"the run {run.path} can't be a teacher",
            "train its spec with another normalization: --set train.normalize=per_channel",
            reason=f"`{recipe.normalize.name}` is applied to images before their augmentation, and a teacher takes "
            "augmented ones",
        )
    normalization = record.normalization or recipe.normalize.standardization(graph.input.channels)
    if normalization is None:
        raise RunError(
            f"the run {run.path} has no statistics of its images, which a teacher needs",
            "train its spec again: earlier versions didn't record them",
        )
    fingerprint = record.spec.fingerprint
    parts = (fingerprint, _digest_of_tensors(run.weights, content), normalization.mean, normalization.std)
    digest = hashlib.sha256("\0".join(map(str, parts)).encode())
    artifact = Teacher(fingerprint, digest.hexdigest()[:_DIGITS])
    origin = _origin(record)
    return TeacherFile(
        artifact,
        ArtifactRecord(Teacher.name, artifact.digest, str(path), origin),
        content,
        graph,
        normalization,
        record.classes,
    )


def _selection(path: Path) -> SelectionFile:
    """The images that a run chose."""
    run = _run_at(
        path,
        "pass the run that chose the images: --selection RUN",
        what="a selection of images is that of a run",
        why="a file doesn't say which batches it was made for",
    )
    result, record, recipe = run.result(), run.record(), run.analysis().require_recipe()
    if not isinstance(recipe.keep, Hardest):
        raise RunError(
            f"the run {run.path} chose no images",
            "pass a run of a recipe with `keep hardest(...)`",
            reason=f"its recipe has `keep {recipe.keep.brief()}`",
        )
    if recipe.epochs_before:
        raise RunError(
            f"the run {run.path} chose images only after epoch {recipe.epochs_before}",
            "train its spec from the start, with as many epochs",
            reason="it continues another run",
        )
    content, epochs = _content(run.path / SELECTION), math.ceil(result.epochs)
    kept = _kept(run.path / SELECTION, content, epochs, record.data.train_images - recipe.validation)
    digest = hashlib.sha256(f"{record.spec.fingerprint}\0{record.seed}\0{epochs}\0".encode() + kept)
    artifact = Selection(record.spec.fingerprint, digest.hexdigest()[:_DIGITS])
    return SelectionFile(
        artifact,
        ArtifactRecord(Selection.name, artifact.digest, str(path), _origin(record)),
        content,
        kept,
        epochs,
        result.epochs,
        recipe.keep.share,
        record,
        recipe,
    )


def _kept(path: Path, content: bytes, epochs: int, images: int) -> bytes:
    """The bytes of a selection's tensor. Raises RunError unless it has a bit for each of these epochs and images."""
    from safetensors import SafetensorError

    try:
        tensor = tensors_of(content)[KEPT]
    except (SafetensorError, ValueError, KeyError) as error:
        raise damaged(path) from error
    if tensor["dtype"] != "U8" or tensor["shape"] != [epochs, (images + 7) // 8]:
        raise damaged(path)
    return bytes(tensor["data"])


def _weights_of(run: Run) -> bytes:
    """The file with the weights of a run's last epoch, as it was written. Raises RunError."""
    if not run.weights.exists():
        raise without_weights(run.weights)
    content = _content(run.weights)
    if run.result().weights_digest not in {None, hashlib.sha256(content).hexdigest()}:
        raise changed(run.weights)
    return content


def _origin(record: RunRecord) -> str:
    return f"{record.spec.name} {record.spec.fingerprint}, seed {record.seed}"


def _content(path: Path) -> bytes:
    try:
        with open_regular(path) as opened:
            return opened.read()
    except FileNotFoundError:
        raise RunError(
            f"there are no weights at {path}",
            "pass a run, such as runs/baseline-0123456789ab/seed-0, or a file in the safetensors format",
        ) from None
    except OSError as error:
        raise RunError(
            f"{path} can't be read: {error.strerror or error}", "make it readable, or pass another file"
        ) from error


def _finished(path: Path) -> Run:
    """The complete run at `path`, with weights. Raises RunError."""
    if path.suffix == ".partial" or (partial_path(path).is_dir() and not (path / RESULT).exists()):
        raise RunError(
            f"the run {path} is not complete, and has no weights yet", f"finish it: cifar-dsl train --resume {path}"
        )
    run = open_run(path)
    if run.result().accuracy is None:
        raise RunError(f"the run {path} diverged, and has no weights", "pass a run that has an accuracy")
    return run


def _digest_of_tensors(path: Path, content: bytes) -> str:
    """A digest of the names, types, shapes and values of all tensors. Raises RunError if it is no safetensors file."""
    from safetensors import SafetensorError

    try:
        tensors = tensors_of(content)
    except (SafetensorError, ValueError) as error:
        raise RunError(
            f"{path} is not a file in the safetensors format",
            "pass a run, or save the weights with `safetensors.torch.save_file(module.state_dict(), PATH)`",
            reason=reason_of(error),
        ) from error
    digest = hashlib.sha256()
    for name, tensor in tensors.items():
        digest.update(f"{name}\0{tensor['dtype']}\0{tensor['shape']}\0".encode())
        digest.update(tensor["data"])
    return digest.hexdigest()[:_DIGITS]


_READERS: dict[str, Callable[[Path], ArtifactFile]] = {
    Weights.name: _weights,
    Teacher.name: _teacher,
    Selection.name: _selection,
}
