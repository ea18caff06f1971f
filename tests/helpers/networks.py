"""A Hypothesis strategy for whole specs that are valid, as text, drawn from the registries.

Every declared layer, join and setting takes part, with arguments drawn from their declared kinds. The shape is
tracked while a network grows: a drawn layer is kept if its own `infer` takes it.
"""

from collections.abc import Callable
from typing import Any

from attrs import define, field
from hypothesis import reject
from hypothesis import strategies as st

from cifar_dsl.ir import Shape, Size, Symbol, Value
from cifar_dsl.layers import JOINS, LAYERS, Layer
from cifar_dsl.recipes import SETTINGS, Setting
from cifar_dsl.registry import (
    Bool,
    Choice,
    Declaration,
    Float,
    Int,
    Kind,
    ListOf,
    MisfitError,
    OneOf,
    Pair,
    Text,
    arguments_of,
)
from cifar_dsl.semantics.values import write

LARGEST = 4096  # numbers that a drawn tensor holds at most


def values_of(kind: Kind, small: int = 6) -> st.SearchStrategy[Value]:
    """Values that an argument of this kind takes, small ones where it is unbounded."""
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
        case Choice(names):
            return st.sampled_from(names).map(_Word)
        case Text():
            return st.text("0123456789abcdef", min_size=1, max_size=16)
        case ListOf(item, length):
            size = {"min_size": length, "max_size": length} if length else {"min_size": 3, "max_size": 3}
            return st.lists(values_of(item), **size).map(tuple)
        case OneOf(kinds):
            return st.one_of([values_of(one) for one in kinds])
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


@st.composite
def calls(draw: st.DrawFn, declaration: type[Declaration]) -> str:
    """A call with all that is required and some of what isn't, by position or by name."""
    parts: list[str] = []
    accepted: dict[str, Value] = {}
    by_name = draw(st.booleans())
    for info in arguments_of(declaration):
        if not info.is_required and draw(st.booleans()):
            by_name = True  # one was left out
            continue
        value = draw(values_of(info.kind))
        accepted[info.name] = info.kind.accept(Symbol(value) if isinstance(value, _Word) else value)
        text = text_of(value)
        parts.append(f"{info.name}={text}" if by_name else text)
    try:
        declaration(**accepted).check()
    except MisfitError:
        reject()
    return f"{declaration.name}({', '.join(parts)})" if parts else declaration.name


def _layer_of(text: str) -> Layer | None:
    """The layer that a call stands for, as the language itself reads it."""
    from cifar_dsl.diagnostics import Reporter
    from cifar_dsl.semantics.bind import Binder, Invocation
    from cifar_dsl.semantics.evaluate import Evaluator
    from cifar_dsl.semantics.values import Environment
    from cifar_dsl.source import Source
    from cifar_dsl.syntax import parse_override

    kind = parse_override(Source("drawn", f"x={text}")).chain.elements[0].kind
    call = Invocation.of(kind)  # type: ignore[arg-type]
    reporter = Reporter()
    return Binder(Evaluator(reporter), reporter).declared(LAYERS[call.callee], call, Environment())


@define
class Grown:
    """Lines of stages, and the shape that comes out of them."""

    lines: list[str]
    shape: Shape


