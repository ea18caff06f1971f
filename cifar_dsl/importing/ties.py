"""Which layers of a module are calls of one: they become tied blocks."""

from collections.abc import Mapping

from cifar_dsl.importing.network import Network


def ties_of(network: Network) -> Mapping[int, str]:
    """The names of tied blocks by the numbers of the steps that use them: those with the same weights."""
    groups: dict[object, list[int]] = {}
    for number, step in enumerate(network.steps):
        if step.weights:
            groups.setdefault((step.operation, step.weights), []).append(number)
    counts: dict[str, int] = {}
    names: dict[int, str] = {}
    for steps in groups.values():
        if len(steps) == 1:
            continue
        base = f"tied_{network.steps[steps[0]].operation.name}"
        counts[base] = counts.get(base, 0) + 1
        names |= dict.fromkeys(steps, base if counts[base] == 1 else f"{base}{counts[base]}")
    return names
