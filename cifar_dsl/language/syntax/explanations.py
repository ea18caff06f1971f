"""The messages of syntax errors: what is unexpected, what is expected instead, and how to fix it."""

import re
import unicodedata
from collections.abc import Iterable, Sequence

from cifar_dsl.foundation.records import define, field, frozen
from cifar_dsl.language.diagnostics import Diagnostic, Label
from cifar_dsl.language.source import Source, Span
from cifar_dsl.language.syntax.lalr import END, Token
from cifar_dsl.language.syntax.newlines import NEW_LINE, UnbalancedError
from cifar_dsl.language.syntax.tables import terminals
from cifar_dsl.language.syntax.words import ITEMS, KEYWORDS, SETTING_WORDS, TERMINALS

_TARGETS = re.compile(r"for +(?P<names>[A-Za-z_]\w*(?: *, *[A-Za-z_]\w*)+) +in\b")
_NAMED_BODY = re.compile(r"let +(?P<name>[A-Za-z_]\w*) *= *\{")
_NO_POWER = "there is no power operator: list the values, as in `width * [1, 2, 4][i]`, or `for c in [32, 64, 128]`"
_ADVICE_FOR = {
    ";": ("put each stage or setting on a line of its own",),
    "&": ("write `and`",),
    "!": ("write `not`, or `!=` to compare",),
    "?": ("write `a if condition else b`",),
    "^": (_NO_POWER,),
    "'": ('use double quotes: "base.arch"',),
    "@": ("comments start with `#`",),
    "→": ("write `->`",),
}
_NAMES = "names consist of the letters a to z and A to Z, digits and `_`, and don't start with a digit"
_LATE_NAME = re.compile(r":\s*(?P<shape>[0-9x]+)\s+as\s+(?P<name>[A-Za-z_]\w*)")
_NAMED_FIRST = r"as \g<name> : \g<shape>"
_HEADER = re.compile(r"^[ \t]*(arch|library)\s+\w", re.MULTILINE)
_OTHER_LANGUAGES = {
    "Python": re.compile(r"^(import \w.*|from [\w.]+ import .*|class \w+.*:[ \t]*|def \w+\(.*)$", re.MULTILINE),
    "JSON": re.compile(r"\A\s*(\{\s*[\"}]|\[\s*[\[{\"\]]).*"),
    "HTML or XML": re.compile(r"\A\s*<[!?A-Za-z].*"),
}
_PARTNERS = {"(": ")", "[": "]", "{": "}"}
_CLOSING = frozenset(_PARTNERS.values())
_MOST_EXPECTED = 8  # terminals that a message lists


@frozen
class Brackets:
    """The brackets among some tokens: those still open at the end, and the closed pairs."""

    open: tuple[Token, ...]
    pairs: tuple[tuple[Token, Token], ...]

    @classmethod
    def of(cls, tokens: Iterable[Token]) -> "Brackets":
        """The brackets of the first tokens of a text."""
        read = BracketReader()
        for token in tokens:
            read.next(token)
        return read.brackets


@define
class BracketReader:
    """Finds the brackets among tokens that it reads one by one."""

    _open: list[Token] = field(factory=list)
    _pairs: list[tuple[Token, Token]] = field(factory=list)

    def next(self, token: Token) -> None:
        """Read the next token."""
        if token in _PARTNERS:
            self._open.append(token)
        elif token in _CLOSING and self._open:
            self._pairs.append((self._open.pop(), token))

    @property
    def brackets(self) -> Brackets:
        """The brackets of the tokens that were read."""
        return Brackets(tuple(self._open), tuple(self._pairs))


def _unclosed(source: Source, brackets: Brackets) -> Diagnostic:
    """The error for the bracket that most likely lacks its partner.

    If a `}` is indented less than the line of the `{` that it closes, it was meant for an outer one.
    """
    opening = brackets.open[-1]
    for candidate, closing in brackets.pairs:
        line = source.line_text(source.position(candidate.start)[0])
        indent = len(line) - len(line.lstrip())
        if _is_first_on_its_line(source, closing) and source.position(closing.start)[1] - 1 < indent:
            opening = candidate
            break
    return never_closed(source, opening)


def never_closed(source: Source, opening: Token) -> Diagnostic:
    """The error for an open bracket without a partner, or for a body among the values in it."""
    line = source.text[opening.end :].partition("\n")[0]
    values, brace, _ = line.partition("{")
    if (
        str(opening) == "("
        and brace
        and _is_closed(source, opening.end, "(")
        and values.count("(") >= values.count(")")
    ):
        body = Span(source, opening.end + len(values), opening.end + len(values) + 1)
        help_text = "branches stand after the call, as in `residual(p=0.1) { conv(8, 1) }`"
        return Diagnostic("E0102", "a body can't be an argument", Label(body), help=(help_text,))
    help_text = f"close it with `{_PARTNERS[str(opening)]}`"
    return Diagnostic("E0102", f"this `{opening}` is never closed", Label(span_of(source, opening)), help=(help_text,))


