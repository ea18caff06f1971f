"""The colours of each `family` of operations and of the other parts of a picture."""

from cifar_dsl.foundation.records import frozen

FORK = "fork"  # the family of points where a tensor forks inside a frame
INK, FAINT, LINE, FRAME = "#1a1a1a", "#555555", "#7a7a7a", "#f7f8fa"


@frozen
class Look:
    """The colours of a box, light enough for dark text, also in greyscale print."""

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
