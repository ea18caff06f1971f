"""The tree of a graph, and the numbering of its values."""

from helpers.networks import networks
from helpers.specs import graph_of
from hypothesis import HealthCheck, given, settings

from cifar_dsl.compiler import analyze_text
from cifar_dsl.ir import Graph, Node, Scope, Stage

ITEMS = "block unit(c) { conv(c, 3, pad=1) -> relu }"
UNIT = [("add.branch1.unit.conv", 5), ("add.branch1.unit.relu", 6)]
STAGES = """
unit(4)
let x = unit(4)
add { unit(4) | x }
repeat 2 { relu } as part
let y = x
"""


def drawn(stage: Stage) -> object:
    """A node as (path, value); a scope as (kind and path, inputs, output, stages)."""
    if isinstance(stage, Node):
        return stage.path, stage.output
    return f"{stage.kind} {stage.path}", stage.inputs, stage.output, [drawn(inner) for inner in stage.stages]


def test_a_tree() -> None:
    assert [drawn(stage) for stage in graph_of(STAGES, ITEMS).body.stages] == [
        ("block unit", (0,), 2, [("unit.conv", 1), ("unit.relu", 2)]),
        ("let x", (2,), 4, [("block x.unit", (2,), 4, [("x.unit.conv", 3), ("x.unit.relu", 4)])]),
        (
            "join add",
            (2, 4),
            7,
            [
                ("branch add.branch1", (2,), 6, [("block add.branch1.unit", (2,), 6, UNIT)]),
                ("branch add.branch2", (4,), 4, []),
                ("add", 7),
            ],
        ),
        ("part part", (7,), 9, [("part.relu", 8), ("part.relu2", 9)]),
        ("let y", (4,), 4, []),
    ]


def check(graph: Graph, scope: Scope) -> None:
    assert [value for stage in scope.stages for value in stage.values] == list(scope.values)
    used = {value for stage in scope.stages for value in stage.inputs} | {*scope.outputs}
    if scope is not graph.body:
        assert scope.inputs == tuple(sorted(used - set(scope.values)))
    for stage in scope.stages:
        is_joining = isinstance(stage, Node) and stage.operation.is_join  # the node of a join has the path of its scope
        assert (stage.path if is_joining else stage.path.rpartition(".")[0]) == scope.path
        if isinstance(stage, Scope):
            check(graph, stage)


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(networks())
def test_invariants_of_a_tree(text: str) -> None:
    graph = analyze_text(text).graph
    check(graph, graph.body)
    assert [node.output for node in graph.nodes] == list(graph.body.values)
    assert all(graph.maker(node.output) is node for node in graph.nodes)
    assert graph.maker(0) is None
