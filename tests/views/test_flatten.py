"""`show --expand` prints a spec of equal meaning, except for the names of stages."""

import pytest
from helpers.networks import specs
from helpers.specs import SHIPPED, text_of
from hypothesis import given, settings

from cifar_dsl.compiler import Analysis, analyze, analyze_text
from cifar_dsl.ir import Graph
from cifar_dsl.views.flatten import expanded

STAGES = [
    "unit(4) -> unit(8)",
    "add { unit(4) | conv(4, 1) }\nconcat { identity | relu | unit(2) }",
    "let x = unit(4)\nunit(6)\nconcat { x[:2] | identity | x -> relu }",
    "let x = add { unit(4) | conv(4, 1) } -> relu\nx",
    "deep(3)\ndeep(3)",
    "let x = deep(3)\nconcat { x | identity }",
    "let x = identity\nrepeat 3 {\nlet y = identity\nadd { conv(3, 1) | x }\nx = y\n}",
    "for c in [2, 4] { if c == 2 { conv(c, 1) } else { unit(c) } } as part\nrepeat 2 { mul { identity | sigmoid } }",
    "add {\nlet x = unit(4)\n| repeat 2 {} }",
    "concat { if 1 == 2 { unit(4) } | unit(2) }",
    "let x = repeat 2 {}\nunit(3)\nadd { identity | x }",
    "let x = unit(3)\nrelu\nrepeat 2 { x = repeat 1 {} }\nunit(3)\nadd { identity | x }",
    "let x = unit(3)\nrelu\nlet z = repeat 2 { let y = x }\nunit(3)\nadd { identity | x | z }",
    "let x = unit(3)\nlet y = x\nadd { identity | y | relu }",
    "let k = 2\nconv(k, 1, init=normal(std=0.5), frozen=all) -> bn(init=0)",
]
ITEMS = """
block unit(c, act=relu) { conv(c, 3, pad=1) -> bn -> act }
block deep(c) {
    let inner = conv(c, 1)
    relu
    add { identity | inner }
}
"""


def meaning(graph: Graph) -> list[object]:
    return [
        graph.output,
        *((node.operation, node.inputs, node.shape, node.cost) for node in graph.nodes),
        *(p.initial for node in graph.nodes for p in node.parameters),
    ]


def check(analysis: Analysis) -> None:
    text = expanded(analysis.graph, analysis.recipe, "again")
    again = analyze_text(text)
    assert meaning(again.graph) == meaning(analysis.graph)
    assert again.recipe == analysis.recipe
    assert not again.program.blocks


@pytest.mark.parametrize("stages", STAGES)
def test_the_meaning_is_unchanged(stages: str) -> None:
    check(analyze_text(text_of(stages, ITEMS)))


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_specs_expand(path) -> None:
    check(analyze(path))


@settings(deadline=None, max_examples=20)
@given(specs())
def test_any_spec_expands(text: str) -> None:
    check(analyze_text(text))


def test_blocks_are_named_in_comments() -> None:
    analysis = analyze_text(text_of("unit(4)\nunit(8, act=tanh)", ITEMS))
    assert expanded(analysis.graph, None, "x") == (
        "arch x\n\ninput 3x8x8\n\nmodel {\n"
        "    # unit: unit(4)\n    conv(4, 3, pad=1)\n    bn\n    relu\n"
        "    # unit2: unit(8, act=tanh)\n    conv(8, 3, pad=1)\n    bn\n    tanh\n"
        "}\n"
    )
