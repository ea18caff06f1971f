"""Hypothesis strategies for values and calls as text, drawn from what the declarations accept."""

from typing import TypeVar

from hypothesis import strategies as st

from cifar_dsl.compiler.bind import Binder
from cifar_dsl.compiler.evaluate import Evaluator
from cifar_dsl.compiler.invocation import Invocation
from cifar_dsl.compiler.names import resolve_spec
from cifar_dsl.compiler.patterns import PatternReader
from cifar_dsl.compiler.values import ValueScope, write
from cifar_dsl.ir import Declaration, Kind, Shape, Size, Value, arguments_of
from cifar_dsl.language.diagnostics import EvaluationFailed, Reporter
from cifar_dsl.language.source import Source
from cifar_dsl.language.syntax import nodes, parse_spec
from cifar_dsl.operations.argument_types import Bool, Choice, Extents, Float, Int, ListOf, OneOf, Pair, Stage, Text
from cifar_dsl.operations.layers import LAYERS
from cifar_dsl.operations.registry import CallOf, MisfitError

D = TypeVar("D", bound=Declaration)
LARGEST = 4096  # elements of a drawn tensor


def values_of(kind: Kind, small: int = 6) -> st.SearchStrategy[Value]:
    """Values that an argument of this kind accepts; small ones if it is unbounded."""
    match kind:
        case Int(low, high):
            return st.integers(low, min(high, low + small))
        case Float(low, high, open_low, open_high):
            least, most = max(low, -100.0), min(high, max(low, 0) + 100.0)
            inner = st.floats(least, most, allow_subnormal=False, exclude_min=open_low, exclude_max=open_high)
            return inner.map(lambda x: float(f"{x:.3g}")).filter(lambda x: _takes(kind, x))
        case Bool():
            return st.booleans()
        case Pair(low, high):
            extents = st.integers(low, min(high, low + 3))
            return extents | st.tuples(extents, extents).map(Size)
        case Extents():
            extents = st.integers(1, 4)
            return extents | st.lists(extents, min_size=2, max_size=3).map(Size)
        case Choice(names):
            return st.sampled_from(names).map(_Word)
        case Stage():
            return st.sampled_from(["identity", "tanh"]).map(_Word)
        case Text():
            return st.text("0123456789abcdef", min_size=1, max_size=16)
        case ListOf(item, length):
            size = {"min_size": length, "max_size": length} if length else {"min_size": 3, "max_size": 3}
            return st.lists(values_of(item), **size).map(tuple)
        case OneOf(kinds):
            return st.one_of([values_of(one) for one in kinds])
        case CallOf():
            return st.sampled_from(kind.symbols()).flatmap(lambda name: calls(kind.registry[name])).map(_Word)
    raise AssertionError(f"no strategy for {kind}")


class _Word(str):
    """A bare word."""

    __slots__ = ()


def _takes(kind: Kind, value: Value) -> bool:
    try:
        kind.accept(value)
    except Exception:  # noqa: BLE001
        return False
    return True


def text_of(value: Value) -> str:
    """A value as a spec writes it."""
    return str(value) if isinstance(value, _Word) else write(value)


def calls(declaration: type[Declaration]) -> st.SearchStrategy[str]:
    """A call with all required and some optional arguments, by position or by name."""
    return _calls(declaration).filter(lambda text: bound(declaration, text) is not None)


@st.composite
def _calls(draw: st.DrawFn, declaration: type[Declaration]) -> str:
    """Like `calls`, but the arguments may contradict each other."""
    parts: list[str] = []
    by_name = draw(st.booleans())
    for info in arguments_of(declaration):
        if not info.is_required and draw(st.booleans()):
            by_name = True  # one was omitted
            continue
        text = text_of(draw(values_of(info.kind)))
        parts.append(f"{info.name}={text}" if by_name else text)
    return f"{declaration.name}({', '.join(parts)})" if parts else declaration.name


@st.composite
def pattern_calls(draw: st.DrawFn, name: str, x: Shape) -> str:
    """A call that splits, moves, merges and leaves out some axes of `x`; `rearrange` leaves out none."""
    names = iter("abcdefgh")
    sides: list[str] = []
    axes: list[str] = []
    extents: list[str] = []
    for extent in x.extents:
        divisors = [one for one in range(2, extent) if not extent % one]
        outer = next(names)
        axes.append(outer)
        if not divisors or draw(st.booleans()):
            sides.append(outer)
            continue
        number = draw(st.sampled_from(divisors))
        if f"{number}" in axes or draw(st.booleans()):
            inner = next(names)
            extents.append(f"{inner}={number}")
        else:
            inner = f"{number}"
        axes.append(inner)
        sides.append(f"{outer} * {inner}" if draw(st.booleans()) else f"{inner} * {outer}")
    wanted = draw(st.permutations(axes))
    if name != "rearrange":
        wanted = wanted[: draw(st.integers(0, len(wanted)))]
    groups: list[list[str]] = [[] for _ in range(draw(st.integers(1, 3)))]
    for axis in wanted:
        draw(st.sampled_from(groups)).append(axis)
    output = ", ".join(" * ".join(group) or "1" for group in groups)
    return f"{name}({', '.join(sides)} -> {', '.join([output, *extents])})"


def stages_of(name: str, x: Shape) -> st.SearchStrategy[str]:
    """Calls of a layer; those with a pattern fit `x`."""
    return pattern_calls(name, x) if LAYERS[name].missing_axes else calls(LAYERS[name])


def bound(declaration: type[D], text: str, *shapes: Shape) -> D | None:
    """The declaration that a call makes, as the compiler binds it; None if its arguments contradict each other.

    A pattern is that of tensors of these shapes.
    """
    spec = parse_spec(Source("drawn", f"arch drawn\nmodel {{ {text} }}"))
    (model,) = spec.items
    assert isinstance(model, nodes.Model)
    (stage,) = model.body.stages
    assert isinstance(stage, nodes.Chain)
    kind = stage.elements[0].kind
    assert isinstance(kind, nodes.Name | nodes.CallExpression)
    reporter = Reporter()
    names = resolve_spec(spec, {}, Reporter())
    evaluator = Evaluator(reporter, names)
    try:
        if isinstance(kind, nodes.CallExpression) and kind.pattern:
            reader = PatternReader(evaluator, reporter, names)
            return declaration(pattern=reader.read(Invocation.of(kind), shapes, ValueScope(), "left out"))
        return Binder(evaluator, reporter).declared(declaration, Invocation.of(kind), ValueScope())
    except EvaluationFailed:
        return None


def shape_after(stage: str, x: Shape) -> Shape | None:
    """The output shape of a layer for `x`; None if the layer refuses `x` or the output is too large."""
    layer = bound(LAYERS[stage.partition("(")[0]], stage, x)
    assert layer is not None
    try:
        shape = layer.infer(x)
        layer.parameters(x)
    except MisfitError:
        return None
    return shape if shape.elements <= LARGEST else None
