"""The published code that networks of the zoo are compared with."""

import importlib
import sys
from contextlib import redirect_stdout
from functools import partial
from types import SimpleNamespace
from typing import Any

from helpers.originals import Original, only_scores
from torch import Tensor, nn
from torchvision.models.convnext import CNBlockConfig
from torchvision.models.googlenet import BasicConv2d

# ---- what others build for large images, changed for those of CIFAR


class _Small:
    """Changes of torchvision's networks that a spec of the zoo states."""

    @staticmethod
    def residual(network: Any) -> None:
        network.conv1 = nn.Conv2d(3, 64, 3, padding=1, bias=False)
        network.maxpool = nn.Identity()

    @staticmethod
    def deep_stem(network: Any) -> None:
        network.conv1[0].stride = (1, 1)
        network.maxpool = nn.Identity()

    @staticmethod
    def vgg(network: Any) -> None:
        network.avgpool = nn.Identity()
        network.classifier = nn.Linear(512, 10)

    @staticmethod
    def densenet(network: Any) -> None:
        network.features.conv0 = nn.Conv2d(3, 64, 3, padding=1, bias=False)
        network.features.norm0 = network.features.relu0 = network.features.pool0 = nn.Identity()

    @staticmethod
    def googlenet(network: Any) -> None:
        network.conv1 = BasicConv2d(3, 192, kernel_size=3, padding=1)
        network.maxpool1 = network.conv2 = network.conv3 = network.maxpool2 = nn.Identity()

    @staticmethod
    def inception(network: Any) -> None:
        network.Conv2d_1a_3x3.conv.stride = (1, 1)
        for unit in (network.Conv2d_1a_3x3, network.Conv2d_2a_3x3, network.Conv2d_4a_3x3):
            unit.conv.padding = (1, 1)
        network.maxpool1 = network.maxpool2 = nn.Identity()
        network.AuxLogits.conv1.conv = nn.Conv2d(128, 768, 4, bias=False)

    @staticmethod
    def deit(network: Any) -> None:
        """Both heads in training, and the mean in evaluation; the distillation token is the first to be used."""
        network.set_distilled_training(True)
        embed = network._pos_embed
        network._pos_embed = lambda x: (network.dist_token + 0, embed(x))[1]

    @staticmethod
    def convnext(network: Any) -> None:
        network.features[0][0] = nn.Conv2d(3, 48, 2, 2)

    @staticmethod
    def convnext_v2(network: Any) -> None:
        network.stem[0] = nn.Conv2d(3, 40, 2, 2)

    @staticmethod
    def hrnet(network: Any) -> None:
        network.conv1.stride = network.conv2.stride = (1, 1)

    @staticmethod
    def tiered(network: Any) -> None:
        network.stem.conv1.conv.stride = (1, 1)
        network.stem.pool = nn.Identity()

    @staticmethod
    def albert(network: Any) -> None:
        network.encoder.layers = nn.Sequential(*12 * [network.encoder.layers[0]])

    @staticmethod
    def mobilevit(network: Any) -> None:
        network.stem.conv.stride = network.stages[1][0].conv2_kxk.conv.stride = (1, 1)

    @staticmethod
    def coatnet(network: Any) -> None:
        network.stem.conv1.stride = (1, 1)
        for block in (*network.stages[2].blocks, *network.stages[3].blocks):
            block.attn.head_first = False  # another order of the rows of a weight

    @staticmethod
    def pvt_v2(network: Any) -> None:
        network.patch_embed.proj.stride = (2, 2)

    @staticmethod
    def swin(network: Any) -> None:
        network.patch_embed.register_forward_pre_hook(
            lambda _, given: nn.Upsample(scale_factor=7, mode="bilinear")(*given)
        )

    @staticmethod
    def xcit(network: Any) -> None:
        network.patch_embed.proj[0][0].stride = (1, 1)
        network.pos_embed = _Positions(network.pos_embed.token_projection, 8)

    @staticmethod
    def mobile(network: Any) -> None:
        network.features[0][0].stride = (1, 1)

    @staticmethod
    def focalnet(network: Any) -> None:
        network.stem.proj = nn.Conv2d(3, 96, 2, 2)

    @staticmethod
    def repvgg(network: Any) -> None:
        network.stem.conv_kxk.conv.stride = network.stem.conv_1x1.conv.stride = (1, 1)

    @staticmethod
    def bit(network: Any) -> None:
        network.stem.conv = type(network.stem.conv)(3, 64, 3, eps=1e-8)
        network.stem.pad = network.stem.pool = nn.Identity()

    @staticmethod
    def nfnet(network: Any) -> None:
        network.stem.conv1.stride = network.stem.conv4.stride = (1, 1)

    @staticmethod
    def nasnet(network: Any) -> None:
        """The network for CIFAR of the paper's code: without stem cells; each cell sees the two before it."""
        network.conv0.conv = nn.Conv2d(3, 96, 3, padding=1, bias=False)
        normal = type(network.cell_1)
        network.cell_0, network.cell_1 = normal(96, 32, 96, 32), normal(96, 32, 192, 32)
        network.cell_stem_0 = network.cell_stem_1 = None
        cells = [getattr(network, name) for name in network.layer_names[3:]]
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eps = 1e-5

        def features(x: Tensor) -> Tensor:
            before = x = network.conv0(x)
            for cell in cells:
                before, x = x, cell(x, before)
            return x.relu()

        network.forward_features = features

    @staticmethod
    def nasnet_aux(network: Any) -> None:
        """The same, with `_build_aux_head` of https://github.com/tensorflow/models behind the second stage."""
        _Small.nasnet(network)
        network.aux = nn.Sequential(
            nn.ReLU(),
            nn.AvgPool2d(5, 3),
            nn.Conv2d(384, 128, 1, bias=False),
            nn.BatchNorm2d(128),
            nn.ReLU(),
            nn.Conv2d(128, 768, 4, bias=False),
            nn.BatchNorm2d(768),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(768, 10),
        )
        scores: list[Tensor] = []
        network.cell_11.register_forward_hook(
            lambda _cell, _given, made: scores.append(network.aux(made)) if network.training else None
        )
        network.register_forward_hook(lambda _network, _given, made: (made, scores.pop()) if network.training else made)

    @staticmethod
    def shufflenet(network: Any) -> None:
        network.conv1[0].stride = (1, 1)
        network.maxpool = nn.Identity()


