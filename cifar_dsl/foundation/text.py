"""Formats numbers, tables and lists as text for people."""

import re
from collections.abc import Sequence
from pathlib import PurePath

_NUMBER = re.compile("([0-9]+)")
_SMALL = re.compile("[0-9]{1,9}")
_LONGEST = 2000  # characters of a message


def columns(rows: Sequence[Sequence[str]], right: frozenset[int] = frozenset(), indent: str = "") -> list[str]:
    """Rows of cells as lines with aligned columns; columns numbered in `right` are right-aligned."""
    widths = [max(map(len, cells)) for cells in zip(*rows, strict=True)]
    return [
        indent
        + "  ".join(
            cell.rjust(width) if i in right else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def in_short(number: float, unit: str = "") -> str:
    """A quantity with three significant digits: 4.55 M, 1.77 MB."""
    for factor, prefix in ((10**12, "T"), (10**9, "G"), (10**6, "M"), (10**3, "k")):
        if abs(number) >= 0.9995 * factor:  # rounds up to it with three digits
            return f"{number / factor:.3g} {prefix}{unit}"
    return f"{number:.3g} {unit}".rstrip()


def points(share: float, digits: int = 1, *, sign: bool = False) -> str:
    """A fraction in percent, or a difference of fractions in percentage points, as a number without its unit."""
    text = f"{100 * share:{'+' if sign else ''}.{digits}f}"
    return text.replace("-", "", 1) if float(text) == 0 and text.startswith("-") else text


def reason_of(error: BaseException) -> str:
    """What an exception says, in one line: of the system's errors, the description without number and path."""
    inner = getattr(error, "reason", None)  # of urllib's URLError
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    if isinstance(inner, OSError):
        return reason_of(inner)
    return str(error).strip().partition("\n")[0] or type(error).__name__


def percent(share: float, digits: int = 1) -> str:
    """A fraction in percent: 93.1 %."""
    return f"{points(share, digits)} %"


def accuracy_in_percent(share: float, deviation: float | None = None) -> str:
    """An accuracy, or a mean of accuracies with their standard deviation: 72.01 %, 72.01 ± 0.42 %."""
    spread = "" if deviation is None else f" ± {points(deviation, 2)}"
    return f"{points(share, 2)}{spread} %"


def duration(seconds: float) -> str:
    """A time in seconds as text: 12.3 s, 4 min 05 s, 1 h 02 min."""
    if seconds < 100:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes < 100 else f"{minutes // 60} h {minutes % 60:02d} min"


def in_epochs(number: float) -> str:
    """A number of epochs as text: 1 epoch, 2.5 epochs."""
    return f"{number:g} epoch{'' if number == 1 else 's'}"


def without_middle(text: str) -> str:
    """`text` without its middle, if it is too long to be read in a message."""
    if len(text) <= _LONGEST:
        return text
    half = _LONGEST // 2
    return f"{text[:half]} [... {len(text) - 2 * half:,} characters ...] {text[-half:]}"


MOST_LISTED = 20  # items of a list in a message


def shortened(items: Sequence[str], separator: str = ", ") -> str:
    """The items as a list for a message; of a long one, the first items and the number of the others."""
    if len(items) <= MOST_LISTED:
        return separator.join(items)
    return separator.join([*items[:MOST_LISTED], f"{len(items) - MOST_LISTED:,} more"])


def listed(items: Sequence[str], conjunction: str) -> str:
    """The items as a list in a sentence: `a`, `a and b`, `a, b and c`; a long list is shortened."""
    if len(items) > MOST_LISTED:
        return shortened(items)
    return f" {conjunction} ".join(filter(None, (", ".join(items[:-1]), *items[-1:])))


def alternatives(items: Sequence[str]) -> str:
    """The items as a choice: `a`, `a or b`, `a, b or c`; a long list is shortened."""
    return listed(items, "or")


def small_number(text: str) -> int | None:
    """The number of up to nine ASCII digits; None for any other text, such as digits that Python doesn't convert."""
    return int(text) if _SMALL.fullmatch(text) else None


def natural_order(name: str | PurePath) -> tuple[tuple[tuple[str | int, ...], ...], str]:
    """The sort key of a file name or path: s2 before s10, and a folder's contents together."""
    path = PurePath(name)
    # The suffix decides last (s.arch, s2.arch). `split` alternates texts and numbers, so that keys can be compared.
    parts = (_NUMBER.split(part) for part in (*path.parts[:-1], path.stem))
    return tuple(tuple(int(one) if i % 2 else one for i, one in enumerate(part)) for part in parts), str(path)
