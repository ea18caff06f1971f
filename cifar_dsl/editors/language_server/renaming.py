"""Rename params, blocks, block parameters and names in bodies, in all files that mention them."""

import re
from pathlib import Path

from lsprotocol import types

from cifar_dsl.compiler.builtin_names import BUDGETS
from cifar_dsl.compiler.library import library_index
from cifar_dsl.compiler.names import Definition, Mention
from cifar_dsl.editors.language_server import cross_file
from cifar_dsl.editors.language_server.documents import Documents, is_shipped
from cifar_dsl.editors.language_server.editing import workspace_edit
from cifar_dsl.foundation import limits
from cifar_dsl.foundation.errors import UserError
from cifar_dsl.foundation.records import frozen
from cifar_dsl.language.diagnostics import Edit
from cifar_dsl.language.source import Span
from cifar_dsl.language.syntax import KEYWORDS, nodes

# Kinds of names that no definition hides: what they mean follows from their place.
_APART = frozenset(["argument", "setting", "choice", "base", "join", "scope"])
_BUILT_IN = frozenset(["layer", "word", "flow", "dataset"])


@frozen
class _Renaming:
    """A name to rename: the mention under the cursor, and all mentions."""

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
    """The name at an offset and its range. Raises UserError with the reason if it can't be renamed."""
    renaming = _renaming(documents, path, offset)
    return types.PrepareRenamePlaceholder(documents.positions.range(renaming.mention.span), renaming.name)


def rename(documents: Documents, path: Path, offset: int, new: str) -> types.WorkspaceEdit:
    """The edits that rename the name at an offset. Raises UserError with the reason if they would change a meaning."""
    renaming = _renaming(documents, path, offset)
    if new == renaming.name:
        return types.WorkspaceEdit()
    _check_word(renaming, new)
    _check_clashes(renaming, new)
    return workspace_edit(documents, ((file, Edit(one.span, new)) for file, one in renaming.mentions))


# ---- what can be renamed


def _renaming(documents: Documents, path: Path, offset: int) -> _Renaming:
    if not documents.parses(path):
        raise UserError("this file has syntax errors; fix them before renaming")
    mention = documents.names(path).at(offset)
    if mention is None:
        raise UserError("there is no name here")
    definition = mention.definition
    if definition.kind == "base":
        raise UserError(f"`{definition.name}` is the spec that this one extends; rename its file instead")
    if definition.is_of_language:
        article = "an" if definition.kind[0] in "ai" else "a"
        raise UserError(f"`{definition.name}` is {article} {definition.kind} of the language")
    site = cross_file.definition_site(documents, path, definition)
    if site is None:
        raise UserError(f"`{definition.name}` is not defined in any spec")
    if site[0] in library_index().values():
        raise UserError(f"`{definition.name}` belongs to the library, which other specs may use")
    mentions = cross_file.references(documents, path, definition)
    for file in [path] if definition.is_local else cross_file.files_sharing(documents, path, definition):
        _check_file(documents, file, mentions)
    if definition.kind == "parameter":
        _check_indirect_calls(documents, path, mention)
    if definition.is_of_spec:
        _check_bases(documents, definition, {file for file, _ in mentions})
    return _Renaming(documents, path, mention, mentions)


def _check_file(documents: Documents, path: Path, mentions: list[tuple[Path, Mention]]) -> None:
    """Raise UserError if a file that mentions the name can't be edited, or has syntax errors and may mention it."""
    name = documents.name(path)
    if not documents.parses(path):
        raise UserError(f"{name} may mention it but has syntax errors; fix them first")
    if any(file == path for file, _ in mentions) and not documents.is_editable(path):
        reason = "ships with cifar_dsl" if is_shipped(path) else "is outside the workspace"
        raise UserError(f"{name} mentions it and {reason}")


def _check_bases(documents: Documents, definition: Definition, files: set[Path]) -> None:
    """Raise UserError if a base mentions a name of the language that the definition hides from it."""
    name = definition.name
    for base in {base for file in files for base in documents.bases(file)}:
        for other in documents.names(base).mentions:
            if other.definition.name == name and other.definition.kind in _BUILT_IN:
                line = f"{documents.name(base)}:{other.span.line}"
                raise UserError(f"{line} mentions the {other.definition.noun} `{name}`, which this definition replaces")


def _check_indirect_calls(documents: Documents, path: Path, mention: Mention) -> None:
    """Raise UserError if a call of a block that is itself an argument, maybe this one, uses the parameter's name."""
    keyword = Definition("argument", mention.definition.name)
    for file in cross_file.files_sharing(documents, path, mention.definition):
        for other in documents.names(file).mentions_of(keyword):
            line = f"{documents.name(file)}:{other.span.line}"
            raise UserError(f"{line} passes `{keyword.name}` to a block parameter, which may be this block")


# ---- which names are free


def _check_word(renaming: _Renaming, new: str) -> None:
    """Raise UserError if a word is no valid name, or an `assert` or the library takes it."""
    is_global = renaming.definition.kind in {"param", "block"}
    reason = ""
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", new):
        reason = "a name consists of letters, digits and underscores, and starts with no digit"
    elif len(new) > (most := limits.current().identifier_characters):
        reason = f"a name can have at most {most} characters"
    elif new in KEYWORDS:
        reason = "it is a keyword"
    elif is_global and new in BUDGETS:
        reason = "it is built into the language"
    elif is_global and new in library_index():
        reason = "it is a block of the library"
    if reason:
        raise UserError(f"can't rename to `{new}`: {reason}")


def _check_clashes(renaming: _Renaming, new: str) -> None:
    """Raise UserError if the new name is already used in a scope of the old one."""
    documents = renaming.documents
    for file in _related(renaming, new):
        for other in documents.names(file).mentions:
            is_name = other.definition.name == new and other.definition.kind not in _APART
            if is_name and any(other.span in scope for scope in _scopes(renaming, file)):
                raise UserError(f"`{new}` is already used at {documents.name(file)}:{other.span.line}")


def _related(renaming: _Renaming, new: str) -> list[Path]:
    """The files that mention the old name; for a param or block, also their bases and the files that extend them."""
    documents = renaming.documents
    mentioning = {file for file, _ in renaming.mentions}
    if renaming.definition.kind not in {"param", "block"}:
        return sorted(mentioning)
    bases = {base for file in mentioning for base in documents.bases(file)}
    files = cross_file.files_containing(documents, (*mentioning, *bases, *documents.workspace_specs()), new)
    return [file for file in files if file in mentioning | bases or not mentioning.isdisjoint(documents.bases(file))]


def _scopes(renaming: _Renaming, path: Path) -> list[Span]:
    """The parts of a file in which the name is visible."""
    tree, definition = renaming.documents.tree(path), renaming.definition
    if tree is None:
        return []
    if definition.kind in {"param", "block"}:
        return [tree.span]
    if definition.kind == "parameter":
        return [
            item.span for item in tree.items if isinstance(item, nodes.Block) and item.name.text == definition.owner
        ]
    return [item.span for item in tree.items if renaming.mention.span in item.span]
