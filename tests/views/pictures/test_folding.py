"""Repeats are folded, and nothing else is."""

import pytest
from helpers.networks import networks
from helpers.specs import graph_of
from hypothesis import HealthCheck, given, settings

from cifar_dsl.compiler import analyze_text
from cifar_dsl.ir import Graph
from cifar_dsl.views.pictures.folding import folded
from cifar_dsl.views.pictures.stages import Reader, Stage


def folds(graph: Graph) -> tuple[Stage, ...]:
    reader = Reader(graph)
    return folded(reader, reader.read())


def counts(model: str, items: str = "") -> list[tuple[str, int]]:
    stages = folds(graph_of(model, items))
    return [(stage.title or "row", stage.count) for stage in stages if stage.title != "identity"]


UNIT = "block unit(c: int = 3, k: int = 1) { conv(c, k, pad=same) -> relu }"


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("repeat 4 { relu }", [("relu", 4)]),
        ("repeat 4 { relu -> tanh }", [("row", 4)]),
        ("relu\ntanh\nrelu\ntanh\nrelu", [("row", 2), ("relu", 1)]),
        ("repeat 3 { relu -> repeat 2 { tanh } }", [("row", 3)]),
        ("repeat 3 { unit }", [("unit()", 3)]),
        ("unit(3, 1)\nunit(3)\nunit", [("unit()", 3)]),  # equal for any arguments
        ("unit(4)\nunit(4)", [("unit(4)", 1), ("unit(4)", 1)]),  # the first has other weights
        ("unit(4)\nunit(4)\nunit(4)", [("unit(4)", 1), ("unit(4)", 2)]),
        ("conv(3, 1)\nconv(3, 1, bias=false)", [("conv(3, 1)", 1), ("conv(3, 1, bias=false)", 1)]),
        ("repeat 2 { add { relu | identity } }", [("row", 2)]),
        ("repeat 3 { mul { identity | learned(1) } }", [("row", 3)]),
        # the second uses the input of the first
        ("let y = relu\nrelu\nadd { y | identity }", [("relu", 1), ("relu", 1), ("add", 1)]),
        # both make a tensor that is used later, besides their output
        (
            "let a = tanh\nrelu\nlet b = tanh\nrelu\nadd { a | b | identity }",
            [("tanh", 1), ("relu", 1), ("tanh", 1), ("relu", 1), ("add", 1)],
        ),
        # the output of the first is used later
        ("relu\nlet x = identity\nrelu\nrelu\nadd { x | identity }", [("relu", 1), ("relu", 2), ("add", 1)]),
        # the first makes a tensor that is used later, besides its output
        ("repeat 3 { let a = tanh\nadd { a | relu } }", [("row", 3)]),
    ],
)
def test_folding(model: str, expected: list[tuple[str, int]]) -> None:
    assert counts(model, UNIT) == expected


@settings(deadline=None, max_examples=120, suppress_health_check=[HealthCheck.too_slow])
@given(networks())
def test_a_folded_picture_covers_the_whole_network(text: str) -> None:
    graph = analyze_text(text.replace("repeat 2 {", "repeat 3 {")).graph
    stages = folds(graph)
    assert covered(stages) == list(graph.body.values)
    for stage in all_stages(stages):
        if stage.count > 1:
            check_repeats(graph, stage)


def covered(stages: tuple[Stage, ...]) -> list[int]:
    """The values that stages make, including those of folded repeats."""
    found: list[int] = []
    for stage in stages:
        assert stage.count * stage.length == stage.stop - stage.start
        inside = covered(stage.stages) if stage.stages else list(range(stage.start, stage.start + stage.length))
        assert inside == list(range(stage.start, stage.start + stage.length))
        found += range(stage.start, stage.stop)
    return found


def all_stages(stages: tuple[Stage, ...]) -> list[Stage]:
    return [inner for stage in stages for inner in (stage, *all_stages(stage.stages))]


def check_repeats(graph: Graph, stage: Stage) -> None:
    """Each repeat computes the same from one value: the output of the previous repeat, which nothing else uses."""
    taken_outside = {
        value for node in graph.nodes if not stage.start <= node.output < stage.stop for value in node.used_inputs
    } | {graph.output}
    made = set(range(stage.start, stage.stop))
    entries = []
    for number in range(stage.count):
        start = stage.start + number * stage.length
        outer = set()
        first_nodes = graph.makers(range(stage.start, stage.start + stage.length))
        for first, node in zip(first_nodes, graph.makers(range(start, start + stage.length)), strict=True):
            assert (first.operation, first.shape) == (node.operation, node.shape)
            assert len(first.used_inputs) == len(node.used_inputs)
            for value, same in zip(node.used_inputs, first.used_inputs, strict=True):
                if value >= start:
                    assert value - start == same - stage.start
                else:
                    assert same < stage.start
                    outer.add(value)
        assert len(outer) == 1
        entries += outer
    for number, entry in enumerate(entries[1:], start=1):
        start = stage.start + number * stage.length
        assert start - stage.length <= entry < start
        assert entry - number * stage.length == entries[1] - stage.length  # the same value of each
    exit_value = entries[1] + (stage.count - 2) * stage.length + stage.length
    assert made & taken_outside <= {exit_value}
