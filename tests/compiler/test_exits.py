"""Exits in the graph: which stages lead to them alone, their names, weights and costs."""

import pytest
from helpers.specs import graph_of

from cifar_dsl.ir import Cost, Graph, trained_outputs

HEAD = "block head(c: int) { global_avgpool -> dense(c) -> relu -> dense(10) }"
MIDDLE = """
    conv(8, 3, pad=1)
    let early = head(4) -> exit(0.3)
    relu
    let late = head(6) -> exit(0.2)
    head(8)
"""


def outputs(graph: Graph) -> list[tuple[str, float, int, int]]:
    return [(one.name, one.weight, one.cost.parameters, one.cost.macs) for one in trained_outputs(graph)]


def test_exits_are_listed_with_what_leads_to_them_alone() -> None:
    graph = graph_of(MIDDLE, HEAD)
    early, late = 8 * 4 + 4 + 4 * 10 + 10, 8 * 6 + 6 + 6 * 10 + 10
    assert outputs(graph) == [
        ("output", 1.0, 0, 0),
        ("early", 0.3, early, 8 * 4 + 4 * 10),
        ("late", 0.2, late, 8 * 6 + 6 * 10),
    ]


def test_a_test_is_counted_without_the_exits() -> None:
    plain, graph = graph_of("conv(8, 3, pad=1)\nrelu\nhead(8)", HEAD), graph_of(MIDDLE, HEAD)
    apart = sum((one.cost for one in trained_outputs(graph)), Cost())
    assert graph.cost == Cost(plain.cost.parameters + apart.parameters, plain.cost.macs)
    assert graph.training_cost == plain.cost + apart


def test_without_exits_every_stage_is_part_of_a_test() -> None:
    graph = graph_of("let unused = flatten -> dense(3)\nflatten -> dense(10)")
    assert graph.exits == ()
    assert graph.evaluated == frozenset(graph.body.values)
    assert graph.cost == graph.training_cost


def test_a_stage_behind_an_exit_that_nothing_uses_is_left_out_with_it() -> None:
    graph = graph_of("let early = flatten -> dense(10) -> exit\nlet after = early -> dense(3)\nflatten -> dense(10)")
    assert len(graph.evaluated) == 2
    assert outputs(graph)[1][2] == graph.nodes[1].cost.parameters


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("flatten -> dense(10)", [("output", 1.0)]),
        ("flatten -> dense(10) -> exit(0.5)", [("output", 0.5)]),
        ("let a = flatten -> dense(10) -> exit(0.5)\na -> exit(0)", [("output", 0.0), ("a", 0.5)]),
        ("let a = flatten -> dense(10) -> exit(0.5)\na", [("output", 0.5)]),
        ("flatten\ndense(10) -> exit(0.2) as first\ndense(10)", [("output", 1.0), ("first", 0.2)]),
        ("flatten -> dense(10) -> exit -> dense(10)", [("output", 1.0), ("exit", 1.0)]),
        (
            "flatten\nrepeat 2 { let e = dense(10) -> exit(0.5) }\ndense(10)",
            [("output", 1.0), ("e", 0.5), ("e2", 0.5)],
        ),
        (
            "flatten\nadd { dense(10) -> exit(0.1) | dense(10) }",
            [("output", 1.0), ("add.branch1.exit", 0.1)],
        ),
        ("flatten\ndeep", [("output", 1.0), ("deep.inner", 0.7)]),
        # The second call is a copy of the first.
        ("flatten\nlet x = dense(10)\nx -> deep -> deep", [("output", 1.0), ("deep.inner", 0.7), ("deep2.inner", 0.7)]),
        (
            "flatten\nlet both = dense(10) -> exit(0.1) -> dense(10) -> exit(0.2)\ndense(10)",
            [("output", 1.0), ("both.exit", 0.1), ("both", 0.2)],
        ),
    ],
)
def test_an_exit_has_the_name_of_its_tensor_or_its_path(model: str, expected: list[tuple[str, float]]) -> None:
    graph = graph_of(model, "block deep() { let inner = dense(10) -> exit(0.7)\ndense(10) }")
    assert [(one.name, one.weight) for one in trained_outputs(graph)] == expected


def test_stages_that_two_exits_share_count_for_the_first() -> None:
    graph = graph_of(
        "flatten\nlet x = dense(5)\nlet a = x -> dense(10) -> exit\nlet b = x -> dense(10) -> exit\ndense(10)"
    )
    shared, head = 5 * 192 + 5, 5 * 10 + 10
    assert [one.cost.parameters for one in trained_outputs(graph)] == [0, shared + head, head]


def test_weights_that_the_output_shares_are_no_part_of_an_exit() -> None:
    graph = graph_of("flatten\nlet f = tied { dense(10) }\nlet early = f -> exit(0.5)\nrelu -> f")
    assert [one.cost for one in trained_outputs(graph)] == [Cost(), Cost(0, graph.nodes[1].cost.macs)]
    assert graph.cost == Cost(192 * 10 + 10, 192 * 10)


def test_an_exit_inside_of_the_flow_costs_nothing() -> None:
    graph = graph_of("flatten -> dense(10) -> exit(0.5) -> dense(10)")
    assert [one.cost for one in trained_outputs(graph)] == [Cost(), Cost()]
