"""Networks whose original is no library: they compute what a few plain lines do, given the same weights."""

from collections.abc import Callable, Mapping

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  # as everywhere

import cifar_dsl
from cifar_dsl.foundation.resources import specs_directory
from cifar_dsl.training.lowering import chance_modules

Weights = Mapping[str, Tensor]


def cuda_convnet(x: Tensor, w: Weights, *, is_training: bool) -> Tensor:
    """layers-conv-local-13pct.cfg; a local layer has a filter bank and biases for each of 6x6 places."""
    x = x[:, :, 4:-4, 4:-4]
    for conv in ("conv", "conv2"):
        x = F.conv2d(x, w[f"{conv}.weight"], w[f"{conv}.bias"], padding=2).relu()
        x = F.max_pool2d(x, 3, 2, ceil_mode=True)
    for local in ("locally_connected", "locally_connected2"):
        windows = F.pad(x, (1, 1, 1, 1)).unfold(2, 3, 1).unfold(3, 3, 1)  # (N, C, 6, 6, 3, 3)
        filters = w[f"{local}.weight"].reshape(6, 6, 32, -1, 3, 3)
        x = (torch.einsum("nchwij,hwfcij->nfhw", windows, filters) + w[f"{local}.bias"]).relu()
    return F.linear(x.flatten(1), w["dense.weight"], w["dense.bias"])


def with_norms(w: Weights, *, is_training: bool) -> Callable[[Tensor, str], Tensor]:
    """Batch norm by its name."""

    def normed(x: Tensor, name: str) -> Tensor:
        statistics = (w[f"{name}.running_mean"].clone(), w[f"{name}.running_var"].clone())
        return F.batch_norm(x, *statistics, w[f"{name}.weight"], w[f"{name}.bias"], training=is_training)

    return normed


def units(count: int) -> list[str]:
    return ["unit", *(f"unit{i}" for i in range(2, count + 1))]


def rezero_resnet56(x: Tensor, w: Weights, *, is_training: bool) -> Tensor:
    normed = with_norms(w, is_training=is_training)
    x = normed(F.conv2d(x, w["conv.weight"], padding=1), "bn").relu()
    for number, unit in enumerate(units(27)):
        stride, branch = 2 if number in {9, 18} else 1, f"{unit}.add.branch1"
        y = F.conv2d(x, w[f"{branch}.conv.weight"], stride=stride, padding=1)
        y = normed(y, f"{branch}.bn").relu()
        y = normed(F.conv2d(y, w[f"{branch}.conv2.weight"], padding=1), f"{branch}.bn2")
        if stride == 2:
            x = F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, x.shape[1] // 2, x.shape[1] // 2))
        x = (x + w[f"{branch}.mul.branch2.learned.weight"] * y).relu()
    return F.linear(x.mean((2, 3)), w["dense.weight"], w["dense.bias"])


def maxout(x: Tensor, w: Weights, *, is_training: bool) -> Tensor:
    """cifar10.yaml of pylearn2, without dropout: a unit is the largest of neighbouring channels or features."""
    for unit, padding, pool in (("unit", 4, 4), ("unit2", 3, 4), ("unit3", 3, 2)):
        x = F.conv2d(x, w[f"{unit}.conv.weight"], w[f"{unit}.conv.bias"], padding=padding)
        x = F.max_pool2d(torch.maximum(x[:, ::2], x[:, 1::2]), pool, 2, ceil_mode=True)
    x = F.linear(x.flatten(1), w["dense.weight"], w["dense.bias"]).unflatten(1, (500, 5)).amax(2)
    return F.linear(x, w["dense2.weight"], w["dense2.bias"])


def rcnn_96(x: Tensor, w: Weights, *, is_training: bool) -> Tensor:
    """The layers of the paper, without dropout."""

    def state(x: Tensor) -> Tensor:
        squares = F.pad(x.relu().square(), (0, 0, 0, 0, 6, 6)).unfold(1, 13, 1).sum(-1)
        return x.relu() / (1 + 0.001 / 13 * squares) ** 0.75

    x = F.max_pool2d(F.conv2d(x, w["conv.weight"], w["conv.bias"], padding=2).relu(), 3, 2, ceil_mode=True)
    for layer in ("recurrent", "recurrent2", "recurrent3", "recurrent4"):
        seen = F.conv2d(x, w[f"{layer}.seen.conv.weight"], w[f"{layer}.seen.conv.bias"], padding=1)
        x = state(seen)
        for _ in range(3):
            x = state(seen + F.conv2d(x, w[f"{layer}.add.branch2.again.conv.weight"], padding=1))
        if layer == "recurrent2":
            x = F.max_pool2d(x, 3, 2, ceil_mode=True)
    return F.linear(x.amax((2, 3)), w["dense.weight"], w["dense.bias"])


