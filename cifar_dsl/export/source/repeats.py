"""Rounds of alike steps in a chain, which a printed class has as a loop."""

import re
from typing import Any

from cifar_dsl.export.source.expressions import is_same, series
from cifar_dsl.export.source.parts import Step
from cifar_dsl.foundation.records import define

_LONGEST_PERIOD = 6


@define(eq=False)
class Item:
    """A step, or rounds of steps that repeat."""

    rounds: list[list[Step]]
    names: tuple[tuple[str, int, int], ...] = ()  # of a loop: base, first number, difference

    @property
    def step(self) -> Step:
        """The first of its steps."""
        return self.rounds[0][0]


def _split_name(name: str) -> tuple[str, int]:
    match = re.fullmatch(r"(.*?)([1-9]\d*)?", name)
    assert match is not None
    return match[1], int(match[2] or 1)


def with_loops(
    steps: list[Step],
    signatures: list[tuple[Any, ...]],
    leaves: list[tuple[Any, ...]],
    least: int,
    *,
    has_series: bool,
) -> list[Item]:
    """The steps of a chain, with loops where at least `least` rounds are alike; see `Units.signature` and `leaves`.

    `has_series`: fractions may grow, too, if an expression of the round has all of their values.
    """
    items: list[Item] = []
    names = [_split_name(step.name) for step in steps]
    at = 0
    while at < len(steps):
        best = (0, 1)
        for period in range(1, _LONGEST_PERIOD + 1):
            rounds = _count_rounds(at, period, names, signatures, leaves, has_series=has_series)
            if rounds >= least and rounds * period > best[0] * best[1]:
                best = (rounds, period)
        rounds, period = best
        if not rounds:
            items.append(Item([[steps[at]]]))
            at += 1
            continue
        numbered = tuple(
            (names[at + i][0], names[at + i][1], names[at + period + i][1] - names[at + i][1]) for i in range(period)
        )
        items.append(Item([steps[at + period * j : at + period * (j + 1)] for j in range(rounds)], numbered))
        at += rounds * period
    return items


def _count_rounds(
    at: int,
    period: int,
    names: list[tuple[str, int]],
    signatures: list[tuple[Any, ...]],
    leaves: list[tuple[Any, ...]],
    *,
    has_series: bool,
) -> int:
    """How many rounds of `period` steps, from `at` on, are alike but for numbers that grow evenly."""
    rounds = 1
    while at + period * (rounds + 1) <= len(names):
        now = at + period * rounds
        for i in range(period):
            one, other, before = now + i, at + i, now + i - period
            if names[one][0] != names[other][0] or signatures[one] != signatures[other]:
                return rounds
            first = names[at + period + i][1] - names[other][1]
            if names[one][1] - names[before][1] != first or first < 1:
                return rounds
            columns = zip(*(leaves[other + period * number] for number in range(rounds + 1)), strict=True)
            if not all(_grows_evenly(column, has_series=has_series) for column in columns):
                return rounds
        rounds += 1
    return rounds


def _grows_evenly(column: tuple[Any, ...], *, has_series: bool) -> bool:
    """Whether the last of the values of a number in each round follows from those before."""
    first, second, *_ = column
    *_, before, now = column
    if all(type(each) is int for each in (first, second, before, now)):
        return bool(now - before == second - first)
    if has_series and type(now) is float and not is_same(first, now):
        return all(type(each) is float for each in column) and series(column) is not None
    return is_same(first, now) and is_same(before, now)
