"""Steps that the language says in fewer words, such as the parts of attention."""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from cifar_dsl.foundation.records import evolve
from cifar_dsl.importing.attention import biases_of, heads_before, is_scaled, long_attend, shifts_of, thirds_of
from cifar_dsl.importing.network import Network, Step, join, layer, users_of
from cifar_dsl.ir import Shape
from cifar_dsl.operations.layers.shaping import Slice

_ATTENTION = 3  # queries, keys, values


def simplified(network: Network) -> Network:
    """The same network in fewer steps."""
    network = _without_dead(_pools_without_axes(network))
    network = _without_dead(_prefixes(network))
    network = _without_dead(_slices(network))
    network = _without_dead(_attend(network))
    return _long_where_needed(_without_dead(_attention(network)))


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


def _replaced(network: Network, changes: dict[int, Step]) -> Network:
    steps = tuple(changes.get(value, step) for value, step in enumerate(network.steps, 1))
    return evolve(network, steps=steps)


def _pools_without_axes(network: Network) -> Network:
    """`global_avgpool(keep=true) -> flatten` as `global_avgpool`."""
    users, changes = users_of(network), {}
    for value, step in enumerate(network.steps, 1):
        if step.operation.name != "flatten":
            continue
        (before,) = step.inputs
        pool = network.steps[before - 1] if before else step
        if pool.operation.name in {"global_avgpool", "global_maxpool"} and users[before] == 1:
            changes[value] = evolve(step, operation=layer(pool.operation.name), inputs=pool.inputs, place=pool.place)
    return _replaced(network, changes)


def _slices(network: Network) -> Network:
    """`slice -> slice` as one slice."""
    changes: dict[int, Step] = {}
    for value, step in enumerate(network.steps, 1):
        (before,) = step.inputs if step.operation.name == "slice" else (0,)
        outer = changes.get(before, network.steps[before - 1]) if before else step
        if outer is not step and outer.operation.name == "slice":
            (source,) = outer.inputs
            x = network.shape_of(source)
            taken = [
                one[two.start : two.stop : two.step]
                for one, two in zip(_taken(outer, x), _taken(step, outer.shape), strict=True)
            ]
            changes[value] = evolve(step, operation=Slice.of_axes(taken, x), inputs=(source,))
    return _replaced(network, changes)


def _taken(step: Step, x: Shape) -> list[range]:
    """The indices of each axis of x that a slice takes."""
    operation: Any = step.operation
    chosen = operation.chosen()
    if operation.has_axes:
        return list(chosen)
    channels = 1 if x.is_tokens else 0
    return [chosen[0] if axis == channels else range(extent) for axis, extent in enumerate(x.extents)]


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


def _attend(network: Network) -> Network:
    """The products of attention with nothing but softmax and dropout between them as `attend`."""
    users, shifts, changes = users_of(network), shifts_of(network), {}
    for value, step in enumerate(network.steps, 1):
        found = heads_before(network, value, users)
        if found is None or shifts.get(value):  # there, `attend` would have a mask
            continue
        between: list[Any] = [network.steps[one - 1].operation for one in found.between]
        dropout = between.pop().p if between and between[-1].name == "dropout" else 0.0
        scaled = is_scaled(network, found)
        if between == [layer("softmax", over="columns")] and (scaled or found.factor == 1):
            operation = join("attend", heads=found.heads, scaled=scaled, dropout=dropout)
            changes[value] = evolve(step, operation=operation, inputs=found.operands)
    return _replaced(network, changes)


def _long_where_needed(network: Network) -> Network:
    """With the steps of the long form of each `attend` that has one: that with dropout."""
    steps: list[Step] = []
    new = {0: 0}
    for value, step in enumerate(network.steps, 1):
        own = evolve(step, inputs=tuple(new[one] for one in step.inputs))
        attend: Any = step.operation
        if attend.name == "attend" and not attend.is_one_layer:
            queries, keys, values = own.inputs
            product, *between, last = long_attend(attend, *map(network.shape_of, step.inputs))
            steps.append(_made(own, product, (queries, keys), *map(network.shape_of, step.inputs[:2])))
            for operation in between:
                steps.append(_made(own, operation, (len(steps),), steps[-1].shape))
            own = evolve(own, operation=last, inputs=(len(steps), values))
        steps.append(own)
        new[value] = len(steps)
    return evolve(network, steps=tuple(steps), output=new[network.output])


def _made(step: Step, operation: Any, inputs: tuple[int, ...], *shapes: Shape) -> Step:
    """A step without weights at the place of another."""
    return Step(operation, inputs, operation.infer(*shapes), step.place)


def _attention(network: Network) -> Network:
    """Queries, keys and values of one projection, `attend`, and a projection of the heads as `attention`."""
    users, changes = users_of(network), {}
    for value, step in enumerate(network.steps, 1):
        if step.operation.name == "dense" and (found := _attention_before(network, step, users)):
            changes[value] = found
    return _replaced(network, changes)


def _attention_before(network: Network, out: Step, users: Counter[int]) -> Step | None:
    (before,) = out.inputs
    attend = network.steps[before - 1] if before else out
    if attend.operation.name != "attend" or users[before] != 1 or len(set(attend.inputs)) != _ATTENTION:
        return None
    features = out.shape.channels
    source = thirds_of(network, attend.inputs, features)
    into = network.steps[source - 1] if source else out
    if not source or into.operation.name != "dense" or users[source] != _ATTENTION:
        return None
    biases = biases_of(into, out)
    combination: Any = attend.operation
    if biases is None or "qkv_bias" in biases or not combination.scaled:
        return None
    if network.shape_of(into.inputs[0]).channels != features:
        return None
    operation = layer("attention", heads=combination.heads, dropout=combination.dropout, **biases)
    weights = (*_prefixed("in_", into), *_prefixed("out_", out))
    return Step(operation, into.inputs, out.shape, into.place, tuple(weights))


def _prefixed(prefix: str, step: Step) -> Iterator[tuple[str, str]]:
    return ((prefix + name, key) for name, key in step.weights)
