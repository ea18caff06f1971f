"""What accuracy costs: which specs no other beats at their price."""

from collections.abc import Callable, Sequence

from cifar_dsl.experiments.comparison.rows import Row
from cifar_dsl.foundation.records import frozen
from cifar_dsl.foundation.text import duration, in_short


@frozen
class Price:
    """Something that a spec costs: less is better."""

    name: str
    of: Callable[[Row], float | None]
    text: Callable[[float], str]


PRICES = (
    Price("parameters", lambda row: row.parameters, lambda number: f"{number:,.0f}"),
    Price("multiply-accumulates", lambda row: row.macs, in_short),
    Price("training time", lambda row: row.time_s, duration),
    Price("energy", lambda row: row.energy_j, lambda number: in_short(number, "J")),
)


def front(rows: Sequence[Row], price: Price) -> tuple[Row, ...]:
    """The Pareto front, the cheapest first: rows than which no other is as accurate for less, or more so for as much.

    It goes by the means alone, so that neighbours whose intervals overlap might change places with other seeds.
    """
    priced = [(cost, -row.mean, row) for row in rows if row.mean is not None and (cost := price.of(row)) is not None]
    found: list[Row] = []
    for _, _, row in sorted(priced, key=lambda item: item[:2]):
        if not found or (row.mean or 0.0) > (found[-1].mean or 0.0):
            found.append(row)
    return tuple(found)
