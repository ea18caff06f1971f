"""New names for params, blocks, their parameters, and names in bodies, in all files that mention them."""

import re
from collections.abc import Iterator
from pathlib import Path

from lsprotocol import types

from cifar_dsl.compiler.builtin_names import BUDGETS, FLOW_NAMES, FUNCTIONS
from cifar_dsl.compiler.library import library_index
from cifar_dsl.compiler.names import MODULE_ATTRIBUTES, Definition, Mention
from cifar_dsl.compiler.types import TYPES
from cifar_dsl.compiler.values import SYMBOLS
from cifar_dsl.editors.language_server import cross_file
from cifar_dsl.editors.language_server.documents import Documents, is_shipped
from cifar_dsl.editors.language_server.editing import workspace_edit
from cifar_dsl.foundation import limits
from cifar_dsl.foundation.errors import UserError
from cifar_dsl.foundation.records import frozen
from cifar_dsl.language.diagnostics import Edit
from cifar_dsl.language.source import Span
from cifar_dsl.language.syntax import KEYWORDS, nodes
from cifar_dsl.operations.layers import LAYERS


@frozen
class _Renaming:
    """What is to be renamed: one of its mentions, and all of them."""

    documents: Documents
    path: Path
    mention: Mention
    mentions: list[tuple[Path, Mention]]

    @property
    def name(self) -> str:
        return self.mention.definition.name

    @property
    def definition(self) -> Definition:
        return self.mention.definition


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
    if not documents.parses(path):
        raise UserError("nothing can be renamed while the text doesn't parse")
    mention = documents.names(path).at(offset)
    if mention is None:
        raise UserError("there is no name here")
    definition = mention.definition
    if definition.kind == "base":
        raise UserError(f"`{definition.name}` is what this spec extends; rename the file")
    if definition.is_of_language:
        article = "an" if definition.kind[0] in "ai" else "a"
        raise UserError(f"`{definition.name}` is {article} {definition.kind} of the language")
    found = cross_file.definition_site(documents, path, definition)
    if found is None:
        raise UserError(f"`{definition.name}` is a word of the language, or nothing defines it")
    if found[0] in library_index().values():
        raise UserError(f"`{definition.name}` is of the library, and specs everywhere may call it")
    mentions = cross_file.references(documents, path, definition)
    for place in [path] if definition.is_local else cross_file.files_sharing(documents, path, definition):
        _check_file(documents, place, mentions)
    if definition.kind == "parameter":
        _check_passed(documents, path, mention)
    return _Renaming(documents, path, mention, mentions)


def _check_file(documents: Documents, place: Path, mentions: list[tuple[Path, Mention]]) -> None:
    """Raise UserError where a file that mentions the name can't be changed, or perhaps mentions it unseen."""
    name = documents.name(place)
    if not documents.parses(place):
        raise UserError(f"{name} may mention it and has errors; mend them first")
    if any(file == place for file, _ in mentions) and not documents.is_editable(place):
        reason = "comes with cifar_dsl" if is_shipped(place) else "lies outside of the open folders"
        raise UserError(f"{name} mentions it and {reason}")


def _check_passed(documents: Documents, path: Path, mention: Mention) -> None:
    """Raise UserError where a call of who knows which block gives an argument by this name."""
    given = Definition("argument", mention.definition.name)
    for place in cross_file.files_sharing(documents, path, mention.definition):
        for other in documents.names(place).mentions_of(given):
            line = f"{documents.name(place)}:{other.span.line}"
            raise UserError(f"{line} gives `{given.name}` to a block that is passed on, perhaps to this one")


# ---- what it can be called


def _check_word(renaming: _Renaming, new: str) -> None:
    """Raise UserError where the language doesn't take a word as such a name, or gives it a meaning already."""
    is_global = renaming.definition.kind in {"param", "block"}
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
    return renaming.definition.is_local or renaming.definition.kind == "block"


def _words(renaming: _Renaming) -> Iterator[str]:
    """The words that parameters of blocks take or blocks of the library mention: a global would hide them."""
    yield from (word for word in cross_file.library_words() if word in SYMBOLS or word in FLOW_NAMES)
    for place in {place for place, _ in renaming.mentions}:
        for parameter in cross_file.parameters(renaming.documents.global_definitions(place)):
            yield from (word.text for word in parameter.types if word.text not in TYPES)


def _check_clashes(renaming: _Renaming, new: str) -> None:
    """Raise UserError where the name stands for something else already, wherever the old one is known."""
    documents = renaming.documents
    for place in _related(renaming, new):
        for other in documents.names(place).mentions:
            is_name = other.definition.name == new and not other.definition.is_of_language
            if is_name and any(other.span in scope for scope in _scopes(renaming, place)):
                raise UserError(f"`{new}` is a name in {documents.name(place)} already, in line {other.span.line}")


def _related(renaming: _Renaming, new: str) -> list[Path]:
    """The files that mention the old name or, of a global one, those which such are made of, or are made of such."""
    documents = renaming.documents
    places = {place for place, _ in renaming.mentions}
    if renaming.definition.kind not in {"param", "block"}:
        return sorted(places)
    above = {base for place in places for base in documents.bases(place)}
    files = cross_file.files_containing(documents, (*places, *above, *documents.workspace_specs()), new)
    return [file for file in files if file in places | above or not places.isdisjoint(documents.bases(file))]


def _scopes(renaming: _Renaming, place: Path) -> list[Span]:
    """The parts of a file in which the name is known."""
    tree, definition = renaming.documents.tree(place), renaming.definition
    if tree is None:
        return []
    if definition.kind in {"param", "block"}:
        return [tree.span]
    if definition.kind == "parameter":
        return [
            item.span for item in tree.items if isinstance(item, nodes.Block) and item.name.text == definition.owner
        ]
    return [item.span for item in tree.items if renaming.mention.span in item.span]
