"""A picture as DOT, the language of Graphviz."""

from cifar_dsl.views.pictures.families import FAINT, FORK, FRAME, INK, LINE, LOOKS
from cifar_dsl.views.pictures.model import Arrow, Box, Direction, Frame, Item, Picture

FONT = "Arial"  # Graphviz has its widths built in
_INDENT = "    "


def as_dot(picture: Picture, direction: Direction = "down") -> str:
    """The text of a `.dot` file, for Graphviz."""
    graph = {
        "label": _lines(picture.name, picture.notes),
        "labelloc": "t",
        "fontname": FONT,
        "fontsize": "13",
        "fontcolor": INK,
        "nodesep": "0.3",
        "ranksep": "0.2",
        "bgcolor": "white",
        **({"rankdir": "LR"} if direction == "right" else {}),
    }
    node = {
        "shape": "box",
        "style": "rounded,filled",
        "fontname": FONT,
        "fontsize": "11",
        "fontcolor": INK,
        "height": "0.3",
        "margin": "0.12,0.06",
    }
    edge = {"fontname": FONT, "fontsize": "9", "fontcolor": FAINT, "color": LINE, "arrowsize": "0.6"}
    lines = [f"digraph {_quoted(picture.name)} {{"]
    lines += [
        f"{_INDENT}{what} {_attributes(values)};" for what, values in (("graph", graph), ("node", node), ("edge", edge))
    ]
    for item in picture.items:
        lines += _item(item, _INDENT)
    forks = {box.key for box in picture.boxes() if box.family == FORK}
    lines += [_arrow(arrow, forks) for arrow in picture.arrows]
    return "\n".join([*lines, "}"]) + "\n"


def _arrow(arrow: Arrow, forks: set[str]) -> str:
    values = {"label": _escaped(f" {arrow.label}")} if arrow.label else {}
    if arrow.end in forks:
        values["arrowhead"] = "none"
    attributes = f" {_attributes(values)}" if values else ""
    return f"{_INDENT}{_quoted(arrow.start)} -> {_quoted(arrow.end)}{attributes};"


def _item(item: Item, indent: str) -> list[str]:
    if isinstance(item, Box):
        if item.family == FORK:
            values = {"shape": "point", "width": "0.05", "color": LINE}
            return [f"{indent}{_quoted(item.key)} {_attributes(values)};"]
        look = LOOKS[item.family]
        values = {"label": _lines(item.title, item.notes), "fillcolor": look.fill, "color": look.border}
        return [f"{indent}{_quoted(item.key)} {_attributes(values)};"]
    return _frame(item, indent)


def _frame(frame: Frame, indent: str) -> list[str]:
    values = {
        "label": _lines(frame.title, frame.notes, end="\\l"),
        "labeljust": "l",
        "fontsize": "11",
        "style": "rounded,filled",
        "fillcolor": FRAME,
        "color": LINE,
    }
    inner = indent + _INDENT
    lines = [f"{indent}subgraph {_quoted(f'cluster {frame.key}')} {{", f"{inner}graph {_attributes(values)};"]
    for item in frame.items:
        lines += _item(item, inner)
    return [*lines, f"{indent}}}"]


def _attributes(values: dict[str, str]) -> str:
    """Attributes in brackets. Labels must be escaped already."""
    return "[" + ", ".join(f'{name}="{value}"' for name, value in values.items()) + "]"


def _lines(title: str, notes: tuple[str, ...], end: str = "") -> str:
    """A label; `end` ends its lines. By default, they are centred."""
    lines = map(_escaped, (title, *notes))
    return "".join(line + end for line in lines) if end else "\\n".join(lines)


def _escaped(text: str) -> str:
    """Escape the text of a label, where Graphviz interprets backslashes and `&`."""
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("&", "&amp;").replace("\n", "\\n")


def _quoted(name: str) -> str:
    """Quote a name. Names aren't shown, and escaping keeps them distinct."""
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'
