"""What accuracy costs: parameters, multiply-accumulates, time, energy, and the Pareto front for each."""

from collections.abc import Callable, Sequence

from cifar_dsl.experiments.comparison.rows import Row
from cifar_dsl.foundation.records import frozen
from cifar_dsl.foundation.text import duration, in_short


@frozen
class Price:
    """A cost of a spec, of which less is better."""

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
    """The Pareto front, cheapest first: no other row is at least as accurate and at most as expensive.

    Compares mean accuracies only: neighbours with overlapping intervals might swap with other seeds.
    """
    priced = [(cost, -row.mean, row) for row in rows if row.mean is not None and (cost := price.of(row)) is not None]
    best: list[Row] = []
    for _, _, row in sorted(priced, key=lambda item: item[:2]):
        if not best or (row.mean or 0.0) > (best[-1].mean or 0.0):
            best.append(row)
    return tuple(best)
