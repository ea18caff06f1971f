"""Reads any text with lark's parser: repairs what is wrong, and notes what was.

Lark's parser reads token by token. Where a token can't stand, the first of these repairs that fits lets it read on:

1. the line is right but for a misspelt keyword that it begins with: read the keyword;
2. a new line (in a body), or a comma (in a list of values) was forgotten before the token: read one;
3. the token is one too many: drop it;
4. something is missing: read a hole, or the bracket, `=`, `in` ... that the grammar requires;
5. complete the line as in 4, and drop the rest up to the next place that ends something: the end of a stage, setting or
   item, a brace or, inside of brackets, a comma.

Every repair is local to its line, since `tolerant_layout` has balanced the braces before. The number of repairs is
bounded, and what lies between them is read once, so the work grows with the length of the text.
"""

from collections.abc import Sequence

from attrs import define, field
from lark import Token, Tree
from lark.exceptions import UnexpectedToken
from lark.parsers.lalr_interactive_parser import InteractiveParser

from cifar_dsl.foundation import limits
from cifar_dsl.language.diagnostics import Diagnostic, Label, nearest, replacement
from cifar_dsl.language.source import Source, Span
from cifar_dsl.language.syntax.explanations import END, Brackets, Misplaced, end_token, span_of
from cifar_dsl.language.syntax.layout import NEW_LINE, OPENING
from cifar_dsl.language.syntax.tables import parser
from cifar_dsl.language.syntax.tolerant_layout import made, tolerant_layout
from cifar_dsl.language.syntax.words import ITEMS, KEYWORDS, SETTING_WORDS

_REPAIRS = 200  # in one text
_LINE_REPAIRS = 8  # in one line
_ENDS = frozenset([NEW_LINE, END, "{", "}", "|"])  # of lines, branches and heads of bodies
# What may be read in place of something missing; the first that the grammar allows. The empty ones are holes.
_MISSING = (
    ("RPAR", ")"),
    ("RSQB", "]"),
    ("RBRACE", "}"),
    ("NAME", ""),
    ("SIZE", ""),
    ("EQUAL", "="),
    ("IN", "in"),
    ("ELSE", "else"),
    ("LBRACE", "{"),
    ("LPAR", "("),
    ("COMMA", ","),
    ("ARCH", "arch"),
    ("_NL", "\n"),
)
_CLOSING = frozenset(OPENING.values())
_VALUES = frozenset(["(", "["])  # brackets around values
# What can begin something in a bracket or body of each kind.
_STARTS = {
    "file": frozenset([*ITEMS]),
    "body": frozenset(["NAME", "let", "add", "concat", "mul", "for", "repeat", "if"]),
    "train": frozenset(["NAME", "group"]),
    "group": frozenset(["NAME"]),
    "(": frozenset(["NAME", "NUMBER", "SIZE", "STRING", "true", "false", "not"]),
    "[": frozenset(["NAME", "NUMBER", "SIZE", "STRING", "true", "false", "not"]),
}
# The head of a body whose own head can't be read.
_HEADS = {"file": ("block", "", "(", ")"), "body": ("repeat", "")}


