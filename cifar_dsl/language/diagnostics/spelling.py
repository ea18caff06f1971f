"""The known name that a misspelt or abbreviated one most likely means."""

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache

_SHORTEST = 3  # letters of an abbreviation
_LONGEST = 100  # letters of a name; comparing two takes as many steps as the product of their lengths


def nearest(name: str, known: Iterable[str], aliases: Iterable[tuple[str, str]] = ()) -> str | None:
    """The known name that `name` most likely misspells, or None.

    A name in other capitals, or with other underscores, comes first; then a name that a few typing errors turn into
    `name`: one for every three characters; then the only name that starts with `name`, or that `name` starts with, up
    to an underscore; then the only one that `name` abbreviates, or one of whose `aliases` (pairs of an alias and a
    known name) it abbreviates; `dense` comes before `dense_layer`. Names of more than 100 letters resemble none.
    """
    if len(name) > _LONGEST:
        return None
    candidates = sorted(one for one in set(known) - {name} if len(one) <= _LONGEST)
    folded = _folded(name)
    if same := [candidate for candidate in candidates if _folded(candidate) == folded]:
        return same[0]
    most, closest, distance_to = max(len(folded), 3) // 3, None, _distances(folded)
    for candidate in candidates:
        other = _folded(candidate)
        if abs(len(other) - len(folded)) <= most and (distance := distance_to(other)) <= most:
            most, closest = distance - 1, candidate
    if closest is not None:
        return closest
    parts = [one for one in candidates if f"{one}_".startswith(f"{name}_") or f"{name}_".startswith(f"{one}_")]
    if len(parts) == 1:
        return parts[0]
    if len(folded) < _SHORTEST:
        return None
    pairs = (*((one, one) for one in candidates), *aliases)
    meant = {one for written, one in pairs if _is_short_for(folded, written)}
    shortest = min(meant, key=len, default="")
    return shortest or None if all(f"{other}_".startswith(f"{shortest}_") for other in meant) else None


def _is_short_for(short: str, known: str) -> bool:
    """Whether `short` is the beginning of `known`, or consists of the beginnings of all its parts: `glavg`."""
    folded = _folded(known)
    if folded[:1] != short[0]:
        return False
    return folded.startswith(short) or _is_begun_by(short, known.casefold().strip("_").split("_"))


def _is_begun_by(short: str, parts: Sequence[str]) -> bool:
    """Whether `short` consists of beginnings of all parts, at least a letter of each."""
    ends = {0}  # of the beginnings so far
    for part in parts:
        ends = {end + i for end in ends for i in range(1, len(part) + 1) if short.startswith(part[:i], end)}
    return len(short) in ends


@lru_cache(maxsize=4096)  # the same names are compared with every misspelt one
def _folded(name: str) -> str:
    return name.casefold().replace("_", "")


def _distances(name: str) -> Callable[[str], int]:
    """The function that says how many letters must be added, dropped, replaced or swapped to make `name` of another.

    It computes a column of the textbook's table at once, as the bits of an integer: bit i of `higher` says that the
    distance grows by one from row i to row i + 1, and bit i of `lower` that it shrinks (Hyyrö 2003, with swaps).
    """
    if not name:
        return len
    places: dict[str, int] = {}
    for i, letter in enumerate(name):
        places[letter] = places.get(letter, 0) | 1 << i
    everywhere, last = (1 << len(name)) - 1, 1 << len(name) >> 1

    def distance_to(other: str) -> int:
        distance, higher, lower, same, before = len(name), everywhere, 0, 0, 0
        for letter in other:
            match = places.get(letter, 0)
            swapped = (~same & match) << 1 & before
            same = (((match & higher) + higher) ^ higher) | match | lower | swapped
            right = lower | everywhere & ~(same | higher)
            left = same & higher
            distance += bool(right & last) - bool(left & last)
            right, left = right << 1 | 1, left << 1
            higher = (left | ~(same | right)) & everywhere
            lower = right & same & everywhere
            before = match
        return distance

    return distance_to
