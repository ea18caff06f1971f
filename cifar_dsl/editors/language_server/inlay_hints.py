"""Behind each line of stages: the shape that comes out, and how many parameters the stages have."""

from collections.abc import Iterator
from pathlib import Path

from lsprotocol import types

from cifar_dsl.editors.language_server.documents import Documents
from cifar_dsl.editors.language_server.stages import Stages
from cifar_dsl.editors.language_server.unchanged import Unchanged
from cifar_dsl.foundation.text import in_short
from cifar_dsl.ir.source_map import Line, shapes_text
from cifar_dsl.language.syntax import nodes


def inlay_hints(documents: Documents, path: Path, wanted: types.Range) -> list[types.InlayHint]:
    """The hints of the lines in a range. While a text has errors, those of lines as they were before them."""
    source, stages = documents.source(path), documents.stages(path)
    if source is None or stages is None:
        return []
    unchanged = Unchanged.between(stages.analysis.source.text, source.text)
    elements = _elements(documents.tree(path)) if stages.analysis.source.text == source.text else {}
    found: list[types.InlayHint] = []
    for line in stages.lines.values():
        place = unchanged.moved(line.end - 1, line.end)
        if place is not None:
            element = elements.get(place[1])
            end = element.span.end if element else place[1]
            position = documents.positions.position(source.text, end)
            if wanted.start.line <= position.line <= wanted.end.line:
                found.extend(_hints(stages, line, position, element))
    return found


def _hints(
    stages: Stages, line: Line, position: types.Position, element: nodes.Element | None
) -> Iterator[types.InlayHint]:
    shapes, cost = shapes_text(line.shapes), stages.analysis.graph.cost_of(line.values)
    is_claimed = element is not None and element.claim is not None
    said = [] if is_claimed else [f": {shapes}"]
    if cost.parameters:
        said.append(f"{cost.parameters:,} params")
    if said:
        can_claim = element is not None and not is_claimed and len(set(line.shapes)) == 1
        yield types.InlayHint(
            position,
            ", ".join(said),
            kind=types.InlayHintKind.Type,
            text_edits=[types.TextEdit(types.Range(position, position), f" : {shapes}")] if can_claim else None,
            tooltip=_tooltip(line, shapes, cost.parameters, cost.macs),
            padding_left=True,
        )


def _tooltip(line: Line, shapes: str, parameters: int, macs: int) -> str:
    times = f"{len(line.shapes)} times: " if len(line.shapes) > 1 else ""
    return f"{times}{shapes}; {parameters:,} parameters, {in_short(macs)} multiply-accumulates"


def _elements(tree: nodes.Spec | None) -> dict[int, nodes.Element]:
    """The links of chains by the offsets at which they end, without their names and the shapes that they state."""
    found: dict[int, nodes.Element] = {}
    waiting: list[object] = [tree] if tree else []
    while waiting:
        node = waiting.pop()
        if isinstance(node, nodes.Element):
            found[node.kind.span.end] = node
        waiting.extend(nodes.children(node))
    return found
