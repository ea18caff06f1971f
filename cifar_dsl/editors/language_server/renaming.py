"""New names for params, blocks, their parameters, and names in bodies, in all files that mention them."""

import re
from collections.abc import Iterator
from pathlib import Path

from attrs import frozen
from lsprotocol import types

from cifar_dsl.compiler.builtin_names import BUDGETS, FLOW_NAMES, FUNCTIONS
from cifar_dsl.compiler.library import library_index
from cifar_dsl.compiler.names import MODULE_ATTRIBUTES
from cifar_dsl.compiler.types import TYPES
from cifar_dsl.compiler.values import SYMBOLS
from cifar_dsl.editors.language_server import families
from cifar_dsl.editors.language_server.documents import Documents, is_shipped
from cifar_dsl.editors.language_server.editing import workspace_edit
from cifar_dsl.editors.language_server.lookup import mention_in
from cifar_dsl.editors.language_server.references import Meaning, Mention
from cifar_dsl.foundation import limits
from cifar_dsl.foundation.errors import UserError
from cifar_dsl.language.diagnostics import Edit
from cifar_dsl.language.source import Span
from cifar_dsl.language.syntax import KEYWORDS, nodes
from cifar_dsl.operations.layers import LAYERS

_NAMED = ("global", "parameter", "local")  # what a text may name
_OF_LANGUAGE = {
    "layer": "a layer",
    "join": "a join",
    "function": "a function",
    "initialiser": "an initialiser",
    "argument": "an argument",
    "setting": "a setting",
    "choice": "a choice",
}


@frozen
class _Renaming:
    """What is to be renamed: one of its mentions, and all of them."""

    documents: Documents
    path: Path
    mention: Mention
    mentions: list[tuple[Path, Mention]]

    @property
    def name(self) -> str:
        return self.mention.meaning.name


def prepare_rename(documents: Documents, path: Path, offset: int) -> types.PrepareRenamePlaceholder:
    """The name at a place that can be renamed. Raises UserError, which says why where it can't."""
    renaming = _renaming(documents, path, offset)
    return types.PrepareRenamePlaceholder(documents.positions.range(renaming.mention.span), renaming.name)


def rename(documents: Documents, path: Path, offset: int, new: str) -> types.WorkspaceEdit:
    """The changes that give another name to what is mentioned at a place. Raises UserError."""
    renaming = _renaming(documents, path, offset)
    if new == renaming.name:
        return types.WorkspaceEdit()
    _check_word(renaming, new)
    _check_clashes(renaming, new)
    return workspace_edit(documents, ((place, Edit(one.span, new)) for place, one in renaming.mentions))


# ---- what can be renamed


def _renaming(documents: Documents, path: Path, offset: int) -> _Renaming:
    if documents.tree(path) is None:
        raise UserError("nothing can be renamed while the text doesn't parse")
    mention = mention_in(documents, path, offset)
    if mention is None:
        raise UserError("there is no name here")
    meaning = mention.meaning
    if meaning.kind == "base":
        raise UserError(f"`{meaning.name}` is what this spec extends; rename the file")
    if meaning.kind in _OF_LANGUAGE:
        raise UserError(f"`{meaning.name}` is {_OF_LANGUAGE[meaning.kind]} of the language")
    found = families.definition(documents, path, meaning)
    if found is None:
        raise UserError(f"`{meaning.name}` is a word of the language, or nothing defines it")
    if found[0] in library_index().values():
        raise UserError(f"`{meaning.name}` is of the library, and specs everywhere may call it")
    mentions = families.references(documents, path, meaning)
    for place in [path] if meaning.kind == "local" else families.family(documents, path, meaning):
        _check_file(documents, place, mentions)
    if meaning.kind == "parameter":
        _check_passed(documents, path, mention)
    return _Renaming(documents, path, mention, mentions)


def _check_file(documents: Documents, place: Path, mentions: list[tuple[Path, Mention]]) -> None:
    """Raise UserError where a file that mentions the name can't be changed, or perhaps mentions it unseen."""
    name = documents.name(place)
    if documents.tree(place) is None:
        raise UserError(f"{name} may mention it and has errors; mend them first")
    if any(file == place for file, _ in mentions) and not documents.is_editable(place):
        reason = "comes with cifar_dsl" if is_shipped(place) else "lies outside of the open folders"
        raise UserError(f"{name} mentions it and {reason}")


