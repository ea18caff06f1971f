"""Patterns compared with the layers of torch that they can replace, and with plain lines."""

import pytest
import torch
from helpers.specs import graph_of
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from cifar_dsl.training.lowering.torch_module import build_module


def applied(stages: str, x: Tensor) -> Tensor:
    size = "x".join(map(str, x.shape[1:]))
    return build_module(graph_of(stages, size=size), "test", seed=0).double()(x)


def images() -> Tensor:
    return torch.randn(2, 12, 4, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@pytest.mark.parametrize(
    ("stage", "expected"),
    [
        ("rearrange(c, h * 2, w * 2 -> c * 2 * 2, h, w)", lambda x: F.pixel_unshuffle(x, 2)),
        ("rearrange(c * a * b, h, w -> c, h * a, w * b, a=2, b=2)", lambda x: F.pixel_shuffle(x, 2)),
        ("rearrange(g * c, h, w -> c * g, h, w, g=3)", lambda x: F.channel_shuffle(x, 3)),
        ("rearrange(c, h, w -> h * w, c)", lambda x: x.flatten(2).mT),
        ("rearrange(c, h, w -> w, h, c)", lambda x: x.transpose(1, 3)),
        ("mean(c, h, w -> c)", lambda x: x.mean((2, 3))),
        ("mean(c, h, w -> c, 1, 1)", lambda x: F.adaptive_avg_pool2d(x, 1)),
        ("mean(c, h * 2, w * 2 -> c, h, w)", lambda x: F.avg_pool2d(x, 2)),
        ("mean(c, h, w -> 1, h, w)", lambda x: x.mean(1, keepdim=True)),
        ("mean(c, h, w -> 1, c, 1)", lambda x: x.mean((2, 3))[:, None, :, None]),
        ("max(c, h * 2, w * 3 -> c, h, w)", lambda x: F.max_pool2d(x, (2, 3))),
        ("max(c * 2, h, w -> c, h, w)", lambda x: torch.maximum(x[:, ::2], x[:, 1::2])),  # maxout
        ("max(2 * c, h, w -> c, h, w)", lambda x: torch.maximum(x[:, :6], x[:, 6:])),
        ("max(c, h, w -> w, c)", lambda x: x.amax(2).mT),
        ("sum(c, h, w -> c, 1, 1)", lambda x: x.sum((2, 3), keepdim=True)),
        ("sum(c * 3, h, w -> h, w * c)", lambda x: torch.einsum("nckhw->nhwc", x.unflatten(1, (4, 3))).flatten(2)),
    ],
)
def test_what_a_pattern_computes(stage: str, expected) -> None:
    ours, theirs = images().requires_grad_(), images().requires_grad_()
    one, other = applied(stage, ours), expected(theirs)
    # Sums of up to 24 terms in float64.
    torch.testing.assert_close(one, other, rtol=0, atol=1e-14)
    weights = torch.randn(one.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    (one * weights).sum().backward()
    (other * weights).sum().backward()
    # The same weights, moved and added up.
    torch.testing.assert_close(ours.grad, theirs.grad, rtol=0, atol=1e-14)


def test_any_memory_format() -> None:
    x = images()
    stage = "rearrange(c * 2, h, w -> c, h, w * 2)"
    assert torch.equal(applied(stage, x.to(memory_format=torch.channels_last)), applied(stage, x))
