"""W0201: unused definitions."""

from collections.abc import Iterator, Sequence

from cifar_dsl.compiler import Analysis, Library
from cifar_dsl.compiler.lints.registry import text_lint
from cifar_dsl.compiler.names import definitions_of
from cifar_dsl.language.diagnostics import Diagnostic, Edit, Fix, Label
from cifar_dsl.language.source import Span
from cifar_dsl.language.syntax import nodes


@text_lint
def unused_definitions(items: Sequence[nodes.Item], found: Analysis | Library) -> Iterator[Diagnostic]:
    """Params and blocks that the spec never uses, and unused local definitions of blocks and models."""
    if isinstance(found, Analysis):
        for definition in definitions_of(items).values():
            node = definition.node
            assert isinstance(node, nodes.Param | nodes.Block)
            if all(use.span in node.span for use in found.names.uses_of(definition)):
                yield _unused(definition.kind, node.name, _deletion(node.span))
    for item in items:
        if isinstance(item, nodes.Block | nodes.Model):
            yield from _unused_inside(item, found)


_Part = nodes.Branched | nodes.Let | nodes.For
_PARTS = (nodes.Branched, nodes.Let, nodes.For)


def _unused_inside(item: nodes.Block | nodes.Model, found: Analysis | Library) -> Iterator[Diagnostic]:
    known: dict[tuple[object, ...], bool] = {}

    def is_unused(name: nodes.Identifier) -> bool:
        definition = found.names.definitions[name.span]
        if definition.key not in known:
            uses = found.names.uses_of(definition)
            known[definition.key] = not any(use.span in item.span for use in uses)  # a call elsewhere may pass it
        return known[definition.key]

    if isinstance(item, nodes.Block):
        for parameter in item.parameters:
            if is_unused(parameter.name):
                yield _unused("parameter", parameter.name, ())
    tensors = _named_tensors(found)
    needed: set[Span] = set()  # without them, a branch would be empty
    of_branches: set[Span] = set()  # loops that make branches
    parts: Iterator[_Part] = nodes.inside([item], _PARTS)
    for node in parts:
        if isinstance(node, nodes.Branched):
            if isinstance(node.branches, nodes.For):
                of_branches.add(node.branches.span)
            for branch in node.bodies:
                if all(isinstance(stage, nodes.Let) for stage in branch.stages):
                    needed.update(stage.span for stage in branch.stages)
        if isinstance(node, nodes.Let):
            fixes = () if node.span in needed or len(node.targets) > 1 else _deletion(node.span)
            for name in node.targets:
                if is_unused(name) and not (tensors is None or name.text in tensors):
                    yield _shadowing(node, name, found) or _unused("value", name, fixes)
        if not isinstance(node, nodes.For) or node.span in of_branches:
            continue  # no `repeat` makes branches
        if len(node.targets) == 1 and is_unused(node.targets[0]):
            yield _unused("loop variable", node.targets[0], _repetition(node))


def _named_tensors(found: Analysis | Library) -> frozenset[str] | None:
    """The names of tensors, which W0202 checks; None if they aren't known, since nothing is expanded."""
    return None if isinstance(found, Library) else found.graph.tensor_names


def _shadowing(let: nodes.Let, name: nodes.Identifier, found: Analysis | Library) -> Diagnostic | None:
    """The warning about an unused value that is computed from another of its name, which was meant to change."""
    same = (one for one in nodes.inside([let.chain], nodes.Name) if one.text == name.text)
    other = next((found.names.definitions[one.span].span for one in same), None)
    if other is None:
        return None
    where = f"line {other.line}" if other.source is name.span.source else f"{other}"
    message = f"unused value `{name}`: this `let` names a new value, and doesn't change the `{name}` of {where}"
    help_text = "compute each value from the loop variable, such as `sum(depths[:i])`"
    return Diagnostic("W0201", message, Label(name.span), help=(help_text,))


def _unused(what: str, name: nodes.Identifier, fixes: tuple[Fix, ...]) -> Diagnostic:
    help_text = fixes[0].title if fixes else "use it or delete it"
    return Diagnostic("W0201", f"unused {what} `{name}`", Label(name.span), help=(help_text,), fixes=fixes)


def _deletion(span: Span) -> tuple[Fix, ...]:
    """The fix that deletes the text, with its lines if they have nothing else."""
    text = span.source.text
    start, end = span.start, span.end
    line_start = text.rfind("\n", 0, start) + 1
    line_end = text.find("\n", end)
    if not text[line_start:start].strip() and line_end >= 0 and not text[end:line_end].strip():
        start, end = line_start, line_end + 1
    return (Fix("delete it", (Edit(Span(span.source, start, end), ""),), is_safe=True),)


def _repetition(loop: nodes.For) -> tuple[Fix, ...]:
    """The fix that turns `for i in 0..n {` into `repeat n {`."""
    if loop.stop is None or not (isinstance(loop.start, nodes.Number) and loop.start.value == 0):
        return ()
    head = Span(loop.span.source, loop.span.start, loop.body.span.start)
    if "#" in head.text:
        return ()
    text = f"repeat {head.text.partition('..')[2].strip()} "
    return (Fix(f"write `{text.strip()}`", (Edit(head, text),), is_safe=True),)
