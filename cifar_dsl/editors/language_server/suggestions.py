"""What completion offers, and how it is shown: one for each kind of word."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from attrs import evolve
from lsprotocol import types
from pygls.uris import uri_scheme

from cifar_dsl.compiler.builtin_names import BUDGETS, FLOW_NAMES, FUNCTIONS
from cifar_dsl.compiler.names import Definition
from cifar_dsl.editors.language_server import vocabulary
from cifar_dsl.editors.language_server.documents import Documents, shipped_specs
from cifar_dsl.editors.language_server.markdown import code, content, plain_text
from cifar_dsl.foundation.records import frozen
from cifar_dsl.operations.recipe import Setting

_Kind = types.CompletionItemKind
_NEAR, _USUAL, _FAR, _LAST = range(4)  # in which order they are shown

_STATEMENTS = {
    "repeat": "repeat ${1:2} { $0 }",
    "for": "for ${1:i} in ${2:0..3} { $0 }",
    "if": "if $1 { $0 }",
}
_PARTS = {
    "input": "input ${0:3x32x32}",
    "param": "param ${1:name} = $0",
    "block": "block ${1:name}($2) {\n    $0\n}",
    "model": "model {\n    $0\n}",
    "train": "train {\n    $0\n}",
    "assert": "assert $0",
}
_HEADS = {"arch": "arch ${0:name}", "library": "library ${0:name}"}


@frozen
class Suggestion:
    """A word that may be typed.

    `snippet` is what is put in where the editor can fill in places, and `text` where it can't or the word is called
    already; both the word itself where they are empty.
    """

    label: str
    kind: types.CompletionItemKind
    detail: str = ""
    doc: tuple[str, ...] = ()
    text: str = ""
    snippet: str = ""
    order: int = _USUAL
    rank: int = 0  # among those of one order


def items(
    found: Iterable[Suggestion], *, snippets: bool = False, is_called: bool = False, place: types.Range | None = None
) -> list[types.CompletionItem]:
    """Suggestions for the editor, the first of each word. `place` is what they replace where that is no word."""
    by_label: dict[str, Suggestion] = {}
    for suggestion in found:
        by_label.setdefault(suggestion.label, suggestion)
    return [_item(one, place, is_snippet=bool(one.snippet) and snippets and not is_called) for one in by_label.values()]


def _item(one: Suggestion, place: types.Range | None, *, is_snippet: bool) -> types.CompletionItem:
    text = one.snippet if is_snippet else one.text or one.label
    return types.CompletionItem(
        label=one.label,
        kind=one.kind,
        detail=one.detail or None,
        documentation=content(one.doc) if any(one.doc) else None,
        sort_text=f"{one.order}{one.rank:02}{one.label}",
        insert_text=None if place else text,
        insert_text_format=types.InsertTextFormat.Snippet if is_snippet else None,
        filter_text=one.text or None if place else None,
        text_edit=types.TextEdit(place, text) if place else None,
    )


def entry(found: vocabulary.Entry | None, *, is_near: bool = False, place: str = "") -> Suggestion:
    """A layer, block, initialiser or choice; `place` is where a block is defined, if elsewhere."""
    assert found is not None
    is_block = found.noun == "block"
    order = _NEAR if is_near else _FAR if is_block else _USUAL
    return Suggestion(
        found.name,
        _Kind.Function if is_block else _Kind.Class if found.noun == "layer" else _Kind.EnumMember,
        f"{found.noun} {place}".strip(),
        tuple(found.markdown()),
        snippet=f"{found.name}($0)" if found.needs_arguments() else "",
        order=order,
    )


def bare(suggestion: Suggestion) -> Suggestion:
    """The word alone: as a block or a layer is passed on."""
    return evolve(suggestion, snippet="")


def join(name: str) -> Suggestion:
    """A stage with branches."""
    found = vocabulary.layer(name)
    assert found is not None
    return Suggestion(name, _Kind.Operator, "join", tuple(found.markdown()), snippet=f"{name} {{\n    $1\n  | $0\n}}")


def words(found: Iterable[vocabulary.Entry]) -> Iterator[Suggestion]:
    """Words that an argument or a setting takes."""
    for one in found:
        if one.noun in {"word", "truth"}:
            yield Suggestion(one.name, _Kind.EnumMember, order=_NEAR)
        else:
            yield evolve(entry(one), order=_NEAR)


def arguments(found: Iterable[vocabulary.Argument], sign: str = "=") -> Iterator[Suggestion]:
    """Arguments by their names, in the order of the call; those of a setting, as in `optimizer.lr`, without a sign."""
    for rank, one in enumerate(found):
        doc = "; ".join(part for part in (one.doc, one.takes) if part)
        yield Suggestion(f"{one.name}{sign}", _Kind.Field, one.text, (doc,), order=_NEAR, rank=rank)


def setting(one: Setting) -> Suggestion:
    """A setting of `train` or of a group."""
    return Suggestion(one.name, _Kind.Property, one.doc, tuple(vocabulary.setting_markdown(one)))


def groups() -> Iterator[Suggestion]:
    """A group of parameters."""
    yield Suggestion("group", _Kind.Keyword, snippet="group ${1:name} {\n    select  $0\n}", order=_LAST)


def local(definition: Definition) -> Suggestion:
    """A name that a body or a block defines."""
    return Suggestion(definition.name, _Kind.Variable, vocabulary.head(definition), order=_NEAR)


def param(definition: Definition, place: str) -> Suggestion:
    """A param of the spec or of a base, which is the `place`."""
    return Suggestion(definition.name, _Kind.Constant, f"param {place}".strip(), _doc(definition))


def redefinition(definition: Definition, place: str) -> Suggestion:
    """The definition of a param or block again that a base has."""
    head = vocabulary.head(definition).partition(" ")[2]
    is_block = definition.kind == "block"
    text = f"{head} {{ }}" if is_block else head
    snippet = f"{_literal(head)} {{\n    $0\n}}" if is_block else ""
    detail = f"{definition.kind} {place}"
    return Suggestion(definition.name, _Kind.Reference, detail, _doc(definition), text, snippet, _NEAR)


def _doc(definition: Definition) -> tuple[str, ...]:
    return code(vocabulary.head(definition)), plain_text(vocabulary.comment(definition))


def _literal(text: str) -> str:
    """Text that stands for itself in a snippet."""
    return text.replace("\\", "\\\\").replace("$", "\\$").replace("}", "\\}")


def functions() -> Iterator[Suggestion]:
    """The functions of expressions."""
    for name in FUNCTIONS:
        found = vocabulary.function(name)
        assert found is not None
        yield Suggestion(name, _Kind.Function, "function", tuple(found.markdown()), snippet=f"{name}($0)", order=_FAR)


def flow_names() -> Iterator[Suggestion]:
    """What is known of the current tensor."""
    for name, doc in FLOW_NAMES.items():
        yield Suggestion(name, _Kind.Variable, doc)


def budgets() -> Iterator[Suggestion]:
    """What an `assert` may speak of."""
    for name, doc in BUDGETS.items():
        yield Suggestion(name, _Kind.Variable, doc, order=_NEAR)


def types_(names: Iterable[str]) -> Iterator[Suggestion]:
    """Types of a block's parameters."""
    for name in names:
        yield Suggestion(name, _Kind.TypeParameter, "type")


