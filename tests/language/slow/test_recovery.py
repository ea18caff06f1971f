"""Recovered trees keep everything outside the error, and are found in limited time."""

import time

import pytest
from helpers.recovery import recovered, walked
from helpers.specs import parse
from hypothesis import given, settings
from hypothesis import strategies as st

from cifar_dsl.foundation import limits
from cifar_dsl.foundation.resources import specs_directory
from cifar_dsl.language.syntax import Recovered, nodes
from cifar_dsl.language.syntax.lexer import raw_tokens
from cifar_dsl.language.syntax.newlines import NEW_LINE

TEXTS = {path.stem: path.read_text(encoding="utf-8") for path in sorted(specs_directory().rglob("*.arch"))}
INSERTED = [
    "(",
    ")",
    "[",
    "]",
    "*",  # not "{", which opens branches after a name, so that what follows belongs to them
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


def places(spec: nodes.Spec | None) -> set[tuple[str, int, int]]:
    """Every statement, with its text and place, and the name and parameters of every block."""
    found = set()
    for node in walked(spec):
        if isinstance(node, STATEMENTS):
            found.add((repr(node), node.span.start, node.span.end))
        if isinstance(node, nodes.Block):
            found.add((f"block {node.name}{node.parameters}", node.span.start, node.body.span.start))
    return found


@pytest.mark.parametrize("name", TEXTS)
def test_a_valid_text_has_the_tree_of_the_parser_and_no_errors(name: str) -> None:
    assert recovered(TEXTS[name]) == Recovered(parse(TEXTS[name]))


@pytest.mark.parametrize("name", TEXTS)
@settings(max_examples=5, derandomize=True, deadline=None)
@given(data=st.data())
def test_one_damaged_token_keeps_everything_else_in_the_tree(name: str, data: st.DataObject) -> None:
    text = TEXTS[name]
    tokens = [token for token in raw_tokens(text) if token.type != NEW_LINE]
    i = data.draw(st.integers(0, len(tokens) - 1), label="token")
    inserted = data.draw(st.sampled_from(["", *INSERTED]), label="inserted")
    start = tokens[i].start
    end = start if inserted else tokens[i].end
    result = recovered(text[:start] + inserted + " " * bool(inserted) + text[end:])

    grown = len(inserted) + bool(inserted) - (end - start)
    first = tokens[max(0, i - 1)].start  # the damage, and the tokens on either side of it
    last = tokens[min(i + (not inserted), len(tokens) - 1)].end
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
