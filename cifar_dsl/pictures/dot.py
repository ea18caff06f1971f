"""A picture as DOT, the language of Graphviz."""

from cifar_dsl.pictures.families import FAINT, FRAME, INK, LINE, LOOKS
from cifar_dsl.pictures.model import Box, Frame, Item, Picture

FONT = "Helvetica,Arial,sans-serif"
_INDENT = "    "


def as_dot(picture: Picture) -> str:
    """The text of a `.dot` file."""
    graph = {
        "label": _lines(picture.name, picture.notes),
        "labelloc": "t",
        "fontname": FONT,
        "fontsize": "13",
        "fontcolor": INK,
        "nodesep": "0.3",
        "ranksep": "0.3",
        "bgcolor": "white",
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
    for arrow in picture.arrows:
        label = f" {_attributes({'label': _escaped(f' {arrow.label}')})}" if arrow.label else ""
        lines.append(f"{_INDENT}{_quoted(arrow.start)} -> {_quoted(arrow.end)}{label};")
    return "\n".join([*lines, "}"]) + "\n"


def _item(item: Item, indent: str) -> list[str]:
    if isinstance(item, Box):
        look = LOOKS[item.family]
        values = {"label": _lines(item.title, item.notes), "fillcolor": look.fill, "color": look.border}
        return [f"{indent}{_quoted(item.key)} {_attributes(values)};"]
    return _frame(item, indent)


def _frame(frame: Frame, indent: str) -> list[str]:
    values = {
        "label": _lines(frame.title, frame.notes),
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
    """Attributes in brackets; labels come escaped."""
    return "[" + ", ".join(f'{name}="{value}"' for name, value in values.items()) + "]"


def _lines(title: str, notes: tuple[str, ...]) -> str:
    return "\\n".join(map(_escaped, (title, *notes)))


def _escaped(text: str) -> str:
    """Text of a label, in which Graphviz takes backslashes for commands and `&` for the start of an entity."""
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("&", "&amp;").replace("\n", "\\n")


def _quoted(name: str) -> str:
    """A name; only its quotes need care."""
    return '"' + name.replace('"', '\\"') + '"'
