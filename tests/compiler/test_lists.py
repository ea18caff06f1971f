"""Lists of tensors, several names for their tensors, and blocks that call themselves."""

import pytest
from helpers.specs import codes_of, errors_of, graph_of, parse, paths_of, text_of

from cifar_dsl.compiler import analyze_text
from cifar_dsl.language.source import Source
from cifar_dsl.language.syntax import print_spec
from cifar_dsl.language.syntax.formatter import format_text
from cifar_dsl.views.flatten import expanded

BOTH = "block both() { let x = relu\nlet y = tanh\n[x, y] }"
SWAP = "block swap(xs: list) { let (a, b) = xs\n[b, a] }"
TREE = """\
block tree(levels: int) {
    if levels == 0 { relu } else {
        let left = tree(levels - 1)
        let right = left -> tree(levels - 1)
        concat { left | right }
    }
}"""


def briefs(model: str, items: str = "") -> str:
    return " -> ".join(node.operation.brief() for node in graph_of(model, items).nodes)


@pytest.mark.parametrize(
    ("model", "items", "expected"),
    [
        ("let (a, b) = both\nadd { b | a -> bn }", BOTH, "relu -> tanh -> bn -> add"),
        ("let (a, b) = both\n(a, b) = swap([a, b])\na -> bn", f"{BOTH}\n{SWAP}", "relu -> tanh -> bn"),
        ("let xs = both\nlet (a, b) = swap(xs)\na -> bn", f"{BOTH}\n{SWAP}", "relu -> tanh -> bn"),
        ("let xs = []\nfor i in 0..3 { let y = relu\nxs = xs + [y] }\nadd { xs }", "", "relu -> relu -> relu -> add"),
        ("let xs = both\nfor x in xs { x -> bn }\nadd for x in xs { x }", BOTH, "relu -> tanh -> bn -> bn -> add"),
        ("let x = relu\nadd { 3 * [x] | [x] * 2 }", "", "relu -> add"),
        ("let xs = both\nxs[1] -> bn\nxs[0]", BOTH, "relu -> tanh -> bn"),
        ("let xs = both\nlet y = xs[1]\ny -> bn", BOTH, "relu -> tanh -> bn"),
        ("let xs = both\nadd { xs[:1] | bn }", BOTH, "relu -> tanh -> bn -> add"),
        ("let (n, k) = [4, 3]\nconv(n, k)", "", "conv(4, 3)"),
        ("let (a, b) = [relu, 3]\na -> conv(b, 1)", "", "relu -> conv(3, 1)"),
        ("conv(1 + sum([]), 1)", "", "conv(1, 1)"),
        ("let d = [2, 3]\nfor i in 0..2 { conv(4 + sum(d[:i]), 1) }", "", "conv(4, 1) -> conv(6, 1)"),
        ("scale(6 / 4)", "", "scale(1.5)"),
        ("for f in 2 * [relu, bn] { f }", "", "relu -> bn -> relu -> bn"),
        ("for (c, k) in 2 * [(4, 1)] { conv(c, k) }", "", "conv(4, 1) -> conv(4, 1)"),
        ("pair([relu, tanh])", "block pair(fs: list) { for f in fs { f } }", "relu -> tanh"),
        ("let xs = nest\nadd { xs[0] } -> bn", "block nest() { let x = relu\n[[x, x], [x]] }", ""),
        ("tree(0)", TREE, "relu"),
        ("tree(2)", TREE, "relu -> relu -> concat -> relu -> relu -> concat -> concat"),
        (
            "even(3)",
            "block even(n: int) { if n > 0 { odd(n - 1) } }\nblock odd(n: int) { relu -> even(n) }",
            "relu -> relu -> relu",
        ),
        ("down", "block down() { if height > 2 { maxpool(2) -> down } }", "maxpool(2) -> maxpool(2)"),
    ],
)
def test_what_lists_and_recursion_mean(model: str, items: str, expected: str) -> None:
    if expected:
        assert briefs(model, items) == expected
    else:
        assert codes_of(text_of(model, items)) == ["E0213"]  # only lists of tensors are stages


def test_stages_of_several_names_stand_under_all_of_them() -> None:
    assert paths_of("let (a, b) = both\n(a, b) = both\na", BOTH) == [
        "a_b.both.x.relu",
        "a_b.both.y.tanh",
        "a_b2.both.x.relu",
        "a_b2.both.y.tanh",
    ]


