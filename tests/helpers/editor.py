"""Open documents without an editor, in which `§` marks the cursor."""

from pathlib import Path

from attrs import frozen
from lsprotocol import types

from cifar_dsl.editors.language_server.completion import completions
from cifar_dsl.editors.language_server.documents import Documents
from cifar_dsl.editors.language_server.hover import hover

CURSOR = "§"
FOLDER = Path("/specs").resolve()


@frozen
class Editor:
    """Open documents and a cursor; unpack it for the arguments of a capability: `definition(*editor)`."""

    documents: Documents
    path: Path
    offset: int

    def __iter__(self):
        return iter((self.documents, self.path, self.offset))

    def path_of(self, name: str) -> Path:
        return FOLDER / f"{name}.arch"

    def text(self, name: str = "test") -> str:
        return self.documents.open[self.path_of(name)]


def uri_of(name: str) -> str:
    return (FOLDER / f"{name}.arch").as_uri()


def editor(text: str, **others: str) -> Editor:
    """An editor with `test.arch` open, the cursor at its mark (or at 0), and other open files."""
    documents = Documents(folders=[FOLDER])
    for name, other in others.items():
        documents.put(uri_of(name), other)
    offset = max(text.find(CURSOR), 0)
    path = documents.put(uri_of("test"), text.replace(CURSOR, ""))
    return Editor(documents, path, offset)


def completed(text: str, *, snippets: bool = False, **others: str) -> dict[str, types.CompletionItem]:
    """The completion items at the cursor, by label."""
    return {item.label: item for item in completions(*editor(text, **others), snippets=snippets)}


def hovered(text: str, **others: str) -> str:
    """The hover text at the cursor; empty if there is none."""
    found = hover(*editor(text, **others))
    if found is None:
        return ""
    assert isinstance(found.contents, types.MarkupContent)
    return found.contents.value


def put_in(text: str, edits: list[types.TextEdit]) -> str:
    """Apply edits to a text with plain newlines and without characters beyond the basic multilingual plane."""
    lines = text.split("\n")
    starts = [sum(len(line) + 1 for line in lines[:number]) for number in range(len(lines) + 1)]

    def offset(position: types.Position) -> int:
        return starts[position.line] + position.character

    for edit in sorted(edits, key=lambda edit: offset(edit.range.start), reverse=True):
        text = text[: offset(edit.range.start)] + edit.new_text + text[offset(edit.range.end) :]
    return text