def _check_passed(documents: Documents, path: Path, mention: Mention) -> None:
    """Raise UserError where a call of who knows which block gives an argument by this name."""
    given = Meaning("argument", mention.meaning.name)
    for place in families.family(documents, path, mention.meaning):
        for other in documents.mentions(place):
            if other.meaning == given:
                line = f"{documents.name(place)}:{other.span.line}"
                raise UserError(f"{line} gives `{given.name}` to a block that is passed on, perhaps to this one")


# ---- what it can be called


def _check_word(renaming: _Renaming, new: str) -> None:
    """Raise UserError where the language doesn't take a word as such a name, or gives it a meaning already."""
    is_global = renaming.mention.meaning.kind == "global"
    reason = ""
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", new):
        reason = "a name has letters, digits and underscores, and begins with no digit"
    elif len(new) > (most := limits.current().identifier_characters):
        reason = f"a name has at most {most} characters"
    elif new in KEYWORDS:
        reason = "it is a word of the language"
    elif new in LAYERS:
        reason = "a layer has this name"
    elif new in FUNCTIONS or (is_global and new in BUDGETS):
        reason = "the language gives it a meaning"
    elif is_global and new in _words(renaming):
        reason = "blocks use it as a word"
    elif _is_stage(renaming) and (new in MODULE_ATTRIBUTES or new.startswith("_")):
        reason = "PyTorch uses it for its modules"
    elif is_global and new in library_index():
        reason = "a block of the library has this name"
    if reason:
        raise UserError(f"`{new}` can't be the name: {reason}")


def _is_stage(renaming: _Renaming) -> bool:
    """Whether it names a part of the module: a block, or what may be a tensor."""
    if renaming.mention.meaning.kind == "local":
        return True
    found = families.global_names(renaming.documents, renaming.path).get(renaming.name)
    return renaming.mention.meaning.kind == "global" and found is not None and found[1].kind == "block"


def _words(renaming: _Renaming) -> Iterator[str]:
    """The words that parameters of blocks take or blocks of the library mention: a global would hide them."""
    yield from (word for word in families.library_words() if word in SYMBOLS or word in FLOW_NAMES)
    blocks = list(families.library_names().values())
    for place in {place for place, _ in renaming.mentions}:
        for file in (place, *renaming.documents.bases(place)):
            blocks += renaming.documents.sketch(file).names.values()
    for block in blocks:
        for parameter in block.parameters:
            yield from (word for word in parameter.types if word not in TYPES)


def _check_clashes(renaming: _Renaming, new: str) -> None:
    """Raise UserError where the name stands for something else already, wherever the old one is known."""
    documents = renaming.documents
    for place in _related(renaming, new):
        for other in documents.mentions(place):
            is_name = other.meaning.kind in _NAMED and other.meaning.name == new
            if is_name and any(other.span in scope for scope in _scopes(renaming, place)):
                raise UserError(f"`{new}` is a name in {documents.name(place)} already, in line {other.span.line}")


def _related(renaming: _Renaming, new: str) -> list[Path]:
    """The files that mention the old name or, of a global one, those which such are made of, or are made of such."""
    documents = renaming.documents
    places = {place for place, _ in renaming.mentions}
    if renaming.mention.meaning.kind != "global":
        return sorted(places)
    above = {base for place in places for base in documents.bases(place)}
    files = families.naming(documents, (*places, *above, *documents.known()), new)
    return [file for file in files if file in places | above or not places.isdisjoint(documents.bases(file))]


def _scopes(renaming: _Renaming, place: Path) -> list[Span]:
    """The parts of a file in which the name is known."""
    tree, meaning = renaming.documents.tree(place), renaming.mention.meaning
    if tree is None:
        return []
    if meaning.kind == "global":
        return [tree.span]
    if meaning.kind == "parameter":
        return [item.span for item in tree.items if isinstance(item, nodes.Block) and item.name.text == meaning.owner]
    return [item.span for item in tree.items if renaming.mention.span in item.span]