@pytest.mark.parametrize(
    ("model", "items", "code"),
    [
        ("let (a, b) = relu\na", "", "E0217"),
        ("let (a, b, c) = both\na", BOTH, "E0217"),
        ("let (a, b) = [1, 2, 3]\nconv(a, b)", "", "E0217"),
        ("let a = relu\nlet b = bn\n(a, b) = tanh", "", "E0217"),
        ("let a = relu\na = both", BOTH, "E0213"),
        ("let xs = []\nxs = relu", "", "E0213"),
        ("let n = 3\nn = 4", "", "E0213"),
        ("let x = relu\nx = 4", "", "E0213"),
        ("xs = xs + [3]", "param xs = [1, 2]", "E0213"),
        ("let x = relu\n(x, nosuch) = both", BOTH, "E0201"),
        ("let xs = both\nxs[2] -> bn", BOTH, "E0210"),
        ("let xs = both\nbn -> xs[0]", BOTH, "E0213"),
        ("both -> bn", BOTH, "E0306"),
        ("both -> two { bn }", BOTH + "\nblock two(f: block) { f }", "E0306"),
        ("both\nconv(in_channels, 1)", BOTH, "E0306"),
        ("let x = relu\nlet xs = -1 * [x]", "", "E0210"),
        ("let x = relu\nlet xs = 1.5 * [x]", "", "E0210"),
        ("let x = relu\nlet xs = [x] * [x]", "", "E0210"),
        ("let x = relu\nlet xs = 1_000_000 * [x]", "", "E0210"),
        ("let x = relu\nconv([x], 1)", "", "E0301"),
        ("u([relu])", "block u(xs: tensor) { xs }", "E0304"),
        ("u", "block u() { relu -> u }", "E0208"),
        ("a(1)", "block a(n: int) { if n > 0 { relu }\na(n - 1) }", "E0208"),
        ("a(1)", "block a(n: int) { if n > 0 { b(n) } }\nblock b(n: int) { a(n) }", "E0208"),
        ("a(1)", "block a(n: int) { if n > 0 { a(n + 1) } }", "E0211"),
        ("conv(1 / 0, 1)", "", "E0210"),
        ("conv(3 / 2, 1)", "", "E0304"),
    ],
)
def test_what_lists_and_recursion_can_not_be(model: str, items: str, code: str) -> None:
    assert code in codes_of(text_of(model, items))


def test_two_errors_with_lists_are_both_reported() -> None:
    model = "let (a, b, c) = both\nlet xs = [a]\nxs[3] -> bn\nlet (d, e) = both\nd -> conv(4, 1, pd=1)"
    assert codes_of(text_of(model, BOTH)) == ["E0217", "E0301"]


def test_a_name_of_a_list_hides_what_fits_a_list() -> None:
    items = "param xs = [7]\nblock lists() { let x = relu\nlet ys = [x, x]\nys }"
    assert briefs("let xs = lists\nadd for x in xs { x }", items) == "relu -> add"
    assert briefs("let xs = relu\nfor x in xs { conv(x, 1) }", items) == "relu -> conv(7, 1)"  # as before lists


def test_only_names_can_be_assigned() -> None:
    (error,) = errors_of(text_of("let x = relu\n(x, 3) = bn"))
    assert (error.code, error.label.span.text) == ("E0101", "3")


TEXTS = [
    "let (a, b) = both\n(a, b) = swap([a, b])\nconcat { a | b }",
    "let xs = both\nbn\nlet ys = both\nconcat { xs | ys | identity }",
    "let xs = []\nfor i in 0..3 { let y = conv(3, 1)\nxs = xs + [y]\ny }\nadd { xs[0] | xs[2] }",
    "tree(3)",
    "let (a, b) = if true { both }\nmul { a | b }",
    "add { let (a, b) = both\n[b, a] | both } as sums",
    "let y = add { let xs = both\nxs[0] -> bn | xs2 }\ny",
]


@pytest.mark.parametrize("model", TEXTS)
def test_printed_formatted_and_expanded_texts_mean_the_same(model: str) -> None:
    text = text_of(model, "\n".join((BOTH, SWAP, TREE, "block xs2() { let (a, b) = both\nb }")))
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
