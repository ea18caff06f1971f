import gc
import weakref
from collections.abc import Iterator, Sequence

import pytest
from helpers.specs import codes_of, parse, text_of

from cifar_dsl.foundation.limits import DEFAULTS
from cifar_dsl.language.diagnostics import SpecError
from cifar_dsl.language.source import Source
from cifar_dsl.language.syntax import SETTING_WORDS, nodes, parse_axis, parse_override, print_chain, print_override
from cifar_dsl.language.syntax.parser import parsed_within
from cifar_dsl.operations.recipe import SETTINGS


def refused(text: str) -> str:
    with pytest.raises(SpecError) as caught:
        parse(text)
    (diagnostic,) = caught.value.diagnostics
    return diagnostic.code


def value(text: str) -> nodes.Expression:
    (item,) = parse(f"arch a\nparam p = {text}\n").items
    assert isinstance(item, nodes.Param)
    return item.value


def computed(text: str) -> object:
    """The value of an expression."""
    from cifar_dsl.compiler.evaluate import Evaluator
    from cifar_dsl.compiler.names import resolve_spec
    from cifar_dsl.compiler.values import ValueScope
    from cifar_dsl.language.diagnostics import Reporter

    spec = parse(f"arch a\nparam p = {text}\n")
    (item,) = spec.items
    assert isinstance(item, nodes.Param)
    return Evaluator(Reporter(), resolve_spec(spec, {}, Reporter())).evaluate(item.value, ValueScope())


# ---- layout

ONE_LINE = text_of("a -> add { b | c } -> if p { d } else { e }\nf(1, [2, 3])")


@pytest.mark.parametrize(
    "stages",
    [
        "a -> add { b | c } -> if p { d } else { e }\nf(1, [2, 3])",
        "a\n-> add { b | c }\n-> if p { d } else { e }\nf(1, [2, 3])",
        "a ->\nadd {\nb\n|\nc\n} ->\nif p {\nd\n}\nelse\n{\ne\n}\nf(1, [2, 3])",
        "\n\na -> add { b\n\n\n| c\n\n} -> if p\n{ d } else { e }\n\n\nf(\n1,\n\n[\n2,\n3\n,]\n,)\n\n",
        "a # x\n# y\n -> add { # z\nb # |\n# }\n| c } -> if p { d } # e\nelse { e }\nf(1, # 2\n[2, 3]) # (",
    ],
)
def test_new_lines_that_end_nothing_are_dropped_with_comments(stages: str) -> None:
    assert parse(text_of(stages)) == parse(ONE_LINE)


def test_a_new_line_ends_a_stage() -> None:
    (model,) = (item for item in parse(text_of("a\nb")).items if isinstance(item, nodes.Model))
    assert len(model.body.stages) == 2
    assert refused(text_of("a b")) == "E0101"


def test_a_stage_may_hold_a_whole_branch_of_lines() -> None:
    assert parse(text_of("add {\na\nb\n|\nc\n}")) != parse(text_of("add { a -> b | c }"))  # two stages, one chain


def test_a_new_line_may_follow_an_equals_sign() -> None:
    assert parse("arch a\nparam p =\n 1\n") == parse("arch a\nparam p = 1\n")


@pytest.mark.parametrize("end", ["", "\n", "\n\n# the end", "  "])
def test_the_last_line_needs_no_end(end: str) -> None:
    assert parse("arch a\ninput 3x8x8" + end) == parse("arch a\ninput 3x8x8\n")


def test_carriage_returns_are_space() -> None:
    assert parse(ONE_LINE.replace("\n", "\r\n")) == parse(ONE_LINE)


# ---- literals


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("64", 64),
        ("50_000", 50_000),
        ("5M", 5_000_000),
        ("1.5k", 1500),
        ("2G", 2 * 10**9),
        ("1e-3", 1e-3),
        ("2.5", 2.5),
        ("1_000.2_5_", 1000.25),
        ("1E3", 1000.0),
        ("0", 0),
        ("true", True),
        ("3x3", (3, 3)),
        ("3x32x32", (3, 32, 32)),
        ('"ab c"', "ab c"),
        ("[]", ()),
        ("[1, 2,]", (1, 2)),
        ("(1, 2)", (1, 2)),
    ],
)
def test_literals(text: str, expected: object) -> None:
    result = computed(text)
    assert result == expected
    assert isinstance(result, type(expected))


@pytest.mark.parametrize(
    "text", ["\u0663", "\uff13", "1_000x3", ".5", "1.", "1e", "0b1", "5m", "1x", "'a", '"a', "1__k0"]
)
def test_invalid_literals_are_rejected(text: str) -> None:
    assert refused(f"arch a\nparam p = {text}\n") == "E0101"


