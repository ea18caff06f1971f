"""Networks whose original is no library: they compute what a few plain lines do, given the same weights."""

from collections.abc import Callable, Mapping

import pytest
import torch
from torch import Tensor
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


@pytest.mark.parametrize(
    ("original", "without"),
    [
        (cuda_convnet, ()),
        (rezero_resnet56, ()),
        (maxout, ("input_drop=0", "drop=0")),
        (rcnn_96, ("drop=0",)),
        (shake_shake26_2x32d, ("w=4",)),
        (pyramidnet110_shakedrop, ("depth=20", "alpha=27", "drop=0")),
        (fractalnet20, ("width=4", "drop=0", "global_share=0", "dropout_step=0")),
    ],
    ids=lambda one: getattr(one, "__name__", ""),
)
def test_outputs_and_gradients_are_those_of_plain_lines(original: Callable[..., Tensor], without: tuple[str]) -> None:
    path = specs_directory() / "zoo" / f"{original.__name__}.arch"
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
        parameters = dict(module.named_parameters())
        for name in parameters:
            weights[name].requires_grad_()
        ours, theirs = module(x), original(x, weights, is_training=is_training)
        # Up to 56 layers in float64, whose sums are taken in another order.
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-11 * float(theirs.detach().abs().max()))
        module.zero_grad()
        ours.square().sum().backward()
        theirs.square().sum().backward()
        largest = max(float(weights[name].grad.abs().max()) for name in parameters)
        for name, parameter in parameters.items():
            difference = (parameter.grad - weights[name].grad).abs().max()
            assert difference < 1e-9 * largest, name
