"""The fingerprint: a hash of the meaning of a spec."""

import json

from cifar_dsl.foundation.records import fields_of
from cifar_dsl.ir.declaration import Declaration
from cifar_dsl.ir.graph import Graph
from cifar_dsl.ir.recipe import Group, Recipe
from cifar_dsl.ir.values import Call

# Incremented when every text comes to mean another computation. Where only some do, `revision` of their operations or
# averages is, which leaves all other fingerprints as they are.
_FORMAT = 2


def fingerprint(graph: Graph, recipe: Recipe | None) -> str:
    """Twelve hexadecimal digits that identify the meaning of a spec: equal for equal graphs and recipes.

    Layout, comments, the spec's name and the use of `extends` have no effect.
    """
    import hashlib  # loads OpenSSL, which would slow down `check`

    operations = {id(node.operation): node.operation for node in graph.nodes}  # many nodes have the same
    plain = {key: _plain(operation) for key, operation in operations.items()}
    meaning = {
        "format": _FORMAT,
        "input": graph.input.extents,
        "nodes": [(node.path, plain[id(node.operation)], node.inputs) for node in graph.nodes],
        "output": graph.output,
        "recipe": recipe and _recipe_meaning(recipe),
    }
    if tied := [(node.path, node.shares) for node in graph.nodes if node.shares]:
        meaning["tied"] = tied
    if revisions := _revisions(graph, recipe):
        meaning["revisions"] = revisions
    text = json.dumps(meaning, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _revisions(graph: Graph, recipe: Recipe | None) -> list[tuple[str | int, int]]:
    """The revisions of operations, by path, and of averages, by position, whose computation has changed."""
    revisions: list[tuple[str | int, int]] = [(node.path, node.operation.revision) for node in graph.nodes]
    if recipe:
        revisions += [(place, average.revision(recipe)) for place, average in enumerate(recipe.average)]
    return [(where, revision) for where, revision in revisions if revision]


def _recipe_meaning(recipe: Recipe) -> dict[str, object]:
    values = ((info, getattr(recipe, info.name)) for info in fields_of(Recipe))
    return {info.name: _plain(value) for info, value in values if value != info.default}


def _plain(value: object) -> object:
    match value:
        case Declaration():
            return _plain(value.call())
        case Call(name=name, arguments=arguments):
            return [name, *([key, _plain(argument)] for key, argument in arguments if key not in value.defaults)]
        case Group():
            # The name of a group has no meaning.
            parts = [_plain(part) for part in (value.select, value.optimizer, value.schedule, value.epochs)]
            later = next(one for one in fields_of(Group) if one.name == "constrain")  # added to the language later
            return parts + ([_plain(value.constrain)] if value.constrain != later.default else [])
        case tuple():
            return [_plain(item) for item in value]
        case _:
            return value