def shake_shake26_2x32d(x: Tensor, w: Weights, *, is_training: bool) -> Tensor:
    """shakeshake.lua and shakeshakeblock.lua of xgastaldi/shake-shake, with `forwardShake` and `backwardShake` off."""
    normed = with_norms(w, is_training=is_training)
    x = normed(F.conv2d(x, w["conv.weight"], padding=1), "bn")
    for number, unit in enumerate(units(12)):
        stride, skip = 2 if number in {4, 8} else 1, x
        if number in {0, 4, 8}:
            one = F.avg_pool2d(x.relu(), 1, stride)
            other = F.avg_pool2d(F.pad(x.relu(), (1, -1, 1, -1)), 1, stride)
            name = f"{unit}.add.branch1.shortcut"
            filters = [w[f"{name}.concat.branch{branch}.half_.conv.weight"] for branch in (1, 2)]
            skip = normed(torch.cat([F.conv2d(one, filters[0]), F.conv2d(other, filters[1])], 1), f"{name}.bn")
        for branch in (1, 2):
            name = f"{unit}.add.branch2.shake.branch{branch}.branch"
            y = normed(F.conv2d(x.relu(), w[f"{name}.conv.weight"], stride=stride, padding=1), f"{name}.bn")
            skip = skip + 0.5 * normed(F.conv2d(y.relu(), w[f"{name}.conv2.weight"], padding=1), f"{name}.bn2")
        x = skip
    return F.linear(x.relu().mean((2, 3)), w["dense.weight"], w["dense.bias"])


def pyramidnet110_shakedrop(x: Tensor, w: Weights, *, is_training: bool) -> Tensor:
    """PyramidNet.py of dyhan0920/PyramidNet-PyTorch: 20 layers, and 3 more channels in each unit."""
    normed = with_norms(w, is_training=is_training)
    x = normed(F.conv2d(x, w["conv.weight"], padding=1), "bn")
    for number, unit in enumerate(units(9)):
        stride, name = 2 if number in {3, 6} else 1, f"{unit}.add.branch1"
        y = normed(F.conv2d(normed(x, f"{name}.bn"), w[f"{name}.conv.weight"], stride=stride, padding=1), f"{name}.bn2")
        y = normed(F.conv2d(y.relu(), w[f"{name}.conv2.weight"], padding=1), f"{name}.bn3")
        shortcut = F.avg_pool2d(x, 2) if stride == 2 else x
        x = y + torch.cat([shortcut, shortcut.new_zeros(2, 3, *shortcut.shape[2:])], 1)
    return F.linear(normed(x, "bn2").relu().mean((2, 3)), w["dense.weight"], w["dense.bias"])


def fractalnet20(x: Tensor, w: Weights, *, is_training: bool) -> Tensor:
    """fractal.py of khanrc/pt.fractalnet, without drops: rows of convolutions, and a join after each row."""
    normed = with_norms(w, is_training=is_training)
    for block in ("mean", "mean2", "mean3", "mean4", "mean5"):
        cells = [name.removesuffix(".conv.weight") for name in w if name.startswith(f"{block}.") and ".conv.w" in name]
        columns = [[cells[0]], [cells[1], cells[4]], [cells[2], cells[3], cells[5], cells[6]]]
        outputs = [x] * 3
        for row in (1, 2, 3, 4):
            ended = [number for number, length in enumerate((4, 2, 1)) if row % length == 0]
            made = []
            for number in ended:
                name = columns[number].pop(0)
                made.append(normed(F.conv2d(outputs[number], w[f"{name}.conv.weight"], padding=1), f"{name}.bn").relu())
            for number in ended:
                outputs[number] = torch.stack(made).mean(0)
        x = F.max_pool2d(outputs[-1], 2)
    return F.linear(x.flatten(1), w["dense.weight"], w["dense.bias"])


@pytest.fixture(autouse=True)
def no_chance(monkeypatch: pytest.MonkeyPatch) -> None:
    """The mix of `shake`, which no argument turns off, is the mean in training, too."""
    monkeypatch.setattr(chance_modules, "random_shares", lambda x, count: x.new_full((len(x), count), 1 / count))


