"""Our modules compared with torch, torchvision or a few plain lines."""

import pytest
import torch
from helpers.specs import graph_of
from helpers.tolerances import SAME_FORMULA, sums
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812
from torchvision.models.convnext import LayerNorm2d
from torchvision.ops import stochastic_depth

from cifar_dsl.operations.layers import LAYERS
from cifar_dsl.training.lowering import chance_modules, modules
from cifar_dsl.training.lowering.torch_module import build_module

IMAGE = "4x6x6"


def built(stages: str, size: str = IMAGE) -> nn.Module:
    return build_module(graph_of(stages, size=size), "test", seed=0)


def images(count: int = 3, size: str = IMAGE) -> Tensor:
    return torch.randn(count, *map(int, size.split("x")), generator=torch.Generator().manual_seed(0))


# ---- what each layer computes


def test_relative_bias_is_that_of_swin() -> None:
    """The index of https://github.com/microsoft/Swin-Transformer/blob/main/models/swin_transformer.py, line 95."""
    layer, x = built("relative_bias(2x3)", "4x6x6"), images(size="4x6x6")
    coordinates = torch.stack(torch.meshgrid(torch.arange(2), torch.arange(3), indexing="ij")).flatten(1)
    distances = (coordinates[:, :, None] - coordinates[:, None, :]).permute(1, 2, 0) + torch.tensor([1, 2])
    distances[:, :, 0] *= 2 * 3 - 1
    bias = layer.relative_bias.weight[distances.sum(-1).view(-1)].view(6, 6, -1).permute(2, 0, 1)
    assert torch.equal(layer(x), x + bias[None])


def test_relative_scores_are_those_of_botnet() -> None:
    """`rel_logits_1d` of https://github.com/huggingface/pytorch-image-models, timm/layers/bottleneck_attn.py."""

    def along(queries: Tensor, vectors: Tensor, order: tuple[int, ...]) -> Tensor:
        batch, height, width, _ = queries.shape
        x = (queries @ vectors.mT).reshape(-1, width, 2 * width - 1)
        padded = F.pad(F.pad(x, [0, 1]).flatten(1), [0, width - 1]).reshape(-1, width + 1, 2 * width - 1)
        x = padded[:, :width, width - 1 :].reshape(batch, height, 1, width, width)
        return x.expand(-1, -1, height, -1, -1).permute(order)

    heads, height, width, size = 2, 2, 3, "4x2x3"
    layer = built(f"tokens -> relative_scores({heads}, size={height}x{width})", size).double()
    x = images(size=size).double()
    queries = x.flatten(2).mT.unflatten(2, (heads, -1)).transpose(1, 2).flatten(0, 1).unflatten(1, (height, width))
    rows = along(queries.transpose(1, 2), layer.relative_scores.rows, (0, 3, 1, 4, 2))
    columns = along(queries, layer.relative_scores.columns, (0, 1, 3, 2, 4))
    expected = (rows + columns).reshape(len(x), heads, height * width, height * width)
    # Sums of two products in float64.
    torch.testing.assert_close(layer(x), expected, rtol=0, atol=1e-14)


@pytest.mark.parametrize("name", [name for name in LAYERS if LAYERS[name].family == "activation" and name != "glu"])
def test_idempotent_activations(name: str) -> None:
    once = built(name)(images())
    assert torch.equal(built(name)(once), once) == LAYERS[name].is_idempotent


