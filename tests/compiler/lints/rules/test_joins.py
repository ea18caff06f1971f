"""E0311, W0208 and W0209: joins whose branches aren't those that were meant."""

import pytest
from helpers.findings import codes_and_places, fixed_text, inspected
from helpers.specs import text_of

HEAD = "flatten -> dense(10)"


def of(join: str, before: str = "conv(8, 3, pad=1)\nlet skip = identity\nskip -> relu") -> str:
    return text_of(f"{before}\n{join}\n{HEAD}")


# ---- E0311 and W0208: missing separators


@pytest.mark.parametrize("kind", ["add", "mul", "concat"])
@pytest.mark.parametrize(
    ("branch", "place", "meant"),
    [
        ("identity\nconv(8, 1)", "identity", "identity | conv(8, 1)"),
        ("conv(8, 1) -> relu\nidentity", "identity", "conv(8, 1) -> relu | identity"),
        ("skip\nconv(8, 1)", "skip", "skip | conv(8, 1)"),
        ("skip\nidentity", "skip", "skip | identity"),
        ("conv(8, 1)\nskip\nconv(8, 1)\nrelu", "skip", "conv(8, 1) | skip | conv(8, 1)\nrelu"),
        ("let y = conv(8, 1)\nidentity\ny -> bn", "identity", "let y = conv(8, 1)\nidentity | skip -> bn"),
        ("skip", "skip", "identity | skip"),
    ],
)
def test_a_forgotten_separator(kind: str, branch: str, place: str, meant: str) -> None:
    text = of(f"{kind} {{ {branch} }}")
    (diagnostic,) = inspected(text).diagnostics
    assert diagnostic.label
    assert (diagnostic.code, diagnostic.label.span.text) == ("E0311", place)
    if "let" not in branch:
        after = fixed_text(text, also_unsafe=True)
        assert " ".join(after.split()) == " ".join(of(f"{kind} {{ {meant} }}").split())
        assert inspected(after).found
    assert fixed_text(text) == text


def test_the_rest_is_checked_as_if_the_separator_were_there() -> None:
    text = of("concat { skip\nconv(8, 1) }\nconv(8, 1, groups=3)")
    assert codes_and_places(text) == [("E0311", "skip"), ("E0302", "3")]


def test_a_tensor_that_a_block_is_given() -> None:
    block = "block unit(x: tensor) { add { x\nconv(8, 1) } }"
    text = text_of(f"conv(8, 1)\nlet y = identity\nrelu -> unit(y)\n{HEAD}", block)
    assert codes_and_places(text) == [("E0311", "x")]


def test_an_identity_alone_has_nothing_to_separate() -> None:
    (diagnostic,) = inspected(of("add { identity }")).diagnostics
    assert (diagnostic.code, diagnostic.fixes) == ("E0311", ())


@pytest.mark.parametrize("kind", ["add", "mul", "concat"])
@pytest.mark.parametrize(
    ("branch", "meant"),
    [
        ("conv(8, 1)\nconv(8, 1) -> relu", "conv(8, 1) | conv(8, 1) -> relu"),
        ("conv(8, 1)\nmaxpool(3, 1, pad=1)\nrelu", None),
        ("conv(8, 1) -> relu", None),
        ("repeat 2 { conv(8, 1) }", None),
    ],
)
def test_a_join_of_one_branch(kind: str, branch: str, meant: str | None) -> None:
    text = of(f"{kind} {{ {branch} }}")
    assert codes_and_places(text) == [("W0208", kind)]
    after = fixed_text(text, also_unsafe=True)
    assert " ".join(after.split()) == " ".join((of(f"{kind} {{ {meant} }}") if meant else text).split())
    assert fixed_text(text) == text


def test_an_identity_beside_other_stages_of_a_branch() -> None:
    text = of("add { identity\nconv(8, 1) | conv(8, 1) }")
    assert codes_and_places(text) == [("W0208", "identity")]
    assert codes_and_places(fixed_text(text, also_unsafe=True)) == []


def test_a_library_is_checked_too() -> None:
    assert codes_and_places("library l\nblock u(c) { add { identity\nconv(c, 1) } }") == [("W0208", "add")]


@pytest.mark.parametrize(
    "join",
    [
        "add { identity | conv(8, 1) }",
        "add { skip | identity }",
        "add { skip\nconv(8, 1) | identity }",
        "add { let y = conv(8, 1)\ny -> relu | identity }",
        "add { let here = identity\nadd { conv(8, 1) | here } | identity }",
        "add { identity as shortcut | if false == (height == 8) { relu } else { conv(8, 1) } }",
    ],
)
def test_joins_that_are_meant(join: str) -> None:
    assert codes_and_places(of(join)) == []


# ---- W0209: slices of tokens


def tokens(stages: str) -> str:
    return text_of(f"patches(16, 4) -> layernorm\nlet x = identity\n{stages}\n{HEAD}")


