"""The badges of README.md: `python -m website.badges` writes them, from pyproject.toml, to docs/pictures."""

import re
import tomllib
from xml.sax.saxutils import escape

from website.tree import ROOT

FOLDER = ROOT / "docs" / "pictures"
_CHARACTER, _PADDING = 6.6, 7


def badges() -> dict[str, str]:
    """Each badge as SVG, by the name of its file."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    minors = [int(found[1]) for name in project["classifiers"] if (found := re.search(r":: 3\.(\d+)$", name))]
    torch = next(found[1] for name in project["dependencies"] if (found := re.match(r"torch>=(\S+)", name)))
    return {
        "python.svg": _badge("python", f"3.{min(minors)} to 3.{max(minors)}", "#3d6fa5"),
        "pytorch.svg": _badge("pytorch", f"{torch} or newer", "#b3702a"),
        "license.svg": _badge("license", project["license"], "#4d8a47"),
    }


def write() -> None:
    """Write the badges."""
    for name, text in badges().items():
        (FOLDER / name).write_text(text, encoding="utf-8")


def _badge(label: str, value: str, colour: str) -> str:
    left, right = (round(len(text) * _CHARACTER + 2 * _PADDING) for text in (label, value))
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + right}" height="20" role="img"',
        f' aria-label="{escape(label)}: {escape(value)}" font-family="Verdana, DejaVu Sans, sans-serif" font-size="11"',
        ' fill="#fff" text-anchor="middle">',
        f'<clipPath id="r"><rect width="{left + right}" height="20" rx="3"/></clipPath><g clip-path="url(#r)">',
        f'<rect width="{left}" height="20" fill="#555"/>',
        f'<rect x="{left}" width="{right}" height="20" fill="{colour}"/></g>',
        _text(label, left / 2, left),
        _text(value, left + right / 2, right),
        "</svg>\n",
    ]
    return "".join(parts)


def _text(text: str, middle: float, width: int) -> str:
    return f'<text x="{middle:g}" y="14" textLength="{width - 2 * _PADDING}">{escape(text)}</text>'


if __name__ == "__main__":
    write()