def keywords(*names: str) -> Iterator[Suggestion]:
    """Words of the language."""
    for name in names:
        yield Suggestion(name, _Kind.Keyword, order=_LAST)


def statements(*, is_start: bool) -> Iterator[Suggestion]:
    """Stages with bodies and, at the start of a line, definitions."""
    if is_start:
        yield Suggestion("let", _Kind.Keyword, snippet="let ${1:name} = $0", order=_LAST)
    yield from _with_snippets(_STATEMENTS)


def parts_of_specs() -> Iterator[Suggestion]:
    """What a spec is made of."""
    yield from _with_snippets(_PARTS)


def heads() -> Iterator[Suggestion]:
    """What a file begins with."""
    yield from _with_snippets(_HEADS)


def _with_snippets(snippets: dict[str, str]) -> Iterator[Suggestion]:
    for name, snippet in snippets.items():
        yield Suggestion(name, _Kind.Keyword, snippet=snippet, order=_LAST)


def shipped() -> Iterator[Suggestion]:
    """The specs that come with the package."""
    for name in shipped_specs():
        yield Suggestion(name, _Kind.Module, "shipped")


def files(documents: Documents, path: Path) -> Iterator[Suggestion]:
    """The files that a spec may extend, by their paths from it."""
    root = documents.root(path)
    for file in dict.fromkeys((*sorted(path.parent.glob("*.arch")), *documents.workspace_specs())):
        if file != path and file.is_relative_to(root) and uri_scheme(documents.uri(file)) == "file":
            name = Path(os.path.relpath(file, path.parent)).as_posix()
            yield Suggestion(name, _Kind.File, text=f'"{name}"', order=_NEAR)
