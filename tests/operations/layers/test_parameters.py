"""Parameters of layers, by hand: names, shapes, kinds, frozen ones and initial values."""

import pytest
from helpers.specs import graph_of

WEIGHT, BIAS, ALL = {"weight"}, {"bias"}, {"weight", "bias"}


def uniform(fan: int) -> tuple[str, float]:
    """The default of torch: uniform on (-1 / sqrt(fan), 1 / sqrt(fan))."""
    return ("uniform", fan**-0.5)


def constant(value: float) -> tuple[str, float]:
    return ("constant", value)


CONV = [("weight", (8, 4, 3, 3), "filter", uniform(36)), ("bias", (8,), "bias", uniform(36))]
FRESH_NORM = [("weight", (4,), "scale", constant(1)), ("bias", (4,), "bias", constant(0))]
STATISTICS = [
    ("running_mean", (4,), "buffer", constant(0)),
    ("running_var", (4,), "buffer", constant(1)),
    ("num_batches_tracked", (), "buffer", constant(0)),
]
ATTENTION = [
    ("in_weight", (12, 4), "matrix", uniform(4)),
    ("in_bias", (12,), "bias", uniform(4)),
    ("out_weight", (4, 4), "matrix", uniform(4)),
    ("out_bias", (4,), "bias", uniform(4)),
]


@pytest.mark.parametrize(
    ("stages", "frozen", "expected"),
    [
        ("conv(8, 3)", set(), CONV),
        (
            "conv(8, 3x1, groups=2, frozen=weight)",
            WEIGHT,
            [("weight", (8, 2, 3, 1), "filter", uniform(6)), ("bias", (8,), "bias", uniform(6))],
        ),
        ("conv(8, 3, frozen=bias)", BIAS, CONV),
        ("conv(8, 3, bias=false, frozen=all)", WEIGHT, [("weight", (8, 4, 3, 3), "filter", uniform(36))]),
        (
            "conv(8, 3, bias_init=constant(2))",
            set(),
            [("weight", (8, 4, 3, 3), "filter", uniform(36)), ("bias", (8,), "bias", constant(2))],
        ),
        (
            "conv(8, 3, init=zeros)",
            set(),
            [("weight", (8, 4, 3, 3), "filter", constant(0)), ("bias", (8,), "bias", uniform(36))],
        ),
        (
            "conv_transpose(8, 3, groups=2, frozen=all)",
            ALL,
            [("weight", (4, 4, 3, 3), "filter", uniform(36)), ("bias", (8,), "bias", uniform(36))],
        ),
        ("conv_transpose(8, 3, bias=false)", set(), [("weight", (4, 8, 3, 3), "filter", uniform(72))]),
        (
            "conv_transpose(8, 3, init=zeros, bias_init=ones)",
            set(),
            [("weight", (4, 8, 3, 3), "filter", constant(0)), ("bias", (8,), "bias", constant(1))],
        ),
        (
            "flatten -> dense(8, frozen=bias)",
            BIAS,
            [("weight", (8, 144), "matrix", uniform(144)), ("bias", (8,), "bias", uniform(144))],
        ),
        (
            "flatten -> dense(8, init=ones, bias_init=zeros)",
            set(),
            [("weight", (8, 144), "matrix", constant(1)), ("bias", (8,), "bias", constant(0))],
        ),
        ("tokens -> dense(8, bias=false)", set(), [("weight", (8, 4), "matrix", uniform(4))]),
        ("bn(frozen=all)", ALL, [*FRESH_NORM, *STATISTICS]),
        ("bn(affine=false)", set(), STATISTICS),
        ("layernorm(frozen=weight)", WEIGHT, FRESH_NORM),
        ("tokens -> layernorm(frozen=bias)", BIAS, FRESH_NORM),
        ("layernorm(affine=false)", set(), []),
        ("groupnorm(2, init=0)", set(), [("weight", (4,), "scale", constant(0)), ("bias", (4,), "bias", constant(0))]),
        ("instancenorm(affine=true)", set(), FRESH_NORM),
        ("tokens -> rmsnorm", set(), [("weight", (4,), "scale", constant(1))]),
        ("tokens -> rmsnorm(affine=false)", set(), []),
        ("prelu", set(), [("weight", (4,), "scale", constant(0.25))]),
        ("prelu(channelwise=false, init=0.5)", set(), [("weight", (1,), "scale", constant(0.5))]),
        ("layer_scale(0.5)", set(), [("weight", (4,), "scale", constant(0.5))]),
        ("affine(0)", set(), [("weight", (4,), "scale", constant(0)), ("bias", (4,), "bias", constant(0))]),
        ("affine(frozen=weight)", WEIGHT, FRESH_NORM),
        ("tokens -> bn(frozen=bias)", BIAS, [*FRESH_NORM, *STATISTICS]),
        ("l2norm", set(), []),
        (
            "locally_connected(8, 5, frozen=weight)",
            WEIGHT,
            [("weight", (4, 8, 100), "filter", uniform(100)), ("bias", (8, 2, 2), "bias", uniform(100))],
        ),
        (
            "locally_connected(8, 5, init=kaiming, bias_init=ones)",
            set(),
            [
                ("weight", (4, 8, 100), "filter", ("normal", 2**0.5 * 100**-0.5)),
                ("bias", (8, 2, 2), "bias", constant(1)),
            ],
        ),
        (
            "tokens -> position_embedding(sine, frozen=weight)",
            WEIGHT,
            [("weight", (36, 4), "embedding", ("sine", 0))],
        ),
        ("learned(2x3, frozen=weight)", WEIGHT, [("weight", (2, 3), "embedding", ("normal", 0.02))]),
        (
            "patches(8, 2, frozen=bias)",
            BIAS,
            [("weight", (8, 4, 2, 2), "filter", uniform(16)), ("bias", (8,), "bias", uniform(16))],
        ),
        ("patches(8, 2, bias=false, frozen=weight)", WEIGHT, [("weight", (8, 4, 2, 2), "filter", uniform(16))]),
        ("tokens -> class_token(zeros)", set(), [("weight", (4,), "embedding", constant(0))]),
        ("tokens -> position_embedding(constant(1.0))", set(), [("weight", (36, 4), "embedding", constant(1))]),
        ("tokens -> attention(2, frozen=weight)", {"in_weight", "out_weight"}, ATTENTION),
        ("tokens -> attention(2, frozen=bias)", {"in_bias", "out_bias"}, ATTENTION),
        (
            "tokens -> attention(2, bias=false, init=ones)",
            set(),
            [("in_weight", (12, 4), "matrix", constant(1)), ("out_weight", (4, 4), "matrix", constant(1))],
        ),
        ("relu", set(), []),
    ],
)
def test_parameters_of_a_layer(
    stages: str, frozen: set[str], expected: list[tuple[str, tuple[int, ...], str, tuple[str, float]]]
) -> None:
    parameters = graph_of(stages, size="4x6x6").nodes[-1].parameters
    found = [(p.name, p.shape, p.kind, (p.initial.name, p.initial.arguments[0][1])) for p in parameters]
    assert found == expected
    assert {p.name for p in parameters if p.is_frozen} == frozen