@pytest.mark.parametrize(
    ("stages", "expected"),
    [
        ("prelu(init=0.1)", lambda x: torch.where(x > 0, x, 0.1 * x)),
        ("prelu(channelwise=false)", lambda x: torch.where(x > 0, x, 0.25 * x)),
        ("glu", lambda x: x[:, :2] * x[:, 2:].sigmoid()),
        ("flatten -> glu", lambda x: x.flatten(1)[:, :72] * x.flatten(1)[:, 72:].sigmoid()),
        ("tokens -> glu", lambda x: x.flatten(2).mT[..., :2] * x.flatten(2).mT[..., 2:].sigmoid()),
        ("softmax(rows)", lambda x: x.softmax(2)),
        ("softmax(columns)", lambda x: x.softmax(3)),
        ("tokens -> softmax(tokens)", lambda x: x.flatten(2).mT.softmax(1)),
        ("tokens -> softmax(features)", lambda x: x.flatten(2).mT.softmax(2)),
        ("concat(rows) { identity[:, 2:, :] | identity[:, :2, :] }", lambda x: x.roll(-2, 2)),
        ("concat(columns) { identity[:, :, 5:] | identity[:, :, :5] }", lambda x: x.roll(1, 3)),
        ("tokens -> concat(features) { identity[:1] | identity[1:] }", lambda x: x.flatten(2).mT),
        ("tokens -> concat(tokens) { identity[:1, :] | identity[1:, :] }", lambda x: x.flatten(2).mT),
        ("add { identity | global_avgpool }", lambda x: x + x.mean((2, 3), keepdim=True)),
        ("add { identity | mean(c, h, w -> 1, h, w) }", lambda x: x + x.mean(1, keepdim=True)),
        ("add { identity[:, :, :1] | identity[:, :1, :] }", lambda x: x[..., :1] + x[:, :, :1]),
        ("mul { identity[:, :, :1] | identity[:, :1, :] }", lambda x: x[..., :1] * x[:, :, :1]),
        ("mul { identity | flatten -> identity[:1] }", lambda x: x * x[:, :1, :1, :1]),
        ("tokens -> add { identity | global_avgpool }", lambda x: (x + x.mean((2, 3), keepdim=True)).flatten(2).mT),
        ("flatten -> add { identity | identity[:1] }", lambda x: x.flatten(1) + x[:, :1, 0, 0]),
        ("softmax", lambda x: x.exp() / x.exp().sum(1, keepdim=True)),
        ("tokens -> softmax", lambda x: (x.exp() / x.exp().sum(1, keepdim=True)).flatten(2).mT),
        ("hardtanh(-0.5, 2)", lambda x: x.clamp(-0.5, 2)),
        ("power(2)", lambda x: x * x),
        ("tokens -> power(3) -> grid", lambda x: x * x * x),
        ("exp -> power(-0.5)", lambda x: torch.exp(-x / 2)),
        ("exp -> log", lambda x: x),
        ("scale(0.125)", lambda x: x / 8),
        ("scale(2, offset=-1)", lambda x: 2 * x - 1),
        ("affine", lambda x: x),
        ("tokens -> affine(3) -> grid", lambda x: 3 * x),
        ("l2norm", lambda x: x / x.square().sum(1, keepdim=True).sqrt()),
        ("tokens -> l2norm -> grid", lambda x: x / x.square().sum(1, keepdim=True).sqrt()),
        ("flatten -> l2norm", lambda x: F.normalize(x.flatten(1))),
        ("scale(0) -> l2norm", lambda x: 0 * x),
        ("unfold(2)", lambda x: F.unfold(x, 2).unflatten(2, (5, 5))),
        ("unfold(3x1, 2, 1x0, 1x2)", lambda x: F.unfold(x, (3, 1), (1, 2), (1, 0), 2).unflatten(2, (3, 3))),
        ("unfold(1, 4)", lambda x: x[:, :, ::4, ::4]),
        ("layer_scale(0.5)", lambda x: x / 2),
        ("global_avgpool", lambda x: x.mean((2, 3))),
        ("global_avgpool(keep=true)", lambda x: x.mean((2, 3), keepdim=True)),
        ("tokens -> global_avgpool", lambda x: x.mean((2, 3))),
        ("global_maxpool", lambda x: x.flatten(2).max(2).values),
        ("tokens -> global_maxpool(keep=true)", lambda x: x.flatten(2).max(2).values[:, None]),
        ("lppool(1, 2)", lambda x: 4 * F.avg_pool2d(x.abs(), 2)),
        ("lppool(2, 3, 1)", lambda x: F.lp_pool2d(x, 2, 3, 1)),
        ("adaptive_avgpool(2)", lambda x: F.avg_pool2d(x, 3)),
        ("adaptive_maxpool(3x2)", lambda x: F.max_pool2d(x, (2, 3))),
        ("pad_image(1x2)", lambda x: F.pad(x, (2, 2, 1, 1))),
        ("pad_image([0, 1, 2, 3], circular)", lambda x: F.pad(x, (2, 3, 0, 1), mode="circular")),
        ("pad_image(2, reflect)", lambda x: F.pad(x, (2, 2, 2, 2), mode="reflect")),
        ("pad_image(2, replicate)", lambda x: F.pad(x, (2, 2, 2, 2), mode="replicate")),
        ("pad_channels(1, 2)", lambda x: torch.cat([0 * x[:, :1], x, 0 * x[:, :2]], 1)),
        ("flatten -> pad_channels(after=2)", lambda x: F.pad(x.flatten(1), (0, 2))),
        ("tokens -> pad_channels(1)", lambda x: F.pad(x.flatten(2).mT, (1, 0))),
        ("slice(1, 3)", lambda x: x[:, 1:3]),
        ("flatten -> slice(0, 9)", lambda x: x.flatten(1)[:, :9]),
        ("tokens -> slice(1, 3)", lambda x: x.flatten(2).mT[..., 1:3]),
        ("identity[1:3]", lambda x: x[:, 1:3]),
        ("identity[::3]", lambda x: x[:, ::3]),
        ("identity[:, 1::2, :5:3]", lambda x: x[:, :, 1::2, :5:3]),
        ("identity[1:, :height - 1, :]", lambda x: x[:, 1:, :-1]),
        ("slice([0, 1, 0], [4, 6, 5], [1, 2, 3])", lambda x: x[:, :, 1::2, :5:3]),
        ("tokens -> identity[:1, :]", lambda x: x.flatten(2).mT[:, :1]),
        ("tokens -> identity[1::5, 1:3]", lambda x: x.flatten(2).mT[:, 1::5, 1:3]),
        ("tokens -> identity[::2]", lambda x: x.flatten(2).mT[..., ::2]),
        ("flatten -> identity[1::7]", lambda x: x.flatten(1)[:, 1::7]),
        ("let x = identity\nrelu\nx[:, 3:, :]", lambda x: x[:, :, 3:]),
        ("shuffle(2)", lambda x: x[:, [0, 2, 1, 3]]),
        ("upsample(2x3)", lambda x: x.repeat_interleave(2, 2).repeat_interleave(3, 3)),
        ("pixel_unshuffle(2) -> pixel_shuffle(2)", lambda x: x),
        ("tokens", lambda x: torch.stack([x[:, :, i // 6, i % 6] for i in range(36)], 1)),
        ("tokens -> grid", lambda x: x),
        ("tokens -> grid(4x9)", lambda x: x.reshape(-1, 4, 4, 9)),
        ("tokens -> transpose", lambda x: x.flatten(2)),
        ("tokens -> token(8)", lambda x: x[:, :, 1, 2]),
        ("tokens -> flatten", lambda x: x.permute(0, 2, 3, 1).flatten(1)),
        ("tokens -> class_token(constant(2.0)) -> token(0)", lambda x: torch.full((len(x), 4), 2.0)),
        ("mul { identity | learned(1, init=zeros) }", lambda x: 0 * x),
        ("mul { identity | learned((4, 1, 6), init=constant(3.0)) }", lambda x: 3 * x),
        ("tokens -> concat { learned(1x4, ones) | identity } -> token(0)", lambda x: torch.ones(len(x), 4)),
        ("tokens -> position_embedding(constant(2.0)) -> grid", lambda x: x + 2),
    ],
)
def test_a_layer_matches_its_definition(stages: str, expected) -> None:
    x = images()
    torch.testing.assert_close(built(stages)(x), expected(x), **SAME_FORMULA)


@pytest.mark.parametrize("size", ["8x5x7", "6x4x4"])
def test_shuffle_interleaves_the_groups_of_channels(size: str) -> None:
    x = images(size=size)
    n, c, h, w = x.shape
    expected = x.reshape(n, 2, c // 2, h, w).transpose(1, 2).reshape(n, c, h, w)
    assert torch.equal(built("shuffle(2)", size)(x), expected)


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("size", ["4x6x6", "3x5x8", "2x2x2"])
def test_blurpool_is_a_depthwise_convolution(stride: int, size: str) -> None:
    x = images(size=size)
    line = torch.tensor([1.0, 2.0, 1.0]) / 4
    weight = torch.outer(line, line).expand(x.shape[1], 1, 3, 3)
    expected = F.conv2d(F.pad(x, (1, 1, 1, 1), mode="reflect"), weight, stride=stride, groups=x.shape[1])
    torch.testing.assert_close(built(f"blurpool({stride})", size)(x), expected, **SAME_FORMULA)


def test_layernorm_of_an_image_is_that_of_convnext() -> None:
    x, ours, theirs = images(), built("layernorm").get_submodule("layernorm"), LayerNorm2d(4, eps=1e-5)
    for parameter, own in zip(theirs.parameters(), ours.parameters(), strict=True):
        own.data = parameter.data.uniform_()
    torch.testing.assert_close(ours(x), theirs(x), **SAME_FORMULA)


def test_prelu_of_tokens_has_a_slope_for_each_feature() -> None:
    x = images().flatten(2).mT
    module = modules.TokenPReLU(4)
    module.weight.data = torch.tensor([0.0, 1.0, 2.0, 3.0])
    assert torch.equal(module(x), torch.where(x > 0, x, x * module.weight))


def test_patches_are_slices_of_the_image_row_by_row() -> None:
    module, x = built("patches(5, 2x3)").get_submodule("patches"), images()
    tokens = [
        x[:, :, i : i + 2, j : j + 3].flatten(1) @ module.weight.flatten(1).T + module.bias
        for i in (0, 2, 4)
        for j in (0, 3)
    ]
    torch.testing.assert_close(module(x), torch.stack(tokens, 1), **SAME_FORMULA)


def test_batch_norm_of_tokens_is_that_of_their_features_as_images() -> None:
    """As in LeViT, which puts the tokens into the batch; in training, in evaluation, and backwards."""
    ours = built("tokens -> bn(init=2)").double().get_submodule("bn")
    theirs = nn.BatchNorm1d(4).double()
    theirs.load_state_dict(ours.state_dict())
    x = images().double().flatten(2).mT.requires_grad_()
    y = x.detach().clone().requires_grad_()
    for _ in range(2):
        mine, torchs = ours(x), theirs(y.flatten(0, 1)).reshape_as(y)
        torch.testing.assert_close(mine, torchs, **SAME_FORMULA)
        x.grad, y.grad = None, None
        mine.pow(3).sum().backward()
        torchs.pow(3).sum().backward()
        torch.testing.assert_close(x.grad, y.grad, **SAME_FORMULA)
        for one, other in zip(ours.buffers(), theirs.buffers(), strict=True):
            torch.testing.assert_close(one, other, **SAME_FORMULA)
        ours.eval()
        theirs.eval()


@pytest.mark.parametrize(
    ("stage", "stride", "pad"),
    [("locally_connected(5, 3x2)", 1, 0), ("locally_connected(5, 3, 2, 1, bias=false)", 2, 1)],
)
def test_a_locally_connected_layer_has_a_convolution_for_each_place(stage: str, stride: int, pad: int) -> None:
    layer, x = built(stage).double().get_submodule("locally_connected"), images().double()
    y, padded = layer(x), F.pad(x, (pad, pad, pad, pad))
    kernel = layer.windows.kernel_size
    height, width = kernel if isinstance(kernel, tuple) else (kernel, kernel)
    for place in range(len(layer.weight)):
        i, j = divmod(place, y.shape[3])
        window = padded[:, :, stride * i : stride * i + height, stride * j : stride * j + width]
        expected = F.conv2d(window, layer.weight[place].unflatten(1, (4, height, width)))[:, :, 0, 0]
        if layer.bias is not None:
            expected = expected + layer.bias[:, i, j]
        torch.testing.assert_close(y[:, :, i, j], expected, **SAME_FORMULA)


def test_a_locally_connected_layer_with_one_filter_everywhere_is_a_convolution() -> None:
    layer, x = built("locally_connected(5, 3, pad=same)").double().get_submodule("locally_connected"), images().double()
    conv = nn.Conv2d(4, 5, 3, padding=1).double()
    with torch.no_grad():
        layer.weight.copy_(conv.weight.flatten(1).expand_as(layer.weight))
        layer.bias.copy_(conv.bias[:, None, None].expand_as(layer.bias))
    mine, torchs = x.clone().requires_grad_(), x.clone().requires_grad_()
    y, expected = layer(mine), conv(torchs)
    torch.testing.assert_close(y, expected, **SAME_FORMULA)
    y.square().sum().backward()
    expected.square().sum().backward()
    torch.testing.assert_close(mine.grad, torchs.grad, **SAME_FORMULA)
    shared = layer.weight.grad.sum(0)
    torch.testing.assert_close(shared, conv.weight.grad.flatten(1), **sums(conv.weight.grad))


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("heads", [1, 2, 4])
def test_attention_with_the_same_weights_equals_torchs(heads: int, bias: bool) -> None:
    ours = built(f"tokens -> attention({heads}, bias={str(bias).lower()})", "8x3x4").get_submodule("attention")
    theirs = nn.MultiheadAttention(8, heads, bias=bias, batch_first=True)
    assert [p.shape for p in ours.parameters()] == [p.shape for p in theirs.parameters()]
    for own, parameter in zip(ours.parameters(), theirs.parameters(), strict=True):
        parameter.data = own.data.clone()
    x = images(size="12x8").requires_grad_()
    y = x.detach().clone().requires_grad_()
    mine, torchs = ours(x), theirs(y, y, y, need_weights=False)[0]
    torch.testing.assert_close(mine, torchs, **SAME_FORMULA)
    mine.square().sum().backward()
    torchs.square().sum().backward()
    torch.testing.assert_close(x.grad, y.grad, **SAME_FORMULA)
    for own, parameter in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(own.grad, parameter.grad, **sums(parameter.grad))


def test_attention_drops_only_during_training() -> None:
    module = built("tokens -> attention(2, dropout=0.5)")
    x = images()
    assert not torch.equal(module(x), module(x))
    module.eval()
    torch.testing.assert_close(module(x), built("tokens -> attention(2)")(x), **SAME_FORMULA)


# ---- joins


@pytest.mark.parametrize(
    ("stages", "expected"),
    [
        ("mul { identity | global_avgpool }", lambda x: x * x.mean((2, 3))[:, :, None, None]),
        ("mul { global_avgpool(keep=true) | identity }", lambda x: x * x.mean((2, 3), keepdim=True)),
        ("mul { identity | slice(1, 2) }", lambda x: x * x[:, 1:2]),
        ("mean { identity | tanh | relu }", lambda x: (x + x.tanh() + x.relu()) / 3),
        ("mean { identity | global_avgpool }", lambda x: (x + x.mean((2, 3))[:, :, None, None]) / 2),
        ("max { identity | tanh | scale(-1) }", lambda x: x.abs()),
        ("max { identity | slice(1, 2) }", lambda x: x.maximum(x[:, 1:2])),
        (
            "mul { slice(1, 2) | global_avgpool | identity | global_maxpool(keep=true) }",
            lambda x: x * x[:, 1:2] * x.mean((2, 3), keepdim=True) * x.amax((2, 3), keepdim=True),
        ),
        ("tokens -> mul { identity | token(3) } -> grid", lambda x: x * x[:, :, :1, 3:4]),
        ("tokens -> mul { global_avgpool(keep=true) | identity } -> grid", lambda x: x * x.mean((2, 3), keepdim=True)),
        ("tokens -> mul { identity | slice(1, 2) } -> grid", lambda x: x * x[:, 1:2]),
        ("flatten -> mul { identity | tanh }", lambda x: (x * x.tanh()).flatten(1)),
        ("tokens -> concat { identity | tanh } -> grid(12x6)", lambda x: torch.cat([x, x.tanh()], 2)),
        ("concat { slice(2, 4) | slice(0, 1) }", lambda x: x[:, [2, 3, 0]]),
        ("flatten -> concat { slice(2, 4) | slice(0, 1) }", lambda x: x.flatten(1)[:, [2, 3, 0]]),
        ("tokens -> add { identity | tanh } -> grid", lambda x: x + x.tanh()),
    ],
)
def test_a_join_matches_its_definition(stages: str, expected) -> None:
    x = images()
    torch.testing.assert_close(built(stages)(x), expected(x), **SAME_FORMULA)


# ---- what is random while training


def test_drop_path_drops_whole_samples_and_keeps_the_mean() -> None:
    torch.manual_seed(0)
    module, x = chance_modules.DropPath(0.25), torch.ones(20_000, 2, 3)
    factors = module(x).flatten(1)
    assert torch.equal(factors, factors[:, :1].expand_as(factors))
    theirs = stochastic_depth(x, 0.25, "row").flatten(1)
    assert torch.equal(factors.unique(), theirs.unique())
    # Each is a mean of 20,000 factors, whose standard deviation is 0.004.
    assert factors.mean().item() == pytest.approx(theirs.mean().item(), abs=0.02)
    assert torch.equal(module.eval()(x), x)


def test_drop_path_with_probability_zero_draws_nothing() -> None:
    before = torch.get_rng_state()
    chance_modules.DropPath(0.0)(images())
    assert torch.equal(torch.get_rng_state(), before)


def test_channel_dropout_drops_whole_channels() -> None:
    torch.manual_seed(0)
    kept = built("channel_dropout(0.25)", "100x2x3")(torch.ones(100, 100, 2, 3)).flatten(2)
    assert torch.equal(kept, kept[..., :1].expand_as(kept))
    # Of 10,000 channels: standard deviations are 0.004 and 0.006.
    assert (kept == 0).float().mean().item() == pytest.approx(0.25, abs=0.02)
    # As above.
    assert kept.mean().item() == pytest.approx(1, abs=0.03)


def test_dropout_drops_single_values() -> None:
    torch.manual_seed(0)
    kept = built("dropout(0.25)", "100x2x3")(torch.ones(100, 100, 2, 3)).flatten(2)
    # Of 60,000 numbers: the standard deviation is 0.002.
    assert (kept == 0).float().mean().item() == pytest.approx(0.25, abs=0.01)
    assert (kept.amax(2) > 0).float().mean().item() > 0.99


def test_alpha_dropout_keeps_mean_and_variance() -> None:
    torch.manual_seed(0)
    y = built("alpha_dropout(0.25)", "10x10x10")(torch.randn(100, 10, 10, 10))
    # Of 100,000 numbers: standard deviations are 0.003 and 0.005.
    assert y.mean().item() == pytest.approx(0, abs=0.02)
    # As above.
    assert y.var().item() == pytest.approx(1, abs=0.03)
