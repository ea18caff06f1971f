"""A recipe as lines of text."""

from cifar_dsl.foundation.text import columns
from cifar_dsl.ir import Recipe
from cifar_dsl.views.flatten import recipe_values


def recipe_lines(recipe: Recipe | None) -> list[str]:
    """The recipe, one setting per line."""
    if recipe is None:
        return ["no recipe: this spec can be shown but not trained"]
    return columns(list(recipe_values(recipe).items()))
