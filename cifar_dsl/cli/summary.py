"""Calls and recipes of the IR as a person would write them, and what a training will need."""

import attrs

from cifar_dsl.ir import Call, Recipe
from cifar_dsl.layers import JOINS, LAYERS
from cifar_dsl.recipes import SETTINGS
from cifar_dsl.text import columns


def layer_text(call: Call) -> str:
    """A layer or join without the arguments that are the default anyway."""
    return JOINS.of(call).brief() if call.name in JOINS else LAYERS.of(call).brief()


def recipe_values(recipe: Recipe) -> dict[str, str]:
    """The settings of a recipe, each as a spec would say it."""
    values = attrs.asdict(recipe, recurse=False)
    texts: dict[str, str] = {}
    for name, setting in SETTINGS.items():
        value = values[name]
        if setting.registry is None:
            texts[name] = str(value)
        elif setting.is_chain:
            texts[name] = " -> ".join(setting.registry.of(call).brief() for call in value) or "none"
        else:
            texts[name] = setting.registry.of(value).brief()
    return texts


def recipe_lines(recipe: Recipe | None) -> list[str]:
    """The recipe, a setting a line."""
    if recipe is None:
        return ["no recipe: this spec can be shown but not trained"]
    return columns(list(recipe_values(recipe).items()))
