"""The grid of a sweep: every combination of the `--set` values, as named overrides."""

from collections.abc import Sequence
from itertools import product
from math import prod

from cifar_dsl.compiler import override_phrase
from cifar_dsl.foundation.errors import SweepError
from cifar_dsl.foundation.records import frozen
from cifar_dsl.language.diagnostics import Diagnostic, Label, SpecError
from cifar_dsl.language.source import Source
from cifar_dsl.language.syntax import nodes, parse_axis, print_chain, print_override

MOST = 64  # specs in a grid: with three seeds each, 192 trainings


@frozen
class Point:
    """One spec of a grid: its overrides, and its changes, one phrase each.

    `label` distinguishes it from the others: `[head=512,lr=1e-3]`.
    """

    label: str
    changes: tuple[str, ...]
    overrides: tuple[str, ...]


@frozen
class Grid:
    """The points in the order of their values; the last `--set` varies fastest.

    `common` are the overrides shared by all points: each `--set` with a single value.
    """

    points: tuple[Point, ...]
    common: tuple[str, ...]


def make_grid(texts: Sequence[str]) -> Grid:
    """The grid of the `--set` options of a sweep. Raises SpecError for errors in their text; SweepError."""
    axes = _axes(texts)
    varied = [axis for axis in axes if len(axis.values) > 1]
    if not varied:
        raise SweepError(
            "no `--set` has several values to sweep over",
            "separate the values with commas: --set 'head=[64],[512]'",
        )
    count = prod(len(axis.values) for axis in varied)
    if count > MOST:
        factors = " x ".join(str(len(axis.values)) for axis in varied)
        raise SweepError(
            f"{factors} values give a grid of {count:,} specs, but a sweep can have at most {MOST}",
            "remove some values, or split the sweep: existing runs are reused",
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
    errors: list[Diagnostic] = []
    for text in texts:
        try:
            axis = parse_axis(Source("--set", text))
        except SpecError as error:
            errors += error.diagnostics
            continue
        if (first := axes.get(axis.override.path)) is None:
            axes[axis.override.path] = axis
            continue
        errors.append(
            Diagnostic(
                "E0207",
                f"`{axis.override.path}` is set twice",
                Label(axis.span, "again here"),
                secondary=(Label(first.span, "first here"),),
                help=("put all its values in one `--set`, separated by commas",),
            )
        )
    if errors:
        raise SpecError(errors)
    return list(axes.values())


def _short_names(axes: Sequence[nodes.Axis]) -> list[str]:
    """The shortest suffix of each path that no other path ends with."""
    paths = [axis.override.path.split(".") for axis in axes]

    def shortest(path: list[str]) -> list[str]:
        others = [other for other in paths if other is not path]
        ends = (path[-length:] for length in range(1, len(path)))
        return next((end for end in ends if all(other[-len(end) :] != end for other in others)), path)

    return [".".join(shortest(path)) for path in paths]


def _short_value(value: nodes.Chain, axis: nodes.Axis) -> str:
    """The value without spaces; a list of one item becomes that item, unless another value has this text."""
    text = print_chain(value)
    inside = text.removeprefix("[").removesuffix("]")
    is_single = inside != "" and text == f"[{inside}]" and not set("[],") & set(inside)
    if is_single and inside not in map(print_chain, axis.values):
        text = inside
    return text.replace(", ", ",").replace(" -> ", "->")
