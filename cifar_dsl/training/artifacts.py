"""Reads the artifacts that a training uses: what a run holds, or a file.

An artifact is identified by its content, so a moved file or a copied run is the same artifact.
"""

import hashlib
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from attrs import field

from cifar_dsl.foundation.errors import RunError
from cifar_dsl.foundation.reading import open_regular
from cifar_dsl.foundation.records import frozen
from cifar_dsl.foundation.user_folders import expanded
from cifar_dsl.ir import Recipe
from cifar_dsl.ir.recipe import Artifact
from cifar_dsl.operations.recipe import ARTIFACTS
from cifar_dsl.operations.recipe.artifact import Weights
from cifar_dsl.runs.folder import Run, open_run
from cifar_dsl.runs.places import RESULT, partial_path
from cifar_dsl.runs.records import ArtifactRecord, changed

_DIGITS = 16  # of a digest in a spec


@frozen
class ArtifactFile:
    """An artifact that was read: its record, and the bytes of its file."""

    record: ArtifactRecord
    content: bytes = field(repr=False, eq=False)


def read_artifact(kind: str, path: str | Path) -> ArtifactFile:
    """The artifact of a kind, one of `ARTIFACTS`, at `path`: a run or a file. Raises RunError, UserError."""
    return _READERS[kind](expanded(path).absolute())


def override_of(files: Collection[ArtifactFile], recipe: Recipe | None) -> tuple[str, ...]:
    """The override that makes a recipe use these artifacts, in the syntax of `--set`; none without files.

    They replace those of the same kinds that it uses, and the others stay, as do those of the same content.
    """
    uses = {each.name: each for each in recipe.uses} if recipe else {}
    for file in files:
        kind, digest = file.record.kind, file.record.digest
        if kind not in uses or uses[kind].digest != digest:
            made: Callable[..., Artifact] = ARTIFACTS[kind]
            uses[kind] = made(digest=digest)
    return (_override(uses.values()),) if files else ()


def continuing(file: ArtifactFile, epochs: int, recipe: Recipe) -> str:
    """The override that makes a recipe continue a training from its weights after `epochs`."""
    others = (each for each in recipe.uses if each.name != Weights.name)
    return _override([*others, Weights(digest=file.record.digest, epochs=epochs)])


def _override(artifacts: Iterable[Artifact]) -> str:
    """The override that makes a recipe use these artifacts alone."""
    return f"train.uses={' -> '.join(each.brief() for each in artifacts)}"


def check_located(name: str, recipe: Recipe, digests: Mapping[str, str]) -> None:
    """Raise RunError unless each artifact that the recipe of the spec `name` uses is located: `digests` by kind."""
    for artifact in recipe.uses:
        if artifact.name not in digests:
            raise RunError(
                f"`{name}` uses {artifact.name} whose path isn't in the spec",
                f"pass the path: {artifact.option} PATH",
                reason=f"a spec identifies them by their digest, here {artifact.digest}",
            )
        check_unchanged(artifact.name, artifact.digest, digests[artifact.name])


def check_unchanged(kind: str, wanted: str, digest: str) -> None:
    """Raise RunError unless an artifact that was read has the digest that the recipe wants."""
    if digest != wanted:
        raise RunError(
            f"the {kind} are not those of the recipe",
            f"restore the file, or pass the path of the right one: {ARTIFACTS[kind].option} PATH",
            reason=f"the recipe has digest {wanted}, the file {digest}",
        )


def tensors_of(content: bytes) -> dict[str, dict[str, Any]]:
    """The tensors of a safetensors file by name: `dtype`, `shape`, and `data` as bytes. Raises SafetensorError."""
    from safetensors import deserialize  # most commands read no tensors

    return dict(sorted(deserialize(content), key=lambda item: item[0]))  # type: ignore[no-untyped-call]


def _weights(path: Path) -> ArtifactFile:
    """Weights from the last epoch of a run, or from a safetensors file."""
    run = _finished(path) if path.is_dir() else None
    file = run.weights if run else path
    content = _content(file)
    origin = ""
    if run:
        if run.result().weights_digest not in {None, hashlib.sha256(content).hexdigest()}:
            raise changed(file)
        record = run.record()
        origin = f"{record.spec.name} {record.spec.fingerprint}, seed {record.seed}"
    return ArtifactFile(ArtifactRecord("weights", _digest_of_tensors(file, content), str(path), origin), content)


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
            reason=str(error),
        ) from error
    digest = hashlib.sha256()
    for name, tensor in tensors.items():
        digest.update(f"{name}\0{tensor['dtype']}\0{tensor['shape']}\0".encode())
        digest.update(tensor["data"])
    return digest.hexdigest()[:_DIGITS]


_READERS: dict[str, Callable[[Path], ArtifactFile]] = {"weights": _weights}