@define
class RepairingReader:
    """Reads the tokens of a text with lark's parser, and repairs where it can't go on."""

    source: Source
    tokens: Sequence[Token]
    unclosed: frozenset[int]
    skipped: list[Span]
    stray: tuple[Span, ...]  # those of them that the layout has dropped
    parser: InteractiveParser
    before_line: InteractiveParser  # where the line, or branch, begins that is read
    mistakes: list[Diagnostic] = field(factory=list)
    place: int = 0  # of the token that is read next
    # The brackets that are open: "file", "body", "train", "group", "(" or "[", and whether the text closes them.
    open: list[tuple[str, bool]] = field(factory=lambda: [("file", True)])
    line: int = 0  # of the token that it begins with
    tried_line: int = -1  # the line whose first word was taken for a misspelt keyword last
    repairs: int = 0
    line_repairs: int = 0

    @classmethod
    def of(cls, source: Source, start: str) -> "RepairingReader":
        """A reader at the begin of a text that is to follow the rule `start`."""
        layout = tolerant_layout(source)
        tokens = (*layout.tokens, end_token(source))
        begin, before = (parser().parse_interactive("", start=start) for _ in range(2))
        return cls(source, tokens, layout.unclosed, list(layout.dropped), layout.dropped, begin, before)

    def read(self) -> Tree[Token] | None:
        """Lark's tree of the text, or None where nothing could be read."""
        while self.place < len(self.tokens) - 1:
            token = self.tokens[self.place]
            if token.start_pos == token.end_pos:
                self._report_made(token)
            if self._reads(token):
                self.place += 1
            elif self.repairs < _REPAIRS:
                self.repairs += 1
                self._repair()
            else:
                self._skip(len(self.tokens) - 1)
        if END not in (accepts := self._accepts()) and len(self.open) == 1:
            self._report(self._misplaced(accepts))
        while len(self.open) > 1 and self._complete("RBRACE", "RBRACE"):
            if not self._reads(made("}", len(self.source.text))):
                return None
        if not self._complete(END, END):  # behind a new line an item must follow: one that is dropped again
            self._reads(self._made("param"))
        if not self._complete(END, END):
            return None
        return self.parser.feed_eof()  # type: ignore[no-untyped-call,no-any-return]

    def _reads(self, token: Token) -> bool:
        """Read a token if it can stand here."""
        if token.type not in self.parser.choices():  # type: ignore[no-untyped-call]
            return False
        try:
            self.parser.feed_token(token)
        except UnexpectedToken:
            return False
        self._note(token)
        return True

    def _note(self, token: Token) -> None:
        kind = str(token)
        if kind in _VALUES:
            self.open.append((kind, bool(token.end_pos != token.start_pos) and token.start_pos not in self.unclosed))
        elif kind == "{":
            head = str(self.tokens[self.line])
            outer = self.open[-1][0]
            is_recipe = (outer, head) in {("file", "train"), ("train", "group")}
            self.open.append((head if is_recipe else "body", True))
        elif kind in {")", "]", "}"} and len(self.open) > 1:
            self.open.pop()
        if token.type == NEW_LINE or (kind in {"{", "|"} and not self._is_in_values()):
            is_made = token is not self.tokens[self.place]
            self._start_line(self.place if is_made else self.place + 1, keeps_repairs=is_made)

    def _start_line(self, place: int, *, keeps_repairs: bool = False) -> None:
        """Start a line with the token at `place`. `keeps_repairs`: its repairs count with those of the line before."""
        # A shallow copy will do: nothing is read with the other that changes values read before.
        self.before_line = self.parser.copy(deepcopy_values=False)  # type: ignore[no-untyped-call]
        self.line = place
        if not keeps_repairs:
            self.line_repairs = 0

    # ---- repairs

    def _repair(self) -> None:
        """Change what is read so that the token at `place`, or one behind it, can be read."""
        accepts = self._accepts()
        misspelt = self._reads_misspelt_keyword()
        self._report(misspelt or self._misplaced(accepts))
        self.line_repairs += 1
        if misspelt:
            return
        if self.line_repairs > _LINE_REPAIRS:
            self.open = [(kind, is_closed and kind not in _VALUES) for kind, is_closed in self.open]
        token, end = self.tokens[self.place], self._end()
        kind = self.open[-1][0]
        target = self.tokens[end]
        if self.line_repairs > _LINE_REPAIRS and end > self.place:
            self._complete(target.type, target.type)
            self._skip(end)
        elif self._separates(token, kind):
            pass
        elif self._is_extra(token, end):
            self._skip(self.place + 1)
        elif self._complete(token.type, target.type):
            if token.type not in self._accepts() and not self._separates(token, kind):
                self._skip_to_start(end, kind)
        elif not self._separates(token, kind):
            self._open_body(token, kind)

    def _separates(self, token: Token, kind: str) -> bool:
        """Read the new line, or in values the comma, that was forgotten before a token, if one was."""
        separator, separator_kind = (",", "COMMA") if kind in _VALUES else ("\n", NEW_LINE)
        is_forgotten = _begins(token, kind) and separator_kind in self._accepts()
        return is_forgotten and self._reads(self._made(separator, separator_kind))

    def _is_extra(self, token: Token, end: int) -> bool:
        """Whether the line goes on without this token."""
        is_last = self.place + 1 >= end
        return not is_last and token not in _WITH_PLACES and self.tokens[self.place + 1].type in self._accepts()

    def _report_made(self, token: Token) -> None:
        """Note the mistake for which the layout has made a brace, unless the text has a brace too few or too many."""
        text = self.source.text
        if str(token) == "{":
            here = Token(NEW_LINE, "\n", start_pos=token.start_pos)
            self.mistakes.append(Misplaced(self.source, here, self._accepts(), Brackets((), ())).diagnostic())
        elif text.count("{") == text.count("}"):
            item = next((one for one in self.tokens[self.place :] if one in ITEMS), None)
            if item is not None:
                opening = Brackets((token,), ())
                self.mistakes.append(Misplaced(self.source, item, set(), opening).diagnostic())

    def _report(self, mistake: Diagnostic) -> None:
        """Note the first mistake of a line, unless it comes of a bracket that is never closed."""
        is_end = _kind(self.tokens[self.place]) in _ENDS
        comes_of_bracket = is_end and any(kind in _VALUES and not is_closed for kind, is_closed in self.open)
        if self.line_repairs == 0 and not comes_of_bracket:
            self.mistakes.append(mistake)

    def _misplaced(self, accepts: set[str]) -> Diagnostic:
        token = self.tokens[self.place]
        return Misplaced(self.source, token, accepts, Brackets.of(self.tokens[: self.place])).diagnostic()

    def _reads_misspelt_keyword(self) -> Diagnostic | None:
        """Read a line as if its first word were the nearest keyword, if all of it is right then."""
        if self.tried_line == self.line:
            return None
        self.tried_line = self.line
        first = self.tokens[self.line]
        end = self._end()
        meant = nearest(str(first), KEYWORDS) if first.type == "NAME" and self.line <= self.place else None
        if meant is None:
            return None
        trial = self.before_line.copy(deepcopy_values=False)  # type: ignore[no-untyped-call]
        keyword = made(meant, first.start_pos or 0, first.end_pos)
        try:
            for token in (keyword, *self.tokens[self.line + 1 : end]):
                trial.feed_token(token)
        except UnexpectedToken:
            return None
        if self.tokens[end].type not in trial.accepts():
            return None
        self.parser, self.place = trial, end
        self.tokens = [*self.tokens[: self.line], keyword, *self.tokens[self.line + 1 :]]
        span = span_of(self.source, first)
        message, help_text = f"`{first}` is not expected here", f"did you mean `{meant}`?"
        return Diagnostic("E0101", message, Label(span), help=(help_text,), fixes=replacement(span, meant))

    def _complete(self, wanted: str, target: str) -> bool:
        """Read what is missing until one of two kinds of tokens can stand here; whether that worked."""
        for _ in range(2 * limits.current().nesting):  # brackets to close, and little more
            accepted = self._accepts()
            is_in_made_body = self.open[-1] == ("body", False)
            if (wanted in accepted or target in accepted) and not is_in_made_body:
                return True
            if NEW_LINE in accepted and not self._is_in_values() and not is_in_made_body:
                return False  # nothing is missing
            for kind, text in _MISSING:
                is_others = text in _CLOSING and self.open[-1][1]  # the text has the partner of what is open
                if kind in accepted and not is_others:
                    self._reads(self._made(text, kind))
                    if text == "{":
                        self.open[-1] = ("body", False)
                    break
            else:
                return False
        return False

    def _open_body(self, token: Token, kind: str) -> None:
        """Read the head of some body before a `{` that has none; drop any other token."""
        if str(token) == "{" and kind in _HEADS:
            self._reads(self._made("\n", NEW_LINE))
            is_train = kind == "file" and self.tokens[self.place + 1] in SETTING_WORDS
            for text in ("train",) if is_train else _HEADS[kind]:
                self._reads(self._made(text, "" if text else "NAME"))
        if token.type in self._accepts():
            return
        if str(token) == "{":
            self._drop_partner()
        self._skip(self.place + 1)

    def _drop_partner(self) -> None:
        """Drop the `}` of the `{` at `place`."""
        depth = 0
        for i in range(self.place, len(self.tokens)):
            depth += (self.tokens[i] == "{") - (self.tokens[i] == "}")
            if depth == 0:
                self.tokens = [*self.tokens[:i], *self.tokens[i + 1 :]]
                return

    def _skip_to_start(self, end: int, kind: str) -> None:
        """Drop tokens up to one that can begin something, as if it stood on a line of its own, or up to `end`."""
        depth = 0
        for i in range(self.place, end):
            if depth == 0 and i > self.place and kind not in _VALUES and _begins(self.tokens[i], kind):
                self._skip(i)
                if NEW_LINE in self._accepts():
                    self._reads(self._made("\n", NEW_LINE))
                return
            depth += (self.tokens[i] in {"(", "["}) - (self.tokens[i] in {")", "]"})
        self._skip(max(end, self.place + (self.tokens[self.place].type not in self._accepts())))

    def _skip(self, end: int) -> None:
        """Drop the tokens before `end`."""
        dropped = self.tokens[self.place : end]
        real = [token for token in dropped if token.end_pos != token.start_pos]
        if real:
            self.skipped.append(Span(self.source, real[0].start_pos or 0, real[-1].end_pos or 0))
        self.place = max(self.place, end)
        if dropped and dropped[-1].type == NEW_LINE:  # a mistake in the next line is reported on its own
            self._start_line(self.place)

    # ---- places

    def _end(self) -> int:
        """Where what the next token stands in ends: an argument at a comma or bracket, a line at its end."""
        in_values = self._is_in_values() and self.open[-1][1]
        depth = 0
        for i in range(self.place, len(self.tokens)):
            token = self.tokens[i]
            if depth == 0 and in_values and token in {",", ")", "]"}:
                return i
            if _kind(token) in _ENDS and not (str(token) == "|" and (depth > 0 or in_values)):
                return i
            depth += (token in {"(", "["} and token.start_pos not in self.unclosed) - (token in {")", "]"})
        return len(self.tokens) - 1

    def _is_in_values(self) -> bool:
        return self.open[-1][0] in _VALUES

    def _accepts(self) -> set[str]:
        return self.parser.accepts()  # type: ignore[no-untyped-call,no-any-return]

    def _made(self, text: str, kind: str = "") -> Token:
        """A token in the gap before `place`."""
        following = self.tokens[self.place].start_pos or 0
        begin = max((token.end_pos or 0 for token in self.tokens[max(0, self.place - 1) : self.place]), default=0)
        gap = self.source.text[begin:following]
        end = min([begin + i for i in (gap.find("\n"), gap.find("#")) if i >= 0], default=following)
        start = begin if text == "" else end
        return made(text, start, end, kind or None)


_WITH_PLACES = frozenset([",", "->", "|", *OPENING, *_CLOSING])  # beside these a place stays empty


def _kind(token: Token) -> str:
    return token.type if token.type in {NEW_LINE, END} else str(token)


def _begins(token: Token, kind: str) -> bool:
    return token.type in _STARTS[kind] or token in _STARTS[kind]
