import pytest
from helpers.specs import TRAIN, codes_of, errors_of, graph_of, parse, text_of

from cifar_dsl.compiler import analyze_text
from cifar_dsl.compiler.builtin_names import FUNCTIONS
from cifar_dsl.compiler.module_names import MODULE_ATTRIBUTES
from cifar_dsl.compiler.names import Names, resolve_spec
from cifar_dsl.compiler.values import SYMBOLS
from cifar_dsl.ir import arguments_of
from cifar_dsl.language.diagnostics import Reporter
from cifar_dsl.operations.layers import INITIALIZERS, JOINS, LAYERS, WEIGHTS
from cifar_dsl.operations.recipe import GROUP_SETTINGS, SETTINGS

STAGES = "flatten -> dense(10)"


def test_layers_and_functions_share_the_names_that_an_arrow_tells_apart() -> None:
    shared = FUNCTIONS.keys() & set(LAYERS)
    assert shared == {"max", "sum"}
    assert all(LAYERS[name].missing_axes for name in shared)
    assert not MODULE_ATTRIBUTES & set(LAYERS)


def test_code_that_is_never_expanded_is_checked() -> None:
    assert codes_of(text_of("if false { cnov(1) }\nrelu", "block unused(c) { rleu(d) }")) == ["E0201", "E0202", "E0201"]


@pytest.mark.parametrize(
    ("stages", "items"),
    [
        ("conv(8, 3, pad=y)", ""),
        ("let y = relu\ny -> conv(8, 3) -> z", ""),
        ("for i in 0..2 { relu }\nconv(i, 3)", ""),
        ("if true { let y = relu }\nadd { identity | y }", ""),
        ("add { let y = relu -> relu\ny | y }", ""),
        ("relu", "block u() { conv(c, 3) }\nblock v(c) { u }"),
        ("relu", "block u(a=b, b=1) { relu }"),
        ("relu", "param p = q"),
        ("relu", "assert parameters < 3"),
        ("relu", "param p = params"),
    ],
)
def test_names_end_with_their_scope(stages: str, items: str) -> None:
    assert set(codes_of(text_of(stages, items))) <= {"E0201", "E0202"}


@pytest.mark.parametrize("name", ["in_channels", "height", "width"])
def test_the_current_tensor_is_only_known_in_stages(name: str) -> None:
    assert codes_of(text_of("relu", f"param p = {name}")) == ["E0202"]
    assert codes_of(text_of("relu", f"assert {name} == 3")) == ["E0202"]
    assert codes_of(text_of(name)) == ["E0201"]
    assert graph_of(f"conv({name}, 3)")
    assert graph_of("u", f"block u(c={name}) {{ conv(c, 3) }}")


@pytest.mark.parametrize("value", ["epochs 2 * n", "optimizer adam(lr=n)", "epochs width + 1", "epochs abs(n)"])
def test_an_unknown_name_in_train_is_never_dropped_with_the_recipe(value: str) -> None:
    name = value.split(maxsplit=1)[0]
    train = "\n".join(line for line in TRAIN.splitlines() if line.split()[0] != name).replace("}", f" {value}\n}}")
    assert codes_of(text_of(STAGES, size="3x32x32") + train) == ["E0202"]


@pytest.mark.parametrize("label", ["training", "_modules", "half"])
def test_a_stage_can_not_be_named_as_an_attribute_of_torch_modules(label: str) -> None:
    (error,) = errors_of(text_of(f"conv(8, 3) as {label}"))
    assert (error.code, error.help) == ("E0209", (f"write `{label}_`",))


def test_suggestions_for_a_misspelt_name_are_valid_there() -> None:
    for wrong, right in (("cnov(8, 3)", "conv"), ("uint", "unit"), ("conv(widt, 3)", "width")):
        (diagnostic,) = errors_of(text_of(wrong, "block unit() { relu }"))
        assert diagnostic.help == (f"did you mean `{right}`?",)