@define
class Growth:
    """Draws stages that fit each other."""

    draw: st.DrawFn
    blocks: list[str] = field(factory=list)
    _count: int = 0
    _loops: int = 0  # that the stages being drawn stand in

    def name(self, stem: str) -> str:
        """A name that nothing else has."""
        self._count += 1
        return f"{stem}_{self._count}"

    def body(self, x: Shape, depth: int, least: int = 0) -> Grown:
        """A few stages."""
        grown = Grown([], x)
        for _ in range(self.draw(st.integers(least, 3))):
            stage = self.stage(grown.shape, depth)
            grown = Grown(grown.lines + stage.lines, stage.shape)
        return grown if len(grown.lines) >= least else Grown(["identity"], x)

    def stage(self, x: Shape, depth: int) -> Grown:
        """One stage: a layer, or while `depth` lasts anything that holds stages."""
        kinds: list[Callable[[Shape, int], Grown]] = [self.layer]
        if depth:
            kinds += [self.block, self.join, self.let, self.loop, self.condition, self.layer, self.layer]
        return self.draw(st.sampled_from(kinds))(x, depth)

    def layer(self, x: Shape, depth: int) -> Grown:
        """A layer that takes `x`."""
        for _ in range(3):
            text = self.draw(st.sampled_from(sorted(LAYERS)).flatmap(lambda name: calls(LAYERS[name])))
            try:
                layer = _layer_of(text)
                assert layer is not None
                shape = layer.infer(x)
            except MisfitError:
                continue
            if shape.elements <= LARGEST:
                return Grown([text], shape)
        return Grown(["relu"], x)

    def block(self, x: Shape, depth: int) -> Grown:
        """A call of a new block; one of its numbers is a parameter with a default."""
        body = self.body(x, depth - 1)
        name, lines = self.name("unit"), list(body.lines)
        given = self.draw(st.sampled_from(["", "(1)", "(k=1)"]))
        lines.append("leaky_relu(slope=k)")
        self.blocks.append(f"block {name}(k=0) {{\n" + "\n".join(lines) + "\n}")
        return Grown([name + given], body.shape)

    def join(self, x: Shape, depth: int) -> Grown:
        """A join whose branches fit."""
        kind = self.draw(st.sampled_from(sorted(JOINS)))
        branches = [self.body(x, depth - 1, least=1) for _ in range(self.draw(st.integers(1, 3)))]
        fitting = [b for b in branches if b.shape.extents[1:] == branches[0].shape.extents[1:]]
        if kind != "concat":
            fitting = [b for b in fitting if b.shape == branches[0].shape]
        try:
            shape = JOINS[kind]().infer(*(b.shape for b in fitting))
        except MisfitError:
            return Grown(["relu"], x)
        if shape.elements > LARGEST:
            return Grown(["relu"], x)
        return Grown([f"{kind} {{", "\n|\n".join("\n".join(b.lines) for b in fitting), "}"], shape)

    def let(self, x: Shape, depth: int) -> Grown:
        """A named tensor, which is then used beside another branch, or not at all."""
        side = self.body(x, depth - 1, least=1)
        name = self.name("side")
        chain = " -> ".join(side.lines).replace("{ ->", "{")
        if any("let " in line or "{" in line or "}" in line or "|" in line for line in side.lines):
            chain, side = "relu -> relu", Grown([], x)
        use = self.draw(st.sampled_from(["", name, f"{name} -> relu", f"add {{ {name} | {name} -> tanh }}"]))
        return Grown([f"let {name} = {chain} -> identity", *([use] if use else [])], side.shape if use else x)

    def loop(self, x: Shape, depth: int) -> Grown:
        """A loop whose body keeps the shape."""
        head = self.draw(st.sampled_from(["repeat 2", "for i in [1, 2]", "for (i, j) in [(1, 2)]", "for i in 0..2"]))
        self._loops += 1
        body = self.body(x, depth - 1)
        self._loops -= 1
        lines = body.lines if body.shape == x else ["tanh"]
        # What a loop repeats can't have a name given by hand: the second round would give it again.
        end = "}" if self._loops else self.draw(st.sampled_from(["}", f"}} as {self.name('loop')}"]))
        return Grown([f"{head} {{", *lines, end], x)

    def condition(self, x: Shape, depth: int) -> Grown:
        """A condition on the current tensor, of which one arm is taken."""
        taken, other = self.body(x, depth - 1), self.body(x, 0)
        if self.draw(st.booleans()):
            return Grown([f"if in_channels == {x.extents[0]} {{", *taken.lines, "}"], taken.shape)
        return Grown(["if in_channels == 0 {", *other.lines, "} else {", *taken.lines, "}"], taken.shape)


@st.composite
def networks(draw: st.DrawFn, ending: tuple[str, ...] = ()) -> str:
    """A spec with a network and no recipe."""
    x = Shape((draw(st.integers(1, 4)), draw(st.integers(4, 9)), draw(st.integers(4, 9))))
    return _spec(draw, x, ending)


def _spec(draw: st.DrawFn, x: Shape, ending: tuple[str, ...]) -> str:
    growth = Growth(draw)
    grown = growth.body(x, depth=2, least=1)
    lines = [*grown.lines, *ending]
    return "\n".join(["arch drawn", f"input {x}", *growth.blocks, "model {", *lines, "}"]) + "\n"


@st.composite
def specs(draw: st.DrawFn) -> str:
    """A spec with a network for CIFAR-10 and a whole recipe."""
    network = _spec(draw, Shape((3, 32, 32)), ("flatten", "dense(10)")) if draw(st.booleans()) else _SMALL
    lines = [f"{setting.name} {draw(_settings_of(setting))}" for setting in SETTINGS.values() if _said(draw, setting)]
    return network + "train {\n" + "\n".join(draw(st.permutations(lines))) + "\n}\n"


_SMALL = "arch drawn\ninput 3x32x32\nmodel { flatten -> dense(10) }\n"


def _said(draw: st.DrawFn, setting: Setting) -> bool:
    return setting.default is None or draw(st.booleans())


def _settings_of(setting: Setting) -> st.SearchStrategy[str]:
    if setting.kind:
        return values_of(setting.kind).map(text_of)
    registry: Any = setting.registry
    if setting.name == "data":
        return st.sampled_from(["cifar10", "shapes", 'npz("0123abcd")'])
    choice = st.sampled_from(sorted(registry)).flatmap(lambda name: calls(registry[name]))
    if setting.is_chain:
        return st.lists(choice, min_size=1, max_size=3).map(" -> ".join) | st.just("none")
    return choice
