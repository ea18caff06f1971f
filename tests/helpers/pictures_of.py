"""Diagrams in which every label is the same text."""

from cifar_dsl.views.pictures import Picture
from cifar_dsl.views.pictures.model import Arrow, Box, Frame

HOSTILE = [
    'a"b',
    'a" onclick="alert(1)',
    "a\\",
    "a\\nb\\l\\N\\G",
    "<script>alert(1)</script>",
    "</svg><img src=x onerror=alert(1)>",
    "a & b &amp; &lt;",
    "a;b}{|[]()#quot;",
    "%% a comment",
    "end",
    "`**bold**` _it_ ~x~",
    "a -->|b| c",
    "click n1 href 'javascript:alert(1)'",
    "# a",
    "1. a",
    "- a",
]


def picture_of(text: str) -> Picture:
    """A frame with a box, another box, and an arrow, all labelled `text`."""
    inner = Box("a", "conv", text, (text,))
    other = Box("b", "terminal", text)
    return Picture(text, (text,), (Frame("f", text, (text,), (inner,)), other), (Arrow("a", "b", text),))
