"""Inlay hints: the output shape and the parameter count after each line of stages."""

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
    """The hints in a range of lines. While the text has errors, unchanged lines keep their last hints."""
    source, stages = documents.source(path), documents.stages(path)
    if source is None or stages is None:
        return []
    unchanged = Unchanged.between(stages.analysis.source.text, source.text)
    elements = _elements(documents.tree(path)) if stages.analysis.source.text == source.text else {}
    hints: list[types.InlayHint] = []
    for line in stages.lines.values():
        moved = unchanged.moved(line.end - 1, line.end)
        if moved is not None:
            element = elements.get(moved[1])
            end = element.span.end if element else moved[1]
            position = documents.positions.position(source.text, end)
            if wanted.start.line <= position.line <= wanted.end.line:
                hints.extend(_hints(stages, line, position, element))
    return hints


def _hints(
    stages: Stages, line: Line, position: types.Position, element: nodes.Element | None
) -> Iterator[types.InlayHint]:
    shapes, cost = shapes_text(line.shapes), stages.analysis.graph.cost_of(line.values)
    is_claimed = element is not None and element.claim is not None
    parts = [] if is_claimed else [f": {shapes}"]
    if cost.parameters:
        parts.append(f"{cost.parameters:,} params")
    if parts:
        can_claim = element is not None and not is_claimed and len(set(line.shapes)) == len(line.shapes[0]) == 1
        yield types.InlayHint(
            position,
            ", ".join(parts),
            kind=types.InlayHintKind.Type,
            text_edits=[types.TextEdit(types.Range(position, position), f" : {shapes}")] if can_claim else None,
            tooltip=_tooltip(line, shapes, cost.parameters, cost.macs),
            padding_left=True,
        )


def _tooltip(line: Line, shapes: str, parameters: int, macs: int) -> str:
    times = f"{len(line.shapes)} times: " if len(line.shapes) > 1 else ""
    return f"{times}{shapes}; {parameters:,} parameters, {in_short(macs)} multiply-accumulates"


def _elements(tree: nodes.Spec | None) -> dict[int, nodes.Element]:
    """The elements of all chains by the offset where they end, before any `as` name or shape claim."""
    elements: dict[int, nodes.Element] = {}
    stack: list[object] = [tree] if tree else []
    while stack:
        node = stack.pop()
        if isinstance(node, nodes.Element):
            elements[node.kind.span.end] = node
        stack.extend(nodes.children(node))
    return elements
