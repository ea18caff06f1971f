from pathlib import Path

import pytest
from helpers.specs import TRAIN, text_of, write_specs

from cifar_dsl.compiler import analyze, analyze_text

STAGES = "unit(8)\nadd { identity | conv(8, 3, pad=1) }\nlet y = relu -> bn\nadd { identity | y }\nflatten -> dense(10)"
SPEC = text_of(STAGES, "param k = 3\nblock unit(c) { conv(c, k, pad=same) -> relu }", size="3x32x32") + TRAIN
FINGERPRINT = analyze_text(SPEC).fingerprint


def changed(old: str, new: str) -> str:
    assert SPEC.count(old) == 1
    return analyze_text(SPEC.replace(old, new)).fingerprint


def test_form() -> None:
    assert len(FINGERPRINT) == 12
    assert set(FINGERPRINT) <= set("0123456789abcdef")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("arch test", "# comment\narch other_name"),
        ("unit(8)\nadd", "unit(8) # comment\n\n -> add"),
        ("add { identity | conv(8, 3, pad=1) }", "add {\nidentity\n| conv(8,3,pad=1)\n}"),
        ("unit(8)", "unit(c=8)"),
        ("unit(8)", "for c in [4 + 4] { unit(c) }"),
        ("conv(8, 3, pad=1)", "conv(8, 3x3, 1, 1x1, 1, 1, true)"),
        ("bn", "bn(eps=0.00001, momentum=0.1)"),
        ("dense(10)", "dense(10, bias=true)"),
        ("dense(10)", "dense(10) : 10"),
        ("epochs 1", "epochs 1\n normalize per_channel\n augment none\n clip none\n precision fp32"),
        ("epochs 1", "epochs 1\n schedule constant(warmup=0)\n loss cross_entropy(label_smoothing=0)"),
        ("adam(1e-3)", "adam(lr=0.001, betas=[0.9, 0.999], eps=1e-8, weight_decay=0)"),
        ("param k = 3", "param k = 3\nparam unused = 4\nassert params > 0"),
        ("param k = 3", "param k = 2 + 1"),
    ],
)
def test_equivalent_specs_have_one_fingerprint(old: str, new: str) -> None:
    assert changed(old, new) == FINGERPRINT


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("param k = 3", "param k = 5"),
        ("conv(8, 3, pad=1)", "conv(8, 1)"),
        ("conv(8, 3, pad=1)", "conv(8, 3, pad=1, bias=false)"),
        ("bn", "bn(eps=1e-3)"),
        ("relu -> bn", "bn -> relu"),
        ("add { identity | y }", "mul { identity | y }"),
        ("add { identity | y }", "add { y | identity }"),
        ("add { identity | y }", "add { y | y }"),
        ("add { identity | y }", "add { relu | y }"),
        ("dense(10)", "dense(10) as head"),
        ("epochs 1", "epochs 2"),
        ("batch 8", "batch 16"),
        ("adam(1e-3)", "adam(1e-4)"),
        ("adam(1e-3)", "adamw(1e-3)"),
        ("epochs 1", "epochs 1\n augment flip"),
        ("epochs 1", "epochs 1\n augment none\n precision bf16"),
        ("epochs 1", "epochs 1\n clip norm(1)"),
        ("data cifar10", "data shapes"),
    ],
)
def test_different_specs_have_different_fingerprints(old: str, new: str) -> None:
    assert changed(old, new) != FINGERPRINT


def test_edges_count_even_if_all_stages_are_equal() -> None:
    stages = "let a = relu -> bn\nlet b = relu -> bn\n"
    one, other = (analyze_text(text_of(f"{stages}{name} -> flatten")).fingerprint for name in ("a", "b"))
    assert one != other


def test_the_input_counts() -> None:
    small, large = (text_of("global_avgpool -> dense(10)", size=size) for size in ("3x8x8", "3x9x9"))
    assert analyze_text(small).fingerprint != analyze_text(large).fingerprint


def test_the_recipe_counts() -> None:
    assert analyze_text(SPEC.removesuffix(TRAIN)).fingerprint != FINGERPRINT


def test_the_order_of_augmentations_counts() -> None:
    one, other = (
        analyze_text(SPEC.replace("epochs 1", f"epochs 1\n augment {text}"))
        for text in ("crop -> flip", "flip -> crop")
    )
    assert one.fingerprint != other.fingerprint


def test_extending_does_not_change_the_fingerprint(tmp_path: Path) -> None:
    base = SPEC.replace("param k = 3", "param k = 7").replace("batch 8", "batch 99")
    own = 'arch own extends "base.arch"\nparam k = 3\ntrain { batch 8 }\n'
    assert analyze(write_specs(tmp_path, own=own, base=base)).fingerprint == FINGERPRINT


def test_two_spellings_of_one_graph_have_one_fingerprint() -> None:
    for one, other in [("conv(4, 3, pad=same)", "conv(4, 3, pad=1)"), ("maxpool(2)", "maxpool(2, stride=2)")]:
        assert analyze_text(text_of(one)).fingerprint == analyze_text(text_of(other)).fingerprint


HEAD_FOR = "\n group head {{\n  select matrix\n  epochs {}\n }}"
LOOKAHEAD = "\n average lookahead"


def of_network(stages: str, settings: str) -> str:
    text = text_of(f"{stages} global_avgpool -> dense(10)", size="3x32x32") + TRAIN
    return analyze_text(text.replace("epochs 1", f"epochs 2{settings}")).fingerprint


# Fingerprints of version 0.1.0.
@pytest.mark.parametrize(
    ("stages", "settings", "before", "computes_something_else"),
    [
        ("conv(6, 3, groups=3, init=dirac) ->", "", "a6554e13a645", True),
        ("conv_transpose(6, 3, groups=3, init=dirac) ->", "", "2b25e2fedf4b", True),
        ("conv(6, 3, init=dirac) ->", "", "466af7f8a612", False),
        ("conv(6, 3, groups=3) ->", "", "94371e27a3fe", False),
        ("", LOOKAHEAD + HEAD_FOR.format(0.7), "9bc6911fef83", True),
        ("", LOOKAHEAD + HEAD_FOR.format(2), "e8f9357f9b04", False),
        ("", LOOKAHEAD, "fae1e4244571", False),
        ("", HEAD_FOR.format(0.7), "0c4c07a5d2c0", False),
        ("", "\n average ema(0.9)" + HEAD_FOR.format(1), "a23d998f6869", False),
    ],
)
def test_a_revised_computation_changes_the_fingerprint_of_the_specs_concerned_only(
    stages: str, settings: str, before: str, computes_something_else: bool
) -> None:
    assert (of_network(stages, settings) != before) == computes_something_else
