"""A canvas as SVG."""

from collections.abc import Sequence
from xml.etree import ElementTree

from cifar_dsl.views.pictures.canvas import Canvas, Dot, Line, Mark, Point, Rectangle, Words, bends, head, shaft
from cifar_dsl.views.pictures.families import Theme

_SVG = "http://www.w3.org/2000/svg"
_FAMILIES = "Helvetica,Arial,sans-serif"


def svg_of(canvas: Canvas, theme: Theme | None) -> str:
    """The element `svg`. Without a theme, its parts have only classes, for the style sheet of a page."""
    size = {"viewBox": f"0 0 {_number(canvas.width)} {_number(canvas.height)}"}
    label = ": ".join([canvas.name, *canvas.notes])
    root = ElementTree.Element("svg", {**size, "role": "img", "aria-label": label})
    if theme is None:
        root.set("class", "network")
    else:
        root.attrib |= {
            "xmlns": _SVG,
            "width": f"{_number(canvas.width)}pt",
            "height": f"{_number(canvas.height)}pt",
            "font-family": _FAMILIES,
        }
        if theme.paper:
            page = {"width": "100%", "height": "100%", "fill": theme.paper}
            ElementTree.SubElement(root, "rect", page)
    texts = ElementTree.Element("g", {"pointer-events": "none"})  # so that tooltips of boxes show
    for mark in canvas.marks:
        _add(texts if isinstance(mark, Words) else root, mark, theme)
    root.append(texts)
    return ElementTree.tostring(root, encoding="unicode")


def _add(root: ElementTree.Element, mark: Mark, theme: Theme | None) -> None:
    match mark:
        case Rectangle():
            size = {"x": mark.x, "y": mark.y, "width": mark.width, "height": mark.height, "rx": mark.radius}
            group = root
            if mark.tip:
                group = ElementTree.SubElement(root, "g", {"class": "cluster" if mark.look == "frame" else "node"})
                ElementTree.SubElement(group, "title").text = mark.tip
            rect = ElementTree.SubElement(group, "rect", {name: _number(value) for name, value in size.items()})
            if theme:
                look = theme.looks[mark.look]
                rect.attrib |= {"fill": look.fill, "stroke": look.border}
            else:
                rect.set("class", mark.look)
        case Line():
            colours = {"fill": "none", "stroke": theme.line} if theme else {"class": "arrow"}
            body = shaft(mark.points) if mark.has_head else mark.points
            ElementTree.SubElement(root, "path", {"d": _way(body), **colours})
            if mark.has_head:
                colours = {"fill": theme.line} if theme else {"class": "head"}
                corners = " ".join(f"{_number(x)},{_number(y)}" for x, y in head(mark.points))
                ElementTree.SubElement(root, "polygon", {"points": corners, **colours})
        case Dot():
            colours = {"fill": theme.line} if theme else {"class": "head"}
            place = {"cx": _number(mark.x), "cy": _number(mark.y), "r": _number(mark.radius)}
            ElementTree.SubElement(root, "circle", place | colours)
        case Words():
            place = {"x": _number(mark.x), "y": _number(mark.y)}
            if theme:
                looks = {"font-size": _number(mark.size), "fill": theme.inks[mark.look]}
            else:
                looks = {"class": f"{mark.look} size-{round(10 * mark.size)}"}
            anchor = {"text-anchor": mark.anchor} if mark.anchor != "start" else {}
            ElementTree.SubElement(root, "text", place | looks | anchor).text = mark.text


def _way(points: Sequence[Point]) -> str:
    parts = [f"M{_pair(points[0])}"]
    for start, corner, end in bends(points):
        parts += [f"L{_pair(start)}", f"Q{_pair(corner)} {_pair(end)}"]
    return " ".join([*parts, f"L{_pair(points[-1])}"])


def _pair(point: Point) -> str:
    return f"{_number(point[0])},{_number(point[1])}"


def _number(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")
