"""Which steps of a network are attention, and which only look like it."""

import pytest

from cifar_dsl.importing.attention import long_form, scores, shifts_of, weighted
from cifar_dsl.importing.network import Network, Place, Step, layer, users_of
from cifar_dsl.ir import Shape
from cifar_dsl.operations.layers.parts import WindowsEnter, WindowsLeave

TOKENS, CHANNELS, HEADS = 4, 8, 2
FEATURES = CHANNELS // HEADS
SQUARE, WHOLE, ROWS = Shape((HEADS, TOKENS, TOKENS)), Shape((TOKENS, CHANNELS)), Shape((TOKENS, 3 * CHANNELS))


def third(number, width=CHANNELS):
    return layer("slice", start=number * width, stop=(number + 1) * width)


def steps(*, biases=(True, True), **changed):
    """The steps of attention with relative positions, in order; `changed` replaces some: (operation, inputs, shape)."""
    given = {
        "project": (layer("dense", features=3 * CHANNELS), (0,), ROWS),
        "q": (third(0), (1,), WHOLE),
        "k": (third(1), (1,), WHOLE),
        "v": (third(2), (1,), WHOLE),
        "scores": (scores(HEADS, TOKENS, FEATURES, TOKENS), (2, 3), SQUARE),
        "scale": (layer("scale", factor=FEATURES**-0.5), (5,), SQUARE),
        "bias": (layer("relative_bias"), (6,), SQUARE),
        "softmax": (layer("softmax", over="columns"), (7,), SQUARE),
        "weighted": (weighted(HEADS, TOKENS, TOKENS, FEATURES), (8, 4), WHOLE),
        "out": (layer("dense", features=CHANNELS), (9,), WHOLE),
    } | changed
    made = [Step(*one, Place()) for one in given.values()]
    for place, has_bias in zip((0, 9), biases, strict=True):
        one = made[place]
        made[place] = Step(one.operation, one.inputs, one.shape, Place(), (("bias", "b"),) if has_bias else ())
    return made


def written(found, *, more=(), is_shifted=False):
    """How the attention of these steps is written; `more` are steps after it."""
    network = Network(WHOLE, (*found, *more), len(found) + len(more))
    form = long_form(network, 10, users_of(network), is_shifted=is_shifted)
    return form and form[0]


@pytest.mark.parametrize(
    ("biases", "text"),
    [
        ((True, True), "attention(2, before=relative_bias)"),
        ((False, True), "attention(2, before=relative_bias, qkv_bias=false)"),
        ((False, False), "attention(2, before=relative_bias, bias=false)"),
        ((True, False), None),  # `attention` has no such form
    ],
)
def test_biases(biases, text):
    assert written(steps(biases=biases)) == text


@pytest.mark.parametrize(
    "changed",
    [
        {"scale": (layer("scale", factor=0.3), (5,), SQUARE)},
        {"scale": (layer("scale", factor=FEATURES**-0.5, offset=1.0), (5,), SQUARE)},
        {"scores": (scores(HEADS, TOKENS, FEATURES, TOKENS), (3, 2), SQUARE)},  # keys and queries are exchanged
        {"scores": (weighted(HEADS, TOKENS, TOKENS, FEATURES), (2, 3), SQUARE)},
        {"weighted": (scores(HEADS, TOKENS, FEATURES, TOKENS), (8, 4), WHOLE)},
        {"q": (third(1), (1,), WHOLE)},
        {"v": (third(2), (0,), WHOLE)},  # of another value
        {"bias": (layer("scale", factor=2.0), (6,), SQUARE)},
        {"softmax": (layer("softmax", over="rows"), (7,), SQUARE)},
    ],
    ids=str,
)
def test_what_only_looks_like_attention(changed):
    assert written(steps(**changed)) is None


@pytest.mark.parametrize("value", [1, 2, 3, 4, 5, 6, 7, 8, 9])
def test_values_that_others_use_stay(value):
    shape = Network(WHOLE, tuple(steps()), 10).shape_of(value)
    assert written(steps(), more=[Step(layer("relu"), (value,), shape, Place())]) is None


def test_windows_are_shifted_until_they_are_put_back():
    image = Shape((CHANNELS, 4, 4))
    back = Step(WindowsLeave(size=(2, 2)), (2,), image, Place())
    for shift in (0, 1):
        inside = (
            Step(WindowsEnter(size=(2, 2), shift=(shift, shift)), (0,), WHOLE, Place()),
            Step(layer("relu"), (1,), WHOLE, Place()),
        )
        found = shifts_of(Network(image, (*inside, back, Step(layer("relu"), (3,), image, Place())), 4))
        assert found == {1: shift == 1, 2: shift == 1}
