"""SVG to PNG, drawn by resvg (the extra `pictures`)."""

from pathlib import Path

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
_MOST_PIXELS = 16_384  # on a side; most programs open no larger image


def png_scale(longest_side: float) -> float | None:
    """Pixels per unit of a picture: 2, fewer for a large one, None where less than 1 would be left to read."""
    scale = min(2.0, _MOST_PIXELS / longest_side)
    return scale if scale >= 1 else None


def svg_to_png(svg: str, scale: float) -> bytes:
    """Draw `svg` with `scale` pixels for each pixel or point. Raises ImportError without resvg-py.

    The package's own fonts make the bytes the same on every machine. Only a text with letters that they lack
    is drawn with the system's fonts too.
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
