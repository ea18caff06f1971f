"""Compare the networks of the zoo with an independent implementation.

    git clone https://github.com/kuangliu/pytorch-cifar peer
    python bench/zoo_equality.py --peer peer

Claim: with the same weights, both compute the same outputs (in training and in evaluation mode) and the same gradients
of a cross-entropy loss, in float32 (in float64 for networks marked *). The output lists the largest differences: of
outputs, relative to the largest output; of each gradient, relative to its largest element (differences below 1e-6 count
as 0). Exits with 1 if one is above 1e-4.
"""

import argparse
import importlib
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from measure import hardware
from torch import nn
from torch.nn import functional as F  # noqa: N812  # as everywhere

import cifar_dsl

_ZOO = Path(__file__).parents[1] / "specs" / "zoo"
_CALLS = {
    "lenet": "LeNet",
    **{f"vgg{depth}": f"VGG:VGG{depth}" for depth in (11, 13, 16, 19)},
    **{f"resnet{depth}": f"ResNet{depth}" for depth in (18, 34, 50, 101)},
    "preact_resnet18": "PreActResNet18",
    "googlenet": "GoogLeNet",
    "resnext29_2x64d": "ResNeXt29_2x64d",
    "resnext29_32x4d": "ResNeXt29_32x4d",
    "mobilenet": "MobileNet",
    "mobilenet_v2": "MobileNetV2",
    "senet18": "SENet18",
    "dpn26": "DPN26",
    "dpn92": "DPN92",
    "dla": "DLA",
    "regnet_x_200mf": "RegNetX_200MF",
    "regnet_y_400mf": "RegNetY_400MF",
    "pnasnet_a": "PNASNetA",
}  # not its DenseNet, which puts new channels first, unlike the paper and torchvision: see tests/zoo
_LAST = {  # layers that the peer creates earlier than the specs do
    "senet18": ("shortcut",),
    "dla": ("level_1", "left_node", "right_node", "root"),
}
# The peer's own gradients change by 0.13 if 1e-7 is added to the images, so float32 would compare rounding errors.
_DOUBLE = {"regnet_y_400mf"}
_IMAGES = 8
_LIMIT = 1e-4


def main() -> int:
    """Compare all networks and print the differences."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer", type=Path, required=True, help="A checkout of pytorch-cifar.")
    parser.add_argument("networks", nargs="*", help="[default: all]")
    options = parser.parse_args()
    sys.path.insert(0, str(options.peer))
    models = importlib.import_module("models")
    print(f"{hardware()}\n\n{'network':<16}  training  evaluation  gradients")
    worst = 0.0
    torch.manual_seed(0)
    for name in options.networks or _CALLS:
        differences = compared(name, _made(models, _CALLS[name]))
        worst = max(worst, *differences)
        mark = "*" if name in _DOUBLE else ""
        print(f"{name + mark:<16}  {differences[0]:8.1e}  {differences[1]:10.1e}  {differences[2]:9.1e}")
    return int(worst > _LIMIT)


def _made(models: Any, call: str) -> nn.Module:
    name, _, argument = call.partition(":")
    made: nn.Module = getattr(models, name)(*([argument] if argument else []))
    return made


def compared(name: str, peer: nn.Module) -> tuple[float, float, float]:
    """The differences of outputs in training and in evaluation mode, and of gradients."""
    ours = cifar_dsl.load(_ZOO / f"{name}.arch").build()
    dtype = torch.float64 if name in _DOUBLE else torch.float32
    peer.to(dtype)
    ours.to(dtype)
    pairs = list(zip(_in_our_order(peer, _LAST.get(name, ())), ours.parameters(), strict=True))
    with torch.no_grad():
        for theirs, own in pairs:
            own.copy_(theirs.view_as(own))
    x, y = torch.randn(_IMAGES, 3, 32, 32, dtype=dtype), torch.randint(10, (_IMAGES,))
    training = _difference(peer.train()(x), ours.train()(x), y)
    gradients = [_relative(theirs.grad, own.grad, least=1e-6) for theirs, own in pairs]
    with torch.no_grad():
        evaluation = _relative(peer.eval()(x), ours.eval()(x))
    return training, evaluation, max(gradients)


def _difference(theirs: torch.Tensor, own: torch.Tensor, y: torch.Tensor) -> float:
    for output in (theirs, own):
        F.cross_entropy(output, y).backward()
    return _relative(theirs.detach(), own.detach())


def _relative(theirs: torch.Tensor | None, own: torch.Tensor | None, least: float = 0.0) -> float:
    assert theirs is not None
    assert own is not None
    difference = (theirs.view_as(own) - own).abs().max().item()
    return difference / theirs.abs().max().item() if difference > least else 0.0


def _in_our_order(module: nn.Module, last: Sequence[str]) -> Iterator[nn.Parameter]:
    """The peer's parameters in the order of our stages, with those of the children in `last` at the end."""
    yield from module.parameters(recurse=False)
    places = {name: place for place, name in enumerate(last, start=1)}
    for _, child in sorted(module.named_children(), key=lambda item: places.get(item[0], 0)):
        yield from _in_our_order(child, last)


if __name__ == "__main__":
    sys.exit(main())
