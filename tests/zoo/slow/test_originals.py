"""Networks of the zoo compute what the code that others have published does, given the same weights."""

import pytest
import torch
from attrs import evolve
from helpers.originals import compare, first_uses, with_late_ones
from helpers.published import ORIGINALS
from torch import Tensor, nn

# One of each kind; `bench/originals.py` compares them all, and those of libraries that the tests don't install.
SAMPLE = {
    "resnet18",
    "resnet50",
    "vgg11",
    "densenet121",
    "googlenet_heads",
    "vit_tiny",
    "albert_vit",
    "convnext_femto",
    "efficientnet_b0",
    "mobilenet_v3_small",
    "shufflenet_v2",
}
OF_TORCHVISION = {one.spec: one for one in ORIGINALS if one.library == "torchvision"}


@pytest.mark.parametrize("name", sorted(SAMPLE))
def test_outputs_and_gradients_are_those_of_the_original(name: str) -> None:
    found = compare(OF_TORCHVISION[name])
    assert found.parameters[0] == found.parameters[1]
    assert found.worst < 1e-8  # sums in another order, up to a hundred layers deep, in float64; measured: 5e-10


def test_the_comparison_sees_another_activation() -> None:
    def changed() -> nn.Module:
        network = original.make()
        network.features[12][2] = nn.ReLU()  # type: ignore[operator, index]
        return network

    original = OF_TORCHVISION["mobilenet_v3_small"]
    found = compare(evolve(original, make=changed))
    assert found.evaluation > 1e-3


def test_the_comparison_sees_another_number_of_layers() -> None:
    with pytest.raises(ValueError, match=r"tensors are used here, \d+ there: they part at"):
        compare(evolve(OF_TORCHVISION["resnet18"], spec="resnet20"))


class Shortcut(nn.Module):
    """A residual block that runs its shortcut first."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Linear(2, 2)
        self.unused = nn.Linear(2, 2)
        self.norm = nn.BatchNorm1d(2)
        self.shortcut = nn.Linear(2, 2, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        shortcut = self.shortcut(x)
        result: Tensor = self.norm(self.body(x)) + shortcut
        return result


def test_weights_are_listed_as_they_are_used() -> None:
    module = Shortcut()
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    used = first_uses(module, torch.randn(4, 2))
    assert used == [
        "shortcut.weight",
        "body.weight",
        "body.bias",
        "norm.running_mean",
        "norm.running_var",
        "norm.weight",
        "norm.bias",
    ]
    assert all(torch.equal(tensor, before[name]) for name, tensor in module.state_dict().items())


def test_a_late_module_comes_after_the_rest_of_its_parent() -> None:
    names = ["stem.weight", "a.shortcut.weight", "a.conv.weight", "b.shortcut.weight", "b.conv.weight", "head.weight"]
    assert with_late_ones(names, ["shortcut"]) == [
        "stem.weight",
        "a.conv.weight",
        "a.shortcut.weight",
        "b.conv.weight",
        "b.shortcut.weight",
        "head.weight",
    ]
