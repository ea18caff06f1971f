"""The canonical layout of a spec: the same words in the same order, with other space between them.

- A line four levels deep begins with sixteen spaces; the bar of a branch stands two columns further left. There is at
  most one blank line in a row, and there is one around every item of several lines.
- What the author wrote on one line stays on one while it fits into 120 columns, and what stood on several stays on
  several. The line breaks that count are those in braces before and behind stages, in other brackets before items,
  and before `->`; one elsewhere goes away. A body is open, too, where something before it on its line is.
- What doesn't fit is broken before `->`, or else in the brackets that come last, if that will do. Items of an open list
  fill its lines; behind the last there is no comma. A list whose last item alone is open stays closed around it.
- The values of settings stand in one column.
- A comment beside code begins in column 37 or, where the code comes that far, in the next one after a multiple of four;
  those of neighbouring lines in one column, the furthest. A comment right below it in the same column goes with it.
  Comments may be longer than 120 columns.
- A comment before `{` or `,` moves behind it, one behind `->` or the bar of a branch before it.

That the meaning stays can be seen from layout.py: a new line that ends something is kept, and one that ends nothing
comes and goes only where it would be dropped.
"""

from collections.abc import Sequence
from itertools import groupby

from attrs import define, field

from cifar_dsl.language.source import Source
from cifar_dsl.language.syntax.lines import TARGET, Bracket, Gap, Line, Word, flat, has_break, lines_of, spaces
from cifar_dsl.language.syntax.parser import parse_spec

_WIDTH = 120
_INDENT = 4
_COMMENT_COLUMN = 36  # from 0


def format_text(source: Source) -> str:
    """The canonical layout of a file's text, with all of its comments. Raises SpecError where it doesn't parse."""
    spec = parse_spec(source)
    items, end = lines_of(source)
    writer = _Writer()
    writer.items(items)
    writer.gap(end, 0, is_last=True)
    text = writer.text()
    if text != source.text and parse_spec(Source(source.name, text)) != spec:
        raise AssertionError(f"the layout of {source.name} would change its meaning")
    return text


@define
class _OutputLine:
    text: str
    comment: str = ""  # beside the text


@define
class _Writer:
    """The lines written so far. `_indent` is that of the last; brackets that open in it indent theirs further."""

    _lines: list[_OutputLine] = field(factory=list, init=False)
    _indent: int = field(default=0, init=False)

    def text(self) -> str:
        """All lines, with the comments beside code in columns."""
        texts: list[str] = []
        runs = [list(run) for _, run in groupby(self._lines, lambda line: bool(line.comment))]
        for run, following in zip(runs, [*runs[1:], []], strict=True):
            reach = max(len(line.text) for line in run) + 2
            column = max(_COMMENT_COLUMN, -(-reach // _INDENT) * _INDENT)
            if following and following[0].text.startswith(" " * column + "#"):
                column += _INDENT  # or that comment would seem to go with these
            texts.extend(line.text.ljust(column) + line.comment if line.comment else line.text for line in run)
        return "\n".join(texts) + "\n"

    def gap(self, gap: Gap, indent: int, *, is_first: bool = False, is_last: bool = False) -> None:
        """Write comments and blank lines, of which none are at the first and the last place and none in a row."""
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
            behind = len(self._lines) + max(0, gap.beside - 1)
            self.gap(gap, 0, is_first=i == 0)
            self._start(0)
            top = len(self._lines)
            self._stages(item)
            is_tall = len(self._lines) > top
            if i and (was_tall or is_tall) and "" not in gap.lines:
                self._lines.insert(behind, _OutputLine(""))
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
        """Write a line that stands in braces or in no brackets."""
        indent = self._indent + _INDENT
        for i, stage in enumerate(_split(line)):
            if i and (stage[0].gap.has_break or not self._takes(stage, "{", indent)):
                self._break(stage[0].gap, indent)
            elif i:
                self._add(" ")
            self._parts(stage, "{")

    def _takes(self, line: Line, enclosing: str, indent: int) -> bool:
        """Whether a part of a chain or list goes where the last one ended; else it gets a line, at `indent`."""
        if not has_break(line):
            width = len(flat(line, enclosing))
            if self._column + 1 + width <= _WIDTH:
                return True
            if indent + width <= _WIDTH:
                return False
        return self._column + 1 + _width_to_bracket(line, enclosing) <= _WIDTH

    def _parts(self, line: Line, enclosing: str, behind: int = 0) -> None:
        """Write parts on one line if they fit together with what is `behind` them, else with open brackets."""
        text = flat(line, enclosing)
        if not has_break(line) and self._column + len(text) + behind <= _WIDTH:
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
                self._list(part, _width_to_bracket(line, enclosing, i + 1, behind))

    def _body(self, body: Bracket) -> None:
        """Write braces with every line on one of its own, and the values of settings in a column."""
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

    def _list(self, items: Bracket, behind: int) -> None:
        """Write parentheses or brackets: on one line, open, or closed around an open last item."""
        if not items.has_break and self._column + len(items.text) + behind <= _WIDTH:
            self._add(items.text)
        elif self._is_closed_around_last(items):
            *others, last = items.lines
            self._add(items.kind + "".join(flat(item, items.kind) + " " for item in others))
            self._parts(last, items.kind, len(items.closing.text) + behind)
            self._add(items.closing.text)
        else:
            outside, indent = self._indent, self._indent + _INDENT
            self._add(items.kind)
            for i, item in enumerate(items.lines):
                if i == 0 or item[0].gap.has_break or not self._takes(item, items.kind, indent):
                    self.gap(item[0].gap, indent, is_first=i == 0)
                    self._start(indent)
                else:
                    self._add(" ")
                self._parts(item, items.kind)
            self._close(items, outside)

    def _is_closed_around_last(self, items: Bracket) -> bool:
        if items.is_open or not items.has_break or any(map(has_break, items.lines[:-1])):
            return False
        width = sum(len(flat(item, items.kind)) + 1 for item in items.lines[:-1])
        return self._column + 1 + width + _width_to_bracket(items.lines[-1], items.kind) <= _WIDTH

    def _close(self, bracket: Bracket, indent: int) -> None:
        self.gap(bracket.closing.gap, indent + _INDENT, is_first=not bracket.lines, is_last=True)
        self._start(indent)
        self._add(bracket.closing.text)


def _split(line: Line) -> list[Line]:
    """The parts of a chain; each but the first begins with its arrow."""
    starts = [i for i, part in enumerate(line) if i == 0 or part.text == "->"]
    return [line[start:stop] for start, stop in zip(starts, [*starts[1:], len(line)], strict=True)]


def _width_to_bracket(line: Line, enclosing: str, start: int = 0, behind: int = 0) -> int:
    """The width of a line from a part on: up to where a bracket may open, else with what is `behind` the line."""
    width = 0
    for space, part in list(zip(spaces(line, enclosing), line, strict=True))[start:]:
        if isinstance(part, Bracket) and part.lines:
            return width + len(space) + 1
        width += len(space) + len(part.text)
    return width + behind
