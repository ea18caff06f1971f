"""The function of the printed file that fills the weights that don't start from torch's defaults."""

import re
from collections.abc import Iterable
from fnmatch import fnmatch
from math import isclose

from cifar_dsl.analysis.wiring import Wiring
from cifar_dsl.export.source.expressions import Constant, written
from cifar_dsl.export.source.layout import INDENT, WIDTH, lines_of
from cifar_dsl.export.source.layout import Call as PythonCall
from cifar_dsl.export.source.torch_modules import function_of_initialization, starts_of
from cifar_dsl.ir import Call, Graph, Node, Parameter, arguments_of
from cifar_dsl.operations.layers.initializer import Initializer, Kaiming, Xavier, fans

NAME = "initialize"
_OF_WEIGHT = ("norms", "singular")  # initial values that follow from the layer's weight
_SINES = ("_places", "_waves", "_sines")  # the functions of `sine`, in the order in which they are printed


def initialization(graph: Graph) -> list[str]:
    """The text of the function and of those that it calls; empty if torch's defaults are right for all weights."""
    wiring = Wiring(graph)
    every: list[str] = []
    groups: dict[tuple[str, ...], list[str]] = {}
    for node in graph.nodes:
        names = [f"{node.path}.{one.name}" for one in node.parameters if not one.is_buffer]
        every += names
        for one in _unlike_torch(node, wiring.lowering(node).target):
            groups.setdefault(_filling(node, one), []).append(f"{node.path}.{one.name}")
    if not groups:
        return []
    of_weights = [node for node in graph.nodes if any(one.initial.name in _OF_WEIGHT for one in node.parameters)]
    lines = [
        "@torch.no_grad()",
        f"def {NAME}(network: nn.Module) -> None:",
        f'{INDENT}"""Fill the weights whose initial values aren\'t torch\'s defaults."""',
        f"{INDENT}for name, weight in network.named_parameters():",
    ]
    for number, (filling, names) in enumerate(groups.items()):
        lines += _test("elif" if number else "if", _patterns(names, every))
        lines += [3 * INDENT + line for line in filling]
    if any(_unlike_torch(node, wiring.lowering(node).target) for node in of_weights):
        lines += [
            f"{INDENT}for layer in network.modules():",
            f"{2 * INDENT}if isinstance(layer, OfWeight):",
            f"{3 * INDENT}layer.start()",
        ]
    needs_sines = any("_sines(" in line for line in lines)
    called = [function_of_initialization(name) for name in _SINES] if needs_sines else []
    return [*called, "\n".join(lines)]


def _unlike_torch(node: Node, target: str) -> list[Parameter]:
    """The parameters whose initial values aren't those of a new module."""
    parameters = [one for one in node.parameters if not one.is_buffer and one.initial.name != "whitening"]
    if starts := starts_of(target):
        return [one for one in parameters if starts.get(one.name, "empty") != _simple(one.initial)]
    infos = arguments_of(type(node.operation))
    defaults = {info.name: info.default for info in infos if isinstance(info.default, Initializer)}
    # The inputs' shapes aren't needed again: only the values of weights of the same shapes differ.
    usual = {name: value for name, value in node.operation.arguments().items() if name in defaults}
    changed = {name for name, value in usual.items() if value != defaults[name]}
    return [one for one in parameters if _setting(one.name) in changed and one.kind != "scale"]


def _simple(initial: Call) -> str | None:
    """The function of torch that makes a tensor of these values, if they are all 0 or all 1."""
    if initial.name != "constant":
        return None
    (value,) = initial.keywords().values()
    return {0.0: "zeros", 1.0: "ones"}.get(float(str(value)))


def _setting(parameter: str) -> str:
    """The argument of a layer that sets the initial values of one of its parameters."""
    return "bias_init" if parameter.endswith("bias") else "init"


def _filling(node: Node, parameter: Parameter) -> tuple[str, ...]:
    """The statements that fill `weight`."""
    initial = parameter.initial
    chosen = node.operation.arguments().get(_setting(parameter.name))
    if isinstance(chosen, Kaiming | Xavier) and chosen.fill(parameter.shape) == initial:
        return (_by_fans(chosen),)
    values = {name: written(Constant(float(str(value)))) for name, value in initial.arguments}
    return _statements(initial, values, parameter)


