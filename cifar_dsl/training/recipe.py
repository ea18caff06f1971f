"""A spec that is to be trained has a recipe."""

from cifar_dsl.ir import Recipe
from cifar_dsl.runs import RunError
from cifar_dsl.semantics import Analysis


def required_recipe(analysis: Analysis) -> Recipe:
    """The recipe of a spec that is to be trained. Raises RunError if it has none."""
    if analysis.recipe is None:
        raise RunError(
            f"`{analysis.program.name}` says no recipe, so it can be checked and shown but not trained",
            "add `train { data cifar10 ... }`, or extend a spec that has one",
        )
    return analysis.recipe
