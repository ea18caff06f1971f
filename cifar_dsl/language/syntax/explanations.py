"""Why something can't stand where it does in a text, and what could: the words for what `mistakes` finds."""

from collections.abc import Sequence

from lark import Token

from cifar_dsl.foundation.records import frozen
from cifar_dsl.language.diagnostics import Diagnostic, Label
from cifar_dsl.language.source import Source, Span
from cifar_dsl.language.syntax.layout import NEW_LINE, UnbalancedError
from cifar_dsl.language.syntax.tables import parser
from cifar_dsl.language.syntax.words import ITEMS, KEYWORDS, SETTING_WORDS, TERMINALS

END = "$END"
_ADVICE_FOR = {
    ";": ("a stage or a setting ends with its line",),
    "&": ("write `and`",),
    "!": ("write `not`; `!=` says that two values differ",),
    "?": ("write `a if condition else b`",),
    "^": ("there is no power; multiply",),
    "'": ('text stands in double quotes: "base.arch"',),
    "@": ("comments begin with `#`",),
    "→": ("write `->`",),
}
_PARTNERS = {"(": ")", "[": "]", "{": "}"}


@frozen
class Brackets:
    """The brackets of some tokens: those that are open at the end, and pairs of those that are not."""

    open: tuple[Token, ...]
    pairs: tuple[tuple[Token, Token], ...]

    @classmethod
    def of(cls, tokens: Sequence[Token]) -> "Brackets":
        """Those of a text as far as these tokens go."""
        waiting: list[Token] = []
        pairs: list[tuple[Token, Token]] = []
        for token in tokens:
            if token in _PARTNERS:
                waiting.append(token)
            elif token in _PARTNERS.values() and waiting:
                pairs.append((waiting.pop(), token))
        return cls(tuple(waiting), tuple(pairs))


def _unclosed(source: Source, brackets: Brackets) -> Diagnostic:
    """Names the bracket that most likely lacks its partner.

    Where a `}` stands further left than the line of the `{` that it closes, it was meant for an outer one.
    """
    opening = brackets.open[-1]
    for candidate, closing in brackets.pairs:
        line = source.line_text(candidate.line or 1)
        indent = len(line) - len(line.lstrip())
        if _is_first_on_its_line(source, closing) and (closing.column or 1) - 1 < indent:
            opening = candidate
            break
    return _never_closed(source, opening)


def _never_closed(source: Source, opening: Token) -> Diagnostic:
    help_text = f"add `{_PARTNERS[str(opening)]}` where it should end"
    return Diagnostic("E0102", f"this `{opening}` is never closed", Label(span_of(source, opening)), help=(help_text,))


def unbalanced_mistake(
    source: Source, error: UnbalancedError, brackets: Brackets, stray: Sequence[Span] = ()
) -> Diagnostic:
    """What to say of brackets that don't go together.

    `brackets` are those of all tokens before; `stray` those that `tolerant_layout` found to be too many.
    """
    token, opening = error.token, error.opening
    if token is None:
        return _unclosed(source, brackets)
    if opening in {"(", "["} and token in {"{", "}"}:
        return _never_closed(source, opening)
    label = Label(span_of(source, token))
    if opening is None:
        label = next((Label(span) for span in stray if span.text == str(token)), label)
        return Diagnostic("E0102", f"this `{token}` closes nothing", label, help=("delete it",))
    return Diagnostic(
        "E0102",
        f"`{token}` does not close `{opening}`",
        label,
        secondary=(Label(span_of(source, opening), "opened here"),),
        help=(f"close it with `{_PARTNERS[str(opening)]}` first",),
    )


def character_mistake(source: Source, offset: int) -> Diagnostic:
    """What to say of a character that begins no word."""
    character = source.text[offset]
    help_text: tuple[str, ...] = ()
    if character == '"':
        message, help_text = "this text is not closed on its line", ('close it with `"`',)
    else:
        message = f"`{character}` means nothing here"
        help_text = _ADVICE_FOR.get(character, ("it may be invisible in your editor",) if ord(character) > 127 else ())
    return Diagnostic("E0101", message, Label(Span(source, offset, offset + 1)), help=help_text)


@frozen
class Misplaced:
    """Why a token can't stand where it does; `accepts` names what could."""

    source: Source
    token: Token
    accepts: set[str]
    brackets: Brackets

    def diagnostic(self) -> Diagnostic:
        """What to say of it."""
        token = self.token
        if token in ITEMS and self.brackets.open and _is_first_on_its_line(self.source, token):
            if self.source.text.count("{") != self.source.text.count("}"):
                return _unclosed(self.source, self.brackets)
            message, label = f"`{token}` stands inside of braces", Label(span_of(self.source, token))
            return Diagnostic("E0101", message, label, help=("put it outside of all braces",))
        expected = _expected(self.accepts)
        if token.type in {END, NEW_LINE}:
            found, span = "the line ends here", _end_of_text_before(self.source, token)
            if token.type == END:
                found = "the text ends here"
        else:
            found, span = f"`{token}` is not expected here", span_of(self.source, token)
        message = f"{found}; expected {expected}" if expected else found
        return Diagnostic("E0101", message, Label(span), help=self._advice(span, expected))

    def _advice(self, span: Span, expected: str) -> tuple[str, ...]:
        token = self.token
        line = self.source.line_text(span.line).strip()
        first_word = line.split(maxsplit=1)[0] if line else ""
        if expected == "`arch` or `library`":
            return ("a spec starts with its name: `arch NAME`",)
        if first_word == "group" and expected == "a name":
            return ("a group has a name, by which it is overridden: `group NAME {`",)
        if str(token) in KEYWORDS:
            return (f"`{token}` is a word of the language; choose another name",)
        if token.type == "EQUAL" and self.source.text.startswith("=>", token.start_pos or 0):
            return ("write `->`",)
        if token.type == "EQUAL" and first_word in SETTING_WORDS:
            return ("settings of `train` are written without `=`: `batch 64`",)
        if token.type == "EQUAL" and first_word.isidentifier():
            return ("name a value or a tensor with `let`; two values are compared by `==`",)
        if str(token) == "//":
            return ("comments begin with `#`; `//` divides",)
        if token in {"->", "|"}:
            return (f"there is no stage before this `{token}`",)
        if self.brackets.open and token.type in {"NAME", "SIZE", "NUMBER"}:
            return ("put stages on lines of their own, or `->` between them",)
        return ()


def _is_first_on_its_line(source: Source, token: Token) -> bool:
    start = token.start_pos or 0
    return not source.text[source.line_start(source.position(start)[0]) : start].strip()


def _end_of_text_before(source: Source, token: Token) -> Span:
    end = len(source.text) if token.type == END else (token.start_pos or 0)
    kept = len(source.text[:end].rstrip())
    return Span(source, max(0, kept - 1), kept)


def end_token(source: Source) -> Token:
    """The token behind the last one."""
    return Token(END, "", len(source.text))


def _expected(accepts: set[str]) -> str:
    """The acceptable continuations in words, or "" where there are too many to help."""
    literals = {terminal.name: terminal.pattern.value for terminal in parser().terminals}
    words = [TERMINALS.get(name) or f"`{_plain(literals.get(name, name))}`" for name in sorted(accepts)]
    if len(words) > 8:
        return ""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}" if words else ""


def _plain(pattern: str) -> str:
    return pattern.replace("\\", "")


def span_of(source: Source, token: Token) -> Span:
    """Where a token stands."""
    start = token.start_pos or 0
    return Span(source, start, start + len(token))
