"""Networks whose original is no library: they compute what a few plain lines do, given the same weights."""

from collections.abc import Callable, Mapping

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812  # as everywhere

import cifar_dsl
from cifar_dsl.foundation.resources import specs_directory

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


def rezero_resnet56(x: Tensor, w: Weights, *, is_training: bool) -> Tensor:
    def normed(x: Tensor, name: str) -> Tensor:
        statistics = (w[f"{name}.running_mean"].clone(), w[f"{name}.running_var"].clone())
        return F.batch_norm(x, *statistics, w[f"{name}.weight"], w[f"{name}.bias"], training=is_training)

    x = normed(F.conv2d(x, w["conv.weight"], padding=1), "bn").relu()
    units = ["unit", *(f"unit{i}" for i in range(2, 28))]
    for number, unit in enumerate(units):
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


@pytest.mark.parametrize(
    ("original", "without"),
    [(cuda_convnet, ()), (rezero_resnet56, ()), (maxout, ("input_drop=0", "drop=0"))],
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
            if name.endswith(("running_var", "bn.weight", "bn2.weight", "learned.weight")):
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
