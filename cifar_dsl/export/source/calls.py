"""How the modules of parts are called: in a chain, as branches of a join or by themselves, and with which values."""

from collections.abc import Iterator
from itertools import pairwise

from cifar_dsl.export.source.parts import Part, Step, same_tensors
from cifar_dsl.export.source.statements import Unit
from cifar_dsl.ir import Node


def all_parts(part: Part) -> Iterator[Part]:
    """A part, and all parts in it."""
    waiting = [part]
    while waiting:
        part = waiting.pop()
        yield part
        waiting.extend(reversed([*part.inside()]))


def has_tensors(step: Step) -> bool:
    """Whether a layer has weights, which may be those of another one."""
    return isinstance(step.stage, Node) and bool(step.stage.parameters or step.stage.shares)


def is_simple_join(part: Part) -> bool:
    """Whether a join has branches with one input and one output each, or only passes on what it gets."""
    if part.scope.kind != "join" or not part.steps or part.outputs != part.steps[-1].outputs:
        return False
    *branches, join = part.steps
    if all(map(passes_on, branches)):
        return True
    return all(len(step.inputs) == len(step.outputs) == 1 for step in branches) and join.inputs == tuple(
        step.outputs[0] for step in branches
    )


def is_chain_of_inputs(part: Part) -> bool:
    """Whether each stage takes what the one before it makes, and the first one all inputs, which may be several."""
    if part.is_chain:
        return True
    is_open = part.scope.kind == "join" or not part.steps or any(step.only_trains for step in part.steps)
    if is_open or set(part.steps[0].inputs) != {*range(part.inputs)} or part.outputs != part.steps[-1].outputs:
        return False
    return all(len(one.outputs) == 1 and one.outputs == two.inputs for one, two in pairwise(part.steps))


def passes_on(branch: Step) -> bool:
    """Whether a branch of a join only passes on what it gets."""
    return branch.part is not None and (not branch.part.steps or is_identity(branch.part))


def is_identity(part: Part) -> bool:
    """Whether a part is a chain of layers that compute nothing."""
    return part.is_chain and all(step.target == "torch.nn.Identity" for step in part.steps)


def is_lone(part: Part) -> bool:
    """Whether a part has a single stage, without weights."""
    return len(part.steps) == 1 and part.outputs == part.steps[0].outputs and not owns_tensors(part)


def owns_tensors(part: Part) -> bool:
    """Whether a layer inside owns weights."""
    return any(has_tensors(step) for inner in all_parts(part) for step in inner.steps)


def inputs_of_call(step: Step, of_part: dict[int, Unit]) -> tuple[int, ...]:
    """The values that the module of a step is called with."""
    part = step.part
    if part is None or not of_part[id(part)].is_inline:
        return step.inputs
    if part.scope.kind == "join":
        *branches, join = part.steps
        if all(map(passes_on, branches)):
            sources = same_tensors(part)
            return tuple(step.inputs[sources[value]] for value in join.inputs)
        return tuple(step.inputs[value] for value in inputs_of_branches(part))
    if of_part[id(part)].is_lone or not part.is_chain:
        return tuple(step.inputs[value] for value in inputs_of_call(part.steps[0], of_part))
    return step.inputs


def inputs_of_branches(join: Part) -> tuple[int, ...]:
    """The inputs of a join that its branches take, one for each; a single one if all take the same."""
    *branches, _ = join.steps
    sources = same_tensors(join)
    taken = tuple(sources[one.inputs[0]] for one in branches)
    return taken if len(set(taken)) > 1 else taken[:1]
