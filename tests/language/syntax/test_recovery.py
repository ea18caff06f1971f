"""Recovered trees of texts with errors: they keep everything outside the error, and mark missing parts."""

import time
from collections.abc import Iterator

import pytest
from helpers.specs import parse, text_of
from hypothesis import given, settings
from hypothesis import strategies as st

from cifar_dsl.foundation import limits
from cifar_dsl.foundation.resources import specs_directory
from cifar_dsl.language.source import Source
from cifar_dsl.language.syntax import Recovered, nodes, parse_recovering, print_spec
from cifar_dsl.language.syntax.newlines import NEW_LINE
from cifar_dsl.language.syntax.tables import raw_tokens

TEXTS = {path.stem: path.read_text(encoding="utf-8") for path in sorted(specs_directory().rglob("*.arch"))}
INSERTED = [
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    "->",
    "=",
    ",",
    ":",
    "|",
    "+",
    ".",
    "x",
    "3",
    "3x3",
    '"',
    ";",
    "let",
    "add",
    "if",
]
STATEMENTS = (nodes.Input, nodes.Param, nodes.Assertion, nodes.Setting, nodes.Let, nodes.Assignment)


def recovered(text: str) -> Recovered:
    return parse_recovering(Source("test.arch", text))


def walked(node: object) -> Iterator[object]:
    waiting = [node]
    while waiting:
        node = waiting.pop()
        yield node
        waiting.extend(nodes.children(node))


def places(spec: nodes.Spec | None) -> set[tuple[str, int, int]]:
    """Every statement, with its text and place, and the name and parameters of every block."""
    found = set()
    for node in walked(spec):
        if isinstance(node, STATEMENTS):
            found.add((repr(node), node.span.start, node.span.end))
        if isinstance(node, nodes.Block):
            found.add((f"block {node.name}{node.parameters}", node.span.start, node.body.span.start))
    return found


# ---- laws


@pytest.mark.parametrize("name", TEXTS)
def test_a_valid_text_has_the_tree_of_the_parser_and_no_errors(name: str) -> None:
    assert recovered(TEXTS[name]) == Recovered(parse(TEXTS[name]))


@pytest.mark.parametrize("name", TEXTS)
@settings(max_examples=15, derandomize=True, deadline=None)
@given(data=st.data())
def test_one_damaged_token_keeps_everything_else_in_the_tree(name: str, data: st.DataObject) -> None:
    text = TEXTS[name]
    tokens = [token for token in raw_tokens(text) if token.type != NEW_LINE]
    i = data.draw(st.integers(0, len(tokens) - 1), label="token")
    inserted = data.draw(st.sampled_from(["", *INSERTED]), label="inserted")
    start = tokens[i].start_pos or 0
    end = start if inserted else (tokens[i].end_pos or 0)
    result = recovered(text[:start] + inserted + " " * bool(inserted) + text[end:])

    grown = len(inserted) + bool(inserted) - (end - start)
    first = tokens[max(0, i - 1)].start_pos or 0  # the damage, and the tokens on either side of it
    last = tokens[min(i + (not inserted), len(tokens) - 1)].end_pos or 0
    here = places(result.spec)
    for node, begins, ends in places(parse(text)):
        if ends < first:
            assert (node, begins, ends) in here
        elif begins > last:
            assert (node, begins + grown, ends + grown) in here


@pytest.mark.parametrize("name", TEXTS)
@settings(max_examples=10, derandomize=True, deadline=None)
@given(data=st.data())
def test_everything_before_the_cut_of_a_text_is_in_the_tree(name: str, data: st.DataObject) -> None:
    text = TEXTS[name]
    end = data.draw(st.integers(0, len(text)))
    here = places(recovered(text[:end]).spec)
    line = text.rfind("\n", 0, end)
    assert {place for place in places(parse(text)) if place[2] < line} <= here


# ---- what is being typed


def stages(typed: str) -> tuple[nodes.Stage, ...]:
    """The stages of a model with unfinished text between `bn` and `flatten`; checks that the rest is complete."""
    result = recovered(f"{text_of(f' bn{chr(10)} {typed}{chr(10)} flatten')}block after(c) {{ conv(c, 3) }}\n")
    assert result.errors
    assert result.spec
    *_, model, after = result.spec.items
    assert print_spec(nodes.replace(result.spec, items=(after,))).endswith("block after(c) {\n    conv(c, 3)\n}\n")
    assert isinstance(model, nodes.Model)
    return model.body.stages


@pytest.mark.parametrize(
    ("typed", "reads"),
    [
        ("conv(", "conv()"),
        ("conv(32, ", "conv(32)"),
        ("conv(32, pad=", "conv(32, pad=?)"),
        ("conv(32, pad=)", "conv(32, pad=?)"),
        ("conv(32,, 3)", "conv(32, ?, 3)"),
        ("conv(32 3)", "conv(32, 3)"),
        ("f([1, 2", "f([1, 2])"),
        ("f([1, 2)", "f([1, 2])"),
        ("f(1 + )", "f(1 + ?)"),
        ("let", "let  = ?"),
        ("let y conv(3)", "let y = conv(3)"),
        ("a -> -> b", "a -> ? -> b"),
        ("a as", "a as "),
        ("repeat {\n a\n }", "repeat ? {a}"),
        ("repeat 2", "repeat 2 {}"),
        ("repat 2 {\n a\n }", "repeat 2 {a}"),
        ("for x xs { a }", "for x in xs {a}"),
        ("for", "for  in ? {}"),
        ("if { a } else { b }", "if ? {a} else {b}"),
        ("add { a | conv( }", "add {a | conv()}"),
        ("add { | a }", "add {? | a}"),
        ("add", "add {?}"),
        ("a b", "a; b"),
        ("while x {\n a\n }", "while; x; repeat ? {a}"),
        ("a ? b", "a; b"),
    ],
)
def test_an_unfinished_stage_is_read_as_far_as_possible(typed: str, reads: str) -> None:
    first, *middle, last = map(shown, stages(typed))
    assert (first, "; ".join(middle), last) == ("bn", reads, "flatten")


