"""Text -> syntax tree, or the diagnostic that says where the text stops making sense."""

from functools import lru_cache
from typing import Any, NoReturn, cast

from lark import Token
from lark.exceptions import UnexpectedCharacters, UnexpectedToken, VisitError

from cifar_dsl.diagnostics import Diagnostic, Label, SpecError, nearest
from cifar_dsl.limits import INTEGER_MAGNITUDE, NESTING
from cifar_dsl.source import Source, Span
from cifar_dsl.syntax import nodes
from cifar_dsl.syntax.builder import Builder, FractionError, OutOfRangeError
from cifar_dsl.syntax.layout import NEW_LINE, Layout, OversizeError, UnbalancedError
from cifar_dsl.syntax.tables import START_OVERRIDE, START_SPEC, parser

KEYWORDS = frozenset(
    [
        "arch",
        "library",
        "extends",
        "input",
        "param",
        "block",
        "model",
        "train",
        "group",
        "assert",
        "let",
        "as",
        "add",
        "concat",
        "mul",
        "for",
        "in",
        "repeat",
        "if",
        "else",
        "and",
        "or",
        "not",
        "true",
        "false",
    ]
)
SETTING_WORDS = frozenset(
    [
        "data",
        "normalize",
        "augment",
        "epochs",
        "batch",
        "drop_last",
        "optimizer",
        "schedule",
        "loss",
        "clip",
        "average",
        "test_augment",
        "precision",
    ]
)  # syntax may not know recipes; a test holds this against them
_ITEMS = ("input", "param", "block", "model", "train", "assert")
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
_HUMAN = {
    "NAME": "a name",
    "NUMBER": "a number",
    "SIZE": "a size such as 3x3",
    "STRING": "quoted text",
    NEW_LINE: "a new line",
    "$END": "the end of the file",
}
_COMPOSED = (
    nodes.CallExpression,
    nodes.Sequence,
    nodes.Prefixed,
    nodes.Operation,
    nodes.Conditional,
    nodes.Index,
)
_FORBIDDEN_BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


@lru_cache(maxsize=64)  # many specs of a folder extend the same one
def parse_spec(source: Source) -> nodes.Spec:
    """The tree of a whole file. Raises SpecError."""
    _check_characters(source)
    spec: nodes.Spec = _parse(source, START_SPEC)
    return spec


def parse_override(source: Source) -> nodes.Override:
    """The tree of one `--set`, such as `head=[64]` or `train.batch=128`. Raises SpecError."""
    _check_characters(source)
    override: nodes.Override = _parse(source, START_OVERRIDE)
    return override


def _check_characters(source: Source) -> None:
    for offset, character in enumerate(source.text):
        code = ord(character)
        is_control = (code < 0x20 and character not in "\t\n\r") or 0x7F <= code < 0xA0
        if is_control or character in _FORBIDDEN_BIDI:
            raise _error(
                "E0103",
                f"the character U+{code:04X} is not allowed in a spec",
                Span(source, offset, offset + 1),
                help=("delete it; it may be invisible in your editor",),
            )


def _parse(source: Source, start: str) -> Any:
    try:
        tree = Builder(source).transform(parser().parse(source.text, start=start))
    except UnbalancedError as error:
        _fail_unbalanced(source, error)
    except OversizeError as error:
        raise _error("E0104", error.limit, _span(source, error.token)) from None
    except UnexpectedCharacters as error:
        _fail_character(source, error.pos_in_stream or 0)
    except UnexpectedToken as error:
        _fail_token(source, error)
    except VisitError as error:
        match error.orig_exc:
            case OutOfRangeError(span=span):
                message = f"numbers are at most {INTEGER_MAGNITUDE:,} in magnitude"
                raise _error("E0104", message, span) from None
            case FractionError(span=span):
                raise _error("E0101", "the extents of a shape are integers", span) from None
        raise
    _check_depth(tree)
    return tree


def _check_depth(tree: object) -> None:
    """Bound the depth of expressions, which later passes walk by recursion.

    Brackets alone don't: between two of them stand up to nine levels of operators.
    """
    waiting = [(tree, 0)]
    while waiting:
        node, depth = waiting.pop()
        if isinstance(node, _COMPOSED):
            depth += 1
            if depth > NESTING:
                raise _error("E0104", f"expressions are nested at most {NESTING} deep", node.span)
        waiting.extend((child, depth) for child in nodes.children(node))


def _fail_unclosed(source: Source) -> NoReturn:
    """Name the bracket that most likely lacks its partner.

    Where a `}` stands further left than the line of the `{` that it closes, it was meant for an outer one.
    """
    layout = _layout()
    opening = layout.open_brackets[-1]
    for candidate, closing in layout.pairs:
        line = source.line_text(candidate.line or 1)
        indent = len(line) - len(line.lstrip())
        if _is_first_on_its_line(source, closing) and (closing.column or 1) - 1 < indent:
            opening = candidate
            break
    raise _error(
        "E0102",
        f"this `{opening}` is never closed",
        _span(source, opening),
        help=(f"add `{_partner(opening)}` where it should end",),
    ) from None