def _statements(initial: Call, values: dict[str, str], parameter: Parameter) -> tuple[str, ...]:
    uniform = _uniform(values.get("bound", "0"), parameter.shape)
    match initial.name:
        case "constant":
            simple = _simple(initial)
            return (f"nn.init.{simple}_(weight)" if simple else f"nn.init.constant_(weight, {values['value']})",)
        case "uniform":
            return (uniform,)
        case "normal":
            return (f"nn.init.normal_(weight, std={values['std']})",)
        case "truncated_normal":
            return (f"nn.init.trunc_normal_(weight, std={values['std']})",)
        case "orthogonal":
            return (f"nn.init.orthogonal_(weight, gain={values['gain']})",)
        case "unit_variance":
            return (uniform, "weight /= weight.std()")
        case "dirac":
            identity = "eye_" if len(parameter.shape) == 2 else "dirac_"
            if parameter.groups == 1:
                return (uniform, f"nn.init.{identity}(weight[: weight.shape[1]])")
            loop = f"for group in weight.chunk({parameter.groups}):"
            return (uniform, loop, f"{INDENT}nn.init.{identity}(group[: group.shape[1]])")
        case "sine":
            lines = lines_of(3 * INDENT + "values = ", PythonCall("_sines", (("", "weight"), *values.items())))
            return (*(line.removeprefix(3 * INDENT) for line in lines), "weight.copy_(values)")
        case name:
            raise AssertionError(f"unknown initializer {name}")


def _uniform(bound: str, shape: tuple[int, ...]) -> str:
    """A uniform distribution: torch's own for layers, where its bound is that of this shape."""
    if len(shape) > 1 and isclose(float(bound), fans(shape)[0] ** -0.5):
        return "nn.init.kaiming_uniform_(weight, a=5**0.5)"
    return f"nn.init.uniform_(weight, -{bound}, {bound})"


def _by_fans(chosen: Kaiming | Xavier) -> str:
    """The function of torch for a distribution that depends on the numbers of inputs and outputs."""
    if isinstance(chosen, Xavier):
        gain = f", gain={written(Constant(chosen.gain))}" if chosen.gain != 1 else ""
        return f"nn.init.xavier_{chosen.distribution}_(weight{gain})"
    mode = f', mode="{chosen.mode}"' if chosen.mode != "fan_in" else ""
    return f'nn.init.kaiming_{chosen.distribution}_(weight{mode}, nonlinearity="{chosen.gain}")'


def _patterns(names: list[str], every: Iterable[str]) -> list[str]:
    """Patterns that match these parameters, and no other."""
    others = set(every).difference(names)
    left, found = list(names), list[str]()
    while left:
        layer, _, parameter = left[0].rpartition(".")
        path = layer.split(".")
        wide = ".".join(re.sub(r"\d+$", "", name) + "*" for name in path)
        last = path[-1].rstrip("0123456789")
        below = (f"{'.'.join(path[:depth])}.*{last}*.{parameter}" for depth in range(1, len(path) - 1))
        candidates = (f"*{parameter}", f"*{last}*.{parameter}", f"{wide}.{parameter}", *below)
        right = (one for one in candidates if not any(fnmatch(name, one) for name in others))
        pattern = next((one for one in right if fnmatch(left[0], one)), left[0])
        if len(names) == 1:
            pattern = left[0]
        found.append(pattern)
        left = [name for name in left if name != left[0] and not fnmatch(name, pattern)]
    return found


def _test(word: str, patterns: list[str]) -> list[str]:
    """The lines of the test whether a name matches a pattern."""
    indent = 2 * INDENT
    if len(patterns) == 1:
        (one,) = patterns
        test = f'fnmatch(name, "{one}")' if "*" in one else f'name == "{one}"'
        return [f"{indent}{word} {test}:"]
    texts = ", ".join(f'"{one}"' for one in patterns)
    line = f"{indent}{word} any(fnmatch(name, each) for each in ({texts})):"
    if len(line) <= WIDTH:
        return [line]
    inside = [f'{indent}{2 * INDENT}"{one}",' for one in patterns]
    return [
        f"{indent}{word} any(",
        f"{indent}{INDENT}fnmatch(name, each)",
        f"{indent}{INDENT}for each in (",
        *inside,
        f"{indent}{INDENT})",
        f"{indent}):",
    ]
