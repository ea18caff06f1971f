"""The canonical format of a spec: the same words in the same order, with different space between them.

- Each level is indented by four spaces; the bar of a branch is two columns further left. There is at most one blank
  line in a row, and one around every item of several lines.
- Code on one line stays on one line if it fits into 120 columns, and code on several lines stays on several. Line
  breaks are kept in braces before and after stages, in other brackets before items, and before `->`; others are
  removed. A body is also broken if something before it on its line is.
- A line that is too long is broken before `->`, or else in its last brackets, if that is enough. Items of a broken
  list fill its lines, without a comma after the last. A list in which only the last item is broken hugs that item.
  A pattern is broken after `|`, before `->` and before the extents of its axes.
- The values of settings are aligned in a column.
- A comment beside code starts in column 37, or after longer code in the next column after a multiple of four;
  comments of neighbouring lines are aligned at the rightmost column. A comment directly below, in the same column,
  belongs to it. Comments can exceed 120 columns.
- A comment before `{` or `,` moves after it; a comment after `->` or the bar of a branch moves before it.

The meaning never changes: the formatter keeps every new line that ends something, and adds or removes new lines
only where `newlines` drops them.
"""

from collections.abc import Sequence
from itertools import groupby

from cifar_dsl.foundation.garbage_collection import without_collections
from cifar_dsl.foundation.records import define, field
from cifar_dsl.language.source import Source
from cifar_dsl.language.syntax.lines import TARGET, Bracket, Gap, Line, Word, flat, has_break, lines_of, spaces
from cifar_dsl.language.syntax.parser import parse_spec

_WIDTH = 120
_INDENT = 4
_COMMENT_COLUMN = 36  # from 0


@without_collections()
def format_text(source: Source) -> str:
    """The canonical format of a file's text, with all its comments. Raises SpecError if it doesn't parse."""
    spec = parse_spec(source)
    items, end = lines_of(source)
    writer = _Writer()
    writer.items(items)
    writer.gap(end, 0, is_last=True)
    text = writer.text()
    if text != source.text and parse_spec(Source(source.name, text)) != spec:
        raise AssertionError(f"formatting {source.name} would change its meaning")
    return text


@define
class _OutputLine:
    text: str
    comment: str = ""  # beside the text


