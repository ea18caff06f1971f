"""Laws of the language that hold for every valid spec."""

import random

from helpers.findings import fixed_text, inspected
from helpers.networks import networks, specs
from helpers.specs import parse
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from cifar_dsl.compiler import analyze_text
from cifar_dsl.ir import arguments_of
from cifar_dsl.language.syntax import print_spec
from cifar_dsl.operations.layers import LAYERS
from cifar_dsl.operations.registry import MisfitError


@settings(deadline=None, max_examples=60)
@given(specs())
def test_parsing_undoes_printing(text: str) -> None:
    spec = parse(text)
    printed = print_spec(spec)
    assert parse(printed) == spec
    assert print_spec(parse(printed)) == printed


@settings(deadline=None, max_examples=50)
@given(specs(), st.randoms(use_true_random=False))
def test_the_fingerprint_ignores_the_layout(text: str, draws: random.Random) -> None:
    fingerprint = analyze_text(text).fingerprint
    noise = ["  ", "\n", "\n\n", "  # comment { ( [\n", "\t"]
    reformatted = "".join(line + draws.choice(noise).rstrip(" \t") + "\n" for line in text.splitlines())
    assert analyze_text(reformatted).fingerprint == fingerprint
    assert analyze_text(print_spec(parse(text))).fingerprint == fingerprint


@settings(deadline=None, max_examples=50)
@given(specs())
def test_the_resolved_spec_has_the_same_meaning(text: str) -> None:
    analysis = analyze_text(text)
    resolved = print_spec(analysis.program.as_spec())
    again = analyze_text(resolved)
    assert again.fingerprint == analysis.fingerprint
    assert (again.graph, again.recipe) == (analysis.graph, analysis.recipe)


def has_required(layer: str) -> bool:
    return any(info.is_required for info in arguments_of(LAYERS[layer]))


@settings(deadline=None, max_examples=60)
@given(networks(), st.sampled_from([name for name in LAYERS if not has_required(name)]))
def test_appending_a_stage_renames_nothing(text: str, name: str) -> None:
    graph = analyze_text(text).graph
    try:
        LAYERS[name]().infer(graph.shape_of(graph.output))
    except MisfitError:
        reject()
    appended = text.rstrip().removesuffix("}") + f"{name}\n}}\n"
    assert [node.path for node in analyze_text(appended).graph.nodes][:-1] == [node.path for node in graph.nodes]


@settings(deadline=None, max_examples=60)
@given(networks())
def test_paths_are_unique_and_inputs_come_first(text: str) -> None:
    graph = analyze_text(text).graph
    assert len({node.path for node in graph.nodes}) == len(graph.nodes)
    assert all(value <= number for number, node in enumerate(graph.nodes) for value in node.inputs)


@settings(deadline=None, max_examples=60)
@given(specs())
def test_safe_fixes_keep_the_meaning(text: str) -> None:
    text = text.replace("model {", "param unused = 8\nmodel {\nlet spare = 2\n", 1)
    before, after = inspected(text), inspected(fixed_text(text))
    assert before.found is not None
    assert after.found is not None
    assert {"unused", "spare"} <= {one.label.span.text for one in before.diagnostics}
    assert after.found.fingerprint == before.found.fingerprint
    assert not any(fix.is_safe for diagnostic in after.diagnostics for fix in diagnostic.fixes)
