"""Which tensors of a file of weights fit a network: those of the same path and shape. Matching needs no torch."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from cifar_dsl.foundation.errors import RunError
from cifar_dsl.foundation.records import frozen
from cifar_dsl.ir import Graph, Recipe
from cifar_dsl.training.artifacts import ArtifactFile, tensors_of

if TYPE_CHECKING:
    from torch import Tensor

_MOST_LISTED = 6


@frozen
class Match:
    """The paths of tensors that are `copied` from a file to a network, and of those that aren't.

    `missing` are only in the network, `extra` only in the file; `reshaped` have another shape in the file.
    """

    copied: tuple[str, ...]
    missing: tuple[str, ...]
    extra: tuple[str, ...]
    reshaped: tuple[str, ...]

    @property
    def is_whole(self) -> bool:
        """Whether the file holds the whole network, and nothing else."""
        return not (self.missing or self.extra or self.reshaped)

    def lines(self, source: str) -> list[str]:
        """The match in words; `source` says where the weights are from."""
        return [
            self.summary(source),
            *(f"{kind}: {_listed(paths)}" for kind, paths in self._others.items() if paths),
        ]

    def summary(self, source: str) -> str:
        """How many tensors match, in words."""
        total = len(self.copied) + len(self.missing) + len(self.reshaped)
        return f"{len(self.copied)} of {total} tensors start from {source}"

    def rows(self) -> list[list[str]]:
        """Every tensor of the network and of the file, each after what becomes of it."""
        return [[kind, path] for kind, paths in ({"copied": self.copied} | self._others).items() for path in paths]

    @property
    def _others(self) -> dict[str, tuple[str, ...]]:
        """The tensors that aren't copied, by what becomes of them."""
        return {
            "other shape there, so newly drawn": self.reshaped,
            "missing there, so newly drawn": self.missing,
            "unused": self.extra,
        }


def match_weights(graph: Graph, file: ArtifactFile) -> Match:
    """How the tensors of a file fit a network. Raises RunError if none does."""
    there = {name: tuple(tensor["shape"]) for name, tensor in tensors_of(file.content).items()}
    here = {f"{node.path}.{one.name}": one.shape for node in graph.nodes for one in node.parameters}
    match = Match(
        copied=tuple(path for path, shape in here.items() if there.get(path) == shape),
        missing=tuple(path for path in here if path not in there),
        extra=tuple(sorted(there.keys() - here.keys())),
        reshaped=tuple(
            f"{path} ({_size(there[path])} there, {_size(shape)} here)"
            for path, shape in here.items()
            if path in there and there[path] != shape
        ),
    )
    if not match.copied:
        raise RunError(
            f"no tensor of {file.record.path} fits the network",
            "a tensor fits if path and shape are the same; `cifar-dsl show` prints the paths of layers",
            reason=f"the file has {_listed(tuple(there)) or 'no tensors'}; the network has {_listed(tuple(here))}",
        )
    return match


def match_all(graph: Graph, recipe: Recipe | None, files: Iterable[ArtifactFile]) -> list[tuple[ArtifactFile, Match]]:
    """The match of each file of weights to start from.

    Raises RunError if no tensor of one fits, or if the recipe continues a training and not all of them do.
    """
    matches = [(file, match_weights(graph, file)) for file in files if file.record.kind == "weights"]
    for file, match in matches:
        if recipe and recipe.epochs_before and not match.is_whole:
            raise RunError(
                f"{file.record.path} are the weights of another network, so the training can't go on from them",
                "`--from PATH` without `epochs` in `weights` starts from the tensors that fit",
                reason="; ".join(match.lines(file.record.path)),
            )
    return matches


def tensors_to_start_from(matches: Iterable[tuple[ArtifactFile, Match]]) -> "dict[str, Tensor]":
    """The tensors that a network copies from these files, by path."""
    from safetensors.torch import load

    start: dict[str, Tensor] = {}
    for file, match in matches:
        there = load(file.content)
        start |= {path: there[path] for path in match.copied}
    return start


def _listed(paths: Sequence[str]) -> str:
    more = len(paths) - _MOST_LISTED
    return ", ".join(paths[:_MOST_LISTED]) + (f" and {more} more" if more > 0 else "")


def _size(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape)) or "a number"