# ---- operators


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1 + 2 * 3", 7),
        ("(1 + 2) * 3", 9),
        ("8 - 4 - 2", 2),
        ("8 // 4 // 2", 1),
        ("7 % 4 * 2", 6),
        ("-2 * 3", -6),
        ("2 - -3", 5),
        ("--3", 3),
        ("1 + 1 == 2", True),
        ("not 1 == 2", True),
        ("not not true", True),
        ("not false and false", False),
        ("true or true and false", True),
        ("(true or true) and false", False),
        ("1 < 2 and 2 < 1 or true", True),
        ("1 if false else 2 if false else 3", 3),
        ("1 if true else 2 if true else 3", 1),
        ("10 + 1 if false else 2", 2),
        ("[1, [2, 3]][1][0]", 2),
        ("-[5][0]", -5),
    ],
)
def test_precedence(text: str, expected: object) -> None:
    assert computed(text) == expected


@pytest.mark.parametrize(
    "text", ["1 < 2 < 3", "1 == 2 == 3", "1 = 2", "not", "1 +", "* 2", "1 if true", "a.b", "a()()"]
)
def test_invalid_expressions_are_rejected(text: str) -> None:
    assert refused(f"arch a\nparam p = {text}\n") == "E0101"


# ---- limits


@pytest.mark.parametrize(
    ("depth", "code"), [(DEFAULTS.nesting - 1, None), (DEFAULTS.nesting, None), (DEFAULTS.nesting + 1, "E0104")]
)
def test_brackets_are_limited(depth: int, code: str | None) -> None:
    text = f"arch a\nparam p = {'(' * depth}1{')' * depth}\n"
    assert (code and refused(text)) == code
    assert code or parse(text)


@pytest.mark.parametrize(("depth", "code"), [(DEFAULTS.nesting, None), (DEFAULTS.nesting + 1, "E0104")])
def test_bodies_are_limited(depth: int, code: str | None) -> None:
    text = f"arch a\nmodel {'{ repeat 1 ' * (depth - 1)}{{ }}{'}' * (depth - 1)}\n"
    assert (code and refused(text)) == code
    assert code or parse(text)


@pytest.mark.parametrize(("depth", "code"), [(DEFAULTS.nesting, None), (DEFAULTS.nesting + 1, "E0104")])
def test_operators_between_brackets_are_limited(depth: int, code: str | None) -> None:
    text = f"arch a\nparam p = {'-(1 + ' * (depth // 2)}{'-' if depth % 2 else ''}1{')' * (depth // 2)}\n"
    assert (code and refused(text)) == code
    assert code or parse(text)


@pytest.mark.parametrize("flat", ["not " * 5000 + "true", "-" * 5000 + "1", "1" + " + 1" * 5000, "a" + "[0]" * 5000])
def test_long_flat_expressions_are_accepted(flat: str) -> None:
    assert parse(f"arch a\nparam p = {flat}\n")


@pytest.mark.parametrize(
    ("length", "code"), [(DEFAULTS.identifier_characters, None), (DEFAULTS.identifier_characters + 1, "E0104")]
)
def test_names_are_limited(length: int, code: str | None) -> None:
    text = f"arch {'a' * length}\n"
    assert (code and refused(text)) == code
    assert code or parse(text)


@pytest.mark.parametrize(
    ("length", "code"), [(DEFAULTS.token_characters, None), (DEFAULTS.token_characters + 1, "E0104")]
)
def test_words_are_limited(length: int, code: str | None) -> None:
    text = f'arch a extends "{"b" * (length - 2)}"\n'
    assert (code and refused(text)) == code
    assert code or parse(text)


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (f"{DEFAULTS.integer_magnitude - 1}", None),
        (f"{DEFAULTS.integer_magnitude}", None),
        (f"{DEFAULTS.integer_magnitude + 1}", "E0104"),
        ("1000G", None),
        ("1001G", "E0104"),
        ("1e400", "E0104"),
        ("9" * 1000, "E0104"),
        ("3x" + "9" * 13, "E0104"),
    ],
)
def test_numbers_are_limited(number: str, code: str | None) -> None:
    text = f"arch a\nparam p = {number}\n"
    assert (code and refused(text)) == code
    assert code or parse(text)


# ---- characters


@pytest.mark.parametrize("character", ["\0", "\x0b", "\x1b", "\x7f", "\x85", "\u200e", "\u202e", "\u2066"])
def test_characters_that_hide_text_are_rejected_even_in_comments(character: str) -> None:
    assert refused(f"arch a  # {character}\n") == "E0103"


def test_comments_may_be_in_any_language() -> None:
    assert parse("# Faltungsnetz für 卷積\narch a\n") == parse("arch a\n")


def test_names_are_ascii() -> None:
    assert refused("arch réseau\n") == "E0101"