def shown(node: object) -> str:
    """A stage on one line, with `?` for what is missing."""
    match node:
        case nodes.Missing():
            return "?"
        case nodes.Let(name=name, chain=chain):
            return f"let {name} = {shown(chain)}"
        case nodes.Chain(elements=elements):
            return " -> ".join(map(shown, elements))
        case nodes.Element(kind=kind, label=label):
            return shown(kind) + (f" as {label}" if label else "")
        case nodes.Body(stages=inner):
            return "; ".join(map(shown, inner))
        case nodes.Join(kind=kind, branches=branches):
            return f"{kind} {{{' | '.join(map(shown, branches))}}}"
        case nodes.Repeat(count=count, body=body):
            return f"repeat {shown(count)} {{{shown(body)}}}"
        case nodes.For(targets=targets, start=start, body=body):
            return f"for {', '.join(map(str, targets))} in {shown(start)} {{{shown(body)}}}"
        case nodes.If(arms=((test, body),), otherwise=otherwise):
            return f"if {shown(test)} {{{shown(body)}}} else {{{shown(otherwise)}}}"
        case nodes.CallExpression(callee=callee, arguments=arguments):
            return f"{callee}({', '.join(map(shown, arguments))})"
        case nodes.Argument(keyword=keyword, value=value):
            return (f"{keyword}=" if keyword else "") + shown(value)
        case nodes.Operation(operands=(left, right), operators=(sign,)):
            return f"{shown(left)} {sign} {shown(right)}"
        case nodes.Sequence(items=items):
            return f"[{', '.join(map(shown, items))}]"
        case nodes.Name(text=text) | nodes.Number(text=text):
            return text
    raise AssertionError(node)


def test_an_unclosed_call_ends_with_its_line() -> None:
    text = text_of("conv(32,   # wide\nrelu")
    (call,) = (node for node in walked(recovered(text).spec) if isinstance(node, nodes.CallExpression))
    assert call.span.text == "conv(32,   "


def test_a_missing_node_has_the_place_where_it_belongs() -> None:
    text = text_of("a -> \n}")
    (missing,) = (node for node in walked(recovered(text).spec) if isinstance(node, nodes.Missing))
    assert text[: missing.span.start].endswith("a ->")
    assert text[missing.span.end] == "\n"


@pytest.mark.parametrize(
    ("text", "items"),
    [
        ("arch a\ntrain { optimizer ad", "Train"),
        ("arch a\ninput\nparam\nparam x =\nassert\nblock\nmodel", "Input Param Param Assertion Block Model"),
        ("arch a\nblock u(c) {\n a\nmodel {\n b\n}", "Block Model"),
        ("arch a\nblock u(c)\n a\n}\nmodel {\n b\n}", "Block Model"),
        ("arch a\nmodel {\n a\n}\n b\n}\nparam x = 1", "Model Param"),
        ("arch a\nblock u(c: int d = 3) {\n a\n}\nblok v(\nc) {\n a\n}", "Block Block"),
        ("arch a\nfoo x {\n a\n}\nmodel {\n}", "Block Model"),
        ("input 3x8x8\nmodel {\n a\n}", "Input Model"),
        ("arch\ninput 3x8x8", "Input"),
        ("arch a extends\ninput 3x8x8", "Input"),
        ('arch a extends "base\ninput 3x8x8', "Input"),
        ("", ""),
    ],
)
def test_items_are_found_around_a_mistake(text: str, items: str) -> None:
    spec = recovered(text).spec
    assert spec
    assert " ".join(type(item).__name__ for item in spec.items) == items


def test_dropped_text_is_reported() -> None:
    result = recovered(text_of("conv(3) ] -> relu\n a ; b"))
    assert [span.text for span in result.skipped] == ["]", ";"]


def test_a_too_large_number_becomes_missing() -> None:
    result = recovered("arch a\nparam x = 1e400\nparam y = 2\n")
    assert [error.code for error in result.errors] == ["E0104"]
    assert result.spec
    x, y = result.spec.items
    assert isinstance(x, nodes.Param)
    assert isinstance(x.value, nodes.Missing)
    assert y == nodes.Param(nodes.Identifier("y", y.span), nodes.Number(2, "2", y.span), y.span)


# ---- bounds


@pytest.mark.parametrize(
    "piece",
    [
        "(",
        "{",
        '"',
        ")",
        "-> ",
        "[(",
        "((\n",
        "f(a b ",
        "} {",
        "a ",
        "a b\n",
        "x = ",
        ";",
        "model {\n",
        "param p = (\n",
    ],
)
@pytest.mark.parametrize("head", ["", "arch a\nmodel {\n"])
def test_hostile_texts_take_limited_time(head: str, piece: str) -> None:
    text = (head + piece * limits.current().file_bytes)[: limits.current().file_bytes]
    begin = time.process_time()
    result = recovered(text)
    assert (
        time.process_time() - begin < 10
    )  # it takes 1 to 3 s, as parsing a right text of this size; quadratic work, minutes
    assert 0 < len(result.errors) <= limits.current().diagnostics
