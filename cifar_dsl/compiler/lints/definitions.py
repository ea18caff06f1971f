"""W0201: definitions that nothing uses."""

from collections.abc import Iterator, Sequence

from cifar_dsl.compiler import Analysis, Library
from cifar_dsl.language.diagnostics import Diagnostic, Edit, Fix, Label
from cifar_dsl.language.source import Span
from cifar_dsl.language.syntax import nodes


def unused_definitions(items: Sequence[nodes.Item], found: Analysis | Library) -> Iterator[Diagnostic]:
    """Params and blocks that the whole spec doesn't mention, and what a block or model defines for itself alone."""
    if isinstance(found, Analysis):
        for item in items:
            if isinstance(item, nodes.Param | nodes.Block) and not _is_mentioned(item, found):
                what = "param" if isinstance(item, nodes.Param) else "block"
                yield _unused(what, item.name, _deletion(item.span))
    for item in items:
        if isinstance(item, nodes.Block | nodes.Model):
            yield from _unused_inside(item, found)


def _is_mentioned(item: nodes.Param | nodes.Block, found: Analysis) -> bool:
    program = found.program
    definitions: list[object] = [*program.params.values(), *program.blocks.values()]
    parts: list[object] = [other for other in definitions if other is not item]
    parts += [program.model, *program.assertions, *program.settings.values()]
    parts += [setting for group in program.groups.values() for setting in group.settings.values()]
    return item.name.text in nodes.references(parts)


def _unused_inside(item: nodes.Block | nodes.Model, found: Analysis | Library) -> Iterator[Diagnostic]:
    mentioned = nodes.references([item]) | _assigned(item)
    if isinstance(item, nodes.Block):
        for parameter in item.parameters:
            if parameter.name.text not in mentioned:
                yield _unused("parameter", parameter.name, ())
    needed: set[Span] = set()  # so that something stands in a branch
    waiting: list[object] = [item]
    while waiting:
        node = waiting.pop()
        waiting.extend(nodes.children(node))
        if isinstance(node, nodes.Join):
            for branch in node.branches:
                if all(isinstance(stage, nodes.Let) for stage in branch.stages):
                    needed.update(stage.span for stage in branch.stages)
        if isinstance(node, nodes.Let) and node.name.text not in mentioned and not _names_tensor(node, found):
            yield _unused("value", node.name, () if node.span in needed else _deletion(node.span))
        if isinstance(node, nodes.For):
            for target in node.targets:
                if target.text not in mentioned and len(node.targets) == 1:
                    yield _unused("loop variable", target, _repetition(node))


def _assigned(item: nodes.Block | nodes.Model) -> set[str]:
    found: set[str] = set()
    waiting: list[object] = [item]
    while waiting:
        node = waiting.pop()
        waiting.extend(nodes.children(node))
        if isinstance(node, nodes.Assignment):
            found.add(node.name.text)
    return found


def _names_tensor(let: nodes.Let, found: Analysis | Library) -> bool:
    """Whether it names a tensor, of which W0202 speaks."""
    if isinstance(found, Library):
        return True
    return any(scope.kind == "let" and scope.label == let.name.text for scope in found.graph.scopes)


def _unused(what: str, name: nodes.Identifier, fixes: tuple[Fix, ...]) -> Diagnostic:
    help_text = fixes[0].title if fixes else "use it or delete it"
    return Diagnostic("W0201", f"nothing uses the {what} `{name}`", Label(name.span), help=(help_text,), fixes=fixes)


def _deletion(span: Span) -> tuple[Fix, ...]:
    """Deletes the text and, where nothing else stands on them, its lines."""
    text = span.source.text
    start, end = span.start, span.end
    line_start = text.rfind("\n", 0, start) + 1
    line_end = text.find("\n", end)
    if not text[line_start:start].strip() and line_end >= 0 and not text[end:line_end].strip():
        start, end = line_start, line_end + 1
    return (Fix("delete it", (Edit(Span(span.source, start, end), ""),), is_safe=True),)


def _repetition(loop: nodes.For) -> tuple[Fix, ...]:
    """`for i in 0..n {` as `repeat n {`."""
    if loop.stop is None or not (isinstance(loop.start, nodes.Number) and loop.start.value == 0):
        return ()
    head = Span(loop.span.source, loop.span.start, loop.body.span.start)
    if "#" in head.text:
        return ()
    text = f"repeat {head.text.partition('..')[2].strip()} "
    return (Fix(f"write `{text.strip()}`", (Edit(head, text),), is_safe=True),)
