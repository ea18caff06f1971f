"""Invariants of the difference of any two specs."""

import random
from functools import cache
from pathlib import Path

import pytest
from helpers.networks import networks, specs
from helpers.specs import parse
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from cifar_dsl.compiler import Analysis, analyze, analyze_text
from cifar_dsl.foundation.resources import specs_directory
from cifar_dsl.language.diagnostics import SpecError
from cifar_dsl.language.syntax import print_spec
from cifar_dsl.views.difference import as_data, as_lines, difference

# Small changes of a text; most of them change its meaning.
MUTATIONS = (
    ("relu", "tanh"), ("tanh", "bn"), ("identity", "relu"), ("(k: int = 0", "(k: int = 1"), ("repeat 2", "repeat 3"),
    ("add {", "mul {"), ("basic_block", "preact_block"), ("3x32x32", "3x33x32"), ("  ", "\n"),
    ("model {", "model {\ntanh"),
    ("dense(10)", "dense(10) -> identity"), ("epochs 0.5", "epochs 0.6"), ("unit_1", "unit_91"), ("| ", "| relu -> "),
    ("other)", "identity)"), ("conv(2, 3", "conv(3, 3"), ("batch ", "batch 1"), ("select bias", "select embedding"),
)  # fmt: skip


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Analysis, Analysis]:
    """A spec, and another that is similar or unrelated."""
    text = draw(networks() | specs())
    other = text
    for old, new in draw(st.lists(st.sampled_from(MUTATIONS), max_size=3)):
        other = other.replace(old, new, draw(st.sampled_from([1, -1])))
    if draw(st.integers(0, 9)) == 0:
        other = draw(networks() | specs())
    try:
        return analyze_text(text), analyze_text(other)
    except SpecError:
        reject()


@settings(deadline=None, max_examples=100)
@given(pairs())
def test_the_difference_is_empty_if_and_only_if_the_fingerprints_are_equal(pair: tuple[Analysis, Analysis]) -> None:
    for a, b in (pair, pair[::-1]):
        found = difference(a, b)
        assert found.is_empty == (a.fingerprint == b.fingerprint)
        assert as_data(found)["equal"] == found.is_empty
        assert as_lines(found)
        assert as_lines(found, in_full=True)


@settings(deadline=None, max_examples=100)
@given(pairs())
def test_all_parameters_are_accounted_for(pair: tuple[Analysis, Analysis]) -> None:
    a, b = pair
    found = difference(a, b)
    reported = sum(change.parameters for change in found.network)
    follow = sum(after.cost.parameters - before.cost.parameters for before, after in found.consequences)
    assert reported + follow == b.graph.cost.parameters - a.graph.cost.parameters


@settings(deadline=None, max_examples=50)
@given(specs(), st.randoms(use_true_random=False))
def test_layout_is_no_difference(text: str, draws: random.Random) -> None:
    noisy = "".join(f"{line}{draws.choice(['', '   ', ' # note'])}\n" for line in text.splitlines())
    for other in (noisy, print_spec(parse(text)), text.replace("arch drawn", "arch other")):
        assert difference(analyze_text(text), analyze_text(other)).is_empty


@cache
def analysis_of(path: Path) -> Analysis:
    return analyze(path)


SHIPPED = [path for path in sorted(specs_directory().rglob("*.arch")) if path.parent.name != "library"]


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_differences_of_shipped_specs_are_short(path):
    spec = analysis_of(path)
    assert difference(spec, analyze(path)).is_empty
    for other in ("baseline", "zoo/resnet18", "zoo/efficientnet_b0"):
        base = analysis_of(specs_directory() / f"{other}.arch")
        for found in (difference(base, spec), difference(spec, base)):
            assert found.is_empty == (spec.fingerprint == base.fingerprint)
            lines = as_lines(found)
            assert len(lines) <= 60
            assert max(map(len, lines)) < 450
