"""A picture as a file that shows it: SVG, PDF and TikZ, and PNG, rendered from the SVG by resvg (extra `pictures`)."""

from cifar_dsl.foundation.errors import UserError
from cifar_dsl.foundation.extras import missing
from cifar_dsl.views.pictures.families import LIGHT, Theme
from cifar_dsl.views.pictures.layout import laid_out
from cifar_dsl.views.pictures.model import Direction, Picture
from cifar_dsl.views.pictures.pdf import pdf_of
from cifar_dsl.views.pictures.svg import svg_of
from cifar_dsl.views.pictures.tikz import tikz_of
from cifar_dsl.views.png import png_scale, svg_to_png


def as_svg(picture: Picture, direction: Direction = "down", theme: Theme = LIGHT, *, has_heading: bool = True) -> bytes:
    """The picture as an SVG file. Raises UserError if it is too large.

    Without its heading, the name and the counts are left to what stands around it.
    """
    svg = svg_of(laid_out(picture, direction, has_heading=has_heading), theme)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{svg}\n'.encode()


def as_fragment(picture: Picture, direction: Direction = "down") -> str:
    """The picture as an element of a page, whose style sheet has its colours. Raises UserError if it is too large."""
    return svg_of(laid_out(picture, direction), None)


def as_pdf(picture: Picture, direction: Direction = "down", theme: Theme = LIGHT) -> bytes:
    """The picture as a PDF file of one page, as large as the picture. Raises UserError if it is too large."""
    return pdf_of(laid_out(picture, direction), theme)


def as_tikz(picture: Picture, direction: Direction = "down", theme: Theme = LIGHT) -> str:
    """The picture as a `tikzpicture` for a paper in LaTeX. Raises UserError if it is too large."""
    return tikz_of(laid_out(picture, direction), theme)


def as_png(picture: Picture, direction: Direction = "down", theme: Theme = LIGHT) -> bytes:
    """The picture as a PNG file. Raises UserError without resvg, or if the picture is too large."""
    canvas = laid_out(picture, direction)
    scale = png_scale(max(canvas.width, canvas.height))
    if scale is None:
        raise UserError(
            f"this picture is too large for a PNG ({sum(1 for _ in picture.boxes()):,} boxes)",
            "write an .svg file, or expand fewer blocks with `--depth`",
        )
    try:
        return svg_to_png(svg_of(canvas, theme), scale)
    except ImportError:
        other = "or write an .svg or .pdf file, which needs no extra"
        raise missing("a picture in PNG", ["resvg-py"], "pictures", other) from None
