"""A name is what fits its place, and among what fits, the innermost definition wins."""

import pytest
from helpers.free_names import BLOCK, VALUES, operations
from helpers.specs import errors_of, graph_of, parse, paths_of, text_of, write_specs

from cifar_dsl.compiler import analyze, analyze_text
from cifar_dsl.compiler.module_names import MODULE_ATTRIBUTES, module_name
from cifar_dsl.compiler.names.sorts import Sorts, of_types, place_of_kind
from cifar_dsl.compiler.types import TYPES, fits
from cifar_dsl.compiler.values import SYMBOLS, BlockValue, Bound, Tensor
from cifar_dsl.ir import DECLARED_KINDS, Shape, Size, Symbol
from cifar_dsl.language.source import Source, Span
from cifar_dsl.language.syntax import nodes, print_spec
from cifar_dsl.operations.argument_types import UnfitError
from cifar_dsl.operations.layers import INITIALIZERS, LAYERS
from cifar_dsl.operations.recipe import GROUP_SETTINGS, SETTINGS
from cifar_dsl.views.flatten import expanded

# Names of each kind; tests/compiler/slow has all.
NAMES = (
    "gelu",
    "max",
    "height",
    "classes",
    "normal",
    "same",
    "adam",
    "epochs",
    "depthwise",
    "training",
    "int",
    "_x",
    "add",
    "mul",
)


@pytest.mark.parametrize("text", [VALUES, BLOCK], ids=["values", "block"])
def test_names_of_the_language_can_be_defined(text: str) -> None:
    expected = operations(text.replace("NAME", "zzz"))
    for name in NAMES:
        assert operations(text.replace("NAME", name)) == expected, name


@pytest.mark.parametrize(
    ("model", "items", "expected"),
    [
        ("dropout(dropout)", "param dropout = 0.25", "dropout(p=0.25)"),
        ("relu", "param relu = 3", "relu"),
        ("u(4)", "block u(relu: int) { conv(relu, 1) -> relu }", "conv(4, 1) -> relu"),
        ("u(relu)", "param relu = 3\nblock u(act: block) { act }", "relu"),
        ("conv_block(4, norm=after)", "param after = 1", "conv(4, 3, pad=1) -> relu -> bn"),
        (
            "conv(4, 3, pad=same, frozen=weight)",
            "block same() { bn }\nparam weight = 0",
            "conv(4, 3, pad=1, frozen=weight)",
        ),
        ("conv(4, 3, pad=same)", "param same = 2", "conv(4, 3, pad=2)"),
        ("conv(4, 1, init=zeros)", "block zeros() { bn }", "conv(4, 1, init=zeros)"),
        (
            "conv(4, 1, init=normal(std=0.5)) -> normal",
            "block normal() { bn }",
            "conv(4, 1, init=normal(std=0.5)) -> bn",
        ),
        ("conv(max(3, max), 1)", "param max = 5", "conv(5, 1)"),
        ("let k = max(3, 4)\nconv(k, 1)", "param max = 5", "conv(4, 1)"),
        ("let max = bn\nlet k = max(3, 4)\nmax -> conv(k, 1)", "", "bn -> conv(4, 1)"),
        ("let p = drop * 2\ndropout(p)", "param drop = 0.2", "dropout(p=0.4)"),
        ("u(0.2)", "block u(drop) { let p = 2 * drop\ndropout(p) }", "dropout(p=0.4)"),
        ("let d = [1, 2]\nlet k = 12 // (sum(d) - max(d)) // 3\nconv(k, 1)", "", "conv(4, 1)"),
        ("let k = -sum([1, 2])\nscale(k)", "", "scale(-3)"),
        ("let k = max(3)\nk -> relu", "block max(c) { conv(c, 1) }", "conv(3, 1) -> relu"),
        ("for u in 1..3 { u(u) }", "block u(c) { conv(c, 1) }", "conv(1, 1) -> conv(2, 1)"),
        ("let u = 2\nu(u)", "block u(c) { conv(c, 1) }", "conv(2, 1)"),
        ("let x = 3\nif true { let x = bn\nconv(x, x) -> relu }", "", "bn -> conv(3, 3) -> relu"),
        ("let x = bn\nfor x in [2] { conv(x, 1)\nx = relu }\nx -> tanh", "", "bn -> conv(2, 1) -> relu -> tanh"),
        ("conv(max, 1)", "param max = max(2, min)\nparam min = 4", "conv(4, 1)"),
        ("conv(width, 1)", "block width() { relu }", "conv(8, 1)"),
        (
            "depthwise -> conv(depthwise, 1)",
            "param depthwise = 2",
            "conv(3, 3, pad=1, groups=3, bias=false) -> conv(2, 1)",
        ),
        ("if true { let depthwise = 5\nrelu }\ndepthwise(1)", "", "relu -> conv(3, 1, groups=3, bias=false)"),
    ],
)
def test_a_name_passes_over_what_can_not_stand_in_its_place(model: str, items: str, expected: str) -> None:
    assert " -> ".join(node.operation.brief() for node in graph_of(model, items).nodes) == expected


