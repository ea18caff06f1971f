"""Completion items: one function for each category of word."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from lsprotocol import types
from pygls.uris import uri_scheme

from cifar_dsl.compiler.builtin_names import BUDGETS, DATA_NAMES, FLOW_NAMES, FUNCTIONS
from cifar_dsl.compiler.names import Definition
from cifar_dsl.editors.language_server import vocabulary
from cifar_dsl.editors.language_server.documents import Documents
from cifar_dsl.editors.language_server.markdown import code, content, plain_text
from cifar_dsl.foundation.records import evolve, frozen
from cifar_dsl.foundation.resources import shipped_specs
from cifar_dsl.foundation.text import natural_order
from cifar_dsl.operations.recipe import Setting
from cifar_dsl.operations.registry import Registry

_Kind = types.CompletionItemKind
_NEAR, _USUAL, _FAR, _LAST = range(4)  # the order in which editors list them

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
    """A word that completion offers.

    The editor inserts `snippet` if it supports snippets and no `(` follows, or else `text`; either defaults to `label`.
    """

    label: str
    kind: types.CompletionItemKind
    detail: str = ""
    doc: tuple[str, ...] = ()
    text: str = ""
    snippet: str = ""
    order: int = _USUAL
    rank: int = 0  # within one order


def items(
    suggestions: Iterable[Suggestion],
    *,
    snippets: bool = False,
    before_call: bool = False,
    replaced: types.Range | None = None,
) -> list[types.CompletionItem]:
    """Suggestions in the form of the protocol, the first of each label.

    `before_call` states that a `(` follows. `replaced` is the range to replace, if it isn't the word at the cursor.
    """
    by_label: dict[str, Suggestion] = {}
    for suggestion in suggestions:
        by_label.setdefault(suggestion.label, suggestion)
    return [
        _item(one, replaced, is_snippet=bool(one.snippet) and snippets and not before_call) for one in by_label.values()
    ]


def _item(suggestion: Suggestion, replaced: types.Range | None, *, is_snippet: bool) -> types.CompletionItem:
    text = suggestion.snippet if is_snippet else suggestion.text or suggestion.label
    return types.CompletionItem(
        label=suggestion.label,
        kind=suggestion.kind,
        detail=suggestion.detail or None,
        documentation=content(suggestion.doc) if any(suggestion.doc) else None,
        sort_text=f"{suggestion.order}{suggestion.rank:02}{suggestion.label}",
        insert_text=None if replaced else text,
        insert_text_format=types.InsertTextFormat.Snippet if is_snippet else None,
        filter_text=suggestion.text or None if replaced else None,
        text_edit=types.TextEdit(replaced, text) if replaced else None,
    )


def entry(word: vocabulary.Entry, *, is_near: bool = False, file: str = "") -> Suggestion:
    """A layer, block, initialiser or choice; `file` names the file of a block that is defined in another one."""
    is_block = word.noun == "block"
    order = _NEAR if is_near else _FAR if is_block else _USUAL
    return Suggestion(
        word.name,
        _Kind.Function if is_block else _Kind.Class if word.noun == "layer" else _Kind.EnumMember,
        f"{word.noun} {file}".strip(),
        tuple(word.markdown()),
        snippet=f"{word.name}($0)" if word.requires_arguments() else "",
        order=order,
    )


def bare(suggestion: Suggestion) -> Suggestion:
    """The name alone, without a call, as it is passed to a block."""
    return evolve(suggestion, snippet="")


def taker(registry: Registry[Any], name: str) -> Suggestion:
    """A join or a scope, with its arguments if it requires any, and its branches: two, if it takes any number."""
    word, branches = vocabulary.declared(registry, name), registry[name].branches
    count = branches.least if branches.most else 2
    first = 2 if word.requires_arguments() else 1
    stops = [*(f"${i}" for i in range(first, first + count - 1)), "$0"]
    head = f"{name}($1)" if word.requires_arguments() else name
    snippet = f"{head} {{\n    " + "\n  | ".join(stops) + "\n}"
    return Suggestion(name, _Kind.Operator, word.noun, tuple(word.markdown()), snippet=snippet)


def words(entries: Iterable[vocabulary.Entry]) -> Iterator[Suggestion]:
    """Words that an argument or a setting accepts."""
    for one in entries:
        if one.noun == "word":
            yield Suggestion(one.name, _Kind.EnumMember, order=_NEAR)
        else:
            yield evolve(entry(one), order=_NEAR)


def arguments(declared: Iterable[vocabulary.Argument], sign: str = "=") -> Iterator[Suggestion]:
    """Arguments by name, in the order of the call; `sign` is empty for those of a setting, as in `optimizer.lr`."""
    for rank, argument in enumerate(declared):
        label = f"{argument.name}{sign}"
        yield Suggestion(label, _Kind.Field, argument.text, (argument.description,), order=_NEAR, rank=rank)


def setting(declared: Setting) -> Suggestion:
    """A setting of `train` or of a group."""
    return Suggestion(declared.name, _Kind.Property, declared.doc, tuple(vocabulary.setting_markdown(declared)))


def group() -> Suggestion:
    """A parameter group."""
    return Suggestion("group", _Kind.Keyword, snippet="group ${1:name} {\n    select  $0\n}", order=_LAST)


def local(definition: Definition) -> Suggestion:
    """A block parameter, or a name defined in a body."""
    return Suggestion(definition.name, _Kind.Variable, vocabulary.head(definition), order=_NEAR)


def param(definition: Definition, file: str) -> Suggestion:
    """A param; `file` names the base that defines it, if it isn't the spec's own."""
    return Suggestion(definition.name, _Kind.Constant, f"param {file}".strip(), _doc(definition))


def redefinition(definition: Definition, file: str) -> Suggestion:
    """A definition that overrides a param or block of a base."""
    head = vocabulary.head(definition).partition(" ")[2]
    is_block = definition.kind == "block"
    text = f"{head} {{ }}" if is_block else head
    snippet = f"{_literal(head)} {{\n    $0\n}}" if is_block else ""
    detail = f"{definition.kind} {file}"
    return Suggestion(definition.name, _Kind.Reference, detail, _doc(definition), text, snippet, _NEAR)


def _doc(definition: Definition) -> tuple[str, ...]:
    return code(vocabulary.head(definition)), plain_text(vocabulary.comment(definition))


def _literal(text: str) -> str:
    """Escape a text for a snippet."""
    return text.replace("\\", "\\\\").replace("$", "\\$").replace("}", "\\}")


def functions() -> Iterator[Suggestion]:
    """The functions of expressions."""
    for name in FUNCTIONS:
        doc = tuple(vocabulary.function(name).markdown())
        yield Suggestion(name, _Kind.Function, "function", doc, snippet=f"{name}($0)", order=_FAR)


def flow_names() -> Iterator[Suggestion]:
    """The properties of the current tensor, such as `in_channels`."""
    for name, doc in FLOW_NAMES.items():
        yield Suggestion(name, _Kind.Variable, doc)


def data_names() -> Iterator[Suggestion]:
    """The properties of the dataset, such as `classes`."""
    for name, doc in DATA_NAMES.items():
        yield Suggestion(name, _Kind.Constant, doc)


def budgets() -> Iterator[Suggestion]:
    """The counts that an `assert` can limit."""
    for name, doc in BUDGETS.items():
        yield Suggestion(name, _Kind.Variable, doc, order=_NEAR)


def types_(names: Iterable[str]) -> Iterator[Suggestion]:
    """Types of block parameters."""
    for name in names:
        yield Suggestion(name, _Kind.TypeParameter, "type")


def keywords(*names: str) -> Iterator[Suggestion]:
    """Keywords."""
    for name in names:
        yield Suggestion(name, _Kind.Keyword, order=_LAST)


def statements(*, is_start: bool) -> Iterator[Suggestion]:
    """Stages with bodies and, at the start of a chain, `let`."""
    if is_start:
        yield Suggestion("let", _Kind.Keyword, snippet="let ${1:name} = $0", order=_LAST)
    yield from _with_snippets(_STATEMENTS)


def parts_of_specs() -> Iterator[Suggestion]:
    """The keywords that start the parts of a spec."""
    yield from _with_snippets(_PARTS)


def heads() -> Iterator[Suggestion]:
    """The keywords that start a file."""
    yield from _with_snippets(_HEADS)


def _with_snippets(snippets: dict[str, str]) -> Iterator[Suggestion]:
    for name, snippet in snippets.items():
        yield Suggestion(name, _Kind.Keyword, snippet=snippet, order=_LAST)


def shipped() -> Iterator[Suggestion]:
    """The specs that ship with the package."""
    for name in shipped_specs():
        yield Suggestion(name, _Kind.Module, "shipped")


def files(documents: Documents, path: Path) -> Iterator[Suggestion]:
    """The files that a spec can extend, by their paths relative to it."""
    root = documents.root(path)
    for file in dict.fromkeys((*sorted(path.parent.glob("*.arch"), key=natural_order), *documents.workspace_specs())):
        if file != path and file.is_relative_to(root) and uri_scheme(documents.uri(file)) == "file":
            name = Path(os.path.relpath(file, path.parent)).as_posix()
            yield Suggestion(name, _Kind.File, text=f'"{name}"', order=_NEAR)