@pytest.mark.parametrize(
    ("branches", "shape"),
    [
        ("x[:8] | x[8:]", (4, 16)),
        ("x[8:] -> sigmoid | x[:8] -> gelu -> relu", (4, 16)),
        ("x[:4] | x[4:8] | x[:4]", (4, 12)),
        ("x -> slice(0, 8) | x -> slice(8, 16)", (4, 16)),
    ],
)
def test_slices_of_tokens_are_stacked(branches: str, shape: tuple[int, int]) -> None:
    text = tokens(f"concat {{ {branches} }}")
    assert codes_and_places(text) == [("W0209", "concat")]
    after = fixed_text(text, also_unsafe=True)
    assert codes_and_places(after) == []
    graph = inspected(after).found.graph
    assert shape in [node.shape.extents for node in graph.nodes if node.operation.name == "concat"]


@pytest.mark.parametrize(
    "join",
    [
        "concat { x[:8] | relu -> slice(8, 16) }",
        "concat { x[:8] -> dense(8) | x[8:] }",
        "concat { x | x[:8] -> dense(16) }",
        "concat { x[:8] -> transpose | x[8:] -> transpose }",
        "add { x[:8] | x[8:] }",
    ],
)
def test_tokens_that_are_stacked_on_purpose(join: str) -> None:
    assert codes_and_places(tokens(join)) == []


@pytest.mark.parametrize("start", ["conv(8, 1)", "flatten -> dense(8)"])
def test_slices_of_channels_and_of_features(start: str) -> None:
    assert codes_and_places(text_of(f"{start}\nlet x = identity\nconcat {{ x[4:] | x[:4] }}\n{HEAD}")) == []


def test_a_block_named_identity_is_a_stage_like_any_other() -> None:
    items = "block identity() { tanh }"
    assert codes_and_places(text_of(f"add {{ identity\nconv(3, 1) | conv(3, 1) }}\n{HEAD}", items)) == []


def warned(model: str, items: str = "", size: str = "8x16x16") -> list[tuple[str, str]]:
    return codes_and_places(f"arch test\ninput {size}\n{items}\nmodel {{\n{model}\nflatten -> dense(10)\n}}\n")


@pytest.mark.parametrize(
    ("model", "size"),
    [
        ("add { conv(16, 3, pad=1) | identity }", "1x16x16"),
        ("add { conv(16, 3, pad=1) | relu }", "1x16x16"),
        ("add { conv(16, 3, pad=1) | conv(1, 1) -> sigmoid }", "8x16x16"),
        ("add { conv(16, 16) | conv(16, 1) }", "8x16x16"),
        ("add { conv(8, 1) | maxpool(16) }", "8x16x16"),
        ("add { conv(8, 1) | conv(8, 16x1, pad=0) }", "8x16x16"),
        ("flatten -> add { dense(8) | dense(1) -> relu }", "8x16x16"),
        ("tokens -> add { dense(8) | dense(1) }", "8x16x16"),
        ("let x = conv(1, 1)\nadd { identity | x }", "8x16x16"),
    ],
)
def test_branches_that_are_stretched_by_a_slip(model: str, size: str) -> None:
    assert warned(model, size=size) == [("W0212", "add")]


GATES = """
block cbam(c: int) {
    let pooled = global_avgpool(keep=true) -> conv(c // 4, 1) -> relu -> conv(c, 1)
    let most = global_maxpool(keep=true) -> conv(c // 4, 1) -> relu -> conv(c, 1)
    mul { identity | add { pooled | most } -> sigmoid }
    mul { identity | concat { mean(c, h, w -> 1, h, w) | max(c, h, w -> 1, h, w) } -> conv(1, 7, pad=3) -> sigmoid }
}
block gcnet(c: int) {
    add { identity | global_avgpool(keep=true) -> conv(c // 4, 1) -> layernorm -> relu -> conv(c, 1) }
}
block bam(c: int) {
    mul {
        identity
      | add { global_avgpool -> dense(c // 4) -> relu -> dense(c) | conv(c // 4, 1) -> relu -> conv(1, 1) } -> sigmoid
    }
}
"""


@pytest.mark.parametrize(
    "model",
    [
        "squeeze_excite(ratio=4)",
        "cbam(8)",
        "gcnet(8)",
        "bam(8)",
        "add { identity | global_avgpool -> dense(8) }",
        "add { identity | mean(c, h, w -> 1, h, w) }",
        "add { identity | adaptive_avgpool(1) }",
        "add { identity | identity[:1, :, :] }",
        "mul { identity | conv(1, 1) -> sigmoid }",
        "add { conv(8, 16x1) | conv(8, 1x16) }",
        "tokens -> add { identity | identity[:1, :] }",
        "add { conv(1, 1) | identity[:1] }",
        "conv(1, 1) -> add { identity | relu }",
    ],
)
def test_branches_that_are_stretched_on_purpose(model: str) -> None:
    found = warned(model, GATES)
    assert [code for code, _ in found if code != "W0201"] == []  # blocks that this model doesn't call


@pytest.mark.parametrize(
    ("block", "codes"),
    [
        ("block two() { let x = relu\nlet y = tanh\n[x, y] }\nblock sum_of() { add { two } }", []),
        ("block one() { relu }\nblock sum_of() { add { one } }", ["W0208"]),
        ("block sum_of(xs: list) { add { 2 * xs } }", []),
        ("block sum_of(n: int) { add for i in 0..n { relu } }", []),
    ],
)
def test_a_branch_that_gives_a_list_is_no_single_branch(block: str, codes: list[str]) -> None:
    found = [code for code, _ in codes_and_places(f"library l\n{block}")]
    assert [code for code in found if code == "W0208"] == codes
