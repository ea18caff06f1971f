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
    last, _ = _with_seen(x, w)
    return F.avg_pool2d(last.relu(), 8).flatten(1)


def dsn(x: Tensor, w: Weights, *, is_training: bool) -> Tensor:
    """cifar-10.prototxt of s9xie/DSN, without dropout: `ip_svm` sees each convolution before its ReLU."""
    last, seen = _with_seen(x, w)
    scores = F.avg_pool2d(last, 8).flatten(1)
    named = {f"{block}.companion.dense": y.flatten(1) for block, y in seen.items()}
    heads = [F.linear(y, w[f"{name}.weight"], w[f"{name}.bias"]) for name, y in named.items()]
    return torch.stack([scores, *heads]) if is_training else scores


def _with_seen(x: Tensor, w: Weights) -> tuple[Tensor, dict[str, Tensor]]:
    """The last convolution of network in network, and the first one of each block, without ReLU."""
    seen = {}
    for block, kernel, inner in (("mlpconv", 5, 2), ("mlpconv2", 5, 2), ("mlpconv3", 3, 1)):
        seen[block] = F.conv2d(x, w[f"{block}.conv.weight"], w[f"{block}.conv.bias"], padding=kernel // 2)
        x = seen[block].relu()
        for number in range(2, 2 + inner):
            x = F.conv2d(x, w[f"{block}.conv{number}.weight"], w[f"{block}.conv{number}.bias"]).relu()
        if block != "mlpconv3":
            x = F.max_pool2d(x, 3, 2, ceil_mode=True)
    return F.conv2d(x, w["last.weight"], w["last.bias"]), seen


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
    return output


def airbench95(x: Tensor, w: Weights, *, is_training: bool) -> Tensor:
    return _like(make_net((128, 384, 384), 1 - 0.6, is_deep=False), x, w, is_training=is_training) / 9


def airbench96_proxy(x: Tensor, w: Weights, *, is_training: bool) -> Tensor:
    """The proxy of airbench96_faster.py."""
    return _like(make_net((32, 64, 64), 0.1, is_deep=False), x, w, is_training=is_training) / 9


def airbench96(x: Tensor, w: Weights, *, is_training: bool) -> Tensor:
    return _like(make_net((128, 384, 512), 0.1, is_deep=True), x, w, is_training=is_training) / 9


def standardized(weight: Tensor, eps: float) -> Tensor:
    """Filters with mean 0 and variance 1."""
    variance, mean = torch.var_mean(weight, (1, 2, 3), correction=0, keepdim=True)
    return (weight - mean) / (variance + eps).sqrt()


def bit_r50x1(x: Tensor, w: Weights, *, is_training: bool) -> Tensor:
    """bit_pytorch/models.py of google-research/big_transfer, with a stem of 3x3 and of stride 1, and small."""

    def conv(x: Tensor, name: str, stride: int = 1) -> Tensor:
        weight = standardized(w[f"{name}.conv.weight"], 1e-8)
        return F.conv2d(x, weight, None, stride, padding=weight.shape[2] // 2)

    def act(x: Tensor, name: str) -> Tensor:
        return F.group_norm(x, 32, w[f"{name}.groupnorm.weight"], w[f"{name}.groupnorm.bias"]).relu()

    x = conv(x, "standard")
    for number, unit in enumerate(units(5)):
        stride, branch = 2 if number > 1 else 1, f"{unit}.add.branch2"
        y = act(x, f"{unit}.act")
        if number != 1:
            x = conv(y, f"{unit}.add.branch1.standard", stride)
        y = act(conv(y, f"{branch}.standard"), f"{branch}.act")
        y = act(conv(y, f"{branch}.standard2", stride), f"{branch}.act2")
        x = x + conv(y, f"{branch}.standard3")
    return F.linear(act(x, "act").mean((2, 3)), w["dense.weight"], w["dense.bias"])


def nfnet_f0(x: Tensor, w: Weights, *, is_training: bool) -> Tensor:
    """nfnets/nfnet.py of google-deepmind/deepmind-research, without strides in the stem, and small."""

    def conv(x: Tensor, name: str, stride: int = 1) -> Tensor:
        weight = w[f"{name}.conv.weight"]
        scale = w[f"{name}.conv.gain"][:, None, None, None] / weight[0].numel() ** 0.5
        used, bias = standardized(weight, 1e-5) * scale, w[f"{name}.conv.bias"]
        return F.conv2d(x, used, bias, stride, padding=weight.shape[2] // 2, groups=x.shape[1] // weight.shape[1])

    def act(x: Tensor) -> Tensor:
        return 1.7015043497085571 * F.gelu(x)

    for name in ("scaled_conv", "scaled_conv2", "scaled_conv3"):
        x = act(conv(x, name))
    x = conv(x, "scaled_conv4")
    variance = 1.0
    for number, unit in enumerate(units(5)):  # depths of 1, 2, 1, 1
        stride, branch = 2 if number in {1, 3, 4} else 1, f"{unit}.add.branch2"
        y = act(x) / variance**0.5
        if number != 2:
            x = conv(F.avg_pool2d(y, stride), f"{unit}.add.branch1.scaled_conv")
            variance = 1.0
        variance += 0.2**2
        y = act(conv(y, f"{branch}.scaled_conv"))
        y = act(conv(y, f"{branch}.scaled_conv2", stride))
        y = conv(act(conv(y, f"{branch}.scaled_conv3")), f"{branch}.scaled_conv4")
        excite = f"{branch}.squeeze_excite.mul.branch2"
        gate = F.linear(y.mean((2, 3)), w[f"{excite}.dense.weight"], w[f"{excite}.dense.bias"]).relu()
        gate = F.linear(gate, w[f"{excite}.dense2.weight"], w[f"{excite}.dense2.bias"]).sigmoid()
        x = x + 0.2 * w[f"{branch}.mul.branch2.learned.weight"] * 2 * gate[:, :, None, None] * y
    return F.linear(act(conv(x, "scaled_conv5")).mean((2, 3)), w["dense.weight"], w["dense.bias"])


class Fit(nn.Module):
    """ReLU, a convolution of 1x1 or two of half the channels each, which see every other pixel, and a norm."""

    def __init__(self, channels: int, c: int, stride: int) -> None:
        super().__init__()
        parts = [c] if stride == 1 else [c // 2, c // 2]
        self.convs = nn.ModuleList(nn.Conv2d(channels, part, 1, stride, bias=False) for part in parts)
        self.norm = nn.BatchNorm2d(c)

    def forward(self, x: Tensor) -> Tensor:
        made = [conv(x.relu()[:, :, shift:, shift:]) for shift, conv in enumerate(self.convs)]
        normed: Tensor = self.norm(torch.cat(made, 1))
        return normed


def operation(name: str, c: int, stride: int) -> nn.Module:
    """An operation of cells: `sep5` is a separable convolution of 5x5, twice."""
    kernel = int(name[3:]) if name != "skip" else 0
    match name[:3]:
        case "avg":
            return nn.AvgPool2d(kernel, stride, padding=1, count_include_pad=False)
        case "max":
            return nn.MaxPool2d(kernel, stride, padding=1)
        case "ski":
            return Fit(c, c, stride) if stride > 1 else nn.Identity()
        case "dil":
            dilated = nn.Conv2d(c, c, kernel, stride, padding=kernel - 1, dilation=2, groups=c, bias=False)
            return nn.Sequential(nn.ReLU(), dilated, nn.Conv2d(c, c, 1, bias=False), nn.BatchNorm2d(c))
    layers: list[nn.Module] = []
    for s in (stride, 1):
        deep = nn.Conv2d(c, c, kernel, s, padding=kernel // 2, groups=c, bias=False)
        layers += [nn.ReLU(), deep, nn.Conv2d(c, c, 1, bias=False), nn.BatchNorm2d(c)]
    return nn.Sequential(*layers)


class Cell(nn.Module):
    """Sums of two operations each, of the two cells before and of earlier sums."""

    def __init__(self, of: tuple[str, str], channels: tuple[int, int], c: int, stride: int, shrink: int) -> None:
        super().__init__()
        self.fits = nn.ModuleList([Fit(channels[0], c, shrink), Fit(channels[1], c, 1)])
        words = of[0].split()
        self.inputs = [int(word) for word in words[::2]]
        strides = [stride if number < 2 else 1 for number in self.inputs]
        self.operations = nn.ModuleList(operation(name, c, s) for name, s in zip(words[1::2], strides, strict=True))
        self.outputs = [int(word) for word in of[1].split()]

    def forward(self, before: Tensor, last: Tensor) -> Tensor:
        states = [fit(x) for fit, x in zip(self.fits, (before, last), strict=True)]
        for number in range(0, len(self.inputs), 2):
            one, other = (self.operations[i](states[self.inputs[i]]) for i in (number, number + 1))
            states.append(one + other)
        return torch.cat([states[i] for i in self.outputs], 1)


class Cells(nn.Module):
    """Three stages of one normal cell each, and a reduction before the second and third; a head behind one cell."""

    def __init__(self, normal: tuple[str, str], reduction: tuple[str, str], head_after: int, last: nn.Module) -> None:
        super().__init__()
        filters = 4
        self.conv = nn.Conv2d(3, 3 * filters, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(3 * filters)
        self.cells = nn.ModuleList()
        channels, size, shrink = (3 * filters, 3 * filters), 32, 1
        for number, width in enumerate((1, 2, 2, 4, 4)):
            stride = 2 if number in {1, 3} else 1
            of = reduction if stride == 2 else normal
            self.cells.append(Cell(of, channels, width * filters, stride, shrink))
            channels = channels[1], len(of[1].split()) * width * filters
            size, shrink = size // stride, stride
            if number == head_after:
                convs = nn.Conv2d(channels[1], 128, 1, bias=False), nn.Conv2d(128, 768, (size - 2) // 3, bias=False)
                layers = [layer for conv in convs for layer in (conv, nn.BatchNorm2d(conv.out_channels), nn.ReLU())]
                self.cells.append(
                    nn.Sequential(nn.ReLU(), nn.AvgPool2d(5, 3), *layers, nn.Flatten(), nn.Linear(768, 10))
                )
        self.last = nn.Sequential(last, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels[1], 10))

    def forward(self, x: Tensor) -> Tensor:
        before = x = self.norm(self.conv(x))
        heads: list[Tensor] = []
        for cell in self.cells:
            if isinstance(cell, Cell):
                before, x = x, cell(before, x)
            elif self.training:
                heads.append(cell(x))
        scores: Tensor = self.last(x)
        return torch.stack([scores, *heads]) if self.training else scores


def nasnet_a_aux(x: Tensor, w: Weights, *, is_training: bool) -> Tensor:
    """nets/nasnet of tensorflow/models/research/slim: a head behind the last normal cell of the second stage."""
    normal = "1 sep5 0 sep3 0 sep5 0 sep3 1 avg3 0 skip 0 avg3 0 avg3 1 sep3 1 skip", "0 2 3 4 5 6"
    reduction = "1 sep5 0 sep7 1 max3 0 sep7 1 avg3 0 sep5 3 skip 2 avg3 2 sep3 1 max3", "3 4 5 6"
    return _like(Cells(normal, reduction, 2, nn.ReLU()), x, w, is_training=is_training)


def darts_aux(x: Tensor, w: Weights, *, is_training: bool) -> Tensor:
    """cnn/model.py of quark0/darts with DARTS_V2: a head behind the second reduction."""
    normal = "0 sep3 1 sep3 0 sep3 1 sep3 1 sep3 0 skip 0 skip 2 dil3", "2 3 4 5"
    reduction = "0 max3 1 max3 2 skip 1 max3 0 max3 2 skip 2 skip 1 max3", "2 3 4 5"
    return _like(Cells(normal, reduction, 3, nn.Identity()), x, w, is_training=is_training)


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


# What scales; near 0, it would let signals vanish.
_NEAR_ONE = ("running_var", "bn.weight", "bn2.weight", "bn3.weight", "learned.weight", "groupnorm.weight", "gain")


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
        (dsn, ("drop=0",)),
        (all_cnn_c, ("input_drop=0", "drop=0")),
        (airbench95, ()),
        (airbench96, ()),
        (bit_r50x1, ("width=32", "depths=[2,1,1,1]")),
        (nfnet_f0, ("widths=[32,32,64,64]", "depths=[1,2,1,1]", "group_width=8", "drop=0", "head_drop=0")),
        (nasnet_a_aux, ("filters=4", "repeats=1", "drop=0")),
        (darts_aux, ("filters=4", "repeats=1", "drop=0")),
        (airbench96_proxy, ()),
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
            if name.endswith(_NEAR_ONE):
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
        gradients = {name: (one.grad, weights[name].grad) for name, one in parameters.items()}
        largest = max(float(theirs.abs().max()) for _, theirs in gradients.values() if theirs is not None)
        for name, (own, other) in gradients.items():
            if own is None or other is None:  # of an auxiliary head, in evaluation
                assert own is other, name
            else:
                assert (own - other).abs().max() < 1e-9 * largest, name
