"""Colours for specs: a lexer for Pygments, with which Jupyter, Sphinx and others colour text; and HTML for notebooks.

Pygments finds the lexer by its entry point. It imports nothing else of the package, so that finding it is quick; tests
hold its words and patterns against the grammar.
"""

from collections.abc import Sequence
from html import escape
from typing import ClassVar

from pygments.lexer import RegexLexer, bygroups, include, words  # type: ignore[import-untyped]
from pygments.token import (  # type: ignore[import-untyped]
    Comment,
    Keyword,
    Name,
    Number,
    Operator,
    Punctuation,
    String,
    Whitespace,
)

CONSTANTS = ("true", "false")
OPERATORS = ("and", "or", "not")
STATEMENTS = (
    *("arch", "library", "extends", "input", "param", "block", "model", "train", "group", "assert", "let", "as"),
    *("add", "concat", "mul", "for", "in", "repeat", "if", "else"),
)
SETTINGS = (
    *("data", "normalize", "augment", "epochs", "batch", "drop_last", "optimizer", "schedule", "loss", "clip"),
    *("average", "test_augment", "precision"),
)

_SPACE = r"[ \t\r]+"
_NAME = r"[A-Za-z_][A-Za-z0-9_]*"


class ArchLexer(RegexLexer):  # type: ignore[misc]
    """The language of `.arch` files."""

    name = "arch"
    aliases: ClassVar[list[str]] = ["arch"]
    filenames: ClassVar[list[str]] = ["*.arch"]

    tokens: ClassVar[dict[str, list[object]]] = {
        "root": [
            (rf"(train)({_SPACE})?(\{{)", bygroups(Keyword, Whitespace, Punctuation), "train"),
            include("everywhere"),
            (r"[{}]", Punctuation),
        ],
        "train": [
            (words(SETTINGS, prefix=r"\b", suffix=r"\b(?!\s*=)"), Name.Attribute),
            include("everywhere"),
            (r"\{", Punctuation, "#push"),  # of a group
            (r"\}", Punctuation, "#pop"),
        ],
        "everywhere": [
            (r"\n+", Whitespace),
            (_SPACE, Whitespace),
            (r"#[^\n]*", Comment.Single),
            (r'"[^"\n]*"', String.Double),
            (rf"(arch|library)({_SPACE})({_NAME})", bygroups(Keyword, Whitespace, Name.Namespace)),
            (rf"(block)({_SPACE})({_NAME})", bygroups(Keyword, Whitespace, Name.Function)),
            (rf"(param|let|group)({_SPACE})({_NAME})", bygroups(Keyword, Whitespace, Name.Variable)),
            (words(CONSTANTS, prefix=r"\b", suffix=r"\b"), Keyword.Constant),
            (words(OPERATORS, prefix=r"\b", suffix=r"\b"), Operator.Word),
            (words(STATEMENTS, prefix=r"\b", suffix=r"\b"), Keyword),
            (rf"{_NAME}(?=\()", Name.Function),
            (rf"{_NAME}(?={_SPACE}?=(?!=))", Name.Variable),
            (_NAME, Name),
            (r"[0-9]+(x[0-9]+)+", Number.Size),
            (r"[0-9][0-9_]*(\.[0-9][0-9_]*)?([eE][+-]?[0-9]+)?[kMG]?", Number),
            (r"->|\.\.|[=!<>]=|//|[-+*/%<>=]", Operator),
            (r"[()\[\],:|.]", Punctuation),
        ],
    }


def html_of_source(text: str) -> str:
    """The text of a spec in colours, as a `<pre>` that needs no style sheet."""
    from pygments import highlight  # type: ignore[import-untyped]
    from pygments.formatters import HtmlFormatter  # type: ignore[import-untyped]

    style = "padding: 0.5em; overflow: auto; line-height: 1.3"
    formatter = HtmlFormatter(noclasses=True, nobackground=True, nowrap=True)
    return f'<pre style="{style}">{highlight(text, ArchLexer(stripnl=False), formatter)}</pre>'


def html_of_table(rows: Sequence[Sequence[str]], right: frozenset[int]) -> str:
    """Rows of cells: the head, the body, the sum. Columns numbered in `right` are flush right."""

    def line(cells: Sequence[str], tag: str) -> str:
        styles = ["right" if i in right else "left" for i in range(len(cells))]
        return "".join(
            f'<{tag} style="text-align: {side}">{escape(cell)}</{tag}>'
            for cell, side in zip(cells, styles, strict=True)
        )

    head, *body, total = rows
    inside = "".join(f"<tr>{line(cells, 'td')}</tr>" for cells in body)
    return (
        '<div style="max-height: 30em; overflow: auto"><table>'
        f"<thead><tr>{line(head, 'th')}</tr></thead><tbody>{inside}</tbody>"
        f"<tfoot><tr>{line(total, 'th')}</tr></tfoot></table></div>"
    )