# ---- overrides


def test_an_override_names_a_param_or_a_part_of_train() -> None:
    param, train = (parse_override(Source("--set", text)) for text in ("head=[1, 2]", "train.optimizer.lr=1e-3"))
    assert (param.in_train, [name.text for name in param.target]) == (False, ["head"])
    assert (train.in_train, [name.text for name in train.target]) == (True, ["optimizer", "lr"])


@pytest.mark.parametrize("text", ["", "head", "head=", "=1", "head=1 2", "model={}", "train=1", "a b=1", "head=1\nb=2"])
def test_invalid_overrides_are_rejected(text: str) -> None:
    with pytest.raises(SpecError):
        parse_override(Source("--set", text))


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("head=[64]", ["[64]"]),
        ("head=[64],[512, 256] , 3", ["[64]", "[512, 256]", "3"]),
        ("train.optimizer=sgd(lr=0.1, momentum=0.9),adam(1e-3)", ["sgd(lr=0.1, momentum=0.9)", "adam(1e-3)"]),
        ("train.augment=crop(4) -> flip,flip", ["crop(4) -> flip", "flip"]),
        ("p=(1, 2),1 if a else 2", ["(1, 2)", "1 if a else 2"]),
    ],
)
def test_the_values_of_an_axis_are_separated_by_commas_outside_brackets(text: str, values: list[str]) -> None:
    axis = parse_axis(Source("--set", text))
    assert [print_chain(value) for value in axis.values] == values
    assert parse_override(Source("--set", print_override(axis.override))) == axis.override


@pytest.mark.parametrize(
    ("text", "column"), [("head=", 5), ("head=1,", 7), ("head=1,,2", 8), ("head=[1,2", 6), ("head=1,b=2", 9)]
)
def test_an_error_in_an_axis_has_its_place(text: str, column: int) -> None:
    with pytest.raises(SpecError) as caught:
        parse_axis(Source("--set", text))
    (mistake,) = caught.value.diagnostics
    assert mistake.label
    assert mistake.label.span.column == column


def test_an_override_has_a_single_value() -> None:
    with pytest.raises(SpecError):
        parse_override(Source("--set", "head=1,2"))


# ---- equality


def test_equality_of_trees_ignores_places() -> None:
    assert parse("arch a\nparam p = 1_000\n") == parse("# c\narch a\n\n\nparam p   = 1k\n")
    assert parse("arch a\nparam p = 1\n") != parse("arch a\nparam p = 2\n")


def test_a_spec_of_the_maximum_size_is_parsed_quickly() -> None:
    line = "conv(32, 3) -> relu\n"
    assert parse(text_of(line * (DEFAULTS.file_bytes // len(line) - 10)))


def test_syntax_errors_have_a_place() -> None:
    assert codes_of("") == ["E0101"]
    assert codes_of("arch") == ["E0101"]


def test_the_words_of_settings_match_the_recipe_settings() -> None:
    assert set(SETTINGS) == SETTING_WORDS


_KINDS = [nodes.Element, nodes.Let, (nodes.For, nodes.Repeat), nodes.CallExpression, (nodes.Branched, nodes.Let)]
_NESTED = """
let a = [conv(8, 3), relu][0]
repeat 2 { for i in range(2) { a -> add { f(1 + i) | a } } }
add(match(sum(channels))) { let b = a -> f | a }
a = tied { f }
"""


def _everything(node: object) -> Iterator[object]:
    yield node
    for child in nodes.children(node):
        yield from _everything(child)


@pytest.mark.parametrize("kind", _KINDS)
@pytest.mark.parametrize("of_items", [True, False])
def test_a_walk_finds_every_node_of_its_kinds_before_those_inside_it(
    kind: type | tuple[type, ...], of_items: bool
) -> None:
    items = parse(text_of(_NESTED)).items
    (model,) = (item for item in items if isinstance(item, nodes.Model))
    roots: Sequence[object] = items if of_items else [model.body]
    for _ in range(2):  # items keep what they hold
        walked: Iterator[object] = nodes.inside(roots, kind)
        found = [*map(id, walked)]
        expected: dict[int, object] = {id(one): one for one in _everything(tuple(roots)) if isinstance(one, kind)}
        assert found
        assert sorted(found) == sorted(expected)
        for place, one in enumerate(found):
            assert not {id(each) for each in _everything(expected[one])} & set(found[:place])


def test_a_tree_that_was_searched_is_freed_without_the_garbage_collector() -> None:
    item = parse(text_of("relu")).items[-1]
    assert list(nodes.inside([item], nodes.Name))
    parsed_within.cache_clear()
    kept = weakref.ref(item)
    gc.disable()
    try:
        del item
        assert kept() is None
    finally:
        gc.enable()
