"""The findings of a comparison as sentences, which claim no more than the statistics support."""

from cifar_dsl.experiments.comparison.effects import ALPHA, MOST_SEEDS, Effect, Interval
from cifar_dsl.experiments.comparison.rows import Comparison, Pair, Row
from cifar_dsl.foundation.text import points


def sentence(row: Row, base: Row) -> str:
    """The finding for a spec against the baseline; for the baseline itself, how many runs were lost or stopped."""
    if row is base:
        return f"{base.name}, the baseline{_lost(base)}{_stopped(base)}"
    return f"{row.name}{_finding(row, base)}{_lost(row)}{_stopped(row)}"


def sentences(comparison: Comparison) -> list[str]:
    """A sentence for each spec except the baseline, and one for the baseline if it lost runs or stopped early.

    Specs with a single run, or without any, share a sentence: the table has the rest.
    """
    base = comparison.base_row
    about_base = [sentence(base, base)] if base.lost or base.stopped_early else []
    others = [row for row in comparison.rows[1:] if _is_plain(row) and row.fingerprint != base.fingerprint]
    single = [row.name for row in others if row.effect is not None and len(row.accuracies) == 1]
    absent = [row.name for row in others if row.mean is None]
    shared = {
        tuple(single): "one run each can't separate a trick from luck; train more seeds",
        tuple(absent): "no run",
    }
    merged = {names: f"{', '.join(names)}: {text}" for names, text in shared.items() if len(names) > 1}
    apart = {name for names in merged for name in names}
    return [
        *about_base,
        *(sentence(row, base) for row in comparison.rows[1:] if row.name not in apart),
        *merged.values(),
    ]


def pair_sentences(comparison: Comparison) -> list[str]:
    """A sentence for each pair of specs, adjusted by Holm's method; none unless pairs were requested."""
    rows = {row.name: row for row in comparison.rows}
    return [_pair_sentence(pair, rows[pair.first], rows[pair.second]) for pair in comparison.pairs]


def range_text(interval: Interval | None, *, sign: bool = False) -> str:
    """An interval in percentage points: "7.6 to 8.6"; "" for none."""
    if interval is None:
        return ""
    digits = _digits(interval)
    return " to ".join(points(bound, digits, sign=sign) for bound in interval)


def p_text(p: float | None) -> str:
    """A p-value with its significant digits: "p = 0.031", "p < 0.001"; "" for none."""
    if p is None:
        return ""
    if p < 0.001:
        return "p < 0.001"
    if p > 0.995:
        return "p > 0.99"
    digits = 2 if p >= 0.1 else 3
    text = f"{p:.{digits}f}"
    if p < ALPHA <= float(text) or float(text) <= ALPHA <= p:  # rounding must not move it across ALPHA
        text = f"{p:.5f}"
    return f"p = {text}"


def _pair_sentence(pair: Pair, first: Row, second: Row) -> str:
    if pair.verdict == "untested":
        return f"{pair.first} and {pair.second}: {_untested(first, second)}"
    p = p_text(pair.p_adjusted)
    if pair.verdict == "unclear":  # no interval: it is unadjusted and may exclude 0
        difference = points(pair.difference, sign=True)
        return f"{pair.first} and {pair.second}: no significant difference ({difference} points, {p})"
    winner, loser = (pair.second, pair.first) if pair.verdict == "better" else (pair.first, pair.second)
    size, digits = abs(pair.difference), _digits(pair.interval)
    return f"{winner} beats {loser} by {points(size, digits)} points ({range_text(_away(pair.interval))}), {p}"


def _finding(row: Row, base: Row) -> str:
    effect = row.effect
    if row.fingerprint == base.fingerprint:
        return f" has the same fingerprint as {base.name}, so they share their runs"
    if effect is None:
        return _missing(row, base)
    if effect.verdict == "untested":
        return f": {points(effect.difference, sign=True)} points, but {_untested(row, base)}"
    if effect.verdict in _UNDECIDED:
        return f": {_undecided(effect, base)}"
    assert effect.simultaneous is not None
    if effect.verdict == "equivalent":
        return f": equivalent to {base.name} ({range_text(effect.simultaneous, sign=True)} points)"
    if effect.verdict == "unclear":
        return f": no significant difference from {base.name} ({_unclear(effect, row, base)}"
    digits = _digits(effect.simultaneous)
    size = points(abs(effect.difference), digits)
    verb = "beats" if effect.verdict == "better" else "is worse than"
    return f" {verb} {base.name} by {size} points ({range_text(_away(effect.simultaneous))})"