def unbalanced_error(
    source: Source, error: UnbalancedError, brackets: Brackets, stray: Sequence[Span] = ()
) -> Diagnostic:
    """The diagnostic for unbalanced brackets.

    `brackets`: those of all earlier tokens; `stray`: the surplus brackets that `balancing` drops.
    """
    token, opening = error.token, error.opening
    if token is None:
        return _unclosed(source, brackets)
    if opening in {"(", "["} and token in {"{", "}"}:
        return never_closed(source, opening)
    label = Label(span_of(source, token))
    if opening is None or opening == "{":
        label = next((Label(span) for span in stray if span.text == str(token)), label)
        help_text = (
            "delete it" if str(token) == "}" else f"delete it, or write the `{_opening_of(token)}` that it closes"
        )
        return Diagnostic("E0102", f"unmatched `{token}`", label, help=(help_text,))
    return Diagnostic(
        "E0102",
        f"`{token}` doesn't close `{opening}`",
        label,
        secondary=(Label(span_of(source, opening), "opened here"),),
        help=(
            f"close it with `{_PARTNERS[str(opening)]}` first, or write the `{_opening_of(token)}` that this closes",
        ),
    )


def _opening_of(closing: Token) -> str:
    return next(opening for opening, partner in _PARTNERS.items() if partner == closing)


def character_error(source: Source, offset: int) -> Diagnostic:
    """The diagnostic for a character that starts no token."""
    character = source.text[offset]
    help_text: tuple[str, ...] = ()
    if character == '"':
        message, help_text = "this string is not closed on its line", ('close it with `"`',)
    else:
        message = f"unexpected character `{character}`"
        help_text = _ADVICE_FOR.get(character, () if character.isascii() else (_advice_for(character),))
    return Diagnostic("E0101", message, Label(Span(source, offset, offset + 1)), help=help_text)


def _advice_for(character: str) -> str:
    """What to do about a character outside ASCII."""
    if character.isalnum() or unicodedata.category(character).startswith("M"):
        return _NAMES
    return "delete it" if character.isprintable() else "delete it; it may be invisible in your editor"


