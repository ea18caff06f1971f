"""W0215: tied blocks that tie nothing."""

from collections.abc import Iterator, Sequence

from cifar_dsl.compiler import Analysis, Library
from cifar_dsl.compiler.lints.registry import text_lint
from cifar_dsl.compiler.names import Names
from cifar_dsl.language.diagnostics import Diagnostic, Label
from cifar_dsl.language.source import Span
from cifar_dsl.language.syntax import nodes


@text_lint
def tied_once(items: Sequence[nodes.Item], found: Analysis | Library) -> Iterator[Diagnostic]:
    """W0215: a tied block with one use, which runs once for each `let`."""
    for let in nodes.inside(items, nodes.Let):
        definition = found.names.definitions.get(let.targets[0].span)
        if definition is None or not definition.is_tied or len(let.targets) > 1:
            continue
        uses = found.names.uses_of(definition)
        if len(uses) == 1 and _runs_once(uses[0].span, let, items, found.names):
            message = f"the tied block `{definition.name}` is used once, so it ties nothing"
            help_text = "use it again, or write its stages in its place"
            yield Diagnostic("W0215", message, Label(definition.span or let.span), help=(help_text,))


def _runs_once(use: Span, let: nodes.Let, items: Sequence[nodes.Item], names: Names) -> bool:
    """Whether a use is a stage that no loop, block or other tied block runs again."""
    loops: list[nodes.For | nodes.Repeat] = [*nodes.inside(items, nodes.For), *nodes.inside(items, nodes.Repeat)]
    if any(_is_around(one.span, use, let) for one in loops):
        return False
    for one in nodes.inside(items, nodes.Branched):
        if not _is_around(one.span, use, let):
            continue
        definition = names.definitions.get(one.name.span)
        is_built_in = definition is not None and definition.kind in {"join", "scope"}
        if not is_built_in or (definition and definition.makes_block):
            return False
    elements = (element.kind for element in nodes.inside(items, nodes.Element))
    return any(
        (isinstance(kind, nodes.Name) and kind.span == use)
        or (isinstance(kind, nodes.CallExpression) and kind.callee.span == use)
        for kind in elements
    )


def _is_around(span: Span, use: Span, let: nodes.Let) -> bool:
    """Whether a place is around a use, and not around the `let` of its name."""
    return use in span and let.span not in span