def nin(x: Tensor, w: Weights, *, is_training: bool) -> Tensor:
    """cifar-10_def of mavenlin/cuda-convnet, without dropout; `cccp` is a convolution of 1x1."""
    for block, kernel, inner in (("mlpconv", 5, 2), ("mlpconv2", 5, 2), ("mlpconv3", 3, 1)):
        x = F.conv2d(x, w[f"{block}.conv.weight"], w[f"{block}.conv.bias"], padding=kernel // 2).relu()
        for number in range(2, 2 + inner):
            x = F.conv2d(x, w[f"{block}.conv{number}.weight"], w[f"{block}.conv{number}.bias"]).relu()
        if block != "mlpconv3":
            x = F.max_pool2d(x, 3, 2, ceil_mode=True)
    x = F.conv2d(x, w["last.weight"], w["last.bias"]).relu()
    return F.avg_pool2d(x, 8).flatten(1)


def all_cnn_c(x: Tensor, w: Weights, *, is_training: bool) -> Tensor:
    """Table 1 of Springenberg et al. 2014, model C of All-CNN, without dropout."""
    for stage in ("stage", "stage2"):
        for conv, stride in (("conv", 1), ("conv2", 1), ("conv3", 2)):
            x = F.conv2d(x, w[f"{stage}.{conv}.weight"], w[f"{stage}.{conv}.bias"], stride, padding=1).relu()
    for conv in ("conv", "conv2", "conv3"):
        x = F.conv2d(x, w[f"{conv}.weight"], w[f"{conv}.bias"]).relu()
    assert x.shape[2:] == (6, 6)
    return x.mean((2, 3))


class ConvGroup(nn.Module):
    """That of legacy/airbench95.py, and with `is_deep`, of legacy/airbench96.py, in KellerJordan/cifar10-airbench."""

    def __init__(self, channels_in: int, channels_out: int, momentum: float, *, is_deep: bool) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels_in, channels_out, 3, padding="same", bias=False)
        self.pool = nn.MaxPool2d(2)
        self.norm1 = nn.BatchNorm2d(channels_out, eps=1e-12, momentum=momentum)
        self.conv2 = nn.Conv2d(channels_out, channels_out, 3, padding="same", bias=False)
        self.norm2 = nn.BatchNorm2d(channels_out, eps=1e-12, momentum=momentum)
        if is_deep:
            self.conv3 = nn.Conv2d(channels_out, channels_out, 3, padding="same", bias=False)
            self.norm3 = nn.BatchNorm2d(channels_out, eps=1e-12, momentum=momentum)
        self.activ = nn.GELU()
        self.is_deep = is_deep

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv1(x)
        x = self.pool(x)
        x = self.norm1(x)
        x = self.activ(x)
        x0 = x
        x = self.conv2(x)
        x = self.norm2(x)
        x = self.activ(x)
        if self.is_deep:
            x = self.conv3(x)
            x = self.norm3(x)
            x = x + x0
            x = self.activ(x)
        return x


def make_net(widths: tuple[int, int, int], momentum: float, *, is_deep: bool) -> nn.Sequential:
    """`make_net` of both; `Mul` is left to the caller."""
    block1, block2, block3 = widths
    return nn.Sequential(
        nn.Conv2d(3, 24, 2),
        nn.GELU(),
        ConvGroup(24, block1, momentum, is_deep=is_deep),
        ConvGroup(block1, block2, momentum, is_deep=is_deep),
        ConvGroup(block2, block3, momentum, is_deep=is_deep),
        nn.MaxPool2d(3),
        nn.Flatten(),
        nn.Linear(block3, 10, bias=False),
    )


def _like(net: nn.Module, x: Tensor, w: Weights, *, is_training: bool) -> Tensor:
    """The output of a module with the weights in the order of its own; both networks must have as many."""
    names = list(net.state_dict())
    assert [tensor.shape for tensor in net.state_dict().values()] == [tensor.shape for tensor in w.values()]
    net.train(is_training)
    output: Tensor = torch.func.functional_call(net, dict(zip(names, w.values(), strict=True)), x)
    return output / 9


def airbench95(x: Tensor, w: Weights, *, is_training: bool) -> Tensor:
    return _like(make_net((128, 384, 384), 1 - 0.6, is_deep=False), x, w, is_training=is_training)