class _Positions(nn.Module):
    """The positional encoding of timm's XCiT with its sines as a parameter: it computes them, in float32."""

    def __init__(self, projection: nn.Conv2d, side: int) -> None:
        super().__init__()
        self.sines = nn.Parameter(projection.weight.new_empty(side * side, projection.in_channels))
        self.projection = projection

    def forward(self, batch: int, height: int, width: int) -> Tensor:
        encoded: Tensor = self.projection(self.sines.transpose(0, 1).unflatten(1, (height, width)))
        return encoded.expand(batch, -1, -1, -1)


_CONVNEXT_FEMTO = [CNBlockConfig(*sizes) for sizes in ((48, 96, 2), (96, 192, 2), (192, 384, 6), (384, None, 2))]

# ---- by library


def _made(library: str, call: str, values: tuple[Any, ...], named: dict[str, Any], change: Any) -> nn.Module:
    module: nn.Module = getattr(importlib.import_module(library), call)(*values, **named)
    if change:
        change(module)
    return module


def _torchvision(
    spec: str,
    call: str,
    change: Any,
    *values: Any,
    without: tuple[str, ...] = (),
    mechanism: str = "",
    outputs: Any = only_scores,
    **named: Any,
) -> Original:
    """`without` are overrides of the spec that leave out what `named` leaves out."""
    make = partial(_made, "torchvision.models", call, values, {"num_classes": 10, **named}, change)
    return Original(spec, f"torchvision {call}", "torchvision", make, without, mechanism, outputs=outputs)


def _timm(
    spec: str,
    name: str,
    change: Any = None,
    *,
    without: tuple[str, ...] = (),
    mechanism: str = "",
    late: tuple[str, ...] = (),
    outputs: Any = only_scores,
    **named: Any,
) -> Original:
    make = partial(_made, "timm", "create_model", (name,), {"num_classes": 10, **named}, change)
    return Original(spec, f"timm {name}", "timm", make, without, mechanism, late, outputs)


def _pytorch_cifar(spec: str, call: str, *values: str, late: tuple[str, ...] = (), mechanism: str = "") -> Original:
    """Of https://github.com/kuangliu/pytorch-cifar, whose checkout must be on the path."""
    make = partial(_made, "models", call, values, {}, None)
    return Original(spec, f"pytorch-cifar {call}", "models", make, mechanism=mechanism, late=late)