_UNDECIDED = {
    "open": "open; more seeds may decide it",
    "given up": "given up; seeds up to the cap will hardly decide it, which doesn't mean that the specs are equal",
    "undecided": "undecided; there are no more seeds, which doesn't mean that the specs are equal",
}


def _undecided(effect: Effect, base: Row) -> str:
    seen = f"{points(effect.difference, sign=True)} points from {base.name}"
    if effect.simultaneous:
        seen += f" ({range_text(effect.simultaneous, sign=True)})"
    return f"{_UNDECIDED[effect.verdict]}; {seen}"


def _unclear(effect: Effect, row: Row, base: Row) -> str:
    assert effect.detectable is not None
    power = f"can detect differences of about {points(effect.detectable)} points or more"
    if effect.detectable > 1:
        power = "can hardly detect any difference"
    size = abs(effect.difference)
    text = f"{range_text(effect.simultaneous, sign=True)} points); {_seeds(row, base)} {power}"
    real = f"if the difference of {points(size, 1 if size >= 0.0005 else 2)} points is real,"
    if effect.seeds_needed is None:
        return text + f"; {real} it takes more than {MOST_SEEDS:,} seeds to show it"
    n, m = len(row.accuracies), len(base.accuracies)
    more = f"{max(1, effect.seeds_needed - n):,} more seeds per spec"
    wanted = more if n == m else f"{effect.seeds_needed:,} seeds per spec in total"
    return text + f"; {real} it takes about {wanted} to show it"


def _seeds(row: Row, base: Row) -> str:
    n, m = len(row.accuracies), len(base.accuracies)
    return f"{n} seeds" if n == m else f"{n} seeds against {m}"


def _missing(row: Row, base: Row) -> str:
    if row.mean is None:
        return ": no run finished" if row.lost else ": no run"
    return f": {base.name} has no finished run to compare with"


def _untested(row: Row, base: Row) -> str:
    for each in (row, base):
        if len(each.accuracies) == 1:
            return f"one run of {each.name} can't separate a trick from luck; train more seeds"
    return "neither spec varies between seeds, so chance can't be estimated"


def _lost(row: Row) -> str:
    if not row.lost:
        return ""
    total = row.lost + len(row.accuracies)
    parts = [f"{count} {status}" for count, status in ((row.diverged, "diverged"), (row.failed, "failed")) if count]
    return f"; of {total} run{'s' * (total > 1)}, {' and '.join(parts)}" + (
        " (the statistics cover the finished runs only)" if row.accuracies else ""
    )


def _is_plain(row: Row) -> bool:
    """Whether a sentence has nothing to say about how its runs ended."""
    return not (row.lost or row.stopped_early)


def _stopped(row: Row) -> str:
    """How many runs early stopping ended: their accuracies are those of different numbers of epochs."""
    if not row.stopped_early:
        return ""
    first, last = min(row.epochs), max(row.epochs)
    spent = f"{first:g}" if first == last else f"{first:g} to {last:g}"
    return f"; early stopping ended {row.stopped_early} of {len(row.epochs)} runs (trained for {spent} epochs)"


def _away(interval: Interval | None) -> Interval:
    """The absolute bounds of an interval that excludes 0, the smaller first."""
    assert interval is not None
    low, high = sorted(map(abs, interval))
    return low, high


def _digits(interval: Interval | None) -> int:
    """The digits for an interval: by its width, and enough that the end near 0 isn't rounded to 0."""
    if interval is None:
        return 1
    low, high = interval
    width, nearest = 100 * (high - low), 100 * min(abs(low), abs(high))
    digits = 1 if width >= 0.2 else 2
    while low * high > 0 and digits < 6 and round(nearest, digits) == 0:
        digits += 1
    return digits