def airbench96(x: Tensor, w: Weights, *, is_training: bool) -> Tensor:
    return _like(make_net((128, 384, 512), 0.1, is_deep=True), x, w, is_training=is_training)


def deit_tiny_distilled(x: Tensor, w: Weights, *, is_training: bool) -> Tensor:
    """VisionTransformerDistilled of timm, whose heads are trained apart, and tested by their mean."""

    def dense(x: Tensor, name: str, of: str = "") -> Tensor:
        return F.linear(x, w[f"{name}.{of}weight"], w[f"{name}.{of}bias"])

    def normed(x: Tensor, name: str) -> Tensor:
        return F.layer_norm(x, (192,), w[f"{name}.weight"], w[f"{name}.bias"], 1e-6)

    x = F.conv2d(x, w["patches.weight"].reshape(192, 3, 4, 4), w["patches.bias"], stride=4).flatten(2).mT
    tokens = [w[f"{name}.weight"].reshape(1, 1, 192).expand(len(x), 1, 192) for name in ("class_token", "distillation")]
    x = torch.cat([*tokens, x], 1) + w["position_embedding.weight"]
    for layer in ("transformer_layer", "transformer_layer2"):
        attention = f"{layer}.add.branch1.attention"
        y = dense(normed(x, f"{layer}.add.branch1.layernorm"), attention, "in_")
        queries, keys, values = y.unflatten(2, (3, 3, 64)).permute(2, 0, 3, 1, 4)
        y = (queries @ keys.mT / 8).softmax(3) @ values
        x = x + dense(y.transpose(1, 2).flatten(2), attention, "out_")
        y = dense(normed(x, f"{layer}.add2.branch1.layernorm"), f"{layer}.add2.branch1.dense")
        x = x + dense(F.gelu(y), f"{layer}.add2.branch1.dense2")
    x = normed(x, "layernorm")
    heads = dense(x[:, 0], "labelled.dense"), dense(x[:, 1], "taught.dense")
    mean = (heads[0] + heads[1]) / 2
    return torch.stack([mean, *heads]) if is_training else mean


@pytest.mark.parametrize(
    ("original", "without"),
    [
        (cuda_convnet, ()),
        (rezero_resnet56, ()),
        (maxout, ("input_drop=0", "drop=0")),
        (rcnn_96, ("drop=0",)),
        (shake_shake26_2x32d, ("w=4",)),
        (pyramidnet110_shakedrop, ("depth=20", "alpha=27", "drop=0")),
        (deit_tiny_distilled, ("layers=2",)),
        (fractalnet20, ("width=4", "drop=0", "global_share=0", "dropout_step=0")),
        (nin, ("drop=0",)),
        (all_cnn_c, ("input_drop=0", "drop=0")),
        (airbench95, ()),
        (airbench96, ()),
    ],
    ids=lambda one: getattr(one, "__name__", ""),
)
def test_outputs_and_gradients_are_those_of_plain_lines(original: Callable[..., Tensor], without: tuple[str]) -> None:
    (path,) = specs_directory().glob(f"[rz]*/{original.__name__}.arch")
    module = cifar_dsl.load(path, overrides=without).build().double()
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for tensor in module.state_dict().values():
            if tensor.is_floating_point():
                tensor.uniform_(-0.1, 0.1, generator=generator)
        for name, tensor in module.state_dict().items():
            if name.endswith(("running_var", "bn.weight", "bn2.weight", "bn3.weight", "learned.weight")):
                tensor.add_(0.5)
    x = torch.randn(2, 3, 32, 32, dtype=torch.float64, generator=generator)
    for is_training in (False, True):
        module.train(is_training)
        weights = {name: tensor.detach().clone() for name, tensor in module.state_dict().items()}
        parameters = {name: one for name, one in module.named_parameters() if one.requires_grad}
        for name in parameters:
            weights[name].requires_grad_()
        returned, theirs = module(x), original(x, weights, is_training=is_training)
        ours = torch.stack(returned) if isinstance(returned, tuple) else returned  # with the scores of exits
        # Up to 56 layers in float64, whose sums are taken in another order.
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-11 * float(theirs.detach().abs().max()))
        module.zero_grad()
        ours.square().sum().backward()
        theirs.square().sum().backward()
        largest = max(float(weights[name].grad.abs().max()) for name in parameters)
        for name, parameter in parameters.items():
            difference = (parameter.grad - weights[name].grad).abs().max()
            assert difference < 1e-9 * largest, name
