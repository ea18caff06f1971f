"""Edits put together, so that what was done to a block is said once, however often the block is called."""

from collections import Counter
from collections.abc import Iterable, Sequence

from cifar_dsl.foundation.records import frozen
from cifar_dsl.ir import Graph, Node
from cifar_dsl.views.difference.edits import Edit, Edits, Kind, Rename, called_blocks

_LONGEST = 100  # characters of an exact text
_LISTED = 4  # of alike things that are named one by one


@frozen
class Change:
    """One change of the network, made at the `stages` with these paths."""

    kind: Kind
    block: str
    text: str
    stages: tuple[str, ...]
    parameters: int


def network_changes(a: Graph, b: Graph, edits: Edits) -> tuple[Change, ...]:
    """The changes, in the order of their first places; calls of blocks that came or went at the end."""
    groups: dict[tuple[str, str, str], list[Edit]] = {}
    for edit in edits.edits:
        groups.setdefault((edit.kind, edit.block, edit.subject), []).append(edit)
    calls = called_blocks(a), called_blocks(b)
    found = [_change(group, calls[1]) for group in groups.values() if group[0].kind != "calls"]
    return (*found, *(_calls(group, *calls) for group in groups.values() if group[0].kind == "calls"))


def _change(edits: Sequence[Edit], calls: Counter[str]) -> Change:
    first = edits[0]
    paths = tuple(dict.fromkeys(edit.call for edit in edits))
    prefix = first.block if len(paths) > 1 else paths[0]
    insides = {edit.inside for edit in edits}
    place = _common(edit.place for edit in edits) or _common(edit.general_place for edit in edits)
    text = _text(edits)
    if len(insides) == 1:
        prefix = ".".join(part for part in (prefix, first.inside) if part)
    else:
        text = f"{first.general}: {text}"
    where = f"{prefix}: " if prefix else ""
    what = " ".join(part for part in (text, place) if part)
    stages = tuple(edit.stage for edit in edits)
    parameters = sum(edit.parameters for edit in edits)
    return Change(first.kind, first.block, f"{where}{what}{_often(edits, paths, calls)}", stages, parameters)


def _text(edits: Sequence[Edit]) -> str:
    """What all of them say, else (arguments) what each says, else what they say in general."""
    first = edits[0]
    exact = _common(edit.text for edit in edits)
    if exact and len(exact) <= _LONGEST:
        return exact
    if first.kind != "changed":
        return first.general
    often = Counter(edit.text for edit in edits)
    listed = [f"{text} ({number} x)" if number > 1 else text for text, number in often.items()]
    argument, *more = first.subject.partition(": ")[2].split(", ")
    if more:
        return "; ".join(_cut(listed))
    return ", ".join([listed[0], *_cut([text.removeprefix(f"{argument} ") for text in listed[1:]])])


def _often(edits: Sequence[Edit], paths: Sequence[str], calls: Counter[str]) -> str:
    """In how many calls, or how often, where that is more than once."""
    first = edits[0]
    if len(edits) == 1:
        return ""
    if not first.block or len(paths) == 1:
        return f" ({len(edits)} times)"
    in_calls = f"{len(paths)} calls"
    if len(paths) < calls[first.block]:
        in_calls = f"{len(paths)} of {calls[first.block]} calls"
    return f" ({in_calls})" if len(edits) == len(paths) else f" ({len(edits)} times in {in_calls})"


def _calls(edits: Sequence[Edit], before: Counter[str], after: Counter[str]) -> Change:
    """How much more, or less, often a block is called."""
    block = edits[0].subject
    often = Counter((edit.general, edit.text) for edit in edits)
    listed = [f"{sign} {number} x {text}" if number > 1 else f"{sign} {text}" for (sign, text), number in often.items()]
    text = f"{block}: {before[block]} calls -> {after[block]} calls; {', '.join(_cut(listed))}"
    return Change("calls", block, text, tuple(edit.stage for edit in edits), sum(edit.parameters for edit in edits))


def renames_text(renames: Sequence[Rename]) -> str:
    """The stages with other paths in one line, those that own weights first; "" if there are none."""
    often = Counter((rename.block, *rename.inside) for rename in renames)
    own = {(rename.block, *rename.inside) for rename in renames if rename.layers}
    ordered = sorted(often.items(), key=lambda item: item[0] not in own)
    listed = [
        (f"{block}." if block else "") + f"{old} -> {new}" + (f" ({number} calls)" if number > 1 else "")
        for (block, old, new), number in ordered
    ]
    return ", ".join(_cut(listed))


def consequences_text(consequences: Sequence[tuple[Node, Node]]) -> list[str]:
    """What became of layers that nobody touched: their shapes, then their weights."""
    shapes = [
        f"{after.path} {before.shape} -> {after.shape}" for before, after in consequences if before.shape != after.shape
    ]
    parameters = [
        f"{after.path} {after.cost.parameters - before.cost.parameters:+,}"
        for before, after in consequences
        if before.cost.parameters != after.cost.parameters
    ]
    lines = []
    if shapes:
        lines.append(f"shapes that follow: {', '.join(_cut(shapes))}")
    if parameters:
        lines.append(f"parameters that follow: {', '.join(_cut(parameters))}")
    return lines


def layer_counts(a: Graph, b: Graph) -> list[str]:
    """How many layers of each kind there are, where that differs."""
    before, after = (Counter(node.operation.name for node in graph.nodes) for graph in (a, b))
    names = dict.fromkeys([*before, *after])
    return [f"{name} {before[name]} -> {after[name]}" for name in names if before[name] != after[name]]


def _common(texts: Iterable[str]) -> str:
    """The text that is the only one; "" if there are several."""
    distinct = set(texts)
    return distinct.pop() if len(distinct) == 1 else ""


def _cut(listed: Sequence[str]) -> list[str]:
    if len(listed) <= _LISTED + 1:
        return list(listed)
    return [*listed[:_LISTED], f"and {len(listed) - _LISTED} more"]
