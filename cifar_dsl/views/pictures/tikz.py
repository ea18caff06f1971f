"""A canvas as a `tikzpicture` for LaTeX."""

import re

from cifar_dsl.views.pictures.canvas import Canvas, Dot, Line, Mark, Point, Rectangle, Words
from cifar_dsl.views.pictures.families import Theme

_SPECIAL = {
    "\\": r"\textbackslash{}",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    **{letter: f"\\{letter}" for letter in "{}$&#%_"},
    **{letter: f"\\text{name}{{}}" for letter, name in (("<", "less"), (">", "greater"), ("|", "bar"))},
    '"': r"\textquotedbl{}",
    "`": r"\textasciigrave{}",
    "'": r"\textquotesingle{}",
}
_ANCHORS = {"start": "base west", "middle": "base"}
_HEAD = r"""% {name}: in a paper, \input this file. The preamble needs \usepackage{{tikz}}, \usepackage{{textcomp}},
% \usepackage[T1]{{fontenc}} and a scalable font, such as \usepackage{{lmodern}}.
% \resizebox{{\columnwidth}}{{!}}{{\input{{...}}}} fits it into a column.
"""


def tikz_of(canvas: Canvas, theme: Theme) -> str:
    """The text of a `.tex` file."""
    name = re.sub(r"[^A-Za-z0-9_. -]", "?", canvas.name)
    lines = [_HEAD.format(name=name) + r"\begin{tikzpicture}[x=1pt, y=-1pt, line width=0.7pt, font=\sffamily]"]
    colours = {"line": theme.line, **theme.inks}
    used = {mark.look for mark in canvas.marks if isinstance(mark, Rectangle)}
    for look in sorted(used):
        colours |= {f"{look} fill": theme.looks[look].fill, f"{look} border": theme.looks[look].border}
    if theme.paper:
        colours["paper"] = theme.paper
    lines += [rf"\definecolor{{net {key}}}{{HTML}}{{{value[1:].upper()}}}" for key, value in colours.items()]
    if theme.paper:
        lines.append(rf"\fill[net paper] (0,0) rectangle {_point((canvas.width, canvas.height))};")
    return "\n".join([*lines, *map(_drawn, canvas.marks), r"\end{tikzpicture}"]) + "\n"


def _drawn(mark: Mark) -> str:
    match mark:
        case Rectangle():
            end = (mark.x + mark.width, mark.y + mark.height)
            style = f"draw=net {mark.look} border, fill=net {mark.look} fill, rounded corners={mark.radius:g}pt"
            return rf"\path[{style}] {_point((mark.x, mark.y))} rectangle {_point(end)};"
        case Line():
            style = "draw=net line, rounded corners=5pt" + (", -latex" if mark.has_head else "")
            return rf"\path[{style}] {' -- '.join(map(_point, mark.points))};"
        case Dot():
            return rf"\fill[net line] {_point((mark.x, mark.y))} circle [radius={mark.radius:g}pt];"
        case Words():
            style = f"anchor={_ANCHORS[mark.anchor]}, inner sep=0pt, text=net {mark.look}"
            size = rf"\fontsize{{{mark.size:g}}}{{{1.2 * mark.size:g}}}\selectfont"
            return rf"\node[{style}] at {_point((mark.x, mark.y))} {{{size} {_escaped(mark.text)}}};"


def _point(point: Point) -> str:
    return f"({point[0]:.2f},{point[1]:.2f})"


def _escaped(text: str) -> str:
    """The text for LaTeX. A letter that LaTeX sets only with further packages becomes `?`, as in a PDF."""
    text = text.encode("cp1252", "replace").decode("cp1252")
    return "".join(_SPECIAL.get(letter, letter) for letter in text)
