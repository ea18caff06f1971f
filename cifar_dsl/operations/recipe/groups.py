"""Which parameters belong to which group of a recipe."""

import re
from collections.abc import Iterable
from fnmatch import translate
from functools import lru_cache

from cifar_dsl.ir import Graph, Recipe

KINDS = ("filter", "matrix", "bias", "scale", "embedding", "norm")


def matches(select: Iterable[str], path: str, kind: str, is_norm: bool) -> bool:
    """Whether any element of `select` matches the parameter at `path` of this kind.

    An element is a word of KINDS (`norm`: any parameter of a normalisation layer) or a pattern of paths. Every path
    contains a dot, so that none equals a word. `is_norm`: whether the layer of the parameter is a normalisation layer.
    """
    own = {kind, "norm"} if is_norm else {kind}
    return any(word in own if word in KINDS else _pattern(word).match(path) for word in select)


def matching(pattern: str, paths: Iterable[str]) -> set[str]:
    """The paths that a pattern matches."""
    found = _pattern(pattern).match
    return {path for path in paths if found(path)}


def keep_statistics(graph: Graph, recipe: Recipe) -> list[str]:
    """The paths of the normalisation layers whose running statistics a group without epochs selects."""
    kept: list[str] = []
    for node in graph.nodes:
        for buffer in node.parameters:
            if buffer.name != "running_mean":
                continue
            path = f"{node.path}.{buffer.name}"
            first = (one for one in recipe.groups if matches(one.select, path, buffer.kind, node.operation.is_norm))
            group = next(first, None)
            if group is not None and group.epochs == 0:
                kept.append(node.path)
    return kept


@lru_cache(maxsize=8192)  # more than the patterns of a recipe, which are all tried for every parameter
def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(translate(text))


def assign(graph: Graph, recipe: Recipe) -> dict[str, int | None]:
    """The group of every trained parameter, by path: the index of the first group that matches.

    None means the recipe's own optimizer. Frozen parameters and buffers are left out.
    """
    assigned: dict[str, int | None] = {}
    for node in graph.nodes:
        for parameter in node.parameters:
            if not parameter.is_trained:
                continue
            path = f"{node.path}.{parameter.name}"
            matching = (
                number
                for number, group in enumerate(recipe.groups)
                if matches(group.select, path, parameter.kind, node.operation.is_norm)
            )
            assigned[path] = next(matching, None)
    return assigned
