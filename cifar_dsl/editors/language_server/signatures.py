"""Signature help: the arguments of the call at the cursor, and the active one."""

from pathlib import Path

from lsprotocol import types

from cifar_dsl.editors.language_server import vocabulary
from cifar_dsl.editors.language_server.documents import Documents
from cifar_dsl.editors.language_server.markdown import content
from cifar_dsl.editors.language_server.vocabulary import Entry
from cifar_dsl.language.syntax.cursor import Frame, open_frames

_VARIADIC = "..."  # any number of further arguments


def signature_help(documents: Documents, path: Path, offset: int) -> types.SignatureHelp | None:
    """The signature of the innermost call around an offset."""
    source = documents.source(path)
    if source is None:
        return None
    frame = next(frame for frame in reversed(open_frames(source.text, offset)) if frame.kind != "brackets")
    if frame.kind != "call" or frame.head is None:
        return None
    mention = documents.names(path).at(frame.head.end)
    entry = vocabulary.callee(mention.definition) if mention else None
    if entry is None or not entry.arguments:
        return None
    active = _active(entry, frame)
    signature = types.SignatureInformation(
        entry.signature(),
        content([entry.doc]),
        [_parameter(entry, number) for number in range(len(entry.arguments))],
        active,
    )
    return types.SignatureHelp([signature], active_signature=0, active_parameter=active)


def _parameter(entry: Entry, number: int) -> types.ParameterInformation:
    """An argument, identified by its range in the signature."""
    start = len(entry.name) + 1 + sum(len(one.text) + 2 for one in entry.arguments[:number])
    argument = entry.arguments[number]
    doc = content([argument.description]) if argument.description else None
    return types.ParameterInformation((start, start + len(argument.text)), doc)


def _active(entry: Entry, frame: Frame) -> int:
    """The index of the argument at the cursor; past the last if the call has no such argument."""
    names = [argument.name for argument in entry.arguments]
    if len(frame.line) > 1 and frame.line[1].text == "=":
        return names.index(frame.line[0].text) if frame.line[0].text in names else len(names)
    if names[-1] == _VARIADIC:
        return min(frame.position, len(names) - 1)
    return frame.position if not frame.keywords else len(names)