def test_the_names_of_joins_are_free_where_they_start_no_join() -> None:
    items = "param mul = 2\nblock concat(add: block, mul: int = mul) { if mul == 2 { add } else { bn } }"
    model = "let add = concat(tanh)\nrepeat mul { add { add | concat(add=elu) } }\nadd -> concat(relu, mul=3) as mul"
    names = [node.operation.brief() for node in graph_of(model, items).nodes]
    assert names == ["tanh", "elu", "add", "elu", "add", "bn"]
    text = text_of(model, items)
    assert print_spec(parse(print_spec(parse(text)))) == print_spec(parse(text))


@pytest.mark.parametrize(
    ("model", "help_text"),
    [
        ("add -> relu", "write `add { ... | ... }`"),
        ("mul(relu, bn)", "write `mul { relu | bn }`"),
        ("concat([relu, bn])", "write `concat { relu | bn }`"),
    ],
)
def test_a_join_without_braces(model: str, help_text: str) -> None:
    (error,) = errors_of(text_of(model))
    assert (error.code, error.help) == ("E0201", (help_text,))


def test_words_in_lists_and_settings_pass_over_blocks() -> None:
    train = "train {\ndata cifar10\nepochs 1\nbatch 8\noptimizer sgd(lr=0.1)\nprecision bf16\n"
    train += "group g { select [norm, bias]\n epochs 1 }\n}\n"
    items = "block norm() { bn }\nblock bias() { relu }\nblock bf16() { norm -> bias }"
    recipe = analyze_text(text_of("bf16 -> flatten -> dense(10)", items, "3x32x32") + train).recipe
    assert recipe is not None
    assert (recipe.precision, recipe.groups[0].select) == ("bf16", ("norm", "bias"))


@pytest.mark.parametrize(
    ("model", "items", "code", "note"),
    [
        (
            "let relu = bn\nconv(4, 1) -> relu",
            "",
            "E0213",
            "the tensor `relu` of line 5 hides the layer `relu`: rename the tensor to use the layer",
        ),
        (
            "let scale = bn\nscale(3)",
            "",
            "E0213",
            "the tensor `scale` of line 5 hides the layer `scale`: rename the tensor to use the layer",
        ),
        (
            "u(3)",
            "block u(relu) { relu }",
            "E0213",
            "the parameter `relu` of line 3 hides the layer `relu`: rename the parameter to use the layer",
        ),
        (
            "for bn in [3, bn] { bn }",
            "",
            "E0213",
            "the loop variable `bn` of line 5 hides the layer `bn`: rename the loop variable to use the layer",
        ),
        (
            "conv(8, 3)",
            "block conv(c) { relu }",
            "E0301",
            "the block `conv` of line 3 hides the layer `conv`: rename the block to use the layer",
        ),
        (
            "conv(8, pad=1)",
            "block conv(c) { relu }",
            "E0301",
            "the block `conv` of line 3 hides the layer `conv`: rename the block to use the layer",
        ),
        (
            "bn",
            "block bn(c) { relu }",
            "E0303",
            "the block `bn` of line 3 hides the layer `bn`: rename the block to use the layer",
        ),
        (
            "conv(8)",
            "block conv(c) { conv(c, 3) }",
            "E0208",
            "the block `conv` of line 3 hides the layer `conv`: rename the block to use the layer",
        ),
        (
            "conv(4, 1, pad=same)",
            "param same = 1 - 2",
            "E0304",
            "the param `same` of line 3 hides the word `same`: rename the param to use the word",
        ),
    ],
)
def test_errors_name_the_definition_that_a_name_took(model: str, items: str, code: str, note: str) -> None:
    (error,) = errors_of(text_of(model, items))
    assert error.code == code
    assert note in error.notes


