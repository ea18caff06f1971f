"""Sheets of pictures: one HTML file without outside requests, and PNG pictures with a heat map."""

import base64
import io
from collections.abc import Sequence
from html import escape

import numpy as np
import numpy.typing as npt
from PIL import Image

from cifar_dsl.foundation.records import frozen
from cifar_dsl.foundation.text import percent

_SIDE = 192  # pixels at least of an enlarged picture's longer side
_HEAT = np.array([255.0, 64.0, 0.0])
_STRENGTH = 0.6  # of the heat map's colour where it is 1

_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem; color: #1f2328; background: #fff; }
main { display: grid; grid-template-columns: repeat(auto-fill, minmax(200px, max-content)); gap: 1.5rem; }
figure { margin: 0; max-width: 420px; }
figure img { image-rendering: pixelated; height: 192px; margin-right: 4px; }
figcaption { overflow-wrap: anywhere; }
table { border-collapse: collapse; }
td { padding: 0 .8rem 0 0; font-variant-numeric: tabular-nums; }
p { max-width: 60rem; }
.error { color: #b00020; }
@media (prefers-color-scheme: dark) { body { color: #e6edf3; background: #0d1117; } .error { color: #ff7b72; } }
"""


@frozen
class Card:
    """Pictures (PNG) with a caption, and rows of a class and a probability."""

    pictures: tuple[bytes, ...]
    caption: str
    rows: tuple[tuple[str, float], ...]


def as_html(title: str, notes: Sequence[str], cards: Sequence[Card], errors: Sequence[str] = ()) -> bytes:
    """The sheet as an HTML file that contains its pictures and requests nothing."""
    lines = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width">',
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; img-src data:; '
        "style-src 'unsafe-inline'\">",
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body>",
        f"<h1>{escape(title)}</h1>",
        *(f"<p>{escape(note)}</p>" for note in notes),
        *(f'<p class="error">{escape(error)}</p>' for error in errors),
        "<main>",
        *map(_figure, cards),
        "</main></body></html>",
    ]
    return "\n".join(lines).encode(errors="backslashreplace") + b"\n"


def as_fragment(cards: Sequence[Card]) -> str:
    """The cards as HTML for a notebook's output."""
    figures = "".join(f'<div style="max-width: 16em">{_figure(card)}</div>' for card in cards)
    return f'<div style="display: flex; flex-wrap: wrap; gap: 1em">{figures}</div>'


def _figure(card: Card) -> str:
    images = "".join(
        f'<img alt="" src="data:image/png;base64,{base64.b64encode(picture).decode()}">' for picture in card.pictures
    )
    rows = "".join(f"<tr><td>{escape(name)}</td><td>{percent(value)}</td></tr>" for name, value in card.rows)
    return f"<figure>{images}<figcaption>{escape(card.caption)}<table>{rows}</table></figcaption></figure>"


def as_png(pixels: npt.NDArray[np.uint8], heat: npt.NDArray[np.float32] | None = None) -> bytes:
    """An enlarged picture (H, W, C) as PNG, under a heat map (h, w) from 0 to 1 if there is one."""
    rgb = np.broadcast_to(pixels, (*pixels.shape[:2], 3))
    factor = max(1, -(-_SIDE // max(rgb.shape[:2])))
    large = rgb.repeat(factor, axis=0).repeat(factor, axis=1)
    if heat is not None:
        size = large.shape[1], large.shape[0]
        spread = np.asarray(Image.fromarray(heat).resize(size, Image.Resampling.BILINEAR))
        share = _STRENGTH * spread.clip(0, 1)[..., None]
        large = (large * (1 - share) + _HEAT * share).round().astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(large)).save(file, "PNG")
    return file.getvalue()
