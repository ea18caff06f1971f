"""The recording of a terminal that README.md shows, docs/pictures/terminal.svg; `website.figures` writes it.

The error is what `check` prints, and the table what `compare` prints. Both are computed here, so a test notices when
the picture is stale.
"""

import contextlib
import io
import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from xml.sax.saxutils import escape

from rich.console import Console
from rich.style import Style
from rich.text import Text

from cifar_dsl.cli import main
from cifar_dsl.experiments.comparison.rows import Comparison
from cifar_dsl.experiments.comparison.tables import as_text
from cifar_dsl.foundation.resources import specs_directory
from website.tree import ROOT

PICTURE = ROOT / "docs" / "pictures" / "terminal.svg"
# A variant whose shortcut doesn't fit; its message shows what to write.
_MINE = """\
arch mine extends "baseline.arch"

block unit(c) {
    add { conv(c, 3, pad=1) -> bn | identity }
    relu
}
"""
_COMPARE = "cifar-dsl compare specs/ --until-decided --equivalent-within 1 --no-train"
_COLUMNS = 118  # of the terminal; longer lines wrap
_WIDTH, _HEIGHT = 7.8, 18  # of a character, in units of the picture
_MARGIN, _BAR = 18, 34
_FONTS = "ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace"
_INK, _PAPER, _FRAME, _PROMPT = "#d6deeb", "#011627", "#1d3b53", "#7fdbca"
_DOTS = ("#ff5f57", "#febc2e", "#28c840")
_COLOURS = {1: "#ff6a6a", 2: "#7fd88f", 3: "#f3d37a", 4: "#82aaff", 5: "#c792ea", 6: "#7fdbca"}  # by ANSI's numbers


def write(comparison: Comparison) -> None:
    """Write the picture."""
    PICTURE.parent.mkdir(exist_ok=True)
    PICTURE.write_text(drawn(comparison), encoding="utf-8")


def drawn(comparison: Comparison) -> str:
    """The picture as SVG."""
    compared = _command(_COMPARE, _compared(comparison))
    return _svg([*_command("cifar-dsl check mine.arch", _checked()), Text(), *compared])


def _command(command: str, output: Iterable[str]) -> Iterator[Text]:
    yield Text.assemble(("$ ", _PROMPT), (command, "bold"))
    yield from map(Text.from_ansi, output)


def _checked() -> list[str]:
    """What `check` prints in colour."""
    printed = io.StringIO()
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder), contextlib.redirect_stdout(printed):
        shutil.copy(specs_directory() / "baseline.arch", "baseline.arch")
        Path("mine.arch").write_text(_MINE, encoding="utf-8")
        with contextlib.redirect_stderr(io.StringIO()):
            main(["--color", "always", "check", "mine.arch"])
    return printed.getvalue().rstrip("\n").split("\n")


def _compared(comparison: Comparison) -> list[str]:
    """The table that `compare` prints, without the sentences and notes below it."""
    lines = as_text(comparison)
    return lines[: lines.index("")]


def _svg(lines: list[Text]) -> str:
    lines = [part for line in lines for part in _wrapped(line)]
    width = round(max(map(len, lines)) * _WIDTH + 2 * _MARGIN)
    height = _BAR + len(lines) * _HEIGHT + _MARGIN
    read = escape("; ".join(line.plain.strip() for line in lines if line), {'"': "&quot;"})
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
        f' role="img" aria-label="{read}" font-size="13" font-family="{_FONTS}" fill="{_INK}">'
    )
    frame = (
        f'<rect x="0.5" y="0.5" width="{width - 1}" height="{height - 1}" rx="9" fill="{_PAPER}" stroke="{_FRAME}"/>'
    )
    dots = [f'<circle cx="{_MARGIN + 4 + 18 * i}" cy="17" r="5.5" fill="{dot}"/>' for i, dot in enumerate(_DOTS)]
    texts = [_line(line, _BAR + (i + 0.75) * _HEIGHT) for i, line in enumerate(lines) if line]
    return "\n".join([head, frame, *dots, *texts, "</svg>", ""])


def _wrapped(line: Text) -> list[Text]:
    """A line as a terminal of limited width shows it."""
    return list(line.divide(range(_COLUMNS, len(line), _COLUMNS))) if line else [line]


def _line(line: Text, y: float) -> str:
    """A line as one text element for each word, as wide as its characters: columns stay aligned in any font."""
    parts, column = [], 0
    for text, style, _ in line.render(Console(width=2 * _COLUMNS)):
        for word in re.finditer(r"\S+", text):
            x, width = _MARGIN + (column + word.start()) * _WIDTH, len(word[0]) * _WIDTH
            place = f'x="{x:.1f}" y="{y:.1f}" textLength="{width:.1f}"'
            parts.append(f"<text {place}{_look(style)}>{escape(word[0])}</text>")
        column += len(text)
    return "".join(parts)


def _look(style: Style | None) -> str:
    if style is None:
        return ""
    colour = style.color
    fill = colour and (colour.name if colour.triplet else _COLOURS.get((colour.number or 0) % 8))
    return (f' fill="{fill}"' if fill else "") + (' font-weight="bold"' if style.bold else "")
