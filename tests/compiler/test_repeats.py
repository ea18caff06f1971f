"""Calls of blocks that become copies of an earlier expansion: nothing that can be seen depends on it."""

from collections.abc import Iterator
from typing import Any

import pytest
from helpers.specs import codes_of, graph_of, text_of

from cifar_dsl.compiler import analyze, analyze_text
from cifar_dsl.compiler.repeats import Repeats
from cifar_dsl.foundation import limits
from cifar_dsl.foundation.resources import specs_directory
from cifar_dsl.ir import Graph, Scope, Stage
from cifar_dsl.language.diagnostics import SpecError

_UNIT = "block unit(c, k = 3) { conv(c, k, pad=same) -> bn -> relu }\n"
_STAGE = "block stage(c) {\n repeat 2 { unit(c) }\n add { identity | unit(c) }\n}\n"
_EMPTY = "block a() { }\nblock b() {\n let x = identity\n unit(8)\n add { x | identity }\n}\n"
_PASSED = "block other(c) { conv(c, 1) }\nblock f(g) { g(8) }\n"
_TWO = "conv(8, 1)\nlet a = identity\nrelu\nlet b = identity\n"
_WITH = "block f(x: tensor) { add { x -> conv(8, 1) | bn } }\n"
_LIST = "block f(xs) { add { xs[0] -> bn | xs[1] | identity } }\n"
_LEARNED = "block f(x: tensor) { add { x | mul { identity | learned(1) } } }\n"
_TIED = "block f() {\n let g = tied { unit(8) }\n g -> relu -> g\n}\n"
_TIED += "block h() {\n let g = tied { f }\n f -> g -> g -> f\n}\n"
_DENSE = "block dense_layer(c) {\n concat { identity | bn -> relu -> conv(c, 3, pad=1, bias=false) }\n}\n"
_HALF = "block half() { conv(in_channels // 2, 1) -> relu }\n"
_SHAPES = "conv(8, 1) -> f -> conv(16, 1) -> f -> maxpool(2) -> f"
_MODELS = [
    ("unit(8) -> unit(8) -> unit(8) -> unit(c=8) -> unit(8, 3)", _UNIT),
    ("conv(8, 1) -> add { unit(8) | unit(8) -> unit(8) }", _UNIT),
    ("conv(8, 1) -> stage(8) -> stage(8)", _UNIT + _STAGE),
    ("conv(8, 1) -> a -> a -> b -> b", _UNIT + _EMPTY),
    (
        "each(c, h, w -> h, c) { f -> f } -> f -> each(c, h, w -> h, c) { f -> f }",
        "block f() { dropout(0.1) -> relu }\n",
    ),
    ("f -> f -> f", "block f() { mul { identity | learned(1) } }\n"),
    ("conv(8, 1) -> f -> f\nf", "block f() { mul { identity | learned(1) } }\n"),
    ("conv(8, 1)\nlet x = identity\nrelu -> f(x) -> f(x)", "block f(x: tensor) { add { x | conv(8, 1) } }\n"),
    (
        "conv(8, 1)\nlet a = identity\nrelu\nlet b = identity\nb -> f(a)\na -> f(b)\nlet c = identity\nc -> f(c)\nf(c)",
        _WITH,
    ),
    (_TWO + "b -> f(a)\na -> f(b)\nlet c = identity\nc -> f(c)\nf(c)", _WITH),
    (_TWO + "f([a, b])\nf([b, a])\nf([a, a])\nf([a, b])", _LIST),
    ("let a = identity\nconv(3, 1) -> f(a) -> f(a)", _LEARNED),
    ("conv(8, 1) -> f([1, 2]) -> f([1, 2]) -> f([1, 1.0]) -> f([2, 1])", "block f(xs) { for x in xs { scale(x) } }\n"),
    ("conv(8, 1) -> f(2) -> f(2.0) -> f(2) -> f(2.0)", "block f(x) { scale(x) }\n"),
    ("conv(8, 1) -> f(unit) -> f(other) -> f(unit) -> f(other)", _UNIT + _PASSED),
    (
        "conv(8, 1) -> unit(8) -> f -> f",
        _UNIT + "block f() {\n let g = tied { unit(8) }\n g -> relu -> g -> unit(8)\n}\n",
    ),
    (
        "conv(8, 1)\nlet g = tied { unit(8) -> unit(8) }\ng -> unit(8) -> g -> h(g) -> h(g)",
        _UNIT + "block h(g) { g }\n",
    ),
    ("conv(8, 1) -> f -> h\nlet g = tied { h -> h -> f }\ng -> f -> h -> g", _UNIT + _TIED),
    ("conv(8, 1) -> f { relu } -> f { bn } -> f { relu }", "block f(g: block) { conv(8, 1) -> g }\n"),
    # Calls that differ in the shapes of their tensors.
    ("conv(8, 1)\nrepeat 3 { dense_layer(4) }\nmaxpool(2) -> dense_layer(4)", _DENSE),
    ("conv(16, 1)\nrepeat 3 { half }", _HALF),
    ("conv(32, 1) -> f -> conv(16, 1) -> f -> f", _HALF + "block f() { bn -> half -> half -> relu }\n"),
    (_SHAPES, "block f() {\n let x = identity\n x[2:] -> relu\n}\n"),
    (_SHAPES, "block f() {\n if height > 4 { relu } else { bn }\n}\n"),
    (_SHAPES, "block f() { each(c, h, w -> h, c) { relu } -> windows(2) { bn } }\n"),
    (_SHAPES, "block f() { windows(2) { bn } }\n"),
    (_SHAPES, "block f() { rearrange(4 * c, h, w -> 4, c * h, w) -> relu }\n"),
    (_SHAPES, "block f() {\n let g = tied { bn -> relu }\n g -> g\n}\n"),
    ("conv(16, 1) -> tokens -> f -> dense(8) -> f -> f", "block f() { attention(2) -> layernorm }\n"),
    ("conv(16, 1) -> tokens -> f -> dense(8) -> f -> f", "block f() { attention(2, qk_norm=layernorm) }\n"),
    ("conv(8, 1)\nlet a = identity\nconv(4, 1) -> f(a) -> f(a)", "block f(x: tensor) { concat { x | bn } }\n"),
    ("each(c, h, w -> h, c) { f -> dense(4) -> f } -> f", "block f() { bn -> relu }\n"),
]


