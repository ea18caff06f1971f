"""Syntax highlighting: a Pygments lexer, for Jupyter, Sphinx and other tools, and HTML for notebooks.

Pygments finds the lexer by its entry point. The module imports nothing else of the package, so that loading it is
quick; tests compare its words and patterns with the grammar.
"""

import re
from collections.abc import Sequence
from html import escape
from typing import ClassVar

from pygments.lexer import RegexLexer, bygroups, default, include, words  # type: ignore[import-untyped]
from pygments.style import Style  # type: ignore[import-untyped]
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
    *("for", "in", "repeat", "if", "else"),
)
SETTINGS = (
    *("data", "normalize", "augment", "epochs", "early_stopping", "batch", "drop_last", "accumulate", "optimizer"),
    *("schedule", "drop_schedule", "loss", "distill", "keep", "perturb", "clip", "constrain", "average"),
    *("test_augment", "uses", "precision", "weight_precision", "validation"),
)
GROUP_SETTINGS = ("select", "optimizer", "schedule", "constrain", "epochs")
TYPES = ("int", "float", "bool", "list", "size", "tensor", "init")

_SPACE = r"[ \t\r]+"
_GAP = r"[ \t\r]*"
_NAME = rf"(?!(?:{'|'.join((*CONSTANTS, *OPERATORS, *STATEMENTS))})\b)[A-Za-z_][A-Za-z0-9_]*"
# A layer or block name is a whole stage, or it stands before its branches.
_STAGE_START = r"(?:^|(?<=[{|])|(?<=->))"
_STAGE_END = rf"(?={_GAP}(?:->|[|}}:#{{]|(?:as|for)\b|$))"


class ArchLexer(RegexLexer):  # type: ignore[misc]
    """The language of `.arch` files."""

    name = "arch"
    aliases: ClassVar[list[str]] = ["arch"]
    filenames: ClassVar[list[str]] = ["*.arch"]
    flags = re.MULTILINE | re.ASCII

    tokens: ClassVar[dict[str, list[object]]] = {
        "root": [
            include("stages"),
            (r"train\b", Keyword, ("train", "before-brace")),
            (
                rf"(block)({_SPACE})({_NAME})({_GAP})(\()",
                bygroups(Keyword, Whitespace, Name.Function, Whitespace, Punctuation),
                "parameters",
            ),
            include("everywhere"),
            (r"[{}]", Punctuation),
        ],
        "stages": [
            (rf"{_STAGE_START}({_GAP})({_NAME}){_STAGE_END}", bygroups(Whitespace, Name.Function)),
            (rf"(?<=[^=!<>]=)({_GAP})({_NAME})(?={_GAP}(?:->|\{{|for\b))", bygroups(Whitespace, Name.Function)),
        ],
        "before-brace": [
            include("space"),
            (r"\{", Punctuation, "#pop"),
            default("#pop:2"),
        ],
        "train": [
            (rf"(group)({_SPACE})({_NAME})", bygroups(Keyword, Whitespace, Name.Variable), ("group", "before-brace")),
            (rf"{_STAGE_START}({_GAP})({'|'.join(SETTINGS)})\b", bygroups(Whitespace, Name.Attribute), "value"),
            include("braces"),
        ],
        "group": [
            (rf"{_STAGE_START}({_GAP})({'|'.join(GROUP_SETTINGS)})\b", bygroups(Whitespace, Name.Attribute), "value"),
            include("braces"),
        ],
        "value": [
            (rf"(\.)({_NAME})", bygroups(Punctuation, Name.Attribute)),
            (rf"({_SPACE})({_NAME}){_STAGE_END}", bygroups(Whitespace, Name.Function), "#pop"),
            default("#pop"),
        ],
        "braces": [
            include("stages"),
            include("everywhere"),
            (r"\{", Punctuation, "braces"),
            (r"\}", Punctuation, "#pop"),
        ],
        "parameters": [
            (rf"(?:^|(?<=[(,]))({_GAP})({_NAME})", bygroups(Whitespace, Name.Variable)),
            (r":", Punctuation, "type"),
            include("brackets"),
        ],
        "type": [
            (r"(?=[=,(){}\[\]])", Whitespace, "#pop"),
            (words(TYPES, suffix=r"\b"), Keyword.Type),
            (_NAME, Name),
            include("everywhere"),
        ],
        "brackets": [
            (r"[)\]]", Punctuation, "#pop"),
            (r"(?=[{}])", Whitespace, "#pop"),  # an unclosed bracket
            include("everywhere"),
        ],
        "space": [
            (r"\n+", Whitespace),
            (_SPACE, Whitespace),
            (r"#[^\n]*", Comment.Single),
        ],
        "everywhere": [
            include("space"),
            (r'"[^"\n]*"', String.Double),
            (rf"(arch|library|extends)({_SPACE})({_NAME})", bygroups(Keyword, Whitespace, Name.Namespace)),
            (rf"(param|let|group|for)({_SPACE})({_NAME})", bygroups(Keyword, Whitespace, Name.Variable)),
            (rf"(as)({_SPACE})({_NAME})", bygroups(Keyword, Whitespace, Name.Label)),
            (words(CONSTANTS, suffix=r"\b"), Keyword.Constant),
            (words(OPERATORS, suffix=r"\b"), Operator.Word),
            (words(STATEMENTS, suffix=r"\b"), Keyword),
            (rf"{_NAME}(?={_GAP}\()", Name.Function),
            (rf"{_NAME}(?={_GAP}=(?!=))", Name.Variable),
            (_NAME, Name),
            (r"[0-9]+(x[0-9]+)+", Number),
            (r"[0-9][0-9_]*(\.[0-9][0-9_]*([eE][+-]?[0-9]+)?|[eE][+-]?[0-9]+)[kMG]?", Number.Float),
            (r"[0-9][0-9_]*[kMG]?", Number.Integer),
            (r"->|\.\.|[=!<>]=|//|[-+*/%<>=]", Operator),
            (r"[(\[]", Punctuation, "brackets"),
            (r"[)\],:|.]", Punctuation),
        ],
    }

    def analyse_text(text: str) -> float:  # noqa: N805  # Pygments makes it a static method
        """The confidence that a text is a spec or a library, between 0 and 1, from its header."""
        head = r"(?:\s|#[^\n]*\n)*(?:arch|library)[ \t]+[A-Za-z_]\w*[ \t\r]*(?:extends\b|#|$)"
        return 0.9 if re.match(head, text, re.MULTILINE) else 0.0


