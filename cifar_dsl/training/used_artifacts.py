"""Whether the artifacts at hand are those of a training, and fit its network, recipe and dataset. Needs no torch."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from cifar_dsl.ir import Graph, Recipe
from cifar_dsl.training.artifacts import ArtifactFile, check_located
from cifar_dsl.training.selecting import check_selection
from cifar_dsl.training.teaching import check_teacher

if TYPE_CHECKING:
    from cifar_dsl.training.datasets import Dataset


def check_artifacts(name: str, graph: Graph, recipe: Recipe, dataset: "Dataset", files: Iterable[ArtifactFile]) -> None:
    """Raise RunError unless `files` are the artifacts that the recipe of the spec `name` uses, and fit the training."""
    files = tuple(files)
    check_located(name, recipe, files)
    check_teacher(graph, dataset.classes, files)
    check_selection(graph, recipe, len(dataset.y_train), dataset.digest, files)
