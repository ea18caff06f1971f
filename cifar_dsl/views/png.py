"""SVG to PNG with resvg (the extra `pictures`)."""

from pathlib import Path

from cifar_dsl.foundation.extras import required

_FONTS = Path(__file__).with_name("fonts")
FONT = _FONTS / "Arimo-Regular.ttf"  # as wide as Helvetica and Arial
_BOLD = _FONTS / "Arimo-SemiBold.ttf"
_COVERED = frozenset(
    [
        *map(chr, range(0x20, 0x7F)),
        *map(chr, range(0xA0, 0x100)),
        *"\n\u2009\u2013\u2014\u2018\u2019\u201c\u201d\u2026\u2212",
    ]
)
_MOST_PIXELS = 16_384  # per side; most programs can't open larger images


def png_scale(longest_side: float, *, most: float = 2.0) -> float | None:
    """Pixels per unit of a picture: `most`, or less for large pictures; None if it would fall below 1."""
    scale = min(most, _MOST_PIXELS / longest_side)
    return scale if scale >= 1 else None


def require_png() -> None:
    """Raise UserError if no PNG can be written, because resvg-py isn't installed."""
    required("resvg_py", "a PNG", "pictures")


def svg_to_png(svg: str, scale: float) -> bytes:
    """Render `svg` with `scale` pixels per unit. Raises ImportError without resvg-py.

    The bundled fonts make the output identical on every machine. System fonts are used only for text with characters
    that the bundled fonts lack.
    """
    from resvg_py import svg_to_bytes

    return bytes(
        svg_to_bytes(
            svg_string=svg,
            dpi=72,
            zoom=scale,
            skip_system_fonts=_COVERED.issuperset(svg),
            font_files=[str(FONT), str(_BOLD)],
            sans_serif_family="Arimo",
        )
    )
