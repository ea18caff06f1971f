"""The input of the formatter: a text as lines of words and brackets, with its comments and line breaks.

A "line" is an item, stage, setting, branch or list item, on however many lines of text.
"""

from collections.abc import Iterator, Sequence
from functools import cached_property

from cifar_dsl.foundation.records import evolve, frozen
from cifar_dsl.language.source import Source
from cifar_dsl.language.syntax.lexer import lex
from cifar_dsl.language.syntax.newlines import NEW_LINE

TARGET = "target"  # the kind of a word that names a setting
_END = "end"
_OPENING = frozenset("([{")
_CLOSING = frozenset(")]}")
_OPERANDS = frozenset(
    ["NAME", "NUMBER", "SIZE", "STRING", "TRUE", "FALSE", "(", "["]
)  # kinds after which `-` subtracts


@frozen
class Gap:
    """The gap before a word: its comments, and "" for each blank line.

    The first `beside` comments are to the right of code: on the line of the previous word, and aligned below it.
    """

    lines: tuple[str, ...] = ()
    beside: int = 0
    has_break: bool = False

    @property
    def has_comments(self) -> bool:
        """Whether there are comments, which need a line break after them."""
        return any(self.lines)

    def then(self, other: "Gap") -> "Gap":
        """The two gaps joined, after the word between them is removed."""
        beside = self.beside if self.has_break else other.beside
        return Gap(self.lines + other.lines, beside, self.has_break or other.has_break)


@frozen
class Word:
    """A token with the gap before it. `begins`: a stage, setting or item ended before it."""

    text: str
    kind: str
    gap: Gap
    begins: bool


@frozen
class Bracket:
    """Brackets and the lines in them: stages, settings, branches with the bar before them, or items of a list."""

    opening: Word
    lines: "tuple[Line, ...]"
    closing: Word

    @property
    def kind(self) -> str:
        """The opening bracket."""
        return self.opening.text

    @property
    def gap(self) -> Gap:
        """The gap before the opening bracket."""
        return self.opening.gap

    @cached_property
    def text(self) -> str:
        """The brackets and their contents on a single line."""
        inside = " ".join(flat(line, self.kind) for line in self.lines)
        if self.kind == "{":
            inside = f" {inside} " if inside else " "
        return self.kind + inside + self.closing.text

    @cached_property
    def is_open(self) -> bool:
        """Whether to keep a line break directly inside the brackets."""
        if self.closing.gap.has_comments or any(line[0].gap.has_break for line in self.lines):
            return True
        if self.kind == "{":
            return bool(self.lines) and self.closing.gap.has_break
        return any(part.gap.has_comments for line in self.lines for part in line)

    @cached_property
    def has_break(self) -> bool:
        """Whether to keep a line break at any depth inside the brackets."""
        return self.is_open or any(map(has_break, self.lines))


Part = Word | Bracket
Line = Sequence[Part]


def has_break(line: Line) -> bool:
    """Whether to keep a line break inside a line."""
    return any(isinstance(part, Bracket) and part.has_break for part in line) or any(
        part.gap.has_comments or (part.gap.has_break and part.text == "->") for part in line[1:]
    )


def flat(line: Line, enclosing: str) -> str:
    """A line as a single line of text; `enclosing` is the kind of bracket around it."""
    return "".join(space + part.text for space, part in zip(spaces(line, enclosing), line, strict=True))


def spaces(line: Line, enclosing: str) -> list[str]:
    """The space before each part of an unbroken line; "" before the first."""
    is_typed = any(part.text == ":" for part in line)
    tight_behind = {"..", ":"} if enclosing == "[" else {"..", "="} if enclosing == "(" and not is_typed else {".."}
    tight_before = tight_behind | ({",", ":"} if enclosing == "(" else {","})
    found: list[str] = []
    is_tight = True
    after_operand = False
    for part in line:
        is_tight |= part.text in tight_before or (part.kind in {"(", "["} and after_operand)
        found.append("" if is_tight else " ")
        is_tight = part.text in tight_behind or (part.text == "-" and not after_operand)
        after_operand = part.kind in _OPERANDS
    return found