class OnAnyBackground(Style):  # type: ignore[misc]
    """Colours that are readable on white and on black, since a notebook's background is unknown."""

    styles: ClassVar[dict[object, str]] = {
        Comment: "italic #797979",
        Keyword: "#a157d5",
        Keyword.Type: "#967511",
        Name.Attribute: "#108691",
        Name.Function: "#257bd1",
        Name.Label: "#c34c9c",
        Name.Namespace: "bold",
        Name.Variable: "#b4652d",
        Number: "#228a56",
        Operator.Word: "#a157d5",
        String: "#d24a4a",
    }


def html_of_source(text: str) -> str:
    """A highlighted spec as a `<pre>` that needs no style sheet."""
    from pygments import highlight  # type: ignore[import-untyped]
    from pygments.formatters import HtmlFormatter  # type: ignore[import-untyped]

    formatter = HtmlFormatter(style=OnAnyBackground, noclasses=True, nobackground=True, nowrap=True)
    return html_of_text(highlight(text, ArchLexer(stripnl=False), formatter))


def classes_of_source(text: str) -> str:
    """A highlighted spec as HTML with Pygments' short class names, for a page with a style sheet of its own."""
    from pygments import highlight
    from pygments.formatters import HtmlFormatter

    return str(highlight(text, ArchLexer(stripnl=False), HtmlFormatter(nowrap=True)))


def html_of_text(html: str) -> str:
    """Lines of HTML in a `<pre>`. It sets its font, since notebooks would use the font of prose."""
    return f'<pre style="padding: 0.5em; overflow: auto; line-height: 1.3; font-family: monospace">{html}</pre>'


def html_of_table(rows: Sequence[Sequence[str]], right: frozenset[int]) -> str:
    """A table of rows: the header, the body, the total, unless it is empty. `right` are the right-aligned columns."""

    def line(cells: Sequence[str], tag: str) -> str:
        styles = ["right" if i in right else "left" for i in range(len(cells))]
        return "".join(
            f'<{tag} style="text-align: {side}">{escape(cell)}</{tag}>'
            for cell, side in zip(cells, styles, strict=True)
        )

    head, *body, total = rows
    inside = "".join(f"<tr>{line(cells, 'td')}</tr>" for cells in body)
    foot = f"<tfoot><tr>{line(total, 'th')}</tr></tfoot>" if any(total) else ""
    return (
        '<div style="max-height: 40em; max-width: 100%; width: fit-content; overflow: auto"><table>'
        f"<thead><tr>{line(head, 'th')}</tr></thead><tbody>{inside}</tbody>{foot}</table></div>"
    )