@define
class _Writer:
    """The lines written so far. `_indent` is that of the last line; brackets opened in it indent further."""

    _lines: list[_OutputLine] = field(factory=list, init=False)
    _indent: int = field(default=0, init=False)

    def text(self) -> str:
        """All lines, with the comments beside code aligned."""
        texts: list[str] = []
        runs = [list(run) for _, run in groupby(self._lines, lambda line: bool(line.comment))]
        for run, following in zip(runs, [*runs[1:], []], strict=True):
            reach = max(len(line.text) for line in run) + 2
            column = max(_COMMENT_COLUMN, -(-reach // _INDENT) * _INDENT)
            if following and following[0].text.startswith(" " * column + "#"):
                column += _INDENT  # else that comment would seem to belong to these
            texts.extend(line.text.ljust(column) + line.comment if line.comment else line.text for line in run)
        return "\n".join(texts) + "\n"

    def gap(self, gap: Gap, indent: int, *, is_first: bool = False, is_last: bool = False) -> None:
        """Write comments and blank lines, without repeated blank lines or blank lines at the first and last place."""
        lines = list(gap.lines)
        while is_last and lines and not lines[-1]:
            lines.pop()
        may_be_blank = not is_first
        for i, line in enumerate(lines):
            if i == 0 and gap.beside:
                self._lines[-1].comment = line
            elif i < gap.beside:
                self._lines.append(_OutputLine("", line))
            elif line or may_be_blank:
                self._lines.append(_OutputLine(" " * indent + line if line else ""))
                may_be_blank = bool(line)

    def items(self, items: Sequence[Line]) -> None:
        """Write the items of a file."""
        was_tall = False
        for i, item in enumerate(items):
            gap = item[0].gap
            insert_at = len(self._lines) + max(0, gap.beside - 1)
            self.gap(gap, 0, is_first=i == 0)
            self._start(0)
            top = len(self._lines)
            self._stages(item)
            is_tall = len(self._lines) > top
            if i and (was_tall or is_tall) and "" not in gap.lines:
                self._lines.insert(insert_at, _OutputLine(""))
            was_tall = is_tall

    def _start(self, indent: int, mark: str = "") -> None:
        self._lines.append(_OutputLine(mark.rjust(indent)))
        self._indent = indent

    def _add(self, text: str) -> None:
        self._lines[-1].text += text

    @property
    def _column(self) -> int:
        return len(self._lines[-1].text)

    def _break(self, gap: Gap, indent: int) -> None:
        self.gap(gap, indent, is_first=True, is_last=True)
        self._start(indent)

    def _stages(self, line: Line) -> None:
        """Write a line in braces or at the top level."""
        indent = self._indent + _INDENT
        for i, stage in enumerate(_split(line)):
            if i and (stage[0].gap.has_break or not self._fits(stage, "{", indent)):
                self._break(stage[0].gap, indent)
            elif i:
                self._add(" ")
            self._parts(stage, "{")

    def _fits(self, line: Line, enclosing: str, indent: int) -> bool:
        """Whether a part of a chain or list fits on the current line; else it starts a line, at `indent`."""
        if not has_break(line):
            width = len(flat(line, enclosing))
            if self._column + 1 + width <= _WIDTH:
                return True
            if indent + width <= _WIDTH:
                return False
        return self._column + 1 + _width_to_bracket(line, enclosing) <= _WIDTH

    def _parts(self, line: Line, enclosing: str, after: int = 0) -> None:
        """Write parts on one line if they fit, with `after` more columns; else break their brackets."""
        text = flat(line, enclosing)
        if not has_break(line) and self._column + len(text) + after <= _WIDTH:
            self._add(text)
            return
        indent = self._indent + _INDENT
        for i, (space, part) in enumerate(zip(spaces(line, enclosing), line, strict=True)):
            if i and part.gap.has_comments:
                self._break(part.gap, self._indent if line[i - 1].kind == "{" else indent)  # `else` is not indented
            else:
                self._add(space)
            if isinstance(part, Word) or not (part.lines or part.has_break):
                self._add(part.text)
            elif part.kind == "{":
                self._body(part)
            else:
                self._list(part, _width_to_bracket(line, enclosing, i + 1, after))

    def _body(self, body: Bracket) -> None:
        """Write braces with each line on its own line of text, and the values of settings aligned."""
        outside, indent = self._indent, self._indent + _INDENT
        width = max((len(line[0].text) for line in body.lines if line[0].kind == TARGET), default=0)
        self._add("{")
        for i, line in enumerate(body.lines):
            first = line[0]
            self.gap(first.gap, indent, is_first=i == 0)
            self._start(indent, "| " if first.text == "|" else "")
            if first.kind == TARGET:
                self._add(first.text.ljust(width + 2))
            self._stages(line[1:] if first.kind == TARGET or first.text == "|" else line)
        self._close(body, outside)

    def _list(self, items: Bracket, after: int) -> None:
        """Write parentheses or brackets: on one line, broken, or hugging a broken last item."""
        if not items.has_break and self._column + len(items.text) + after <= _WIDTH:
            self._add(items.text)
        elif self._hugs_last(items):
            *others, last = items.lines
            self._add(items.kind + "".join(flat(item, items.kind) + " " for item in others))
            self._parts(last, items.kind, len(items.closing.text) + after)
            self._add(items.closing.text)
        else:
            outside, indent = self._indent, self._indent + _INDENT
            self._add(items.kind)
            for i, item in enumerate(items.lines):
                if i == 0 or item[0].gap.has_break or not self._fits(item, items.kind, indent):
                    self.gap(item[0].gap, indent, is_first=i == 0)
                    self._start(indent)
                else:
                    self._add(" ")
                self._parts(item, items.kind)
            self._close(items, outside)

    def _hugs_last(self, items: Bracket) -> bool:
        if items.is_open or not items.has_break or any(map(has_break, items.lines[:-1])):
            return False
        width = sum(len(flat(item, items.kind)) + 1 for item in items.lines[:-1])
        return self._column + 1 + width + _width_to_bracket(items.lines[-1], items.kind) <= _WIDTH

    def _close(self, bracket: Bracket, indent: int) -> None:
        self.gap(bracket.closing.gap, indent + _INDENT, is_first=not bracket.lines, is_last=True)
        self._start(indent)
        self._add(bracket.closing.text)


def _split(line: Line) -> list[Line]:
    """The parts of a chain; all but the first start with their arrow."""
    starts = [i for i, part in enumerate(line) if i == 0 or part.text == "->"]
    return [line[start:stop] for start, stop in zip(starts, [*starts[1:], len(line)], strict=True)]


def _width_to_bracket(line: Line, enclosing: str, start: int = 0, after: int = 0) -> int:
    """The columns from part `start` up to the next bracket that can be broken, else to the end plus `after`."""
    width = 0
    for space, part in list(zip(spaces(line, enclosing), line, strict=True))[start:]:
        if isinstance(part, Bracket) and part.lines:
            return width + len(space) + 1
        width += len(space) + len(part.text)
    return width + after
