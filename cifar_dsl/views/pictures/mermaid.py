"""A picture as a Mermaid flow chart, which GitHub, GitLab and many editors render inside Markdown."""

import json
import re

from cifar_dsl.foundation.records import define, field
from cifar_dsl.views.pictures.families import FORK, FRAME, INK, LINE, LOOKS
from cifar_dsl.views.pictures.model import Box, Direction, Item, Picture

_INDENT = "    "
# Without it, the first box of a frame covers the frame's title.
_CONFIG = "config: {flowchart: {subGraphTitleMargin: {top: 4, bottom: 28}}}"
# Characters that Mermaid or the Markdown in its labels may interpret; `_` inside a word is safe.
_SPECIAL = re.compile(r"[^A-Za-z0-9_ ()=,.:+/\[\]-]|\b_|_\b")


def as_mermaid(picture: Picture, direction: Direction = "down") -> str:
    """The text of a `.mmd` file."""
    return _Writer(picture, direction).text()


@define
class _Writer:
    picture: Picture
    direction: Direction
    _keys: dict[str, str] = field(factory=dict)  # numbered, since some words and all dots have a meaning in Mermaid
    _frames: int = 0

    def text(self) -> str:
        title = ": ".join([self.picture.name, *self.picture.notes])
        lines = [
            "---",
            f"title: {json.dumps(title)}",
            _CONFIG,
            "---",
            f"flowchart {'LR' if self.direction == 'right' else 'TD'}",
        ]
        for item in self.picture.items:
            lines += self._item(item, _INDENT)
        forks = {box.key for box in self.picture.boxes() if box.family == FORK}
        for arrow in self.picture.arrows:
            label = f'|"{_escaped(arrow.label)}"|' if arrow.label else ""
            line = "---" if arrow.end in forks else "-->"
            lines.append(f"{_INDENT}{self._keys[arrow.start]} {line}{label} {self._keys[arrow.end]}")
        used = {box.family for box in self.picture.boxes()}
        lines += [
            f"{_INDENT}classDef {family} fill:{look.fill},stroke:{look.border},color:{INK}"
            for family, look in LOOKS.items()
            if family in used
        ]
        if self._frames:
            lines.append(f"{_INDENT}classDef frame fill:{FRAME},stroke:{LINE},color:{INK}")
        return "\n".join(lines) + "\n"

    def _item(self, item: Item, indent: str) -> list[str]:
        label = _label(item.title, item.notes)
        if isinstance(item, Box):
            key = self._keys[item.key] = f"n{len(self._keys) + 1}"
            if item.family == FORK:
                return [f'{indent}{key}@{{ shape: f-circ, label: " " }}', f"{indent}class {key} {FORK}"]
            return [f'{indent}{key}["{label}"]:::{item.family}']
        self._frames += 1
        key = f"f{self._frames}"
        lines = [f'{indent}subgraph {key}["{label}"]']
        for inner in item.items:
            lines += self._item(inner, indent + _INDENT)
        return [*lines, f"{indent}end", f"{indent}class {key} frame"]


def _label(title: str, notes: tuple[str, ...]) -> str:
    return "<br/>".join([_escaped(title), *(f"<small>{_escaped(note)}</small>" for note in notes)])


def _escaped(text: str) -> str:
    """Escape the text of a label: special characters become entities."""
    return _SPECIAL.sub(lambda match: f"#{ord(match[0])};", text)