def test_the_library_sees_no_names_of_the_spec() -> None:
    calls = "conv_block(4) -> separable_block(4) -> basic_block(4, excite=squeeze_excite)"
    names = ("relu", "bn", "conv", "depthwise", "squeeze_excite", "identity", "residual_shortcut", "same", "auto")
    items = "".join(f"block {name}() {{ tanh }}\n" for name in names if name != "squeeze_excite")
    own = graph_of(calls, items + "param before = 1\nparam c = 7\nparam in_channels = 9")
    assert [one.operation for one in own.nodes] == [one.operation for one in graph_of(calls).nodes]
    assert [one.operation.name for one in graph_of("depthwise -> separable_block(4)", items).nodes][:2] == [
        "tanh",
        "conv",
    ]


@pytest.mark.parametrize("items", ["", "block relu() { tanh }\nparam depthwise = 3", "block depthwise() { tanh }"])
def test_the_text_of_a_run_keeps_its_meaning(items: str) -> None:
    """It holds the blocks of the library, except those that its own names would change."""
    found = analyze_text(text_of("separable_block(4) -> conv_block(4) -> relu", items))
    again = analyze_text(print_spec(found.program.as_spec()))
    assert again.fingerprint == found.fingerprint
    assert ("block conv_block" in print_spec(found.program.as_spec())) == ("relu" not in items)


def test_expanded_tensors_hide_no_layers() -> None:
    graph = graph_of(
        "let relu = conv(4, 1)\nrelu -> relu_2\nlet bn = tanh\nadd { bn | relu }\nrelu_2", "block relu_2() { elu }"
    )
    text = expanded(graph, None, "test")
    again = analyze_text(text).graph
    assert [(one.operation, one.inputs) for one in again.nodes] == [(one.operation, one.inputs) for one in graph.nodes]


def test_a_derived_spec_can_replace_what_its_base_uses(tmp_path) -> None:
    own = 'arch own extends "base.arch"\nblock relu() { tanh }\nparam width = 5\nblock depthwise() { elu }\n'
    base = text_of("conv(width, 1) -> relu -> depthwise")
    graph = analyze(write_specs(tmp_path, own=own, base=base)).graph
    assert [node.operation.brief() for node in graph.nodes] == ["conv(5, 1)", "tanh", "elu"]


def test_stages_are_named_beside_the_attributes_of_torch_modules() -> None:
    items = "block half() { conv(3, 1) }\nblock _x() { relu }"
    assert paths_of("half -> half -> _x\nlet type = bn\ntype", items) == [
        *("half_.conv", "half_2.conv", "_x_.relu", "type_.bn"),
    ]
    assert not {module_name(name) for name in MODULE_ATTRIBUTES} & MODULE_ATTRIBUTES


# ---- the sorts that decide it


SAMPLES: list[tuple[str, Bound]] = [
    *(("number", value) for value in (0, 1, 3, 1e-5, 0.5, 100.0)),
    *(("bool", value) for value in (True, False)),
    ("size", Size((3, 3))),
    *(("list", value) for value in ((), (0.5,), (1, 2), (0.5, 0.5, 0.5), (Symbol("bias"),), ((0, 0), (1, 1)))),
    *(("text", value) for value in ("0123456789abcdef", "stem.*")),
    *(("word", Symbol(word)) for word in SYMBOLS - set(LAYERS)),
    *(("layer", Symbol(word)) for word in LAYERS),
    *(("initialiser", INITIALIZERS[name]()) for name in ("zeros", "ones", "dirac")),
]


def test_arguments_accept_no_value_of_another_sort() -> None:
    settings = [*SETTINGS.values(), *GROUP_SETTINGS.values()]
    kinds = {repr(kind): kind for kind in [*DECLARED_KINDS, *(one.kind for one in settings if one.kind)]}
    for kind in kinds.values():
        sorts = place_of_kind(kind).sorts
        for sort, value in SAMPLES:
            if sort not in sorts:
                with pytest.raises(UnfitError):
                    kind.accept(value)  # type: ignore[arg-type]


@pytest.mark.parametrize("type_", [*TYPES, "before"])
def test_types_accept_no_value_of_another_sort(type_: str) -> None:
    types = (nodes.Identifier(type_, Span(Source("", ""), 0, 0)),)
    sorts: Sorts = of_types(types)
    block = next(one for one in analyze_text(text_of("relu", "block u() { relu }")).program.blocks.values())
    for sort, value in [*SAMPLES, ("block", BlockValue(block)), ("tensor", Tensor(0, Shape((1,))))]:
        assert sort in sorts or not fits(value, types)
