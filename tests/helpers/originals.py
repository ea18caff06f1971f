"""Networks of the zoo beside the code that others have published: the same weights, the same outputs.

An `Original` names a spec, and makes the published network that it stands for. `compare` gives both the same random
weights and statistics, in float64, and measures how far outputs and gradients lie apart.

Weights are matched in the order in which the two networks first use them (`first_uses`), not by their names, which
follow no rule, and not in the order of `parameters()`, which is that of the constructor. A wrong match can't go
unnoticed: with random weights, two networks agree only if each weight does the same in both.
"""

import ast
import importlib
import importlib.util
import inspect
import re
import sys
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from types import CodeType
from typing import Any

import torch
from attrs import frozen
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  # as everywhere
from torch.overrides import TorchFunctionMode

import cifar_dsl
from cifar_dsl.foundation.resources import specs_directory

_IMAGES = 2


def only_scores(returned: Tensor) -> tuple[Tensor, ...]:
    """What a network without exits returns, as one with exits would."""
    return (returned,)


@frozen
class Original:
    """A published network, and the spec that says the same.

    `overrides` turn off what is random in training, or state another size; `mechanism` says what the spec needs of the
    language beyond layers in a row. `outputs` turns what the original returns in training into what the spec's network
    does: the scores, then those of its exits. `late` names modules that the original runs earlier than the spec does,
    such as a shortcut: they come after the rest of the module that holds them.
    """

    spec: str
    source: str
    library: str  # what must be importable
    make: Callable[[], nn.Module]
    overrides: tuple[str, ...] = ()
    mechanism: str = ""
    late: tuple[str, ...] = ()
    outputs: Callable[[Any], tuple[Tensor, ...]] = only_scores

    @property
    def is_installed(self) -> bool:
        """Whether its library is."""
        return importlib.util.find_spec(self.library) is not None


@frozen
class Comparison:
    """What was measured. Differences are those of the largest element, relative to the largest of the original."""

    parameters: tuple[int, int]  # ours, theirs
    lines: tuple[int, int]
    training: float
    evaluation: float
    gradients: float
    matched: tuple[tuple[str, str], ...]  # ours, theirs

    @property
    def worst(self) -> float:
        return max(self.training, self.evaluation, self.gradients)


def compare(original: Original) -> Comparison:
    """Build both networks and compare them. Raises ValueError where their weights don't match one to one."""
    spec = cifar_dsl.load(specs_directory() / "zoo" / f"{original.spec}.arch", overrides=original.overrides)
    torch.manual_seed(0)
    ours = spec.build().double()
    x = torch.randn(_IMAGES, *spec.graph.input.extents, dtype=torch.float64)
    y = torch.randint(10, (_IMAGES,))
    importlib.import_module(original.library)  # what runs then belongs to no network
    with calls() as called:
        theirs = original.make().double()
        used = first_uses(theirs, x)
    matched = _matched(first_uses(ours, x), with_late_ones(used, original.late))
    tensors = (dict(_tensors(ours)), dict(_tensors(theirs)))
    for own, other in matched:
        _fill(tensors[0][own], tensors[1][other])
    with torch.no_grad():
        evaluation = _relative(ours.eval()(x), theirs.eval()(x))
    returned = ours.train()(x)
    outputs = returned if isinstance(returned, tuple) else (returned,)
    others = original.outputs(theirs.train()(x))
    for scores in (outputs, others):
        torch.stack([F.cross_entropy(one, y) for one in scores]).sum().backward()
    gradients = [
        (tensors[0][own].grad, tensors[1][other].grad) for own, other in matched if tensors[0][own].requires_grad
    ]
    largest = max(float(theirs.abs().max()) for _, theirs in gradients if theirs is not None)
    return Comparison(
        parameters=(_count(ours), _count(theirs)),
        lines=(_lines_of_spec(spec.path), lines_of_original(called, theirs)),
        training=max(_relative(*pair) for pair in zip(outputs, others, strict=True)),
        evaluation=evaluation,
        gradients=max(_relative(*pair, least=_NOISE * largest) for pair in gradients),
        matched=tuple(matched),
    )


# A gradient that is zero in theory, such as that of a bias before batch norm, is rounding noise. So no gradient counts
# as smaller than this share of the network's largest.
_NOISE = 1e-6


def first_uses(module: nn.Module, x: Tensor) -> list[str]:
    """The names of its parameters and running statistics, in the order in which a forward pass first uses them.

    A weight comes before the bias that belongs to it; `torch.addcmul` takes the bias first.
    """
    names = {id(tensor): name for name, tensor in _tensors(module)}
    state = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    recorder = _Recorder(names)
    with torch.no_grad(), recorder:
        module.train()(x)
    module.load_state_dict(state)
    used = list(dict.fromkeys(recorder.used))
    for i, (first, second) in enumerate(pairwise(used)):
        if first.endswith("bias") and second == f"{first.removesuffix('bias')}weight":
            used[i : i + 2] = second, first
    return used