def _kentaroy47(
    spec: str, module: str, call: str, *, without: tuple[str, ...], mechanism: str, **named: Any
) -> Original:
    """Of https://github.com/kentaroy47/vision-transformers-cifar10; the `models` of a checkout must be on the path."""
    make = partial(_made, module, call, (), {"num_classes": 10, **named}, None)
    return Original(spec, f"kentaroy47 {call}", module, make, without, mechanism)


def _darts(*, auxiliary: bool) -> nn.Module:
    """The network for CIFAR of https://github.com/quark0/darts, whose folder `cnn` must be on the path."""
    with redirect_stdout(None):
        genotype = importlib.import_module("genotypes").DARTS_V2
        network: nn.Module = importlib.import_module("model").NetworkCIFAR(36, 10, 20, auxiliary, genotype)
    network.drop_path_prob = 0.0  # type: ignore[assignment]

    def forward(x: Tensor) -> Any:
        scores, of_head = type(network).forward(network, x)
        return scores if of_head is None else (scores, of_head)

    network.forward = forward
    return network


def _msdnet() -> nn.Module:
    """With 7 exits for CIFAR-10, of https://github.com/kalviny/MSDNet-PyTorch, whose `models` must be on the path."""
    scales = {"nScales": 3, "grFactor": [1, 2, 4], "bnFactor": [1, 2, 4], "nChannels": 16, "growthRate": 6}
    blocks = {"nBlocks": 7, "base": 4, "step": 2, "stepmode": "even", "prune": "max", "reduction": 0.5}
    with redirect_stdout(None):
        library = importlib.import_module("msdnet")
        network: nn.Module = library.MSDNet(SimpleNamespace(data="cifar10", bottleneck=True, **scales, **blocks))

    def forward(x: Tensor) -> Any:
        *exits, scores = type(network).forward(network, x)
        return (scores, *exits) if network.training else scores

    network.forward = forward
    return network


def _nasnet(change: Any) -> Any:
    return partial(_made, "timm.models.nasnet", "NASNetALarge", (10,), {"num_features": 768, "pad_type": ""}, change)


def _rednet() -> nn.Module:
    """RedNet-26 of https://github.com/d-li14/involution, whose files of `cls/mmcls` replace those of mmcls 0.25."""
    naive = importlib.import_module("mmcls.models.utils.involution_naive")
    sys.modules["mmcls.models.utils.involution_cuda"] = naive  # the same operation, for any device
    network: nn.Module = importlib.import_module("mmcls.models.backbones.rednet").RedNet(26)
    network.stem[0].conv.stride = (1, 1)  # type: ignore[index, union-attr]
    network.maxpool = nn.Identity()
    network.head = nn.Linear(2048, 10)
    network.train = partial(nn.Module.train, network)  # type: ignore[method-assign]  # its own doesn't return it
    network.forward = lambda x: network.head(type(network).forward(network, x).mean((2, 3)))
    return network


