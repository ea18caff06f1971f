"""Laws of the printer, the formatter and the highlighter, for random specs of the grammar."""

import random

from helpers import trees
from helpers.highlighted import check_tokens
from helpers.layouts import check_laws
from helpers.networks import networks, specs
from helpers.specs import parse
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cifar_dsl.compiler import analyze_text
from cifar_dsl.language.syntax import nodes, print_spec


@settings(deadline=None, max_examples=60)
@given(trees.specs())
def test_parsing_reverses_printing(spec: nodes.Spec) -> None:
    text = print_spec(spec)
    assert parse(text) == spec
    assert print_spec(parse(text)) == text


@settings(deadline=None, max_examples=40)
@given(trees.specs().map(print_spec), st.randoms(use_true_random=False))
def test_formatting_changes_only_space(text: str, draws: random.Random) -> None:
    check_laws(text, draws)


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(specs() | networks(), st.randoms(use_true_random=False))
def test_formatting_keeps_the_fingerprint(text: str, draws: random.Random) -> None:
    assert analyze_text(check_laws(text, draws)).fingerprint == analyze_text(text).fingerprint


@settings(deadline=None, max_examples=60)
@given(specs())
def test_valid_specs_have_the_same_tokens(text: str) -> None:
    check_tokens(text)


@settings(deadline=None, max_examples=30)
@given(trees.specs())
def test_the_highlighter_finds_the_same_tokens(spec: nodes.Spec) -> None:
    check_tokens(print_spec(spec))
