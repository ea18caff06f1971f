"""A branch is a block without a name: for joins, and for the blocks of a spec."""

import pytest
from helpers.specs import codes_of, errors_of, graph_of, parse, paths_of, text_of

from cifar_dsl.compiler import analyze_text
from cifar_dsl.language.source import Source
from cifar_dsl.language.syntax import print_spec
from cifar_dsl.language.syntax.formatter import format_text
from cifar_dsl.views.flatten import expanded

TWO = "block two(a: block, b: block = tanh) { a -> b }"


def briefs(model: str, items: str = "") -> str:
    return " -> ".join(node.operation.brief() for node in graph_of(model, items).nodes)


@pytest.mark.parametrize(
    ("model", "items", "expected"),
    [
        ("two { relu | elu }", TWO, "relu -> elu"),
        ("two { relu }", TWO, "relu -> tanh"),
        ("two(b=bn) { relu }", TWO, "relu -> bn"),
        ("two(bn) { relu }", TWO, "bn -> relu"),
        ("two for f in [relu, elu] { f }", TWO, "relu -> elu"),
        ("two { let x = bn\nx -> gelu | elu }", TWO, "bn -> gelu -> elu"),
        ("two { two { relu | elu } | bn }", TWO, "relu -> elu -> bn"),
        (
            "thrice { conv(in_channels + 1, 1) }",
            "block thrice(f: block) { f -> f -> f }",
            "conv(4, 1) -> conv(5, 1) -> conv(6, 1)",
        ),
        (
            "let c = 5\nouter(7) { conv(c, 1) }",
            "block outer(c: int, f: block) { conv(c, 1) -> f }",
            "conv(7, 1) -> conv(5, 1)",
        ),
        ("for c in [4, 5] { once { conv(c, 1) } }", "block once(f: block) { f }", "conv(4, 1) -> conv(5, 1)"),
        (
            "let x = relu\nbn\nonce { add { x | identity } }",
            "block once(f: block) { f }",
            "relu -> bn -> identity -> add",
        ),
        ("outer(elu)", "block inner(g: block) { g }\nblock outer(f: block) { inner { f -> tanh } }", "elu -> tanh"),
        (
            "outer { conv(3, 1) }",
            "block pair(a: block, b: block) { a -> b }\nblock outer(f: block) { pair(f) { f -> relu } }",
            "conv(3, 1) -> conv(3, 1) -> relu",
        ),
        ("add for k in [1, 3] { conv(4, k, pad=same) }", "", "conv(4, 1) -> conv(4, 3, pad=1) -> add"),
        (
            "concat for (c, k) in [(2, 1), (4, 3)] { conv(c, k, pad=same) }",
            "",
            "conv(2, 1) -> conv(4, 3, pad=1) -> concat",
        ),
        ("concat for i in 0..3 { if i == 1 { [] } else { relu } }", "", "relu -> relu -> concat"),
        ("add { relu | if in_channels == 4 { bn } else { [] } }", "", "relu -> add"),
        ("let x = relu\nlet y = elu\nadd { [x, y] | bn | [] }", "", "relu -> elu -> bn -> add"),
        ("let x = relu\nlet y = elu\nconcat { [x] + [y, x] }", "", "relu -> elu -> concat"),
        ("add { both | relu }", "block both() { let x = bn\n[x, x] }", "bn -> relu -> add"),
    ],
)
def test_what_branches_mean(model: str, items: str, expected: str) -> None:
    assert briefs(model, items) == expected


def test_weights_of_a_branch_stand_under_the_name_of_its_parameter() -> None:
    model = "layer { conv(3, 1) | conv(3, 1) -> conv(3, 1) }\nlayer { relu | bn }"
    items = "block layer(mixer: block, mlp: block) { add { mixer | identity }\nmlp -> mlp }"
    assert paths_of(model, items) == [
        "layer.add.branch1.mixer.conv",
        "layer.add.branch2.identity",
        "layer.add",
        "layer.mlp.conv",
        "layer.mlp.conv2",
        "layer.mlp2.conv",
        "layer.mlp2.conv2",
        "layer2.add.branch1.mixer.relu",
        "layer2.add.branch2.identity",
        "layer2.add",
        "layer2.mlp.bn",
        "layer2.mlp2.bn",
    ]


def test_loops_number_their_branches() -> None:
    paths = paths_of("add for k in [1, 3] { conv(3, k, pad=same) } as sums")
    assert paths == ["sums.branch1.conv", "sums.branch2.conv", "sums"]


@pytest.mark.parametrize(
    ("model", "items", "expected"),
    [
        ("add { relu | elu }", "block add(f: block) { f }", "relu -> elu -> add"),
        ("u(relu)", "block u(mul: block) { mul { mul | elu } }", "relu -> elu -> mul"),
        ("add(relu) -> add { bn | elu }", "block add(f: block) { f -> tanh }", "relu -> tanh -> bn -> elu -> add"),
        ("let concat = bn\nconcat { concat | relu }", "", "bn -> relu -> concat"),
        ("two { relu }", f"{TWO}\nparam k = 3", "relu -> tanh"),
        ("let two = elu\ntwo { relu }", TWO, "elu -> relu -> tanh"),
        ("for two in [1] { two { relu } }", TWO, "relu -> tanh"),
        ("relu { elu }", "block relu(f: block) { f -> f }", "elu -> elu"),
    ],
)
def test_names_with_branches(model: str, items: str, expected: str) -> None:
    assert briefs(model, items) == expected