def lines_of(source: Source) -> tuple[tuple[Line, ...], Gap]:
    """The items of a text that parses, and the gap after the last one."""
    items, end = _nested(iter(_tidied(_words(source))), "")
    return items, end.gap


def _words(source: Source) -> list[Word]:
    """The words of a text, and its end as a word. `optimizer.lr` is a single word."""
    words: list[Word] = []
    begins = False
    end = 0
    for token in lex(source.text):
        if token.type == NEW_LINE:
            begins = True
            continue
        start = token.start
        if words and "DOT" in {token.type, words[-1].kind}:
            words[-1] = evolve(words[-1], text=words[-1].text + token, kind=token.type)
        else:
            words.append(Word(str(token), token.type, _gap(source, end, start), begins))
        begins = False
        end = start + len(token)
    return [*words, Word("", _END, _gap(source, end, len(source.text)), begins=True)]


def _gap(source: Source, start: int, end: int) -> Gap:
    lines = source.text[start:end].split("\n")
    kept: list[str] = []
    beside = 0
    column = source.position(start)[1] - 1 + lines[0].find("#")
    for i, line in enumerate(lines):
        text = line.strip()
        if text and start and i == beside and (i == 0 or line.index("#") == column):
            beside += 1
        if text or 0 < i < len(lines) - 1:
            kept.append(text)
    return Gap(tuple(kept), beside, has_break=len(lines) > 1)


def _tidied(words: list[Word]) -> list[Word]:
    """The words without redundant commas, and with comments moved to where a line can break; see `formatter`."""
    tidy: list[Word] = []
    brackets: list[str] = []
    for found in words:
        word = found
        before = tidy[-1] if tidy else None
        if before and (before.text == "->" or (before.text == "|" and brackets[-1] == "{")):
            tidy[-1] = evolve(before, gap=before.gap.then(word.gap))
            word = evolve(word, gap=Gap())
        elif before and (before.text == "," or (before.text == "{" and before.gap.has_comments)):
            tidy[-1] = evolve(before, gap=Gap())
            word = evolve(word, gap=before.gap.then(word.gap))
            if before.text == "," and word.text in _CLOSING:
                tidy.pop()
        if word.text in _OPENING:
            brackets.append(word.text)
        elif word.text in _CLOSING:
            brackets.pop()
        tidy.append(word)
    return tidy


def _nested(words: Iterator[Word], opening: str, *, is_settings: bool = False) -> tuple[tuple[Line, ...], Word]:
    """The lines up to the closing bracket or the end, and that closing word."""
    lines: list[Line] = []
    line: list[Part] = []
    for word in words:
        is_end = word.text in _CLOSING or word.kind == _END
        if line and (is_end or word.begins or (word.text == "|" and opening == "{") or line[-1].text == ","):
            lines.append(line)
            line = []
        if is_end:
            return tuple(lines), word
        if word.text in _OPENING:
            inside, closing = _nested(words, word.text, is_settings=bool(line) and line[0].text in {"train", "group"})
            line.append(Bracket(word, _sides(inside) if word.text == "(" else inside, closing))
        else:
            is_target = is_settings and not line and word.kind == "NAME"
            line.append(evolve(word, kind=TARGET) if is_target else word)
    raise AssertionError("the end is among the words")


def _sides(items: tuple[Line, ...]) -> tuple[Line, ...]:
    """The items in parentheses; of a pattern, the sides instead: it is broken after `|` and before `->`."""
    parts = [part for item in items for part in item]
    if not any(part.text == "->" for part in parts):
        return items
    sides: list[list[Part]] = []
    for i, part in enumerate(parts):
        is_extent = "".join(one.text for one in parts[i + 1 : i + 2]) == "="
        if not i or part.text == "->" or parts[i - 1].text == "|" or is_extent:
            sides.append([])
        sides[-1].append(part)
    return tuple(sides)