@pytest.mark.parametrize(("value", "code"), [("foo(1)", "E0202"), ("conv(8, 1)", "E0213"), ("-foo(1)", "E0202")])
def test_an_unknown_function_in_train_is_never_dropped_with_the_recipe(value: str, code: str) -> None:
    train = TRAIN.replace("batch 8", f"batch {value}")
    assert codes_of(text_of(STAGES, size="3x32x32") + train) == [code]


def test_a_let_may_name_an_initialiser() -> None:
    assert graph_of("let start = normal(std=0.1)\nconv(8, 3, init=start)").nodes


def test_a_word_of_a_type_may_have_the_name_of_an_initialiser() -> None:
    assert graph_of("conv(8, 3, init=normal(std=0.1)) -> u(normal)", "block u(start: normal | zeros) { relu }").nodes


# ---- the table

TEXT = """\
arch a
input 3x8x8
param wide = 8
block unit(c: int, act: block = relu) {
    let half = c // 2
    for k in [1, 3] { conv(half, k) }
    act
}
model {
    let y = unit(wide, act=gelu)
    add { y | let y = bn
        y }
    dense(max(10, height), init=normal(std=0.1))
}
train { optimizer sgd(lr=0.1) }
assert params < 5
"""


def table(text: str) -> Names:
    return resolve_spec(parse(text), {}, Reporter())


@pytest.mark.parametrize(
    ("place", "kind", "line"),
    [
        ("wide, act", "param", 3),
        ("unit(wide", "block", 4),
        ("act=gelu", "parameter", 4),
        ("act\n", "parameter", 4),
        ("c // 2", "parameter", 4),
        ("half, k", "let", 5),
        ("k) }", "loop variable", 6),
        ("y | let", "let", 10),
        ("y }", "let", 11),
        ("gelu)", "layer", None),
        ("add {", "join", None),
        ("max(", "function", None),
        ("height", "flow", None),
        ("init=", "argument", None),
        ("normal(", "initialiser", None),
        ("sgd(", "choice", None),
        ("optimizer", "setting", None),
        ("params <", "budget", None),
    ],
)
def test_mentions_have_one_definition(place: str, kind: str, line: int | None) -> None:
    mention = table(TEXT).at(TEXT.index(place))
    assert mention is not None
    definition = mention.definition
    assert (definition.kind, definition.span.line if definition.span else None) == (kind, line)


def test_definitions_have_their_mentions() -> None:
    names = table(TEXT)
    first, second = (one for one in names.mentions if one.is_definition and one.definition.name == "y")
    assert [use.span.line for use in names.uses_of(first.definition)] == [11]
    assert [use.span.line for use in names.uses_of(second.definition)] == [12]


@pytest.mark.parametrize(
    ("place", "visible"),
    [
        ("model", []),
        ("conv(half", ["act", "c", "half", "k"]),
        ("act\n", ["act", "c", "half"]),
        ("let half", ["act", "c"]),
        ("= relu", ["c"]),
        ("let y = bn", ["y"]),
        ("dense", ["y"]),
    ],
)
def test_names_that_are_visible_at_a_place(place: str, visible: list[str]) -> None:
    assert sorted(table(TEXT).visible_at(TEXT.index(place))) == visible


def test_words_are_those_of_all_arguments_and_settings() -> None:
    """`SYMBOLS` is collected while arguments are declared; this asks each class for its arguments."""
    settings = [*SETTINGS.values(), *GROUP_SETTINGS.values()]
    registries = [LAYERS, JOINS, INITIALIZERS, WEIGHTS, *(setting.registry for setting in settings if setting.registry)]
    kinds = [info.kind for registry in registries for name in registry for info in arguments_of(registry[name])]
    kinds += [setting.kind for setting in settings if setting.kind]
    chosen = {name for setting in settings if setting.registry for name in setting.registry}
    assert {symbol for kind in kinds for symbol in kind.symbols()} | chosen | {"none"} == SYMBOLS


def test_an_expansion_leaves_the_table_of_names_as_it_is() -> None:
    """The long form of attention has names of its own; editors read the table meanwhile."""
    analysis = analyze_text(text_of("patches(8, 4) -> attention(2, before=relu) -> global_avgpool -> dense(10)"))
    assert len(analysis.names.definitions) == len({mention.span for mention in analysis.names.mentions})