def _described(stage: Stage) -> Iterator[tuple[Any, ...]]:
    if isinstance(stage, Scope):
        yield (
            stage.path,
            stage.kind,
            stage.label,
            stage.inputs,
            stage.outputs,
            stage.values,
            stage.span,
            stage.arguments,
            stage.shares,
        )
        for one in stage.stages:
            yield from _described(one)
    else:
        yield (
            stage.path,
            repr(stage.operation),
            stage.inputs,
            stage.output,
            stage.shape,
            stage.cost,
            stage.span,
            stage.shares,
        )


@pytest.fixture
def copies(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The paths of the calls that became copies."""
    copied, paths = Repeats.copied, list[str]()

    def noted(self: Repeats, call: Any) -> Any:
        if (found := copied(self, call)) is not None:
            paths.append(call.path)
        return found

    monkeypatch.setattr(Repeats, "copied", noted)
    return paths


def _same_as_expanded(graph: Graph, again: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(Repeats, "copied", lambda *_: None)
        expanded = again()
    assert graph == expanded
    assert list(_described(graph.body)) == list(_described(expanded.body))


@pytest.mark.parametrize(("model", "items"), _MODELS)
def test_a_copy_is_what_the_call_becomes(model: str, items: str, monkeypatch: pytest.MonkeyPatch) -> None:
    graph = graph_of(model, items, "3x8x8")
    _same_as_expanded(graph, lambda: graph_of(model, items, "3x8x8"), monkeypatch)


@pytest.mark.parametrize("name", ["resnet20", "repvgg_a0", "nasnet_a", "hrnet_w18_small", "xcit_nano_12"])
def test_shipped_specs_are_what_they_become(name: str, copies: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    path = specs_directory() / "zoo" / f"{name}.arch"
    graph = analyze(path).graph
    assert copies
    _same_as_expanded(graph, lambda: analyze(path).graph, monkeypatch)


def test_which_calls_are_copied(copies: list[str]) -> None:
    graph_of(*_MODELS[0], "3x8x8")
    assert copies == ["unit3", "unit4", "unit5"]  # the first call takes the input of the network
    copies.clear()
    graph_of("conv(8, 1) -> f(2) -> f(2.0) -> f(true) -> f(1)", "block f(x) { if x == 2 { relu } }\n")
    assert copies == []
    graph_of(*_MODELS[7], "3x8x8")
    assert copies == ["f2"]
    copies.clear()
    graph_of("conv(8, 1)\nrepeat 3 { dense_layer(4) }", _DENSE, "3x8x8")
    assert copies == ["dense_layer2", "dense_layer3"]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("relu : 16x8x8", "E0309"),
        ("add { identity | conv(16, 1) }", "E0308"),
        ("conv(16, 1, groups=16)", "E0302"),
        ("conv(16, 5) -> conv(16, 3) -> upsample(4)", "E0307"),
        ("upsample(8)", "E0211"),
    ],
)
def test_shapes_that_do_not_fit_are_reported_as_without_copies(
    body: str, code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first call fits, the second doesn't."""
    text = text_of("conv(16, 1) -> f -> conv(24, 1) -> maxpool(2) -> f", f"block f() {{ {body} }}\n", "3x8x8")

    def found() -> list[tuple[Any, ...]]:
        with limits.raising(tensor=100_000), pytest.raises(SpecError) as error:
            analyze_text(text)
        return [(one.code, one.message, one.label, one.secondary, one.notes) for one in error.value.diagnostics]

    one = found()
    assert [each[0] for each in one] == [code]
    monkeypatch.setattr(Repeats, "copied", lambda *_: None)
    assert one == found()


def test_after_an_error_nothing_is_copied() -> None:
    text = text_of(
        "conv(8, 1) -> f -> conv(8, 99) -> f -> conv(16, 1, groups=3)", "block f() { bn -> relu }\n", "3x8x8"
    )
    assert codes_of(text) == ["E0307"]


def test_an_error_is_reported_at_each_call(copies: list[str]) -> None:
    def found(model: str) -> list[str]:
        with pytest.raises(SpecError) as error:
            analyze_text(text_of(model, "block f(c) { conv(c, 9) }\nblock g() { f(4) }\n", "3x8x8"))
        return [str(one) for one in error.value.diagnostics]

    assert len(found("add { g | g }")) == 1
    assert copies == []


@pytest.mark.parametrize("figures", [{"layers": 8}, {"parameters": 1500}, {"block_depth": 1}, {"body_depth": 3}])
def test_limits_hold_for_copies(figures: dict[str, int], monkeypatch: pytest.MonkeyPatch) -> None:
    """The message is that of an expansion."""
    items = _UNIT + "block deep() { add { identity | unit(8) } }\n"

    def message() -> list[tuple[Any, ...]]:
        with limits.raising(**figures), pytest.raises(SpecError) as error:
            analyze_text(text_of("unit(8)\nunit(8)\ndeep\nrepeat 4 { unit(8) }", items, "3x8x8"))
        return [(one.code, one.message, one.label, one.secondary) for one in error.value.diagnostics]

    found = message()
    assert found[0][0] == "E0211"
    monkeypatch.setattr(Repeats, "copied", lambda *_: None)
    assert found == message()


def test_copies_charge_what_an_expansion_does() -> None:
    text = text_of("conv(8, 1)\nrepeat 300 { unit(8) }", _UNIT, "3x8x8")
    with limits.raising(steps=40_000):
        assert codes_of(text) == ["E0211"]
    assert analyze_text(text)
