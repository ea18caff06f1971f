"""Chooses the best of several specs, round by round: with a guarantee by elimination, or without one by halving.

Elimination: a spec is out as soon as another is shown to be better, by the interval of their difference. The intervals
are those of a comparison until decided (`comparison.sequential`) of one spec with all the others. So with a
probability of at least 95 %, all intervals between the best spec and the others contain the true differences, at every
look. Then the best spec is never eliminated, and the chosen one is worse than it by at most what the intervals allow.
Its place is decided once that is within the margin (an indifference zone; Bechhofer 1954, Paulson 1964).

Halving: all specs are trained for few epochs, the better half for twice as many, and so on (Jamieson and Talwalkar
2016). That costs least, and nobody knows how often it loses the best spec.
"""

import math
from collections.abc import Mapping
from itertools import combinations

from cifar_dsl.experiments.comparison.effects import Sample
from cifar_dsl.experiments.comparison.sequential import FIRST, Design, interval
from cifar_dsl.foundation.records import frozen

MARGIN = 0.01  # of accuracy: the default indifference zone
FRESH = 1000  # seeds from here on measure the chosen spec, and choose nothing


@frozen
class Standing:
    """What is known about which spec is the best.

    `worse_by` is, for each spec that is left, by how much it may be worse than the best, in accuracy: infinite before
    FIRST runs, and 0 if no other is left. `chosen` is the one for which this is the least. `eliminated` names, for each
    spec that is out, one that is better; None: all of its first runs diverged.
    """

    chosen: str
    worse_by: Mapping[str, float]
    eliminated: Mapping[str, str | None]


def standing(design: Design, samples: Mapping[str, Sample]) -> Standing:
    """What the runs show, for the design of a comparison of one spec with all the others.

    Accuracies are in an order that doesn't depend on them, and new ones come last.
    """
    eliminated: dict[str, str | None] = {name: None for name, one in samples.items() if _only_diverges(one)}
    able = [name for name in samples if name not in eliminated]
    if not able:
        return Standing(next(iter(samples)), {}, eliminated)
    worse_by = {(name, name): 0.0 for name in able}
    for name, other in combinations(able, 2):
        low, high = interval(design, samples[name].accuracies, samples[other].accuracies) or (-math.inf, math.inf)
        worse_by[name, other], worse_by[other, name] = high, -low
    means = {name: samples[name].mean or 0.0 for name in able}
    beaten = {name: [other for other in able if worse_by[other, name] < 0] for name in able}
    # Where intervals miss the truth, each may be worse than another.
    remaining = [name for name in able if not beaten[name]] or [max(able, key=means.__getitem__)]
    eliminated |= {name: max(beaten[name], key=means.__getitem__) for name in able if name not in remaining}
    most = {name: max(0.0, *(worse_by[name, other] for other in remaining)) for name in remaining}
    chosen = min(remaining, key=lambda name: (most[name], -means[name]))
    return Standing(chosen, most, eliminated)


def is_decided(design: Design, found: Standing) -> bool:
    """Whether the chosen spec is the best, or worse by less than the margin."""
    return found.worse_by.get(found.chosen, math.inf) <= (design.margin or 0.0)


def next_round(design: Design, samples: Mapping[str, Sample]) -> dict[str, int]:
    """How many more seeds each remaining spec takes next: FIRST at once, then one. Empty when nothing is open.

    Diverged runs count up to the cap, so that a spec that diverges isn't trained for ever.
    """
    found = standing(design, samples)
    if is_decided(design, found):
        return {}
    tried = {name: samples[name].n + samples[name].lost for name in found.worse_by}
    goal = min(max(FIRST, min(tried.values(), default=0) + 1), design.cap)
    return {name: goal - count for name, count in tried.items() if count < goal}


def better_half(scores: Mapping[str, float | None]) -> list[str]:
    """The half of the specs with the highest scores, rounded up, in their order; None is the lowest of all."""
    ranked = sorted(scores, key=lambda name: -math.inf if (one := scores[name]) is None else one, reverse=True)
    kept = set(ranked[: math.ceil(len(ranked) / 2)])
    return [name for name in scores if name in kept]


def rounds_of(specs: int, epochs: int) -> list[int]:
    """The epochs of each round of halving: half as many as in the next, and at least one. The last leaves one spec."""
    count = max(1, math.ceil(math.log2(specs)))
    return [math.ceil(epochs / 2**later) for later in reversed(range(count))]


def _only_diverges(sample: Sample) -> bool:
    return sample.n == 0 and sample.lost >= FIRST
