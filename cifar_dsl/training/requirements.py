"""What must hold before a spec can be trained."""

from typing import TYPE_CHECKING

from cifar_dsl.compiler import Analysis, DataShape
from cifar_dsl.foundation.errors import RunError
from cifar_dsl.ir import Recipe, Shape

if TYPE_CHECKING:
    from cifar_dsl.training.datasets import Dataset


def required_recipe(analysis: Analysis) -> Recipe:
    """The recipe of a spec that is to be trained. Raises RunError if it has none."""
    if analysis.recipe is None:
        raise RunError(
            f"`{analysis.program.name}` says no recipe, so it can be checked and shown but not trained",
            "add `train { data cifar10 ... }`, or extend a spec that has one",
        )
    return analysis.recipe


def check_data(analysis: Analysis, dataset: "Dataset") -> None:
    """Raise SpecError if the network or its recipe doesn't go with the images."""
    classes, images = len(dataset.classes), len(dataset.y_train)
    analysis.check_data(DataShape(dataset.name, Shape(dataset.image_shape), classes, images))
