"""Scopes that run their body for parts, products of branches, and attention, compared with a few plain lines."""

import pytest
import torch
from helpers.specs import graph_of
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from cifar_dsl.training.lowering.torch_module import build_module


def built(stages: str, size: str = "8x4x6", items: str = "") -> nn.Module:
    module = build_module(graph_of(stages, items, size), "test", seed=0).double()
    generator = torch.Generator().manual_seed(1)
    for parameter in module.parameters():
        parameter.data = torch.randn(parameter.shape, generator=generator, dtype=torch.float64) / 2
    return module


def images(size: str = "8x4x6", count: int = 2) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(count, *map(int, size.split("x")), generator=generator, dtype=torch.float64, requires_grad=True)


def check(one: Tensor, other: Tensor, *xs: Tensor) -> None:
    # Attention in float64, summed in another order.
    torch.testing.assert_close(one, other, rtol=0, atol=1e-12)
    weights = torch.randn(one.shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    ours = torch.autograd.grad((one * weights).sum(), xs)
    theirs = torch.autograd.grad((other * weights).sum(), xs)
    # A gradient sums over more places.
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-11)


def test_each_row_attends_to_itself() -> None:
    module, x = built("each(c, h, w -> w, c) { attention(2) }"), images()
    rows = x.permute(0, 2, 3, 1).flatten(0, 1)
    expected = module.each.attention(rows).unflatten(0, (2, 4)).permute(0, 3, 1, 2)
    check(module(x), expected, x, module.each.attention.in_weight)


def test_a_part_can_change_its_extent() -> None:
    module, x = built("each(c, h * 2, w -> h, c) { dense(5) }"), images()
    expected = torch.einsum("nchw,dc->ndhw", x, module.each.dense.weight) + module.each.dense.bias[:, None, None]
    check(module(x), expected, x, module.each.dense.weight)


def test_each_in_each() -> None:
    stages = "each(c, h, w -> h, w) { each(h, w -> w) { softmax } }"
    check(built(stages)(x := images()), x.softmax(3), x)


@pytest.mark.parametrize(
    ("stage", "formula"),
    [
        ("einsum(c, h, w | d, h, w -> c, d) { tanh | sigmoid }", "nchw,ndhw->ncd"),
        ("einsum(c, h, w | c, h, v -> h, w, v) { tanh | sigmoid }", "nchw,nchv->nhwv"),
    ],
)
def test_einsum(stage: str, formula: str) -> None:
    x = images()
    check(built(stage)(x), torch.einsum(formula, x.tanh(), x.sigmoid()), x)


def test_einsum_of_three_and_of_products() -> None:
    x = images()
    branches = "tanh | mean(2 * c, h, w -> 2, w) | mean(2 * c, h, w -> c, h)"
    stage = f"einsum(g * c, h, w | g, w | c, h -> g * h, w, g=2) {{ {branches} }}"
    split = x.unflatten(1, (2, 4))
    expected = torch.einsum("ngchw,ngw,nch->nghw", split.tanh(), split.mean((2, 3)), split.mean((1, 4)))
    check(built(stage)(x), expected.flatten(1, 2), x)


def by_hand(queries: Tensor, keys: Tensor, values: Tensor, heads: int, *, scale: float, change=None) -> Tensor:
    queries, keys, values = (x.unflatten(2, (heads, -1)).transpose(1, 2) for x in (queries, keys, values))
    scores = (queries @ keys.mT) * scale
    weights = (change(scores) if change else scores).softmax(3)
    return (weights @ values).transpose(1, 2).flatten(2)


@pytest.mark.parametrize("arguments", ["2", "2, scaled=false", "2, before=tanh", "2, scaled=false, before=tanh"])
def test_attend(arguments: str) -> None:
    module = built(
        f"tokens -> attend({arguments}) {{ dense(6) | identity[:12, :] -> dense(6) | identity[:12, :] -> dense(4) }}"
    )
    x = images()
    tokens = x.flatten(2).mT
    few = tokens[:, :12]
    attend = module.attend
    parts = attend.branch1.dense(tokens), attend.branch2.dense(few), attend.branch3.dense(few)
    scale = 1.0 if "false" in arguments else 3**-0.5
    change = torch.tanh if "tanh" in arguments else None
    check(module(x), by_hand(*parts, 2, scale=scale, change=change), x, attend.branch2.dense.weight)