@frozen
class Misplaced:
    """A token that the grammar doesn't accept at its place; `accepts` names the terminals that it does."""

    source: Source
    token: Token
    accepts: set[str]
    brackets: Brackets

    def diagnostic(self) -> Diagnostic:
        """The diagnostic for the token."""
        token = self.token
        if token in ITEMS and self.brackets.open and _is_first_on_its_line(self.source, token):
            if self.source.text.count("{") != self.source.text.count("}"):
                return _unclosed(self.source, self.brackets)
            message, label = f"`{token}` is not allowed inside braces", Label(span_of(self.source, token))
            return Diagnostic("E0101", message, label, help=("move it outside all braces",))
        opening = self.brackets.open[-1] if self.brackets.open else None
        if str(token) == "->" and opening in {"(", "["} and not _is_closed(self.source, token.start, str(opening)):
            return never_closed(self.source, opening)
        expected = _expected(self.accepts)
        if token.type in {END, NEW_LINE}:
            problem, span = "unexpected end of line", _end_of_text_before(self.source, token)
            if token.type == END:
                problem = "unexpected end of file"
        else:
            problem, span = f"unexpected `{token}`", span_of(self.source, token)
        message = f"{problem}; expected {expected}" if expected else problem
        return Diagnostic("E0101", message, Label(span), help=self._advice(span, expected))

    def _advice(self, span: Span, expected: str) -> tuple[str, ...]:
        token = self.token
        line = self.source.line_text(span.line).strip()
        first_word = line.split(maxsplit=1)[0] if line else ""
        if expected == "`arch` or `library`":
            return ("start the spec with its name: `arch NAME`",)
        if expected == "a name" and token.type in {"NUMBER", "SIZE"}:
            return (_NAMES,)
        if first_word == "group" and expected == "a name":
            return ("give the group a name: `group NAME {`",)
        if str(token) == "as" and _LATE_NAME.search(line):
            return (f"write `{_LATE_NAME.sub(_NAMED_FIRST, line, count=1)}`: the name comes before the shape",)
        if str(token) in KEYWORDS:
            return (f"`{token}` is a keyword; choose another name",)
        if token.type == "EQUAL" and self.source.text.startswith("=>", token.start):
            return ("write `->`",)
        if token.type == "EQUAL" and first_word in SETTING_WORDS:
            return ("write settings of `train` without `=`: `batch 64`",)
        if token.type == "EQUAL" and self.source.text[: token.start].rstrip()[-1:] in {"+", "-", "*"}:
            return ("numbers don't change; to change a named tensor, write `x = add { x | ... }`",)
        if token.type == "EQUAL" and first_word.isidentifier():
            return ("define a value or a tensor with `let`; compare values with `==`",)
        if first_word == "for" and (targets := _TARGETS.match(line)):
            return (f"write `for ({targets['names']}) in`",)
        if first_word == "for" and str(token) == "(" and line.startswith("for ("):
            return ("the names of a loop aren't nested: name an item, `for (i, pair) in`, and write `pair[0]`",)
        if str(token) == "*" and self.source.text[: token.start].endswith("*"):
            return (_NO_POWER,)
        if str(token) == "//":
            return ("comments start with `#`; `//` is integer division",)
        if str(token) == "{" and (named := _NAMED_BODY.match(line)):
            name = named["name"]
            shared = f"for uses that share their weights, write `let {name} = tied {{ ... }}`"
            return f"to name stages, write `block {name}() {{ ... }}` outside the model", shared
        if token in {"|", "}"} and (before := self._in_branches()):
            if str(token) == "}" and before == "{":
                return ("write its branches, such as `identity | relu`",)
            return ("write `identity` for a branch that passes on its input",) if before in {"{", "|"} else ()
        if str(token) == "|":
            return ("`|` separates the branches of a join, such as `add { identity | relu }`",)
        if str(token) == "->" and self.brackets.open and self.brackets.open[-1] == "[":
            return ("name the tensor before the list: `let x = ...` with these stages, then `[x]`",)
        if str(token) == "->" and self.brackets.open and self.brackets.open[-1] != "{":
            return ("define a block of these stages, and pass the block's name as the argument",)
        if str(token) == "->":
            return (f"there is no stage before this `{token}`",)
        if token.type in {"NAME", "SIZE", "NUMBER"} and self.brackets.open and self.brackets.open[-1] in {"(", "["}:
            if self._in_pattern():
                return ("separate axes with commas; `a * b` splits an axis or merges two",)
            return ("separate values with commas",)
        if self.brackets.open and token.type in {"NAME", "SIZE", "NUMBER"}:
            return ("put each stage on a line of its own, or connect them with `->`",)
        return ()

    def _in_pattern(self) -> bool:
        """Whether the round brackets around a token have an arrow on this line."""
        starts = (one.end for one in self.brackets.open if one == "(")
        return any("->" in self.source.text[start:].partition("\n")[0].partition(")")[0] for start in starts)

    def _in_branches(self) -> str:
        """The character before a token in braces with branches; "" for a token anywhere else."""
        if not self.brackets.open or str(self.brackets.open[-1]) != "{":
            return ""
        before = re.split(r"->|[{|=\n]", self.source.text[: self.brackets.open[-1].start].rstrip())[-1]
        head = re.match(r"\s*(\w+)", before)
        if head is None or head[1] in KEYWORDS:
            return ""
        return self.source.text[: self.token.start].rstrip()[-1]


def _is_closed(source: Source, place: int, opening: str) -> bool:
    """Whether the bracket that is open before a place is closed on the line of the place."""
    depth = 0
    for character in source.text[place:].partition("\n")[0]:
        depth += (character == opening) - (character == _PARTNERS[opening])
        if depth < 0:
            return True
    return False


def _is_first_on_its_line(source: Source, token: Token) -> bool:
    start = token.start
    return not source.text[source.line_start(source.position(start)[0]) : start].strip()


def _end_of_text_before(source: Source, token: Token) -> Span:
    end = len(source.text) if token.type == END else (token.start)
    kept = len(source.text[:end].rstrip())
    return Span(source, max(0, kept - 1), kept)


def end_token(source: Source) -> Token:
    """The end of the text as a token."""
    return Token(END, "", len(source.text))


def _expected(accepts: set[str]) -> str:
    """The accepted terminals in words, or "" if there are too many to be helpful."""
    if len(accepts) > _MOST_EXPECTED:
        return ""
    literals = {name: text for text, name in terminals().texts.items()}
    words = [TERMINALS.get(name) or f"`{_plain(literals.get(name, name))}`" for name in sorted(accepts)]
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}" if words else ""


def _plain(pattern: str) -> str:
    return pattern.replace("\\", "")


def other_language(source: Source) -> Diagnostic | None:
    """The error for a text without a header that is written in another language; None for any other text."""
    if _HEADER.search(source.text):
        return None
    for language, pattern in _OTHER_LANGUAGES.items():
        if found := pattern.search(source.text):
            start = found.end() - len(found[0].lstrip())
            return Diagnostic(
                "E0101",
                f"this is {language}, not a spec",
                Label(Span(source, start, found.end())),
                help=(
                    "start the spec with `arch NAME`, and write the network as stages: `model { conv(32, 3) -> relu }`",
                ),
            )
    return None


def span_of(source: Source, token: Token) -> Span:
    """The span of a token."""
    start = token.start
    return Span(source, start, start + len(token))
