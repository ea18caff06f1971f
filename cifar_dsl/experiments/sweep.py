"""The grid of a sweep: each choice of one value from every `--set`, as overrides with a name."""

from collections.abc import Sequence
from itertools import product
from math import prod

from cifar_dsl.compiler import override_phrase
from cifar_dsl.foundation.errors import SweepError
from cifar_dsl.foundation.records import frozen
from cifar_dsl.language.diagnostics import Diagnostic, Label, SpecError
from cifar_dsl.language.source import Source
from cifar_dsl.language.syntax import nodes, parse_axis, print_chain, print_override

MOST = 64  # specs of a grid; with three seeds of each these are 192 trainings


@frozen
class Point:
    """One spec of a grid: the overrides that make it, and what it changes, a phrase each.

    `label` is what sets it apart from the others: `[head=512,lr=1e-3]`.
    """

    label: str
    changes: tuple[str, ...]
    overrides: tuple[str, ...]


@frozen
class Grid:
    """The points in the order of their values, the last `--set` running fastest.

    `common` are the overrides that all of them have, those of a `--set` with one value.
    """

    points: tuple[Point, ...]
    common: tuple[str, ...]


def make_grid(texts: Sequence[str]) -> Grid:
    """The grid that the `--set` of a sweep stand for. Raises SpecError, which says where they are wrong; SweepError."""
    axes = _axes(texts)
    varied = [axis for axis in axes if len(axis.values) > 1]
    if not varied:
        raise SweepError(
            "there is nothing to choose from: no `--set` has several values",
            "part the values of one by commas: --set 'head=[64],[512]'",
        )
    count = prod(len(axis.values) for axis in varied)
    if count > MOST:
        factors = " x ".join(str(len(axis.values)) for axis in varied)
        raise SweepError(
            f"{factors} values make a grid of {count:,} specs, and a sweep has at most {MOST}",
            "leave values out, or sweep one part after the other: runs that are there are used again",
        )
    names = dict(zip((axis.override.path for axis in varied), _short_names(varied), strict=True))
    points = []
    for values in product(*(axis.values for axis in axes)):
        chosen = [nodes.replace(axis.override, chain=value) for axis, value in zip(axes, values, strict=True)]
        parts = [
            f"{names[one.path]}={_short_value(one.chain, axis)}"
            for one, axis in zip(chosen, axes, strict=True)
            if one.path in names
        ]
        phrases = tuple(override_phrase(one) for one in chosen if one.path in names)
        points.append(Point(f"[{','.join(parts)}]", phrases, tuple(map(print_override, chosen))))
    common = tuple(print_override(axis.override) for axis in axes if axis not in varied)
    return Grid(tuple(points), common)


def _axes(texts: Sequence[str]) -> list[nodes.Axis]:
    axes: dict[str, nodes.Axis] = {}
    mistakes: list[Diagnostic] = []
    for text in texts:
        try:
            axis = parse_axis(Source("--set", text))
        except SpecError as error:
            mistakes += error.diagnostics
            continue
        if (first := axes.get(axis.override.path)) is None:
            axes[axis.override.path] = axis
            continue
        mistakes.append(
            Diagnostic(
                "E0207",
                f"`{axis.override.path}` is set twice",
                Label(axis.span, "again here"),
                secondary=(Label(first.span, "first here"),),
                help=("give all its values in one `--set`, parted by commas",),
            )
        )
    if mistakes:
        raise SpecError(mistakes)
    return list(axes.values())


def _short_names(axes: Sequence[nodes.Axis]) -> list[str]:
    """As much of the end of each path as no other ends with."""
    paths = [axis.override.path.split(".") for axis in axes]

    def shortest(path: list[str]) -> list[str]:
        others = [other for other in paths if other is not path]
        ends = (path[-length:] for length in range(1, len(path)))
        return next((end for end in ends if all(other[-len(end) :] != end for other in others)), path)

    return [".".join(shortest(path)) for path in paths]


def _short_value(value: nodes.Chain, axis: nodes.Axis) -> str:
    """The value without blanks, and a list of one item as that item where no other value is written so."""
    text = print_chain(value)
    inside = text.removeprefix("[").removesuffix("]")
    is_single = inside != "" and text == f"[{inside}]" and not set("[],") & set(inside)
    if is_single and inside not in map(print_chain, axis.values):
        text = inside
    return text.replace(", ", ",").replace(" -> ", "->")
