"""Parses any text by inserting and dropping tokens, and records an error for each repair.

A statement is a stage, setting, item or branch, or the head of a body; most stand on a line of their own. When the
parser doesn't accept a token, the first applicable repair lets it continue:

1. only the keyword that starts the statement is misspelt: read the keyword;
2. a new line (in a body) or a comma (among values) is missing before the token: insert it;
3. the token is superfluous: drop it;
4. something is missing: insert a hole, or the bracket, `=`, `in` ... that the grammar requires;
5. complete the statement as in 4, and drop the rest up to its end, a brace or, inside brackets, a comma.

`balancing` has balanced the braces before, so every repair is local to its statement. The number of repairs is
limited, and the tokens between them are read once, so the work is linear in the length of the text.
"""

from collections.abc import Callable
from functools import lru_cache
from itertools import islice

from cifar_dsl.foundation import cancellation, limits
from cifar_dsl.foundation.limits import Limits
from cifar_dsl.foundation.records import define, field, frozen
from cifar_dsl.language.diagnostics import Diagnostic, Label, nearest, replacement
from cifar_dsl.language.source import Source, Span
from cifar_dsl.language.syntax.balancing import balanced_tokens, inserted
from cifar_dsl.language.syntax.explanations import BracketReader, Brackets, Misplaced, end_token, span_of
from cifar_dsl.language.syntax.lalr import END, MisplacedError, Parser, Token, Tree
from cifar_dsl.language.syntax.newlines import NEW_LINE, OPENING
from cifar_dsl.language.syntax.tables import tables
from cifar_dsl.language.syntax.words import ITEMS, KEYWORDS, SETTING_WORDS

