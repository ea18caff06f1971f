"""A picture of a network before it has a format: boxes, frames around some of them, and arrows between boxes."""

from collections.abc import Iterator

from cifar_dsl.foundation.records import frozen

INPUT, OUTPUT = "@input", "@output"  # keys that no path can be


@frozen
class Box:
    """A layer, a join, a block that is not opened, an end of the network, or a point where an arrow forks.

    `key` is its path; a fork's begins with `@`. `family` says what it is filled with. `notes` are set in small type
    beneath the title.
    """

    key: str
    family: str
    title: str
    notes: tuple[str, ...] = ()


@frozen
class Frame:
    """A block, or layers that repeat, drawn around what it holds."""

    key: str
    title: str
    notes: tuple[str, ...]
    items: "tuple[Item, ...]"


Item = Box | Frame


@frozen
class Arrow:
    """A tensor on its way from box to box; `label` is its shape, or empty where that is known from before."""

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
        """All boxes, those in frames included."""
        waiting = list(reversed(self.items))
        while waiting:
            item = waiting.pop()
            if isinstance(item, Box):
                yield item
            else:
                waiting.extend(reversed(item.items))
