"""Signature help for unfinished calls."""

import pytest
from helpers.editor import editor
from lsprotocol.types import MarkupContent

from cifar_dsl.editors.language_server.signatures import signature_help

HEAD = "arch a\ninput 3x8x8\nblock unit(c: int, norm: none | before = none) { conv(c, 1) }\n"


def shown(text: str) -> tuple[str, str] | None:
    """The name of the callee and the active argument."""
    found = signature_help(*editor(HEAD + text))
    if found is None:
        return None
    (signature,) = found.signatures
    assert found.active_parameter == signature.active_parameter
    places = [one.label for one in signature.parameters or ()]
    active = found.active_parameter or 0
    start, end = places[active] if active < len(places) else (0, 0)
    assert isinstance(start, int)
    assert isinstance(end, int)
    return signature.label.split("(")[0], signature.label[start:end]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("model { conv(§", ("conv", "channels")),
        ("model { conv(8, §", ("conv", "kernel")),
        ("model { conv(8, 3, 1, §", ("conv", "pad=0")),
        ("model { conv(8, 3, bias=§", ("conv", "bias=true")),
        ("model { conv(8, 3, bias=false, §", ("conv", "")),
        ("model { conv(8, 3, bias=false, pad=§1)", ("conv", "pad=0")),
        ("model { conv(8, 3, gone=§", ("conv", "")),
        ("model { conv(f(1), §", ("conv", "kernel")),
        ("model { conv(8, [1, §", ("conv", "kernel")),
        ("model { conv(8, 3, init=normal(§", ("normal", "std=0.02")),
        ("model { conv(max(1, 2, §", ("max", "...")),
        ("model { conv(round_to(1, §", ("round_to", "multiple")),
        ("model { unit(§", ("unit", "c: int")),
        ("model { unit(8, §", ("unit", "norm: none | before = none")),
        ("model { unit(norm=§", ("unit", "norm: none | before = none")),
        ("model { basic_block(8, 2, §", ("basic_block", "shortcut: identity | project | pad | auto = auto")),
        ("train { optimizer sgd(§", ("sgd", "lr")),
        ("train { augment crop(4) -> cutout(§", ("cutout", "size=8")),
        ("model { conv(8, 3) -> bn(§) }", ("bn", "eps=1e-05")),
    ],
)
def test_calls(text: str, expected: tuple[str, str]) -> None:
    assert shown(text) == expected


@pytest.mark.parametrize(
    "text",
    ["§", "model { §", "model { conv(8, 3)§", "model { gone(§", "model { relu(§", "block n(§", "model { for c in [§"],
)
def test_offsets_outside_calls(text: str) -> None:
    assert shown(text) is None


def test_documentation_of_an_argument() -> None:
    found = signature_help(*editor(HEAD + "model { conv(§"))
    assert found is not None
    (signature,) = found.signatures
    assert isinstance(signature.documentation, MarkupContent)
    assert "2-D convolution" in signature.documentation.value
    first = (signature.parameters or ())[0].documentation
    assert isinstance(first, MarkupContent)
    assert first.value == "output channels; an integer of at least 1"
