"""A picture of a network, independent of formats: boxes, frames around boxes, and arrows between boxes."""

from collections.abc import Iterator
from typing import Literal

from cifar_dsl.foundation.records import frozen

Direction = Literal["down", "right"]  # in which tensors flow

INPUT, OUTPUT = "@input", "@output"  # no path equals these keys


@frozen
class Box:
    """A layer, a join, a collapsed block, an end of the network, or a point where an arrow forks.

    `key` is its path; the key of a fork starts with `@`. `family` decides its colour. `notes` are shown in small type
    below the title.
    """

    key: str
    family: str
    title: str
    notes: tuple[str, ...] = ()


@frozen
class Frame:
    """A frame around the items of an expanded block, or around a repeated row of layers."""

    key: str
    title: str
    notes: tuple[str, ...]
    items: "tuple[Item, ...]"


Item = Box | Frame


@frozen
class Arrow:
    """A tensor that flows from box to box; `label` is its shape, or empty if it is already shown."""

    start: str
    end: str
    label: str


@frozen
class Picture:
    """The whole network."""

    name: str
    notes: tuple[str, ...]
    items: tuple[Item, ...]
    arrows: tuple[Arrow, ...]

    def boxes(self) -> Iterator[Box]:
        """All boxes, including those in frames."""
        waiting = list(reversed(self.items))
        while waiting:
            item = waiting.pop()
            if isinstance(item, Box):
                yield item
            else:
                waiting.extend(reversed(item.items))

    @property
    def length_of_arrows(self) -> int:
        """How many rows of boxes all arrows cross together, if each box stands below those that it follows."""
        inputs: dict[str, list[str]] = {}
        for arrow in self.arrows:
            inputs.setdefault(arrow.end, []).append(arrow.start)
        rows: dict[str, int] = {}
        length = 0
        for box in self.boxes():
            above = [rows[start] for start in inputs.get(box.key, ()) if start in rows]
            rows[box.key] = 1 + max(above, default=-1)
            length += sum(rows[box.key] - row for row in above)
        return length
