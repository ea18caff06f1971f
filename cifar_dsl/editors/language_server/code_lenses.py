"""Code lenses above a spec: train it, show it, compare it with its base.

The editor runs them. Each command has one argument, an object: `uri` is the spec's, and `arguments` are those of
`cifar-dsl` in `folder`.
"""

import os
from collections.abc import Iterator
from pathlib import Path

from lsprotocol import types

from cifar_dsl.editors.language_server.documents import Documents, is_shipped
from cifar_dsl.language.syntax import nodes


def code_lenses(documents: Documents, path: Path) -> list[types.CodeLens]:
    """The lenses of a spec, at its header; a spec that isn't in a file of the user's can only be shown."""
    tree = documents.tree(path)
    if tree is None or tree.header.is_library or not tree.header.name.text:
        return []
    place = documents.positions.range(tree.header.span)
    return [types.CodeLens(place, command) for command in _commands(documents, path, tree)]


def _commands(documents: Documents, path: Path, tree: nodes.Spec) -> Iterator[types.Command]:
    folder, bases = documents.root(path), documents.bases(path)

    def command(name: str, title: str, *arguments: str) -> types.Command:
        argument = {"uri": documents.uri(path), "arguments": [name, *arguments], "folder": str(folder)}
        return types.Command(title, f"cifar-dsl.{name}", arguments=[argument])

    own = _named(path, folder)
    leaves_folder = any(not is_shipped(base) and not base.is_relative_to(path.parent) for base in bases)
    root = ["--root", "."] if leaves_folder else []
    is_in_file = documents.uri(path).startswith("file:") and not is_shipped(path)
    if is_in_file and any(_has_recipe(documents, file) for file in (path, *bases)):
        yield command("train", "Train", own, *root)
    yield command("show", "Show", own, *root)
    base = tree.header.base
    if is_in_file and base is not None and bases and documents.source(bases[0]) is not None:
        name = _named(bases[0], folder) if base.is_file else base.name
        yield command("compare", f"Compare with {Path(base.name).stem}", name, own, *root)


def _named(path: Path, folder: Path) -> str:
    """A file as an argument of a command in a folder, never an option."""
    name = os.path.relpath(path, folder)
    return f".{os.sep}{name}" if name.startswith("-") else name


def _has_recipe(documents: Documents, path: Path) -> bool:
    tree = documents.tree(path)
    return tree is not None and any(isinstance(item, nodes.Train) for item in tree.items)
