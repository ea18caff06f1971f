"""Steps that the language says in fewer words, such as the parts of attention."""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from cifar_dsl.foundation.records import evolve
from cifar_dsl.importing.network import Network, Step, layer

_ATTENTION = 3  # queries, keys, values


def simplified(network: Network) -> Network:
    """The same network in fewer steps."""
    network = _without_dead(_pools_without_axes(network))
    network = _without_dead(_prefixes(network))
    return _without_dead(_attention(network))


def _without_dead(network: Network) -> Network:
    """Without the steps that don't reach the output."""
    alive = {network.output}
    for value in range(len(network.steps), 0, -1):
        if value in alive:
            alive.update(network.steps[value - 1].inputs)
    return _renumbered(network, [value for value in range(1, len(network.steps) + 1) if value in alive])


def _renumbered(network: Network, kept: Iterable[int]) -> Network:
    new = {0: 0}
    steps: list[Step] = []
    for value in kept:
        step = network.steps[value - 1]
        steps.append(evolve(step, inputs=tuple(new[one] for one in step.inputs)))
        new[value] = len(steps)
    return evolve(network, steps=tuple(steps), output=new[network.output])


def _users(network: Network) -> Counter[int]:
    users = Counter(value for step in network.steps for value in step.inputs)
    users[network.output] += 1
    return users


def _replaced(network: Network, changes: dict[int, Step]) -> Network:
    steps = tuple(changes.get(value, step) for value, step in enumerate(network.steps, 1))
    return evolve(network, steps=steps)


def _pools_without_axes(network: Network) -> Network:
    """`global_avgpool(keep=true) -> flatten` as `global_avgpool`."""
    users, changes = _users(network), {}
    for value, step in enumerate(network.steps, 1):
        if step.operation.name != "flatten":
            continue
        (before,) = step.inputs
        pool = network.steps[before - 1] if before else step
        if pool.operation.name in {"global_avgpool", "global_maxpool"} and users[before] == 1:
            changes[value] = evolve(step, operation=layer(pool.operation.name), inputs=pool.inputs, place=pool.place)
    return _replaced(network, changes)


def _prefixes(network: Network) -> Network:
    """`concat { a | b | c }` as `concat { ab | c }`, where ab is the concatenation of a and b."""
    known: dict[tuple[int, ...], int] = {}
    flat: dict[int, tuple[int, ...]] = {}
    changes: dict[int, Step] = {}
    for value, step in enumerate(network.steps, 1):
        if repr(step.operation) != "concat()":
            continue
        inputs = step.inputs
        for count in range(len(inputs) - 1, 1, -1):
            if inputs[:count] in known:
                changes[value] = evolve(step, inputs=(known[inputs[:count]], *inputs[count:]))
                break
        flat[value] = tuple(part for one in inputs for part in flat.get(one, (one,)))
        known.setdefault(inputs, value)
        known.setdefault(flat[value], value)
    return _replaced(network, changes)


def _attention(network: Network) -> Network:
    """Queries, keys and values of one projection, `attend`, and a projection of the heads as `attention`."""
    users, changes = _users(network), {}
    for value, step in enumerate(network.steps, 1):
        if step.operation.name == "dense" and (found := _attention_before(network, step, users)):
            changes[value] = found
    return _replaced(network, changes)


def _attention_before(network: Network, out: Step, users: Counter[int]) -> Step | None:
    (before,) = out.inputs
    attend = network.steps[before - 1] if before else out
    if attend.operation.name != "attend" or users[before] != 1 or len(set(attend.inputs)) != _ATTENTION:
        return None
    slices = [network.steps[value - 1] for value in attend.inputs if value]
    sources = {one.inputs[0] for one in slices if one.operation.name == "slice"}
    if len(sources) != 1 or len(slices) != _ATTENTION:
        return None
    source = sources.pop()
    into = network.steps[source - 1] if source else out
    features = network.shape_of(into.inputs[0]).channels
    thirds = [layer("slice", start=k * features, stop=(k + 1) * features) for k in range(_ATTENTION)]
    if into.operation.name != "dense" or users[source] != _ATTENTION or [one.operation for one in slices] != thirds:
        return None
    has_bias = {bool(dict(step.weights).get("bias")) for step in (into, out)}
    join: Any = attend.operation
    if len(has_bias) != 1 or out.shape.channels != features or not join.scaled:
        return None
    operation = layer("attention", heads=join.heads, dropout=join.dropout, bias=has_bias.pop())
    weights = (*_prefixed("in_", into), *_prefixed("out_", out))
    return Step(operation, into.inputs, out.shape, into.place, tuple(weights))


def _prefixed(prefix: str, step: Step) -> Iterator[tuple[str, str]]:
    return ((prefix + name, key) for name, key in step.weights)