_REPAIRS = 200  # in one text
_STATEMENT_REPAIRS = 8  # in one statement
_ENDS = frozenset([NEW_LINE, END, "{", "}", "|"])  # of statements
# Insertions for something missing; the first that the grammar accepts is used. Empty texts are holes.
_MISSING = (
    ("RPAR", ")"),
    ("RSQB", "]"),
    ("RBRACE", "}"),
    ("NAME", ""),
    ("SIZE", ""),
    ("ARROW", "->"),  # of a pattern
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
# The tokens that can start a statement or value, by kind of bracket.
_STARTS = {
    "file": frozenset([*ITEMS]),
    "body": frozenset(["NAME", "let", "for", "repeat", "if"]),
    "train": frozenset(["NAME", "group"]),
    "group": frozenset(["NAME"]),
    "(": frozenset(["NAME", "NUMBER", "SIZE", "STRING", "true", "false", "not"]),
    "[": frozenset(["NAME", "NUMBER", "SIZE", "STRING", "true", "false", "not"]),
}
# A replacement for the unreadable head of a body.
_HEADS = {"file": ("block", "", "(", ")"), "body": ("repeat", "")}


@frozen
class Finding:
    """An error, and the offset of the statement that it is in."""

    error: Diagnostic
    statement: int


@frozen
class Repaired:
    """A repaired text: lark's tree, None if nothing is readable, what was found, and what had to be dropped.

    `unclosed` are the offsets of the `(` and `[` that are never closed; `stray`, a part of `skipped`, the surplus
    brackets.
    """

    tree: Tree | None
    findings: tuple[Finding, ...]
    skipped: tuple[Span, ...]
    unclosed: frozenset[int]
    stray: tuple[Span, ...]


def repaired(source: Source, start: str) -> Repaired:
    """The text, parsed by the rule `start` and repaired. Raises CancelledError."""
    return _repaired_within(source, start, limits.current())


@lru_cache(maxsize=2)  # the errors of a text and the check of its readable parts need the same
def _repaired_within(source: Source, start: str, bounds: Limits) -> Repaired:
    del bounds
    reader = _RepairingReader.of(source, start)
    tree = reader.read()
    return Repaired(tree, tuple(reader.findings), tuple(reader.skipped), reader.unclosed, reader.stray)


@define
class _RepairingReader:
    """Feeds the tokens of a text to the parser, and repairs the text where the parser rejects a token."""

    source: Source
    tokens: list[Token]
    unclosed: frozenset[int]
    skipped: list[Span]
    stray: tuple[Span, ...]  # the part of `skipped` that `balancing` dropped
    parser: Parser
    before_statement: Parser  # its state at the start of the current statement
    findings: list[Finding] = field(factory=list)
    place: int = 0  # index of the next token
    # The open brackets: "file", "body", "train", "group", "(" or "[", and whether the text closes them.
    open: list[tuple[str, bool]] = field(factory=lambda: [("file", True)])
    statement: int = 0  # index of its first token
    tried_statement: int = -1  # the last statement whose first word was tried as a misspelt keyword
    repairs: int = 0
    statement_repairs: int = 0
    inserted: int = 0  # braces that `balancing` inserted and the parser has read
    brackets: BracketReader = field(factory=BracketReader)
    bracketed: int = 0  # how many of the tokens it has read

    @classmethod
    def of(cls, source: Source, start: str) -> "_RepairingReader":
        """A reader at the start of a text, to be parsed by the rule `start`."""
        balanced = balanced_tokens(source)
        tokens = [*balanced.tokens, end_token(source)]
        begin, before = (Parser(tables(), start) for _ in range(2))
        return cls(source, tokens, balanced.unclosed, list(balanced.dropped), balanced.dropped, begin, before)

    def read(self) -> Tree | None:
        """Lark's tree of the repaired text, or None if nothing is readable. Raises CancelledError."""
        cancelling = cancellation.current()
        while self.place < len(self.tokens) - 1:
            cancelling.raise_if_requested()
            token = self.tokens[self.place]
            if token.start == token.end and self.inserted < _REPAIRS:
                self.inserted += 1
                self._report_inserted(token)
            if self._reads(token):
                self.place += 1
            elif self.repairs < _REPAIRS:
                self.repairs += 1
                self._repair()
            else:
                self._skip(len(self.tokens) - 1)
        if len(self.open) == 1 and not self.parser.can_read(END):
            self._report(self._misplaced)
        while len(self.open) > 1 and self._complete("RBRACE", "RBRACE"):
            if not self._reads(inserted("}", len(self.source.text))):
                return None
        if not self._complete(END, END):  # an item must follow a new line: insert one, which the builder drops
            self._reads(self._inserted("param"))
        if not self._complete(END, END):
            return None
        return self.parser.finish()

    def _reads(self, token: Token) -> bool:
        """Read a token if the parser accepts it; whether it did."""
        can_stand = self.parser.read(token)
        if can_stand:
            self._track(token)
        return can_stand

    def _track(self, token: Token) -> None:
        kind = str(token)
        if kind in _VALUES:
            self.open.append((kind, bool(token.end != token.start) and token.start not in self.unclosed))
        elif kind == "{":
            head = str(self.tokens[self.statement])
            outer = self.open[-1][0]
            is_recipe = (outer, head) in {("file", "train"), ("train", "group")}
            self.open.append((head if is_recipe else "body", True))
        elif kind in {")", "]", "}"} and len(self.open) > 1:
            self.open.pop()
        if token.type == NEW_LINE or (kind in {"{", "|"} and not self._is_in_values()):
            is_inserted = token is not self.tokens[self.place]
            self._start_statement(self.place if is_inserted else self.place + 1, keeps_repairs=is_inserted)

    def _start_statement(self, place: int, *, keeps_repairs: bool = False) -> None:
        """Start a statement at the token `place`. `keeps_repairs`: continue the repair count of the previous one."""
        # A shallow copy is enough: parsing never changes values that were parsed before.
        self.before_statement = self.parser.copy()
        self.statement = place
        if not keeps_repairs:
            self.statement_repairs = 0

    # ---- repairs

    def _repair(self) -> None:
        """Repair the text so that the token at `place`, or a later one, can be read."""
        misspelt = self._reads_misspelt_keyword()
        self._report(lambda: misspelt or self._misplaced())
        self.statement_repairs += 1
        if misspelt:
            return
        if self.statement_repairs > _STATEMENT_REPAIRS:
            self.open = [(kind, is_closed and kind not in _VALUES) for kind, is_closed in self.open]
        token, end = self.tokens[self.place], self._end()
        kind = self.open[-1][0]
        target = self.tokens[end]
        if self.statement_repairs > _STATEMENT_REPAIRS and end > self.place:
            self._complete(target.type, target.type)
            self._skip(end)
        elif self._insert_separator(token, kind):
            pass
        elif self._is_extra(token, end):
            self._skip(self.place + 1)
        elif self._complete(token.type, target.type):
            if not self.parser.can_read(token.type) and not self._insert_separator(token, kind):
                self._skip_to_start(end, kind)
        elif not self._insert_separator(token, kind):
            self._open_body(token, kind)

    def _insert_separator(self, token: Token, kind: str) -> bool:
        """Insert the new line, or among values the comma, that is missing before a token, if any; whether it did."""
        separator, separator_kind = (",", "COMMA") if kind in _VALUES else ("\n", NEW_LINE)
        is_missing = _begins(token, kind) and self.parser.can_read(separator_kind)
        return is_missing and self._reads(self._inserted(separator, separator_kind))

    def _is_extra(self, token: Token, end: int) -> bool:
        """Whether the statement can continue without this token."""
        kind, is_closed = self.open[-1]
        is_stray = kind in {"file", "train", "group"} or (self._is_in_values() and is_closed)
        if str(token) == "|" and is_stray:  # no branch begins here
            return self.place + 1 < len(self.tokens) and self.parser.can_read(self.tokens[self.place + 1].type)
        is_last = self.place + 1 >= end
        return not is_last and token not in _WITH_PLACES and self.parser.can_read(self.tokens[self.place + 1].type)

    def _report_inserted(self, token: Token) -> None:
        """Record the error for which `balancing` inserted a brace, unless the text has unequal numbers of braces."""
        text = self.source.text
        if str(token) == "{":
            here = Token(NEW_LINE, "\n", token.start)
            self._record(Misplaced(self.source, here, self.parser.accepts(), Brackets((), ())).diagnostic())
        elif text.count("{") == text.count("}"):
            item = next((one for one in islice(self.tokens, self.place, None) if one in ITEMS), None)
            if item is not None:
                opening = Brackets((token,), ())
                self._record(Misplaced(self.source, item, set(), opening).diagnostic())

    def _report(self, error: Callable[[], Diagnostic]) -> None:
        """Record the first error of a statement, unless it results from an unclosed bracket."""
        is_end = _kind(self.tokens[self.place]) in _ENDS
        follows_from_bracket = is_end and any(kind in _VALUES and not is_closed for kind, is_closed in self.open)
        if self.statement_repairs == 0 and not follows_from_bracket:
            self._record(error())

    def _record(self, error: Diagnostic) -> None:
        self.findings.append(Finding(error, self.tokens[min(self.statement, len(self.tokens) - 1)].start))

    def _misplaced(self) -> Diagnostic:
        for i in range(self.bracketed, self.place):
            self.brackets.next(self.tokens[i])
        self.bracketed = max(self.bracketed, self.place)
        token, accepts = self.tokens[self.place], self.parser.accepts()
        return Misplaced(self.source, token, accepts, self.brackets.brackets).diagnostic()

    def _reads_misspelt_keyword(self) -> Diagnostic | None:
        """Replace the first word of a statement with the nearest keyword if it then parses; the error, or None."""
        if self.tried_statement == self.statement:
            return None
        self.tried_statement = self.statement
        first = self.tokens[self.statement]
        end = self._end()
        meant = nearest(str(first), KEYWORDS) if first.type == "NAME" and self.statement <= self.place else None
        if meant is None:
            return None
        trial = self.before_statement.copy()
        keyword = inserted(meant, first.start, first.end)
        try:
            for token in (keyword, *self.tokens[self.statement + 1 : end]):
                trial.feed(token)
        except MisplacedError:
            return None
        if not trial.can_read(self.tokens[end].type):
            return None
        self.parser, self.place = trial, end
        self.tokens[self.statement] = keyword
        span = span_of(self.source, first)
        message, help_text = f"unexpected `{first}`", f"did you mean `{meant}`?"
        return Diagnostic("E0101", message, Label(span), help=(help_text,), fixes=replacement(span, meant))

    def _complete(self, wanted: str, target: str) -> bool:
        """Insert missing tokens until the parser accepts one of two kinds of tokens; whether it does."""
        for _ in range(2 * limits.current().nesting):  # enough to close all brackets
            can_read = self.parser.can_read
            is_in_inserted_body = self.open[-1] == ("body", False)
            if not is_in_inserted_body:
                if can_read(wanted) or can_read(target):
                    return True
                if not self._is_in_values() and can_read(NEW_LINE):
                    return False  # nothing is missing
            for kind, text in _MISSING:
                is_others = text in _CLOSING and self.open[-1][1]  # the text closes this bracket itself
                if not is_others and can_read(kind):
                    self._reads(self._inserted(text, kind))
                    if text == "{":
                        self.open[-1] = ("body", False)
                    break
            else:
                return False
        return False

    def _open_body(self, token: Token, kind: str) -> None:
        """Insert a head before a `{` that has none; drop any other token."""
        if str(token) == "{" and kind in _HEADS:
            self._reads(self._inserted("\n", NEW_LINE))
            is_train = kind == "file" and self.tokens[self.place + 1] in SETTING_WORDS
            for text in ("train",) if is_train else _HEADS[kind]:
                self._reads(self._inserted(text, "" if text else "NAME"))
        if self.parser.can_read(token.type):
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
                del self.tokens[i]
                return

    def _skip_to_start(self, end: int, kind: str) -> None:
        """Drop tokens up to one that can start a statement, and start it there, or up to `end`."""
        depth = 0
        for i in range(self.place, end):
            if depth == 0 and i > self.place and kind not in _VALUES and _begins(self.tokens[i], kind):
                self._skip(i)
                if self.parser.can_read(NEW_LINE):
                    self._reads(self._inserted("\n", NEW_LINE))
                return
            depth += (self.tokens[i] in {"(", "["}) - (self.tokens[i] in {")", "]"})
        self._skip(max(end, self.place + (not self.parser.can_read(self.tokens[self.place].type))))

    def _skip(self, end: int) -> None:
        """Drop the tokens before `end`."""
        dropped = self.tokens[self.place : end]
        real = [token for token in dropped if token.end != token.start]
        if real:
            self.skipped.append(Span(self.source, real[0].start, real[-1].end))
        self.place = max(self.place, end)
        if dropped and dropped[-1].type == NEW_LINE:  # the next line has an error of its own
            self._start_statement(self.place)

    # ---- places

    def _end(self) -> int:
        """The index at which the current argument or statement ends."""
        in_values = self._is_in_values() and self.open[-1][1]
        depth = 0
        for i in range(self.place, len(self.tokens)):
            token = self.tokens[i]
            if depth == 0 and in_values and token in {",", ")", "]"}:
                return i
            if _kind(token) in _ENDS and not (str(token) == "|" and (depth > 0 or in_values)):
                return i
            depth += (token in {"(", "["} and token.start not in self.unclosed) - (token in {")", "]"})
        return len(self.tokens) - 1

    def _is_in_values(self) -> bool:
        return self.open[-1][0] in _VALUES

    def _inserted(self, text: str, kind: str = "") -> Token:
        """A token inserted in the gap before `place`."""
        following = self.tokens[self.place].start
        begin = max((token.end for token in self.tokens[max(0, self.place - 1) : self.place]), default=0)
        gap = self.source.text[begin:following]
        end = min([begin + i for i in (gap.find("\n"), gap.find("#")) if i >= 0], default=following)
        start = begin if text == "" else end
        return inserted(text, start, end, kind or None)


_WITH_PLACES = frozenset([",", "->", "|", *OPENING, *_CLOSING])  # never superfluous: a hole is inserted beside them


def _kind(token: Token) -> str:
    return token.type if token.type in {NEW_LINE, END} else str(token)


def _begins(token: Token, kind: str) -> bool:
    return token.type in _STARTS[kind] or token in _STARTS[kind]
