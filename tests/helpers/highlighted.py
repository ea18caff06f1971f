"""Checks that the Pygments lexer and the parser's lexer find the same tokens."""

from functools import cache

from pygments.token import Comment, Error, Keyword, Name, Number, Operator, Punctuation, String, Whitespace

from cifar_dsl.language.highlighting import ArchLexer
from cifar_dsl.language.syntax import KEYWORDS
from cifar_dsl.language.syntax.newlines import NEW_LINE
from cifar_dsl.language.syntax.tables import build

_parser = cache(build)


def kind_of(token) -> str:
    """The kind that the parser's lexer gives to a Pygments token."""
    for group, kind in (
        (Keyword.Type, "NAME"),
        (Keyword, "word"),
        (Operator.Word, "word"),
        (Name, "NAME"),
        (Number.Integer, "NUMBER"),
        (Number.Float, "NUMBER"),
        (Number, "SIZE"),
        (String, "STRING"),
        (Comment, "COMMENT"),
        (Operator, "sign"),
        (Punctuation, "sign"),
    ):
        if token in group:
            return kind
    raise AssertionError(token)


def coloured(text: str) -> list[tuple[int, str, str]]:
    """The offset, kind and text of every token except whitespace."""
    tokens = ArchLexer().get_tokens_unprocessed(text)
    return [(start, kind_of(token), value) for start, token, value in tokens if token not in Whitespace]


def read(text: str) -> list[tuple[int, str, str]]:
    """The same, from the parser's lexer."""
    found = _parser().lex(text, dont_ignore=True)
    kept = [token for token in found if token.type not in {"SPACE", NEW_LINE}]
    return [(token.start_pos, kind_in_language(token.type, str(token)), str(token)) for token in kept]


def kind_in_language(kind: str, text: str) -> str:
    if kind in {"NAME", "SIZE", "NUMBER", "STRING", "COMMENT"}:
        return kind
    return "word" if text in KEYWORDS else "sign"


def check_tokens(text: str) -> None:
    tokens = list(ArchLexer().get_tokens_unprocessed(text))
    assert "".join(value for _, _, value in tokens) == text
    assert not [value for _, token, value in tokens if token in Error]
    assert coloured(text) == read(text)
