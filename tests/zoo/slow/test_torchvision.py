"""Networks that torchvision has too compute what torchvision's do, given the same weights."""

from collections.abc import Callable

import pytest
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812  # as everywhere
from torchvision.models import DenseNet, VisionTransformer, efficientnet_b0, resnet, shufflenet_v2_x1_0
from torchvision.models.convnext import CNBlockConfig, ConvNeXt
from torchvision.models.vgg import VGG, cfgs, make_layers

import cifar_dsl
from cifar_dsl.foundation.resources import specs_directory


def resnet_of(block: type[nn.Module], depths: list[int]) -> nn.Module:
    """torchvision's, with a stem for small images."""
    peer = resnet.ResNet(block, depths, num_classes=10)  # type: ignore[arg-type]
    peer.conv1 = nn.Conv2d(3, 64, 3, padding=1, bias=False)
    peer.maxpool = nn.Identity()
    return peer


def vgg_of(letter: str) -> nn.Module:
    peer = VGG(make_layers(cfgs[letter], batch_norm=True), num_classes=10, init_weights=False)
    peer.avgpool = nn.Identity()
    peer.classifier = nn.Linear(512, 10)
    return peer


def densenet121() -> nn.Module:
    peer = DenseNet(growth_rate=32, block_config=(6, 12, 24, 16), num_init_features=64, num_classes=10)
    peer.features.conv0 = nn.Conv2d(3, 64, 3, padding=1, bias=False)
    peer.features.norm0 = peer.features.relu0 = peer.features.pool0 = nn.Identity()
    return peer


def vit_tiny() -> nn.Module:
    return VisionTransformer(
        image_size=32, patch_size=4, num_layers=12, num_heads=3, hidden_dim=192, mlp_dim=768, num_classes=10
    )


def convnext_femto() -> nn.Module:
    stages = [
        CNBlockConfig(48, 96, 2),
        CNBlockConfig(96, 192, 2),
        CNBlockConfig(192, 384, 6),
        CNBlockConfig(384, None, 2),
    ]
    peer = ConvNeXt(stages, stochastic_depth_prob=0.0, num_classes=10)
    peer.features[0][0] = nn.Conv2d(3, 48, 2, 2)
    return peer


def efficientnet() -> nn.Module:
    peer = efficientnet_b0(num_classes=10, dropout=0.0, stochastic_depth_prob=0.0)
    peer.features[0][0].stride = (1, 1)
    return peer


def shufflenet_v2() -> nn.Module:
    peer = shufflenet_v2_x1_0(num_classes=10)
    peer.conv1[0].stride = (1, 1)
    peer.maxpool = nn.Identity()
    return peer


PEERS: dict[str, Callable[[], nn.Module]] = {
    "resnet18": lambda: resnet_of(resnet.BasicBlock, [2, 2, 2, 2]),
    "resnet34": lambda: resnet_of(resnet.BasicBlock, [3, 4, 6, 3]),
    "resnet50": lambda: resnet_of(resnet.Bottleneck, [3, 4, 6, 3]),
    "resnet101": lambda: resnet_of(resnet.Bottleneck, [3, 4, 23, 3]),
    "vgg11": lambda: vgg_of("A"),
    "vgg13": lambda: vgg_of("B"),
    "vgg16": lambda: vgg_of("D"),
    "vgg19": lambda: vgg_of("E"),
    "densenet121": densenet121,
    "vit_tiny": vit_tiny,
    "convnext_femto": convnext_femto,
    "efficientnet_b0": efficientnet,
    "shufflenet_v2": shufflenet_v2,
}
WITHOUT_CHANCE = {"convnext_femto": ("drop=0",), "efficientnet_b0": ("drop=0", "head_drop=0")}


def in_our_order(name: str, peer: nn.Module) -> list[nn.Parameter]:
    """The peer's parameters as our stages stand; those that belong to a module itself come first in torch."""
    parameters = dict(peer.named_parameters())
    names = list(parameters)
    if name == "vit_tiny":  # patches, class token, positions
        names.sort(key=lambda n: (n != "conv_proj.weight", n != "conv_proj.bias", n != "class_token"))
    if name == "convnext_femto":  # the layer scale ends a block, of eight others
        for i in reversed([i for i, own in enumerate(names) if own.endswith("layer_scale")]):
            names[i : i + 9] = [*names[i + 1 : i + 9], names[i]]
    return [parameters[name] for name in names]


@pytest.mark.parametrize("name", PEERS)
def test_outputs_and_gradients_are_torchvisions(name: str) -> None:
    peer = PEERS[name]()
    path = specs_directory() / "zoo" / f"{name}.arch"
    ours = cifar_dsl.load(path, overrides=WITHOUT_CHANCE.get(name, ())).build()
    pairs = list(zip(in_our_order(name, peer), ours.parameters(), strict=True))
    with torch.no_grad():
        for theirs, own in pairs:
            assert theirs.numel() == own.numel()
            if theirs.dim() > 1:  # some begin as zeros, which would hide what lies behind them
                theirs.normal_(0, theirs[0].numel() ** -0.5)
            own.copy_(theirs.view_as(own))
    x, y = torch.randn(8, 3, 32, 32), torch.randint(10, (8,))  # one pixel of two images is no batch to normalise
    outputs = []
    for module in (peer, ours):
        module.train()
        output = module(x)
        F.cross_entropy(output, y).backward()
        outputs.append(output.detach())
    # Sums in another order, up to a hundred layers deep. Measured, of the largest number: outputs 4e-6, gradients 2e-5.
    torch.testing.assert_close(outputs[1], outputs[0], rtol=0, atol=1e-4 * float(outputs[0].abs().max()))
    for theirs, own in pairs:
        assert theirs.grad is not None
        assert own.grad is not None
        scale = float(theirs.grad.abs().max())
        # The 1e-6 is for biases before a batch norm, whose gradients are rounding noise of about 1e-8.
        torch.testing.assert_close(own.grad, theirs.grad.view_as(own), rtol=0, atol=1e-4 * scale + 1e-6)
