"""The standard library, and libraries of users."""

from pathlib import Path

import pytest
from helpers.specs import codes_of, errors_of, graph_of, text_of, write_specs

from cifar_dsl.compiler import Analysis, Library, analyze, analyze_text, examine
from cifar_dsl.compiler.library import library_blocks, library_index
from cifar_dsl.foundation.resources import specs_directory
from cifar_dsl.language.syntax import print_spec

FILES = sorted((specs_directory() / "library").glob("*.arch"))
# A call of each block, on 16x8x8 or what comes first: whoever adds a block adds a call.
CALLS = {
    "conv_block": "conv_block(8, norm=after)",
    "depthwise": "depthwise(5, 2)",
    "separable_block": "separable_block(8)",
    "squeeze_excite": "squeeze_excite(4)",
    "dense_layer": "dense_layer(4)",
    "dense_layers": "dense_layers(2, 4)",
    "dense_transition": "dense_transition",
    "inverted_residual": "inverted_residual(16, excite=squeeze_excite, drop=0.1)",
    "inverted_convolutions": "inverted_convolutions(8, 2, 3, 3, relu, identity)",
    "residual_shortcut": "residual_shortcut(32, 2, pad)",
    "basic_block": "basic_block(16)",
    "bottleneck_block": "bottleneck_block(4, 2, groups=2)",
    "preact_block": "preact_block(8, 2)",
    "preact_convolutions": "preact_convolutions(8)",
    "preact_bottleneck_block": "preact_bottleneck_block(4)",
    "preact_bottleneck_convolutions": "preact_bottleneck_convolutions(8)",
    "transformer_layer": "patches(16, 2) -> transformer_layer(4, 32, p=0.1)",
    "convnext_block": "convnext_block(7, drop=0.1)",
}


def test_every_block_has_a_call() -> None:
    assert CALLS.keys() == library_index().keys()


@pytest.mark.parametrize("name", CALLS)
def test_every_block_expands(name: str) -> None:
    scopes = graph_of(CALLS[name], size="16x8x8").scopes
    assert any(scope.label.startswith(name) for scope in scopes)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_its_files_pass_the_check(path: Path) -> None:
    library = examine(path)
    assert isinstance(library, Library)
    assert library.name == path.stem
    assert library.blocks


def test_names_are_unique() -> None:
    assert sum(len(examine(path).blocks) for path in FILES) == len(library_index())  # type: ignore[union-attr]


def test_shapes_of_shortcuts() -> None:
    def shape(call: str) -> str:
        graph = graph_of(call, size="16x8x8")
        return str(graph.shape_of(graph.output))

    assert shape("basic_block(32, 2, shortcut=pad)") == "32x4x4"
    assert shape("basic_block(16, shortcut=identity)") == "16x8x8"
    assert shape("bottleneck_block(8, 2)") == "32x4x4"
    assert shape("preact_bottleneck_block(8, 2)") == "32x4x4"


def test_a_padded_shortcut_has_no_parameters() -> None:
    graph = graph_of("residual_shortcut(32, 2, pad)", size="16x8x8")
    assert graph.cost.parameters == 0


def test_a_block_of_the_spec_wins() -> None:
    own = "block basic_block(c) { conv(c, 1) }"
    assert [node.path for node in graph_of("basic_block(4)", own).nodes] == ["basic_block.conv"]


def test_any_name_of_the_spec_wins() -> None:
    assert [n.operation.name for n in graph_of("let depthwise = relu\ndepthwise").nodes] == ["relu"]
    assert library_blocks({"nothing"}) == {}


def test_a_block_of_the_library_can_be_an_argument() -> None:
    block = "block twice(f: block) { f(8) -> f(8) }"
    assert graph_of("twice(basic_block)", block).cost.parameters > 0


def test_blocks_that_library_blocks_call_are_included() -> None:
    assert {"basic_block", "residual_shortcut"} <= library_blocks({"basic_block"}).keys()


def test_the_resolved_spec_needs_no_library(monkeypatch: pytest.MonkeyPatch) -> None:
    analysis = analyze_text(text_of("basic_block(4)"))
    resolved = print_spec(analysis.program.as_spec())
    monkeypatch.setattr("cifar_dsl.compiler.program.library_blocks", lambda _: {})
    assert analyze_text(resolved).fingerprint == analysis.fingerprint


def test_a_misspelt_block_of_the_library_is_an_error_with_the_nearest() -> None:
    assert codes_of(text_of("basic_blok(4)")) == ["E0201"]


def test_a_spec_may_extend_a_library(tmp_path: Path) -> None:
    write_specs(
        tmp_path,
        mine="library mine\nblock unit(c: int) { conv(c, 1) -> relu }\n",
        net='arch net extends "mine.arch"\ninput 3x8x8\nmodel { unit(4) }\n',
    )
    assert isinstance(examine(tmp_path / "mine.arch"), Library)
    assert isinstance(examine(tmp_path / "net.arch"), Analysis)
    assert len(analyze(tmp_path / "net.arch").graph.nodes) == 2


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("library x\ninput 3x8x8\n", ["E0106"]),
        ("library x\nblock a() { relu }\nblock a() { bn }\n", ["E0207"]),
        ("library x\nblock a() { rellu }\n", ["E0201"]),
        ("library x\nblock a() { conv(width_of, 1) }\n", ["E0202"]),
    ],
)
def test_errors_in_a_library(text: str, expected: list[str], tmp_path: Path) -> None:
    from cifar_dsl.language.diagnostics import SpecError

    with pytest.raises(SpecError) as caught:
        examine(write_specs(tmp_path, x=text))
    assert [diagnostic.code for diagnostic in caught.value.diagnostics] == expected


def test_a_library_is_not_a_spec(tmp_path: Path) -> None:
    from cifar_dsl.language.diagnostics import SpecError

    with pytest.raises(SpecError, match="E0106"):
        analyze(write_specs(tmp_path, x="library x\nblock a() { relu }\n"))


def test_an_error_in_a_library_is_shown_at_the_value_in_the_spec() -> None:
    (error,) = errors_of(text_of("conv(32, 1)\nfor c in [32, 16] { basic_block(c, shortcut=pad) }"))
    assert error.label
    assert error.label.span.text == "16"
    assert error.secondary[0].span.text == "missing // 2"
