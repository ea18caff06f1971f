"""Combines edits into changes, so that a change to a block is reported once, however often the block is called."""

from collections import Counter
from collections.abc import Iterable, Sequence

from cifar_dsl.foundation.records import frozen
from cifar_dsl.ir import Graph, Node
from cifar_dsl.views.difference.edits import Edit, Edits, Kind, Rename, called_blocks

_LONGEST = 100  # characters; a longer text is shown without arguments
_LISTED = 4  # similar items that are listed before `and N more`


@frozen
class Change:
    """One change of the network; `stages` are the paths of the changed stages."""

    kind: Kind
    block: str
    text: str
    stages: tuple[str, ...]
    parameters: int


def network_changes(a: Graph, b: Graph, edits: Edits) -> tuple[Change, ...]:
    """The changes in the order of their first stages, followed by added and removed calls of blocks."""
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
    """The common text of all edits; else, for changed arguments, a list of their texts; else their general text."""
    first = edits[0]
    exact = _common(edit.text for edit in edits)
    if exact and len(exact) <= _LONGEST:
        return exact
    if first.kind != "changed":
        return first.general
    counts = Counter(edit.text for edit in edits)
    listed = [f"{text} ({number} x)" if number > 1 else text for text, number in counts.items()]
    argument, *more = first.subject.partition(": ")[2].split(", ")
    if more:
        return "; ".join(_cut(listed))
    return ", ".join([listed[0], *_cut([text.removeprefix(f"{argument} ") for text in listed[1:]])])


def _often(edits: Sequence[Edit], paths: Sequence[str], calls: Counter[str]) -> str:
    """The number of calls or repetitions, if more than one."""
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
    """The change of how often a block is called."""
    block = edits[0].subject
    often = Counter((edit.general, edit.text) for edit in edits)
    listed = [f"{sign} {number} x {text}" if number > 1 else f"{sign} {text}" for (sign, text), number in often.items()]
    text = f"{block}: {before[block]} calls -> {after[block]} calls; {', '.join(_cut(listed))}"
    return Change("calls", block, text, tuple(edit.stage for edit in edits), sum(edit.parameters for edit in edits))


def renames_text(renames: Sequence[Rename]) -> str:
    """The renamed stages in one line, those with weights first; "" if there are none."""
    often = Counter((rename.block, *rename.inside) for rename in renames)
    own = {(rename.block, *rename.inside) for rename in renames if rename.layers}
    ordered = sorted(often.items(), key=lambda item: item[0] not in own)
    listed = [
        (f"{block}." if block else "") + f"{old} -> {new}" + (f" ({number} calls)" if number > 1 else "")
        for (block, old, new), number in ordered
    ]
    return ", ".join(_cut(listed))


def consequences_text(consequences: Sequence[tuple[Node, Node]]) -> list[str]:
    """The new shapes and parameter counts of layers that changed only as a consequence."""
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
        lines.append(f"shapes that change as a result: {', '.join(_cut(shapes))}")
    if parameters:
        lines.append(f"parameters that change as a result: {', '.join(_cut(parameters))}")
    return lines


def layer_counts(a: Graph, b: Graph) -> list[str]:
    """The number of layers of each kind whose number differs."""
    before, after = (Counter(node.operation.name for node in graph.nodes) for graph in (a, b))
    names = dict.fromkeys([*before, *after])
    return [f"{name} {before[name]} -> {after[name]}" for name in names if before[name] != after[name]]


def _common(texts: Iterable[str]) -> str:
    """The text that all have in common; "" if they differ."""
    distinct = set(texts)
    return distinct.pop() if len(distinct) == 1 else ""


def _cut(listed: Sequence[str]) -> list[str]:
    if len(listed) <= _LISTED + 1:
        return list(listed)
    return [*listed[:_LISTED], f"and {len(listed) - _LISTED} more"]