ORIGINALS = (
    _torchvision("resnet18", "resnet18", _Small.residual),
    _torchvision("resnet34", "resnet34", _Small.residual),
    _torchvision("resnet50", "resnet50", _Small.residual),
    _torchvision("resnet101", "resnet101", _Small.residual),
    _torchvision("vgg11", "vgg11_bn", _Small.vgg),
    _torchvision("vgg13", "vgg13_bn", _Small.vgg),
    _torchvision("vgg16", "vgg16_bn", _Small.vgg),
    _torchvision("vgg19", "vgg19_bn", _Small.vgg),
    _torchvision("densenet121", "densenet121", _Small.densenet),
    _torchvision(
        "vit_tiny",
        "VisionTransformer",
        None,
        image_size=32,
        patch_size=4,
        num_layers=12,
        num_heads=3,
        hidden_dim=192,
        mlp_dim=768,
    ),
    _torchvision(
        "albert_vit",
        "VisionTransformer",
        _Small.albert,
        mechanism="twelve layers with the weights of one",
        image_size=32,
        patch_size=4,
        num_layers=12,
        num_heads=3,
        hidden_dim=192,
        mlp_dim=768,
    ),
    _torchvision("convnext_femto", "ConvNeXt", _Small.convnext, _CONVNEXT_FEMTO, without=("drop=0",)),
    _torchvision(
        "efficientnet_b0",
        "efficientnet_b0",
        _Small.mobile,
        without=("drop=0", "head_drop=0"),
        dropout=0.0,
        stochastic_depth_prob=0.0,
    ),
    _torchvision(
        "efficientnet_v2_s",
        "efficientnet_v2_s",
        _Small.mobile,
        without=("drop=0", "head_drop=0"),
        mechanism="a table of stages whose blocks are values",
        dropout=0.0,
        stochastic_depth_prob=0.0,
    ),
    _torchvision(
        "mobilenet_v3_small",
        "mobilenet_v3_small",
        _Small.mobile,
        without=("head_drop=0",),
        mechanism="a table of stages, an activation as a value",
        dropout=0.0,
    ),
    _torchvision(
        "googlenet_heads",
        "GoogLeNet",
        _Small.googlenet,
        without=("drop=0", "head_drop=0"),
        mechanism="exits",
        outputs=lambda returned: (returned.logits, returned.aux_logits1, returned.aux_logits2),
        aux_logits=True,
        init_weights=False,
        dropout=0.0,
        dropout_aux=0.0,
    ),
    _torchvision(
        "inception_v3",
        "Inception3",
        _Small.inception,
        without=("drop=0",),
        mechanism="the same; sizes that aren't square",
        outputs=tuple,
        aux_logits=True,
        init_weights=False,
        dropout=0.0,
    ),
    _torchvision("shufflenet_v2", "shufflenet_v2_x1_0", _Small.shufflenet),
    _timm(
        "swin_t",
        "swin_tiny_patch4_window7_224",
        without=("drop=0",),
        mechanism="attention in shifted windows, with a block on the scores",
        img_size=32,
        patch_size=2,
        window_size=4,
        drop_path_rate=0.0,
    ),
    _timm(
        "swin_t_224",
        "swin_tiny_patch4_window7_224",
        _Small.swin,
        without=("drop=0",),
        mechanism="the same in another size",
        drop_path_rate=0.0,
    ),
    _timm(
        "cait_xxs24",
        "cait_xxs24_224",
        without=("drop=0",),
        mechanism="blocks on the scores; attention of one token",
        img_size=32,
        patch_size=4,
        drop_path_rate=0.0,
    ),
    _timm(
        "deit_tiny_distilled",
        "deit_tiny_distilled_patch16_224",
        _Small.deit,
        mechanism="exits; an output of weight 0",
        outputs=lambda returned: ((returned[0] + returned[1]) / 2, *returned),
        img_size=32,
        patch_size=4,
    ),
    _timm(
        "pvt_v2_b0",
        "pvt_v2_b0",
        _Small.pvt_v2,
        without=("drop=0",),
        mechanism="attention of other keys and values than its own tokens",
        drop_path_rate=0.0,
    ),
    _kentaroy47(
        "vit",
        "vit",
        "ViT",
        without=("p=0",),
        mechanism="heads of any width; a pattern makes patches",
        image_size=32,
        patch_size=4,
        dim=512,
        depth=6,
        heads=8,
        mlp_dim=512,
    ),
    _kentaroy47(
        "vit",
        "vit",
        "ViT",
        without=("p=0", "dim_head=24"),
        mechanism="the same, with heads * dim_head != dim",
        image_size=32,
        patch_size=4,
        dim=512,
        depth=6,
        heads=8,
        mlp_dim=512,
        dim_head=24,
    ),
    _timm(
        "xcit_nano_12",
        "xcit_nano_12_p8_224",
        _Small.xcit,
        mechanism="attention across channels: einsum, and norms by a pattern",
        img_size=32,
    ),
    _timm(
        "botnet26",
        "botnet26t_256",
        _Small.tiered,
        mechanism="scores are sums of products with keys and with places",
        img_size=128,
    ),
    _timm(
        "coatnet_0",
        "coatnet_0_224",
        _Small.coatnet,
        without=("drop=0",),
        mechanism="a table of blocks; a bias on the scores",
        img_size=64,
    ),
    _timm("mobilevit_xxs", "mobilevit_xxs", _Small.mobilevit, mechanism="attention within parts of an image"),
    _timm(
        "eca_resnet18",
        "resnet18",
        _Small.residual,
        block_args={"attn_layer": "eca"},
        mechanism="a pattern turns channels into pixels",
    ),
    _timm(
        "cbam_resnet18",
        "resnet18",
        _Small.residual,
        block_args={"attn_layer": "cbam"},
        mechanism="mean and max over channels; two tokens share weights",
    ),
    _timm(
        "gc_resnet18",
        "resnet18",
        _Small.residual,
        block_args={"attn_layer": "gc"},
        mechanism="softmax over tokens; extents of 1 stretch",
    ),
    _timm(
        "sk_resnet18",
        "skresnet18",
        _Small.residual,
        mechanism="named tensors; softmax over two tokens; sum over a part of the channels",
    ),
    _timm(
        "resnest14",
        "resnest14d",
        _Small.deep_stem,
        mechanism="the same; conditions in branches",
    ),
    _timm(
        "convnext_v2_atto",
        "convnextv2_atto",
        _Small.convnext_v2,
        mechanism="norms by a pattern; extents of 1 stretch; affine",
    ),
    _timm("res2net50", "res2net50_26w_4s", _Small.residual, mechanism="a list of tensors; slices of computed width"),
    _timm(
        "repvgg_a0",
        "repvgg_a0",
        _Small.repvgg,
        mechanism="a branch that may be none",
        late=("conv_1x1", "identity"),
    ),
    _timm("bit_r50x1", "resnetv2_50x1_bit", _Small.bit, mechanism="standardized weights"),
    _timm(
        "nfnet_f0",
        "dm_nfnet_f0",
        _Small.nfnet,
        without=("drop=0", "head_drop=0"),
        mechanism="scaled weights, with gains",
        same_padding=False,
    ),
    _timm(
        "focalnet_t",
        "focalnet_tiny_srf",
        _Small.focalnet,
        without=("drop=0",),
        mechanism="a list of tensors; extents of 1 stretch",
        drop_path_rate=0.0,
    ),
    Original(
        "nasnet_a",
        "timm NASNetALarge",
        "timm",
        _nasnet(_Small.nasnet),
        ("drop=0",),
        "lists of tensors; cells as data",
    ),
    Original(
        "nasnet_a_aux",
        "timm NASNetALarge",
        "timm",
        _nasnet(_Small.nasnet_aux),
        ("drop=0",),
        "the same; an exit",
        outputs=tuple,
    ),
    Original("rednet26", "involution RedNet", "mmcls", _rednet, mechanism="einsum over parts of the channels; unfold"),
    Original(
        "darts",
        "darts NetworkCIFAR",
        "model",
        partial(_darts, auxiliary=False),
        ("drop=0",),
        "the same, as other data",
    ),
    Original(
        "darts_aux",
        "darts NetworkCIFAR",
        "model",
        partial(_darts, auxiliary=True),
        ("drop=0",),
        "the same; an exit",
        outputs=tuple,
    ),
    Original(
        "msdnet",
        "MSDNet-PyTorch MSDNet",
        "msdnet",
        _msdnet,
        mechanism="lists of tensors; exits in a loop",
        outputs=tuple,
    ),
    _timm(
        "hrnet_w18_small",
        "hrnet_w18_small",
        _Small.hrnet,
        mechanism="lists of tensors; a loop of branches",
    ),
    _pytorch_cifar("lenet", "LeNet"),
    *(_pytorch_cifar(f"vgg{depth}", "VGG", f"VGG{depth}") for depth in (11, 13, 16, 19)),
    *(_pytorch_cifar(f"resnet{depth}", f"ResNet{depth}") for depth in (18, 34, 50, 101)),
    _pytorch_cifar("preact_resnet18", "PreActResNet18", late=("shortcut",)),
    _pytorch_cifar("googlenet", "GoogLeNet"),
    _pytorch_cifar("resnext29_2x64d", "ResNeXt29_2x64d"),
    _pytorch_cifar("resnext29_32x4d", "ResNeXt29_32x4d"),
    _pytorch_cifar("mobilenet", "MobileNet"),
    _pytorch_cifar("mobilenet_v2", "MobileNetV2"),
    _pytorch_cifar("senet18", "SENet18", late=("shortcut",)),
    _pytorch_cifar("dpn26", "DPN26"),
    _pytorch_cifar("dpn92", "DPN92"),
    _pytorch_cifar("dla", "DLA"),
    _pytorch_cifar("simpledla", "SimpleDLA", mechanism="a block that calls itself"),
    _pytorch_cifar("regnet_x_200mf", "RegNetX_200MF"),
    _pytorch_cifar("regnet_y_400mf", "RegNetY_400MF"),
    _pytorch_cifar("pnasnet_a", "PNASNetA"),
    # Not its DenseNet, which puts new channels first, unlike the paper and torchvision.
)