def with_late_ones(names: list[str], late: Iterable[str]) -> list[str]:
    """`names` with those of each module called one of `late` after the others of the module around it."""
    for module in late:
        around = dict.fromkeys(name.partition(f"{module}.")[0] for name in names if f"{module}." in name)
        for prefix in around:
            inside = [name for name in names if name.startswith(prefix)]
            moved = [name for name in inside if name.startswith(f"{prefix}{module}.")]
            first = names.index(inside[0])
            names = [name for name in names if name not in inside]
            names[first:first] = [*(name for name in inside if name not in moved), *moved]
    return names


class _Recorder(TorchFunctionMode):
    """Notes every tensor of `names` that a function of torch receives."""

    def __init__(self, names: Mapping[int, str]) -> None:
        super().__init__()
        self._names = names
        self.used: list[str] = []

    def __torch_function__(
        self, func: Callable[..., Any], _types: Any, args: Iterable[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if func.__name__ == "__get__":  # asks for a shape or a type, say
            return func(*args, **kwargs)
        for value in (*args, *kwargs.values()):
            for one in value if isinstance(value, (list, tuple)) else (value,):
                if isinstance(one, Tensor) and id(one) in self._names:
                    self.used.append(self._names[id(one)])
        return func(*args, **kwargs)


def _tensors(module: nn.Module) -> Iterable[tuple[str, Tensor]]:
    """What is learned, and the running statistics."""
    yield from module.named_parameters()
    for name, buffer in module.named_buffers():
        if name.endswith(("running_mean", "running_var")):
            yield name, buffer


def _matched(ours: list[str], theirs: list[str]) -> list[tuple[str, str]]:
    if len(ours) != len(theirs):
        raise ValueError(f"{len(ours)} tensors are used here, {len(theirs)} there: {_parting(ours, theirs)}")
    return list(zip(ours, theirs, strict=True))


def _parting(ours: list[str], theirs: list[str]) -> str:
    """The first names that end differently, which is probably where the networks part."""
    for own, other in zip(ours, theirs, strict=False):
        if own.rpartition(".")[2] != other.rpartition(".")[2]:
            return f"they part at {own} and {other}"
    return "one ends earlier"


def _fill(own: Tensor, other: Tensor) -> None:
    """The same random numbers in both, of a size that lets signals neither grow nor vanish."""
    if own.numel() != other.numel():
        raise ValueError(f"{tuple(own.shape)} here, {tuple(other.shape)} there")
    with torch.no_grad():
        values = torch.randn_like(other)
        if other.dim() > 1 and other.numel() > other.shape[0]:
            values *= (other.numel() / other.shape[0]) ** -0.5
        elif not other.requires_grad:  # a running statistic; a variance is positive
            values = 0.5 + values.abs()
        else:
            values = 0.5 * values + 0.5
        other.copy_(values)
        own.copy_(values.reshape(own.shape))


def _relative(own: Tensor | None, theirs: Tensor | None, least: float = 0.0) -> float:
    assert own is not None
    assert theirs is not None
    difference = float((own.detach() - theirs.detach().reshape(own.shape)).abs().max())
    return difference / max(float(theirs.detach().abs().max()), least)


def _count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


# ---- lines


def _lines_of_spec(path: Path) -> int:
    """The lines of a spec and its bases, up to the recipe, that aren't empty or a comment."""
    network = path.read_text(encoding="utf-8").partition("\ntrain {")[0]
    lines = sum(bool(line.strip()) and not line.lstrip().startswith("#") for line in network.splitlines())
    base = re.search(r'^arch \w+ extends "(.+)"', network, re.MULTILINE)
    return lines + (_lines_of_spec(path.with_name(base[1])) if base else 0)


@contextmanager
def calls() -> Iterator[set[CodeType]]:
    """Collects the functions that are called."""
    called: set[CodeType] = set()
    sys.setprofile(lambda frame, event, _: called.add(frame.f_code) if event == "call" else None)
    try:
        yield called
    finally:
        sys.setprofile(None)


def lines_of_original(called: Iterable[CodeType], module: nn.Module) -> int:
    """The lines of those functions that stand in the file of the network's class.

    Docstrings and comments don't count, nor does what the file imports, as a spec's library doesn't.
    """
    home = inspect.getfile(type(module))
    functions = (code for code in called if code.co_flags & inspect.CO_OPTIMIZED)  # not the bodies of classes
    own = (code for code in functions if code.co_filename == home and not code.co_name.startswith("<"))
    return sum(_lines_of_function(code) for code in own)


def _lines_of_function(code: CodeType) -> int:
    tree = ast.parse(textwrap.dedent(inspect.getsource(code)))
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and ast.get_docstring(node) is not None:
            node.body = node.body[1:] or [ast.Pass()]
    return len(ast.unparse(tree).splitlines())
