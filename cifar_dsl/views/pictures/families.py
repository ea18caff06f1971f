"""The colours of each `family` of operations and of the other parts of a picture."""

from collections.abc import Mapping
from typing import Literal

from cifar_dsl.foundation.records import evolve, frozen

FORK = "fork"  # the family of points where a tensor forks inside a frame
INK, FAINT, LINE, FRAME = "#1a1a1a", "#555555", "#7a7a7a", "#f7f8fa"

# The families in the words of a legend.
LEGEND = {
    "conv": "convolution",
    "dense": "dense",
    "norm": "normalization",
    "activation": "activation",
    "pool": "pooling",
    "join": "join",
    "other": "other layer",
    "block": "block",
}


@frozen
class Look:
    """The colours of a box. In the light theme, light enough for dark text, also in greyscale print."""

    fill: str
    border: str


LOOKS = {
    "conv": Look("#cfe2f5", "#3d6fa5"),
    "norm": Look("#e4dff2", "#75639f"),
    "activation": Look("#fce4cb", "#b3702a"),
    "pool": Look("#d6ebd3", "#4d8a47"),
    "join": Look("#f6d6d6", "#a84a4a"),
    "dense": Look("#fbf0b9", "#96801f"),
    "other": Look("#e9e9e9", "#7a7a7a"),
    "block": Look("#ffffff", "#333333"),
    "terminal": Look("#ffffff", "#ffffff"),
    FORK: Look(LINE, LINE),
}

_DARK_LOOKS = {
    "conv": Look("#1f3d5c", "#7fb2e5"),
    "norm": Look("#3a3157", "#b3a2e0"),
    "activation": Look("#553616", "#e2a665"),
    "pool": Look("#22432b", "#86c386"),
    "join": Look("#562a2d", "#e39a9a"),
    "dense": Look("#4a4114", "#d6c063"),
    "other": Look("#3a3f45", "#a3adb8"),
    "block": Look("#14171b", "#d5dae0"),
    "frame": Look("#1d2127", "#5b6570"),
}


@frozen
class Theme:
    """All colours of a picture. `paper` is None for a transparent ground."""

    paper: str | None
    line: str
    inks: Mapping[str, str]
    looks: Mapping[str, Look]


ThemeName = Literal["light", "dark"]

LIGHT = Theme("#ffffff", LINE, {"ink": INK, "faint": FAINT}, {**LOOKS, "frame": Look(FRAME, "#b5bac1")})
_DARK = Theme("#14171b", "#98a2ad", {"ink": "#e6e9ed", "faint": "#a3adb8"}, _DARK_LOOKS)


def theme(name: ThemeName = "light", *, is_transparent: bool = False) -> Theme:
    """A theme by its name, with its ground or without."""
    chosen = LIGHT if name == "light" else _DARK
    return evolve(chosen, paper=None) if is_transparent else chosen
