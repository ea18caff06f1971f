"""Symbols of a document (the outline) and of the workspace, and folding ranges."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from lsprotocol import types

from cifar_dsl.editors.language_server.documents import Documents
from cifar_dsl.language.source import Source, Span
from cifar_dsl.language.syntax import nodes, print_chain, print_expression
from cifar_dsl.language.syntax.cursor import tokens_of

_Kind = types.SymbolKind
_NAMELESS = "?"  # editors reject an empty name
_OPENING, _CLOSING = frozenset("([{"), frozenset(")]}")


def document_symbols(documents: Documents, path: Path) -> list[types.DocumentSymbol]:
    """The outline of the parts of a file that parse."""
    tree = documents.tree(path)
    return [symbol for item in tree.items for symbol in _of_item(documents, item)] if tree else []


def _of_item(documents: Documents, item: nodes.Item) -> Iterator[types.DocumentSymbol]:
    match item:
        case nodes.Param(name=name, value=value):
            detail = print_expression(value)
            yield _symbol(documents, name.text, _Kind.Constant, item.span, name.span, detail)
        case nodes.Block(name=name, parameters=parameters, body=body):
            inner = [
                _symbol(documents, one.name.text, _Kind.TypeParameter, one.span, one.name.span) for one in parameters
            ]
            inner += _of_body(documents, body)
            yield _symbol(documents, name.text, _Kind.Function, item.span, name.span, children=inner)
        case nodes.Model(body=body):
            inner = list(_of_body(documents, body))
            yield _symbol(documents, "model", _Kind.Class, item.span, _word(item.span, "model"), children=inner)
        case nodes.Train(settings=settings):
            inner = list(_of_settings(documents, settings))
            yield _symbol(documents, "train", _Kind.Object, item.span, _word(item.span, "train"), children=inner)
        case nodes.Input(size=size):
            yield _symbol(documents, "input", _Kind.Field, item.span, size.span, size.span.text)
        case nodes.Assertion(condition=condition):
            yield _symbol(documents, "assert", _Kind.Boolean, item.span, condition.span, print_expression(condition))


def _of_body(documents: Documents, body: nodes.Body) -> Iterator[types.DocumentSymbol]:
    """The names in a body and its nested bodies."""
    for stage in body.stages:
        if isinstance(stage, nodes.Let):
            inner = list(_of_chain(documents, stage.chain))
            for name in stage.targets:
                yield _symbol(documents, name.text, _Kind.Variable, stage.span, name.span, children=inner)
                inner = []
        elif isinstance(stage, nodes.Assignment):
            yield from _of_chain(documents, stage.chain)
        else:
            yield from _of_chain(documents, stage)


def _of_chain(documents: Documents, chain: nodes.Chain) -> Iterator[types.DocumentSymbol]:
    for element in chain.elements:
        inner = [symbol for body in _bodies(element.kind) for symbol in _of_body(documents, body)]
        if element.label:
            name = element.label
            yield _symbol(documents, name.text, _Kind.Field, element.span, name.span, children=inner)
        else:
            yield from inner


def _bodies(kind: nodes.Expression | nodes.Compound) -> Iterable[nodes.Body]:
    match kind:
        case nodes.Branched(bodies=bodies):
            return bodies
        case nodes.For(body=body) | nodes.Repeat(body=body):
            return (body,)
        case nodes.If(arms=arms, otherwise=otherwise):
            return [body for _, body in arms] + ([otherwise] if otherwise else [])
        case _:
            return ()


def _of_settings(
    documents: Documents, settings: Iterable[nodes.Setting | nodes.Group]
) -> Iterator[types.DocumentSymbol]:
    for setting in settings:
        if isinstance(setting, nodes.Group):
            inner = list(_of_settings(documents, setting.settings))
            yield _symbol(documents, setting.name.text, _Kind.Object, setting.span, setting.name.span, "group", inner)
        else:
            name = ".".join(map(str, setting.target))
            target = Span(setting.span.source, setting.target[0].span.start, setting.target[-1].span.end)
            detail = print_chain(setting.chain)
            yield _symbol(documents, name, _Kind.Property, setting.span, target, detail)


def _word(span: Span, word: str) -> Span:
    return Span(span.source, span.start, span.start + len(word))


def _symbol(
    documents: Documents,
    name: str,
    kind: types.SymbolKind,
    span: Span,
    selection: Span,
    detail: str = "",
    children: list[types.DocumentSymbol] | None = None,
) -> types.DocumentSymbol:
    range_of = documents.positions.range
    return types.DocumentSymbol(
        name or _NAMELESS, kind, range_of(span), range_of(selection), detail or None, children=children
    )


# ---- the workspace

_MOST_SYMBOLS = 1000  # of a query; editors ask again while somebody types


def workspace_symbols(documents: Documents, query: str) -> list[types.WorkspaceSymbol]:
    """The specs, params and blocks of the workspace whose names have the letters of a query, in its order."""
    found: list[types.WorkspaceSymbol] = []
    for path in documents.workspace_specs():
        tree = documents.tree(path)
        if tree is None:
            continue
        names = [(tree.header.name, _Kind.Module)]
        names += [(item.name, _Kind.Constant) for item in tree.items if isinstance(item, nodes.Param)]
        names += [(item.name, _Kind.Function) for item in tree.items if isinstance(item, nodes.Block)]
        found += [
            types.WorkspaceSymbol(
                types.Location(documents.uri(path), documents.positions.range(name.span)),
                name.text,
                kind,
                container_name=documents.name(path),
            )
            for name, kind in names
            if name.text and _has_letters(name.text, query)
        ]
        if len(found) >= _MOST_SYMBOLS:
            break
    return found[:_MOST_SYMBOLS]


def _has_letters(name: str, query: str) -> bool:
    letters = iter(name.casefold())
    return all(letter in letters for letter in query.casefold() if not letter.isspace())


# ---- folding


def folding_ranges(documents: Documents, path: Path) -> list[types.FoldingRange]:
    """Brackets and comments that span several lines; the text need not parse."""
    source = documents.source(path)
    return [*_brackets(source), *_comments(source)] if source else []


def _brackets(source: Source) -> Iterator[types.FoldingRange]:
    open_lines: list[int] = []
    for token in tokens_of(source.text):
        line = source.position(token.start)[0] - 1
        if token.text in _OPENING:
            open_lines.append(line)
        elif token.text in _CLOSING and open_lines:
            first = open_lines.pop()
            if line - 1 > first:
                yield types.FoldingRange(first, line - 1)


def _comments(source: Source) -> Iterator[types.FoldingRange]:
    """Consecutive comment lines."""
    first: int | None = None
    lines = [*source.text.split("\n"), ""]
    for number, line in enumerate(lines):
        if line.lstrip().startswith("#"):
            first = number if first is None else first
        else:
            if first is not None and number - 1 > first:
                yield types.FoldingRange(first, number - 1, kind=types.FoldingRangeKind.Comment)
            first = None
