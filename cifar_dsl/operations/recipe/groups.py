"""Which parameters a group of a recipe takes."""

from collections.abc import Iterable
from fnmatch import fnmatchcase

from cifar_dsl.ir import Graph, Recipe

KINDS = ("filter", "matrix", "bias", "scale", "embedding", "norm")


def matches(select: Iterable[str], path: str, kind: str, is_norm: bool) -> bool:
    """Whether any of `select` takes the parameter at `path`, of this kind, in a layer that normalises or not.

    A word of KINDS is a kind (`norm`: whatever a normalising layer owns), anything else a pattern of paths; every
    path has a dot, so that none is such a word.
    """
    own = {kind, "norm"} if is_norm else {kind}
    return any(word in own if word in KINDS else fnmatchcase(path, word) for word in select)


def assign(graph: Graph, recipe: Recipe) -> dict[str, int | None]:
    """For the path of every trained parameter the first group that takes it, by its number in the recipe.

    None stands for the recipe's own optimizer. Frozen parameters and buffers are left out.
    """
    assigned: dict[str, int | None] = {}
    for node in graph.nodes:
        for parameter in node.parameters:
            if not parameter.is_trained:
                continue
            path = f"{node.path}.{parameter.name}"
            fitting = (
                number
                for number, group in enumerate(recipe.groups)
                if matches(group.select, path, parameter.kind, node.operation.is_norm)
            )
            assigned[path] = next(fitting, None)
    return assigned
