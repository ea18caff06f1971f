"""`show --expand` prints a spec of equal meaning, except for the names of stages."""

import pytest
from helpers.networks import specs
from helpers.specs import SHIPPED, text_of
from hypothesis import given, settings

from cifar_dsl.compiler import Analysis, analyze, analyze_text
from cifar_dsl.foundation.errors import UserError
from cifar_dsl.ir import Graph
from cifar_dsl.operations.recipe.groups import assign
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
    "let f = tied { unit(3) -> dropout(0.5) }\nadd { f | relu -> f }\nlet x = f\nrelu\nadd { x -> f | identity }",
    "let f = tied { let g = tied { conv(3, 1) }\nadd { g | g -> bn } }\nrepeat 2 { f }\nlet f2 = relu -> f\nf2 -> f",
    "let f = tied { conv(3, 1) }\nlet g = tied { f -> relu -> f }\ng -> g -> f\n"
    "each(c, h, w -> h, c) { rearrange(h, c -> c, 1, h) -> f -> rearrange(c, 1, h -> h, c) }",
    "shared(3) -> shared(3) -> avgpool(2) -> shared(3)",
    "let f = tied { repeat 2 {} }\nf -> f -> both { f }\nlet c = tied { conv(3, 1) }\nboth { c } -> both(c)",
    "repeat 2 {\nunit(3)\nlet early = flatten -> dense(10) -> exit(0.3)\n}\nflatten -> dense(10) -> exit(0.5)",
    "flatten\nlet a = dense(9) -> exit(0.5)\nlet b = dense(9) -> exit\nmean { a | b -> exit } -> exit(0)",
    "flatten\nadd { let a = dense(10) -> exit(0)\na -> exit | let c = dense(4)\ndense(10) -> exit(0.2) -> relu }",
    "let x = conv(3, 1)\nrelu\nlet y = repeat 1 {\nrelu\nx -> conv(3, 1)\n}\nadd { y | x | identity }",
    "let x = conv(3, 1)\nrelu\nlet y = repeat 1 {\nrelu\nx\n}\nadd { y | x | identity }",
    "let k = 2\nconv(k, 1, init=normal(std=0.5), frozen=all) -> bn(init=0)",
]
ITEMS = """
block unit(c, act=relu) { conv(c, 3, pad=1) -> bn -> act }
block both(f: block) { concat { f | f } -> conv(3, 1) }
block shared(c) {
    let f = tied { conv(c, 1, init=normal(std=0.5)) -> mean(c, h, w -> c, h, 1) }
    add { f | mul { identity | f } }
}
block deep(c) {
    let inner = conv(c, 1)
    relu
    add { identity | inner }
}
"""


def meaning(graph: Graph) -> list[object]:
    numbers = {node.path: node.output for node in graph.nodes}
    return [
        graph.output,
        *(node.shares and numbers[node.shares] for node in graph.nodes),
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


GROUPED = """
block deep(c) { conv(c, 3, pad=1) -> bn -> relu -> conv(c, 1) }
model {
    deep(4) as first
    add { deep(4) | deep(4) as last }
    conv(4, 1)
    flatten
    dense(10)
}
"""


@pytest.mark.parametrize(
    ("select", "again"),
    [
        ('"first.*"', '["conv.*", "bn*.*", "conv2.*"]'),
        ('"*deep*"', '["add.branch1.conv.*", "add.branch1.bn.*", "add.branch1.conv2.*"]'),
        ('"conv.*"', '["conv3.*"]'),
        ('[norm, "dense.weight"]', '[norm, "dense.weight"]'),
        ('["*.bias", "*.last.conv.*"]', '["*.bias", "add.branch2.conv.*"]'),
    ],
)
def test_groups_select_the_same_parameters_under_their_new_names(select: str, again: str) -> None:
    recipe = f"data cifar10\nepochs 1\nbatch 8\noptimizer sgd(lr=0.1)\ngroup some {{ select {select} }}"
    analysis = analyze_text(f"arch grouped\ninput 3x32x32\n{GROUPED}train {{\n{recipe}\n}}\n")
    text = expanded(analysis.graph, analysis.recipe, "again")
    other = analyze_text(text)
    before, after = (list(assign(one.graph, one.require_recipe()).values()) for one in (analysis, other))
    assert after == before
    assert f"select     {again}" in text


def test_a_group_that_needs_too_many_patterns_is_an_error() -> None:
    stages = "".join(f"one(4) as {'x' if i % 3 else 'y'}{i}\n" for i in range(200))
    recipe = 'data cifar10\nepochs 1\nbatch 8\noptimizer sgd(lr=0.1)\ngroup some { select "y*.weight" }'
    analysis = analyze_text(
        f"arch many\ninput 3x32x32\nblock one(c) {{ conv(c, 1) }}\n"
        f"model {{\n{stages}flatten\ndense(10)\n}}\ntrain {{\n{recipe}\n}}\n"
    )
    with pytest.raises(UserError, match="need more than 64 patterns") as caught:
        expanded(analysis.graph, analysis.recipe, "again")
    assert "--resolved" in caught.value.help[0]
