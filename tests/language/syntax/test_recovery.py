"""Recovered trees of texts with errors: they keep everything outside the error, and mark missing parts."""

import pytest
from helpers.recovery import recovered, walked
from helpers.specs import text_of

from cifar_dsl.language.syntax import nodes, print_spec

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
        ("a b", "a; b"),
        ("while x {\n a\n }", "while; x {a}"),
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
        case nodes.Let(targets=targets, chain=chain):
            return f"let {', '.join(map(str, targets))} = {shown(chain)}"
        case nodes.Chain(elements=elements):
            return " -> ".join(map(shown, elements))
        case nodes.Element(kind=kind, label=label):
            return shown(kind) + (f" as {label}" if label else "")
        case nodes.Body(stages=inner):
            return "; ".join(map(shown, inner))
        case nodes.Branched(head=head, branches=nodes.For() as loop):
            return f"{shown(head)} {shown(loop)}"
        case nodes.Branched(head=head, bodies=bodies):
            return f"{shown(head)} {{{' | '.join(map(shown, bodies))}}}"
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


def test_a_separator_outside_a_join_is_dropped_alone() -> None:
    text = text_of("conv(8, 1) | -> relu\n    let y = bn\n    y -> flatten -> dense(10)")
    result = recovered(text)
    assert [error.message for error in result.errors] == ["unexpected `|`"]
    assert [text[span.start : span.end] for span in result.skipped] == ["|"]