@pytest.mark.parametrize(
    ("model", "items", "code"),
    [
        ("relu { bn }", "", "E0215"),
        ("conv(4, 1) { bn | relu }", "", "E0215"),
        ("let x = bn\nx { relu }", "", "E0215"),
        ("two { relu | bn | elu }", TWO, "E0215"),
        ("two(relu, bn) { elu }", TWO, "E0215"),
        ("u { elu }", "block u(c: int = 3) { conv(c, 1) }", "E0215"),
        ("u(3) { elu }", "block u(f) { conv(f, 1) }", "E0215"),
        ("add(3) { elu | relu }", "", "E0301"),
        ("add { if false { relu } else { [] } }", "", "E0215"),
        ("add for k in [] { relu }", "", "E0215"),
        ("nosuch { elu | relu }", "", "E0201"),
        ("two { relu(3) }", TWO, "E0301"),
        ("two { a(1) | relu }", TWO, "E0201"),
        ("u { relu }", "block u(f: block) { f(3) }", "E0301"),
        ("let x = bn\ntwo { x = relu }", TWO, "E0216"),
        ("let x = bn\ntwo for f in [relu] { x = f }", TWO, "E0216"),
        ("let x = bn\ntwo { add { x = relu\nx | bn } }", TWO, "E0216"),
        ("[] -> relu", "", "E0306"),
        ("let x = bn\n[x, x]", "", "E0306"),
        ("let x = bn\n[x, x] -> two { relu }", TWO, "E0306"),
        ("let x = bn\n[x] : 3x8x8", "", "E0306"),
        ("let x = bn\nrelu -> [x]", "", "E0213"),
        ("let x = bn\nadd { [x, 3] | relu }", "", "E0213"),
        ("let x = bn\n[x]\nconv(in_channels, 1)", "", "E0306"),
        ("add { relu | two { bn | elu | relu } } -> conv(3)", TWO, "E0215"),
    ],
)
def test_what_branches_can_not_be(model: str, items: str, code: str) -> None:
    assert code in codes_of(text_of(model, items))


@pytest.mark.parametrize(
    "model", ["let x = bn\nadd { x = relu | identity }\nx", "let x = bn\nadd for i in 0..2 { x = relu\nx }\nx"]
)
def test_branches_of_joins_may_assign(model: str) -> None:
    assert briefs(model).count("relu") == model.count("in 0..2") + 1


def test_an_error_in_a_branch_names_the_call_that_runs_it() -> None:
    (error,) = errors_of(text_of("two { conv(3, 9) }", TWO))
    assert (error.code, error.label.span.text) == ("E0307", "9")
    assert any("two()" in note for note in error.notes)


def test_two_errors_in_branches_are_both_reported() -> None:
    model = "two { conv(3, 1, pd=1) | nosuch }\nadd for k in [1, 3] { conv(2, k, pad=same, gropus=1) }"
    assert codes_of(text_of(model, TWO)) == ["E0301", "E0201", "E0301"]


TEXTS = [
    "two { relu | elu }",
    "two(relu) { elu }",
    "concat for k in [1, 3] { conv(4, k, pad=same) }",
    "let x = concat for k in [1, 3] { conv(4, k, pad=same) }\nadd { x | two { relu | bn } -> conv(8, 1) }",
    "add { relu | if in_channels == 4 { bn } else { [] } }",
    "let x = relu\nadd { x = bn\nx | both }\nx",
    "let x = relu\nlet y = mul { both | identity }\nadd { [x, y] | add { let z = bn\n[z, x, y] } }",
]


@pytest.mark.parametrize("model", TEXTS)
def test_printed_formatted_and_expanded_texts_mean_the_same(model: str) -> None:
    text = text_of(model, f"{TWO}\nblock both() {{ let x = bn\nlet y = x -> relu\n[y, x, y] }}")
    found = analyze_text(text)
    printed = print_spec(parse(text))
    assert print_spec(parse(printed)) == printed
    assert analyze_text(printed).fingerprint == found.fingerprint
    formatted = format_text(Source("test", text))
    assert format_text(Source("test", formatted)) == formatted
    assert analyze_text(formatted).fingerprint == found.fingerprint
    again = analyze_text(expanded(found.graph, None, "test")).graph
    plain = [(node.operation, node.inputs) for node in found.graph.nodes]
    assert [(node.operation, node.inputs) for node in again.nodes] == plain


def test_the_canonical_text() -> None:
    text = text_of("two(  relu ){elu|bn->tanh}\nconcat   for k in [1,3]{ # sizes\n conv(4,k,pad=same) }", TWO)
    assert format_text(Source("test", text)).endswith(
        """\
model {
    two(relu) { elu | bn -> tanh }
    concat for k in [1, 3] {        # sizes
        conv(4, k, pad=same)
    }
}
"""
    )