def _layout() -> Layout:
    return cast("Layout", parser().options.postlex)


def _fail_unbalanced(source: Source, error: UnbalancedError) -> NoReturn:
    if error.token is None:
        _fail_unclosed(source)
    token = error.token
    if error.opening is None:
        raise _error("E0102", f"this `{token}` closes nothing", _span(source, token), help=("delete it",)) from None
    raise _error(
        "E0102",
        f"`{token}` does not close `{error.opening}`",
        _span(source, token),
        secondary=(Label(_span(source, error.opening), "opened here"),),
        help=(f"close it with `{_partner(error.opening)}` first",),
    ) from None


def _partner(opening: Token) -> str:
    return {"(": ")", "[": "]", "{": "}"}[str(opening)]


def _fail_character(source: Source, offset: int) -> NoReturn:
    character = source.text[offset]
    help_text: tuple[str, ...] = ()
    if character == '"':
        message, help_text = "this text is not closed on its line", ('close it with `"`',)
    else:
        message = f"`{character}` means nothing here"
        help_text = _ADVICE_FOR.get(character, ("it may be invisible in your editor",) if ord(character) > 127 else ())
    raise _error("E0101", message, Span(source, offset, offset + 1), help=help_text) from None


def _fail_token(source: Source, error: UnexpectedToken) -> NoReturn:
    token: Token = error.token
    open_brackets = _layout().open_brackets
    if token in _ITEMS and open_brackets and _is_first_on_its_line(source, token):
        if source.text.count("{") == source.text.count("}"):
            message = f"`{token}` stands inside of braces"
            raise _error("E0101", message, _span(source, token), help=("put it outside of all braces",)) from None
        _fail_unclosed(source)
    expected = _expected(error)
    if token.type in {"$END", NEW_LINE}:
        found, span = "the line ends here", _end_of_text_before(source, token)
        if token.type == "$END":
            found = "the text ends here"
    else:
        found, span = f"`{token}` is not expected here", _span(source, token)
    raise _error(
        "E0101",
        f"{found}; expected {expected}" if expected else found,
        span,
        help=_advice(source, token, span, expected, in_body=bool(open_brackets)),
    ) from None


def _is_first_on_its_line(source: Source, token: Token) -> bool:
    start = token.start_pos or 0
    return not source.text[source.line_start(source.position(start)[0]) : start].strip()


def _end_of_text_before(source: Source, token: Token) -> Span:
    end = len(source.text) if token.type == "$END" else (token.start_pos or 0)
    kept = len(source.text[:end].rstrip())
    return Span(source, max(0, kept - 1), kept)


def _advice(source: Source, token: Token, span: Span, expected: str, *, in_body: bool) -> tuple[str, ...]:
    line = source.line_text(span.line).strip()
    first_word = line.split(maxsplit=1)[0] if line else ""
    if expected == "`arch` or `library`":
        return ("a spec starts with its name: `arch NAME`",)
    if first_word == "group" and expected == "a name":
        return ("a group has a name, by which it is overridden: `group NAME {`",)
    if token == first_word and token.type == "NAME" and (near := nearest(str(token), _ITEMS)):
        return (f"did you mean `{near}`?",)
    if str(token) in KEYWORDS:
        return (f"`{token}` is a word of the language; choose another name",)
    if token.type == "EQUAL" and first_word in SETTING_WORDS:
        return ("settings of `train` are written without `=`: `batch 64`",)
    if token.type == "EQUAL" and first_word.isidentifier():
        return ("name a value or a tensor with `let`; two values are compared by `==`",)
    if str(token) == "//":
        return ("comments begin with `#`; `//` divides",)
    if token in {"->", "|"}:
        return (f"there is no stage before this `{token}`",)
    if in_body and token.type in {"NAME", "SIZE", "NUMBER"}:
        return ("put stages on lines of their own, or `->` between them",)
    return ()


def _expected(error: UnexpectedToken) -> str:
    """The acceptable continuations in words, or "" where there are too many to help."""
    literals = {terminal.name: terminal.pattern.value for terminal in parser().terminals}
    names = sorted(error.accepts or error.expected)
    words = [_HUMAN.get(name) or f"`{_plain(literals.get(name, name))}`" for name in names]
    if len(words) > 8:
        return ""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}" if words else ""


def _plain(pattern: str) -> str:
    return pattern.replace("\\", "")


def _span(source: Source, token: Token) -> Span:
    start = token.start_pos or 0
    return Span(source, start, start + len(token))


def _error(
    code: str,
    message: str,
    span: Span,
    *,
    secondary: tuple[Label, ...] = (),
    help: tuple[str, ...] = (),  # noqa: A002
) -> SpecError:
    return SpecError([Diagnostic(code, message, Label(span), secondary=secondary, help=help)])
