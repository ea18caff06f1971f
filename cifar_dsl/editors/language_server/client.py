"""Answers in the terms that the editor can read: not every editor shows Markdown, or finds arguments by offsets."""

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from attrs import evolve  # the protocol's classes are of attrs
from lsprotocol import types
from pygls.capabilities import get_capability

from cifar_dsl.foundation.records import frozen
from cifar_dsl.foundation.text import columns

_ESCAPED = re.compile(r"\\([\\`*_{}\[\]()<>#!|~&+=-])")
_FENCE = re.compile(r"`{3,}")
_MARKDOWN = types.MarkupKind.Markdown


@frozen
class Client:
    """What an editor can read; by default everything."""

    hover_markdown: bool = True
    completion_markdown: bool = True
    signature_markdown: bool = True
    label_offsets: bool = True

    @classmethod
    def of(cls, capabilities: types.ClientCapabilities) -> "Client":
        """An editor with these capabilities; what it doesn't mention, it can't read."""

        def has(place: str) -> bool:
            return _MARKDOWN in (get_capability(capabilities, place, None) or ())

        signature = "text_document.signature_help.signature_information"
        offsets = get_capability(capabilities, f"{signature}.parameter_information.label_offset_support", False)
        return cls(
            has("text_document.hover.content_format"),
            has("text_document.completion.completion_item.documentation_format"),
            has(f"{signature}.documentation_format"),
            bool(offsets),
        )

    def hover(self, found: types.Hover | None) -> types.Hover | None:
        """A hover text."""
        contents = found and not self.hover_markdown and _plain(found.contents)
        return evolve(found, contents=contents) if found and contents else found

    def completions(self, items: list[types.CompletionItem]) -> list[types.CompletionItem]:
        """The items of a completion."""
        if self.completion_markdown:
            return items
        return [evolve(item, documentation=_plain(item.documentation)) for item in items]

    def signature_help(self, found: types.SignatureHelp | None) -> types.SignatureHelp | None:
        """The signature of a call; without offsets, an argument is identified by its text."""
        if found is None:
            return None
        return evolve(found, signatures=[self._signature(one) for one in found.signatures])

    def _signature(self, signature: types.SignatureInformation) -> types.SignatureInformation:
        parameters = []
        for one in signature.parameters or ():
            label, doc = one.label, one.documentation
            if not self.label_offsets and not isinstance(label, str):
                label = signature.label[slice(*label)]
            parameters.append(evolve(one, label=label, documentation=doc if self.signature_markdown else _plain(doc)))
        doc = signature.documentation if self.signature_markdown else _plain(signature.documentation)
        return evolve(signature, parameters=parameters, documentation=doc)


def _plain(content: object) -> types.MarkupContent | None:
    if not isinstance(content, types.MarkupContent):
        return None
    return types.MarkupContent(types.MarkupKind.PlainText, without_marks(content.value))


def without_marks(text: str) -> str:
    """Markdown that `markdown.py` makes as plain text: without fences and escapes, tables with aligned columns."""
    lines: list[str] = []
    fence = ""
    for is_row, group in groupby(text.split("\n"), key=lambda line: line.startswith("| ")):
        if is_row and not fence:
            lines.extend(_table(group))
            continue
        for line in group:
            if fence and line == fence:
                fence = ""
            elif not fence and (opening := _FENCE.match(line)):
                fence = opening[0]
            else:
                lines.append(line if fence else _ESCAPED.sub(r"\1", line))
    return "\n".join(lines)


def _table(lines: Iterable[str]) -> Iterator[str]:
    rows: Sequence[list[str]] = [line.removeprefix("| ").removesuffix(" |").split(" | ") for line in lines]
    shown = [[_ESCAPED.sub(r"\1", cell) for cell in row] for i, row in enumerate(rows) if i != 1]  # without the rule
    yield from columns(shown, right=frozenset(range(1, len(shown[0]))))