@pytest.mark.parametrize("arguments", ["dim_head=4", "before=identity, dim_head=4", "after=talk"])
def test_long_forms_of_attention_equal_the_layer(arguments: str) -> None:
    module = built(f"tokens -> attention(2, {arguments})", items="block talk() { scale(1) }").attention
    layer, x = built("tokens -> attention(2)"), images()
    weights = layer.attention
    weights.in_weight.data, weights.in_bias.data = module.qkv.dense.weight.data, module.qkv.dense.bias.data
    weights.out_weight.data, weights.out_bias.data = module.dense.weight.data, module.dense.bias.data
    check(module(x.flatten(2).mT), layer(x), x)


def test_talking_heads() -> None:
    """As in CaiT, https://github.com/facebookresearch/deit/blob/main/cait_models.py."""
    module = built(
        "tokens -> attention(2, before=talk, after=talk)", items="block talk() { conv(in_channels, 1) }"
    ).attention
    x = images()
    tokens = x.flatten(2).mT
    qkv = module.qkv.dense(tokens).unflatten(2, (3, 2, 4)).permute(2, 0, 3, 1, 4)
    before, after = module.attend.before.conv, module.attend.after.conv
    scores = (qkv[0] * 0.5) @ qkv[1].mT
    scores = F.linear(scores.permute(0, 2, 3, 1), before.weight[:, :, 0, 0], before.bias).softmax(2)
    scores = F.linear(scores, after.weight[:, :, 0, 0], after.bias).permute(0, 3, 1, 2)
    check(module(tokens), module.dense((scores @ qkv[2]).transpose(1, 2).flatten(2)), x, before.weight, after.weight)


def test_normalised_queries_and_keys() -> None:
    module, x = built("tokens -> attention(2, qk_norm=layernorm, qkv_bias=false)").attention, images()
    tokens = x.flatten(2).mT
    assert module.qkv.dense.bias is None
    queries, keys, values = module.qkv.dense(tokens).unflatten(2, (3, 2, 4)).permute(2, 0, 3, 1, 4)
    queries = module.attend.branch1.each.layernorm(queries)
    keys = module.attend.branch2.each.layernorm(keys)
    attended = F.scaled_dot_product_attention(queries, keys, values)
    check(module(tokens), module.dense(attended.transpose(1, 2).flatten(2)), x, module.qkv.dense.weight)


@pytest.mark.parametrize(("size", "shift"), [((2, 2), (0, 0)), ((2, 2), (1, 1)), ((4, 3), (1, 2)), ((4, 6), (2, 0))])
@pytest.mark.parametrize("before", ["", ", before=relative_bias"])
def test_windows_attend_among_neighbours(size: tuple[int, int], shift: tuple[int, int], before: str) -> None:
    """Attention in the whole image, where only pairs of pixels in one window that doesn't wrap around have a score."""
    if before:
        before = ", before=bias"
    items = f"block bias() {{ relative_bias({size[0]}x{size[1]}) }}"
    text = f"windows({size[0]}x{size[1]}, shift={shift[0]}x{shift[1]}) {{ attention(2{before}, dim_head=4) }}"
    if not (any(shift) or before):
        text = text.replace(", dim_head=4", ", after=identity, qkv_bias=true, dim_head=4")
    module, x = built(text, items=items), images()
    attention = module.windows.attention
    rows, columns = torch.meshgrid(torch.arange(4), torch.arange(6), indexing="ij")
    windows = torch.stack([(rows - shift[0]) // size[0], (columns - shift[1]) // size[1]]).flatten(1)
    together = (windows[:, :, None] == windows[:, None, :]).all(
        0
    )  # floors, so the first rows are a window of their own
    queries, keys, values = attention.qkv.dense(x.flatten(2).mT).chunk(3, dim=2)

    def masked(scores: Tensor) -> Tensor:
        if before:
            down, right = rows.flatten()[:, None] - rows.flatten(), columns.flatten()[:, None] - columns.flatten()
            places = (down + size[0] - 1) * (2 * size[1] - 1) + right + size[1] - 1
            table = attention.attend.before.relative_bias.weight
            scores = scores + table[places.clamp(0, len(table) - 1)].permute(2, 0, 1)
        return scores.masked_fill(~together, -torch.inf)

    expected = attention.dense(by_hand(queries, keys, values, 2, scale=0.5, change=masked)).mT.unflatten(2, (4, 6))
    check(module(x), expected, x, attention.qkv.dense.weight)
