"""docs/diagnostics.md as an introduction with an index, and a page for each code with the message of its example."""

from collections.abc import Iterator
from html import escape

from rich.console import Console
from rich.style import Style
from rich.text import Text

from cifar_dsl.language.diagnostics import known_codes
from cifar_dsl.language.diagnostics.codes import Code
from website import computed
from website.fences import ARCH
from website.links import anchor
from website.tree import Page, page, read

SOURCE = "docs/diagnostics.md"
_COLOURS = {1: "red", 3: "yellow", 4: "blue"}  # classes of site.css, by ANSI's numbers
_TITLES = {"error": "Errors", "warning": "Warnings"}


def pages() -> Iterator[Page]:
    """The introduction, and every code."""
    introduction, _, _ = read(SOURCE).partition("<!-- This page declares the codes.")
    yield page("diagnostics/index.md", introduction + "".join(map(_index, _TITLES)), SOURCE)
    for code in known_codes().values():
        yield page(place_of(code), _page(code), SOURCE)


def place_of(code: Code) -> str:
    """The place of a code's page."""
    return f"diagnostics/{code.id}.md"


def _index(severity: str) -> str:
    rows = [
        f"| [{code.id}](diagnostics.md#{anchor(f'{code.id}: {code.title}')}) | {code.title} |"
        for code in known_codes().values()
        if code.severity == severity
    ]
    return "\n".join([f"## {_TITLES[severity]}", "", "| code | title |", "| --- | --- |", *rows, "", ""])


def _page(code: Code) -> str:
    reason = f"> {code.reason}\n\n" if code.reason else ""
    text = code.explanation
    message, example = computed.messages().get(code.id), ARCH.search(text)
    if message and example:
        end = example.end()
        text = f"{text[:end]}\n\n`cifar-dsl check` prints:\n\n{_html(message)}\n{text[end:]}"
    return f"# {code.id}: {code.title}\n\n{reason}{text}"


def _html(message: str) -> str:
    """A message with a class for each look that the terminal gives its parts."""
    parts = []
    for text, style, _ in Text.from_ansi(message).render(Console()):
        look = _look(style)
        parts.append(f'<span class="{look}">{escape(text)}</span>' if look else escape(text))
    return f'<pre class="message"><code>{"".join(parts)}</code></pre>\n'


def _look(style: Style | None) -> str:
    if style is None:
        return ""
    colour = _COLOURS[style.color.number] if style.color and style.color.number is not None else ""
    return f"{colour} {'bold' if style.bold else ''}".strip()
