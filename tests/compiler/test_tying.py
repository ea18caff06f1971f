"""Which weights the uses of tied blocks have, and what they are to the rest of the compiler."""

import pytest
from helpers.findings import inspected
from helpers.specs import TRAIN, codes_of, graph_of, text_of

from cifar_dsl.compiler import analyze_text
from cifar_dsl.ir import Graph
from cifar_dsl.operations.recipe.groups import assign

BOTH = "block both(f: block) { f -> f }\n"


def owners(graph: Graph) -> list[str]:
    """The path of each weight's owner, for each layer with weights."""
    return [graph.owner(node).path for node in graph.nodes if graph.owner(node).parameters]


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("let f = tied { conv(3, 1) }\nf -> f", ["f.conv"] * 2),
        ("let f = tied { conv(3, 1) }\nrepeat 3 { f }", ["f.conv"] * 3),
        ("repeat 2 {\nlet f = tied { conv(3, 1) }\nf -> f\n}", ["f.conv"] * 2 + ["f3.conv"] * 2),
        ("let f = tied { conv(3, 1) }\nlet g = tied { conv(3, 1) }\nf -> g -> f", ["f.conv", "g.conv", "f.conv"]),
        ("let f = tied { conv(3, 1) -> conv(3, 1) }\nf as x -> f", ["x.conv", "x.conv2"] * 2),
        ("let f = tied { conv(3, 1) }\nlet y = f\nf", ["y.f.conv"] * 2),
        ("let f = tied { let g = tied { conv(3, 1) }\ng -> g }\nf -> f", ["f.g.conv"] * 4),
        ("let f = tied { conv(3, 1) }\nlet g = tied { f -> f }\ng -> g -> f", ["g.f.conv"] * 5),
        ("let f = tied { conv(3, 1) }\nlet g = tied { f -> f }\nf -> g -> g", ["f.conv"] * 5),
        ("let f = tied { conv(3, 1) }\nboth(f) -> f", ["both.f.conv"] * 3),
        ("let f = tied { conv(3, 1) }\nboth { f } -> f", ["both.f.f.conv"] * 3),
        ("for f in [relu] { f }\nlet f = tied { conv(3, 1) }\nfor g in [f, f] { g }", ["f.conv"] * 2),
        ("let f = tied { conv(3, 1) }\nadd { f | f }", ["add.branch1.f.conv"] * 2),
        ("let f = tied { conv(3, 1) }\nlet f = tied { conv(3, 1) }\nf -> f", ["f.conv"] * 2),
    ],
)
def test_whose_weights_a_use_has(model: str, expected: list[str]) -> None:
    assert owners(graph_of(model, BOTH)) == expected


def test_a_call_of_a_block_has_tied_blocks_of_its_own() -> None:
    items = "block unit() { let f = tied { conv(3, 1) }\nf -> f }\n"
    assert owners(graph_of("unit -> unit", items)) == ["unit.f.conv"] * 2 + ["unit2.f.conv"] * 2
    tied = owners(graph_of("let g = tied { unit -> unit }\nunit -> g -> g", items))
    assert tied == ["unit.f.conv"] * 2 + 2 * (["g.unit.f.conv"] * 2 + ["g.unit2.f.conv"] * 2)


def test_a_spec_may_have_a_block_of_this_name() -> None:
    graph = graph_of("let x = tied { relu }\nadd { x | identity }", "block tied(f: block) { conv(3, 1) -> f }")
    assert [node.path for node in graph.nodes][:2] == ["x.tied.conv", "x.tied.f.relu"]


def test_groups_select_a_weight_once() -> None:
    train = TRAIN.replace("}", 'group tied {\nselect ["f.*"]\noptimizer sgd(0.1)\n}\n}')
    model = "let f = tied { conv(3, 1) }\nf -> f -> flatten -> dense(10)"
    analysis = analyze_text(text_of(model, size="3x32x32") + train)
    assert analysis.recipe is not None
    groups = assign(analysis.graph, analysis.recipe)
    assert groups == {"f.conv.weight": 0, "f.conv.bias": 0, "dense.weight": None, "dense.bias": None}
    assert codes_of(text_of(model, size="3x32x32") + train.replace("f.*", "f2.*")) == ["E0408"]


def test_ties_are_part_of_the_fingerprint() -> None:
    blocks = "block f() { conv(3, 1) }\n"
    tied = "let f = tied { conv(3, 1) }\n"
    texts = [text_of("f -> f", blocks), text_of(tied + "f -> f"), text_of(tied + "f"), text_of("f", blocks)]
    found = [analyze_text(text).fingerprint for text in texts]
    assert found[0] != found[1]
    assert found[2] == found[3]


def test_a_bias_counts_as_useless_only_if_each_use_is_normalised() -> None:
    tied = "let f = tied { conv(3, 1) }\n"

    def warned(model: str) -> list[str]:
        return [one.code for one in inspected(text_of(tied + model)).diagnostics]

    assert warned("f -> bn -> f -> bn") == ["W0203"]
    assert warned("f -> bn -> f -> relu") == []
