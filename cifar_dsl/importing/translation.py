"""A trace as a network of operations of the language."""

import cifar_dsl.importing.rules  # noqa: F401  # fills the table of rules
from cifar_dsl.importing.network import Network, Place, unsupported
from cifar_dsl.importing.tracing import Ref, Trace
from cifar_dsl.importing.translator import Translator
from cifar_dsl.ir import Shape


def translate(trace: Trace, image: Shape) -> Network:
    """The network of a trace. Raises UserError."""
    translator = Translator(image, trace.in_training)
    translator.values[trace.input.name] = translator.natural(0)
    for call in trace.calls:
        translator.run(call)
    if not isinstance(trace.output, Ref):
        count = len(trace.output) if isinstance(trace.output, tuple) else 0
        what = f"a container of {count} tensor{'s' * (count != 1)}" if count else "no tensor"
        raise unsupported(
            f"its output is {what}, and a network gives a tensor",
            Place(),
            "import a module around it, whose `forward` returns the scores alone",
        )
    output = translator.tensor(trace.output, Place())
    value = translator.canonical(output, Place())
    used = {key for step in translator.steps for _, key in step.weights}
    network = Network(image, tuple(translator.steps), value, tuple(key for key in trace.stored if key not in used))
    _refuse_partly_shared(network)
    return network


def _refuse_partly_shared(network: Network) -> None:
    """Raise UserError if two steps share some weights, and aren't the same layer with the same weights."""
    users: dict[str, tuple[object, ...]] = {}
    for step in network.steps:
        for _, key in step.weights:
            if users.setdefault(key, (step.operation, step.weights)) != (step.operation, step.weights):
                raise unsupported(
                    f"`{key}` is used again by another layer, and only whole layers share weights", step.place
                )
