"""An example of everything in the reference.

`EXAMPLES` has a body for 3x32x32 images for each layer, join, scope, initialiser, weight function and library block.
`RECIPES` has settings of `train` for each setting and its choices, except those that commands write.
"""

from collections.abc import Mapping

_ACTIVATION = "conv(16, 3, pad=1) -> {}\n"
_DENSE = "flatten\ndense(10, {})\n"

EXAMPLES: Mapping[str, Mapping[str, str]] = {
    "Layers": {
        "relu": _ACTIVATION.format("relu"),
        "leaky_relu": _ACTIVATION.format("leaky_relu(0.1)"),
        "elu": _ACTIVATION.format("elu"),
        "gelu": _ACTIVATION.format("gelu"),
        "silu": _ACTIVATION.format("silu"),
        "sigmoid": _ACTIVATION.format("sigmoid"),
        "tanh": _ACTIVATION.format("tanh"),
        "prelu": _ACTIVATION.format("prelu"),
        "relu6": _ACTIVATION.format("relu6"),
        "selu": _ACTIVATION.format("selu"),
        "celu": _ACTIVATION.format("celu(0.5)"),
        "mish": _ACTIVATION.format("mish"),
        "softplus": _ACTIVATION.format("softplus"),
        "softsign": _ACTIVATION.format("softsign"),
        "hardtanh": _ACTIVATION.format("hardtanh(-2, 2)"),
        "hardsigmoid": _ACTIVATION.format("hardsigmoid"),
        "hardswish": _ACTIVATION.format("hardswish"),
        "log_sigmoid": _ACTIVATION.format("log_sigmoid"),
        "hardshrink": _ACTIVATION.format("hardshrink(0.1)"),
        "softshrink": _ACTIVATION.format("softshrink(0.1)"),
        "softmax": "patches(64, 8)\ndense(10) -> softmax\n",
        "glu": "conv(32, 3, pad=1) -> glu\n",
        "power": "conv(16, 3, pad=1) -> relu -> power(2)\n",
        "exp": "conv(16, 1) -> exp\n",
        "log": "conv(16, 1) -> softplus -> log\n",
        "patches": "patches(64, 4)\n",
        "class_token": "patches(64, 4)\nclass_token\n",
        "position_embedding": "patches(64, 4)\nposition_embedding\n",
        "attention": "patches(64, 4)\nadd { layernorm -> attention(4) | identity }\n",
        "conv": "conv(32, 3, stride=2, pad=1, bias=false) -> bn -> relu\n",
        "conv_transpose": "conv(32, 3, stride=2, pad=1) -> relu\nconv_transpose(16, 2, stride=2)\n",
        "dense": "flatten\ndense(64) -> relu\ndense(10)\n",
        "dropout": "flatten\ndense(64) -> relu -> dropout(0.3)\ndense(10)\n",
        "channel_dropout": "conv(32, 3, pad=1) -> relu -> channel_dropout(0.1)\n",
        "alpha_dropout": "flatten\ndense(64) -> selu -> alpha_dropout(0.1)\ndense(10)\n",
        "drop_path": "conv(16, 3, pad=1)\nadd { conv(16, 3, pad=1) -> bn -> drop_path(0.1) | identity }\n",
        "drop_block": "conv(16, 3, pad=1) -> relu -> drop_block(5, 0.1)\n",
        "shake_drop": "conv(16, 3, pad=1)\nadd { conv(16, 3, pad=1) -> bn -> shake_drop(0.5) | identity }\n",
        "exit": (
            "conv(32, 3, stride=2, pad=1) -> relu\n"
            "let early = global_avgpool -> dense(10) -> exit(0.3)\n"
            "conv(64, 3, stride=2, pad=1) -> relu\n"
            "global_avgpool\n"
            "dense(10)\n"
        ),
        "learned": "patches(64, 4)\nconcat { learned(4x64) | identity }\n",
        "unfold": "unfold(3, pad=1)\n",
        "locally_connected": "conv(16, 5, stride=4) -> relu\nlocally_connected(16, 3)\n",
        "bn": "conv(32, 3, pad=1, bias=false) -> bn -> relu\n",
        "layernorm": "patches(64, 4)\nlayernorm\n",
        "groupnorm": "conv(32, 3, pad=1) -> groupnorm(8) -> relu\n",
        "instancenorm": "conv(32, 3, pad=1) -> instancenorm -> relu\n",
        "rmsnorm": "patches(64, 4)\nrmsnorm\n",
        "lrn": "conv(32, 5, pad=2) -> relu\nmaxpool(3, 2)\nlrn(5)\n",
        "l2norm": "flatten\ndense(64) -> l2norm\n",
        "window_mask": (
            "conv(32, 4, stride=4)\n"
            "windows(4, 2) {\n"
            "    let values = dense(32)\n"
            "    einsum(t, heads * d | s, heads * d -> heads, t, s, heads=4) { dense(32) | dense(32) }\n"
            "    window_mask(8x8, 4x4, 2x2) -> softmax(columns)\n"
            "    einsum(heads, t, s | s, heads * d -> t, heads * d) { identity | values }\n"
            "}\n"
        ),
        "rearrange": "rearrange(c, h * 4, w * 4 -> h * w, 4 * 4 * c)\n",
        "mean": "conv(32, 3, pad=1) -> relu\nmean(c, h, w -> c)\n",
        "max": "conv(32, 3, pad=1)\nmax(c * 2, h, w -> c, h, w)\n",
        "sum": "conv(32, 3, pad=1) -> relu\nsum(c, h, w -> c, 1, 1)\n",
        "maxpool": "conv(32, 3, pad=1) -> relu -> maxpool(2)\n",
        "avgpool": "conv(32, 3, pad=1) -> relu -> avgpool(2)\n",
        "stochastic_pool": "conv(32, 3, pad=1) -> relu -> stochastic_pool(2)\n",
        "lppool": "conv(32, 3, pad=1) -> relu -> lppool(2, 2)\n",
        "adaptive_avgpool": "conv(32, 3, pad=1) -> relu\nadaptive_avgpool(4)\n",
        "adaptive_maxpool": "conv(32, 3, pad=1) -> relu\nadaptive_maxpool(4)\n",
        "global_avgpool": "conv(32, 3, pad=1) -> relu\nglobal_avgpool\ndense(10)\n",
        "global_maxpool": "conv(32, 3, pad=1) -> relu\nglobal_maxpool\ndense(10)\n",
        "blurpool": "conv(32, 3, pad=1) -> relu -> blurpool\n",
        "scale": "scale(2, -1)\nconv(16, 3)\n",
        "layer_scale": "conv(16, 3, pad=1)\nadd { conv(16, 3, pad=1) -> relu -> layer_scale | identity }\n",
        "affine": "conv(16, 3, pad=1) -> affine -> relu\n",
        "relative_bias": "patches(64, 4)\nattention(4, before=relative_bias)\n",
        "relative_scores": ("patches(64, 4)\ndense(64, bias=false) -> relative_scores(4)\nsoftmax(columns)\n"),
        "flatten": "conv(32, 3, stride=2) -> relu\nflatten\ndense(10)\n",
        "identity": "conv(16, 3, pad=1)\nadd { conv(16, 3, pad=1) -> relu | identity }\n",
        "tokens": "conv(64, 4, stride=4)\ntokens\nlayernorm\n",
        "grid": "patches(64, 4)\ngrid\nconv(64, 3, pad=1)\n",
        "transpose": "patches(64, 4)\ntranspose -> dense(64) -> gelu -> transpose\n",
        "token": "patches(64, 4)\nclass_token\ntoken(0)\ndense(10)\n",
        "slice": "conv(32, 3, pad=1)\nslice(0, 16)\n",
        "pad_channels": "conv(16, 3, pad=1)\npad_channels(8, 8)\n",
        "shuffle": "conv(32, 1) -> shuffle(4)\nconv(32, 3, pad=1, groups=4)\n",
        "pad_image": "pad_image(2, pad_mode=reflect)\nconv(16, 5)\n",
        "upsample": "conv(16, 3, stride=2, pad=1) -> relu\nupsample(2)\n",
        "pixel_shuffle": "conv(64, 3, stride=2, pad=1)\npixel_shuffle(2)\n",
        "pixel_unshuffle": "pixel_unshuffle(4)\nconv(64, 1)\n",
    },
    "Joins": {
        "attend": (
            "patches(64, 4)\n"
            "let queries = dense(64)\n"
            "let keys = dense(64)\n"
            "let values = dense(64)\n"
            "attend(4) { queries | keys | values }\n"
        ),
        "add": "conv(16, 3, pad=1)\nadd { conv(16, 3, pad=1) -> bn -> relu | identity }\n",
        "mean": "mean { conv(16, 3, pad=1) | conv(16, 5, pad=2) }\n",
        "shake": "conv(16, 3, pad=1)\nadd { shake { conv(16, 3, pad=1) | conv(16, 3, pad=1) } | identity }\n",
        "max": "max { conv(16, 3, pad=1) | conv(16, 3, pad=1) }\n",
        "mul": ("conv(16, 3, pad=1)\nmul { identity | global_avgpool(keep=true) -> conv(16, 1) -> sigmoid }\n"),
        "concat": "concat { conv(16, 1) | conv(16, 3, pad=1) | conv(16, 5, pad=2) }\n",
        "einsum": (
            "patches(64, 4)\n"
            "let queries = dense(32)\n"
            "let keys = dense(32)\n"
            "einsum(t, d | s, d -> t, s) { queries | keys }\n"
        ),
    },
    "Scopes": {
        "each": "conv(32, 4, stride=4)\neach(c, h, w -> w, c) { attention(4) }\n",
        "windows": "conv(32, 4, stride=4)\nwindows(4) { attention(4) }\n",
        "tied": "conv(16, 3, pad=1)\nlet step = tied { conv(16, 3, pad=1) -> relu }\nrepeat 3 { step }\n",
    },
    "Initialisers": {
        "standard": "conv(16, 3, init=standard)\n",
        "unit_variance": "conv(16, 3, init=unit_variance)\n",
        "kaiming": "conv(16, 3, init=kaiming(mode=fan_out))\n",
        "xavier": _DENSE.format("init=xavier"),
        "normal": _DENSE.format("init=normal(0.01)"),
        "truncated_normal": _DENSE.format("init=truncated_normal(0.02)"),
        "uniform": _DENSE.format("init=uniform(0.05)"),
        "orthogonal": _DENSE.format("init=orthogonal"),
        "dirac": "conv(16, 3, pad=1, init=dirac)\n",
        "zeros": _DENSE.format("init=zeros, bias_init=zeros"),
        "ones": "conv(16, 3, bias_init=ones)\n",
        "constant": _DENSE.format("bias_init=constant(-2)"),
        "whitening": "conv(24, 2, init=whitening, frozen=weight)\n",
        "sine": "patches(64, 4)\nposition_embedding(init=sine, frozen=weight)\n",
    },
    "Weight functions": {
        "none": "conv(16, 3, weight=none)\n",
        "standardized": "conv(16, 3, pad=1, weight=standardized) -> groupnorm(4) -> relu\n",
        "scaled": "conv(16, 3, pad=1, weight=scaled) -> relu\n",
        "normalized": _DENSE.format("weight=normalized"),
        "spectral": _DENSE.format("weight=spectral"),
        "capped": _DENSE.format("weight=capped(1)"),
    },
    "Library": {
        "conv_block": "conv_block(32)\n",
        "depthwise": "conv(16, 1)\ndepthwise(5)\n",
        "separable_block": "conv_block(16)\nseparable_block(32, stride=2)\n",
        "squeeze_excite": "conv(32, 3, pad=1) -> relu\nsqueeze_excite(4)\n",
        "dense_layer": "conv(24, 3, pad=1)\ndense_layer(12)\n",
        "dense_layers": "conv(24, 3, pad=1)\ndense_layers(3, 12)\n",
        "dense_transition": "conv(24, 3, pad=1)\ndense_layers(3, 12)\ndense_transition\n",
        "inverted_residual": "conv_block(16)\ninverted_residual(24, stride=2)\n",
        "inverted_convolutions": "conv_block(16)\ninverted_convolutions(24, 2, 6, 3, relu6, identity)\n",
        "residual_shortcut": "conv(16, 3, pad=1)\nresidual_shortcut(32, 2)\n",
        "basic_block": "conv_block(16)\nbasic_block(32, 2)\n",
        "bottleneck_block": "conv_block(16)\nbottleneck_block(8, 2)\n",
        "preact_block": "conv(16, 3, pad=1)\npreact_block(32, 2)\n",
        "preact_convolutions": "conv(16, 3, pad=1) -> bn -> relu\npreact_convolutions(32, 2)\n",
        "preact_bottleneck_block": "conv(16, 3, pad=1)\npreact_bottleneck_block(8, 2)\n",
        "preact_bottleneck_convolutions": "conv(16, 3, pad=1) -> bn -> relu\npreact_bottleneck_convolutions(8)\n",
        "transformer_layer": "patches(64, 4)\nposition_embedding\ntransformer_layer(4, 128)\n",
        "convnext_block": "conv(32, 4, stride=4)\nconvnext_block\n",
    },
}

RECIPES: Mapping[str, Mapping[str, str]] = {
    "Settings of `train`": {
        "data": "data  cifar10\n",
        "validation": "validation  5000\n",
        "normalize": "normalize  signed\n",
        "augment": "augment  crop(4) -> flip\n",
        "epochs": "epochs  30\n",
        "early_stopping": "epochs          100\nvalidation      5000\nearly_stopping  accuracy(5)\n",
        "batch": "batch  128\n",
        "drop_last": "drop_last  true\n",
        "accumulate": "batch       64\naccumulate  4\n",
        "optimizer": "optimizer  adamw(lr=1e-3, weight_decay=0.05)\n",
        "schedule": "schedule  cosine(warmup=1)\n",
        "drop_schedule": "drop_schedule  linear\n",
        "loss": "loss  cross_entropy(label_smoothing=0.1)\n",
        "distill": "distill  soft(temperature=4, weight=0.9)\n",
        "keep": "keep  hardest(0.5)\n",
        "perturb": "perturb  sam(0.05)\n",
        "clip": "clip  norm(1)\n",
        "constrain": "constrain  max_norm(3)\n",
        "average": "average  ema(0.999)\n",
        "test_augment": "test_augment  mirror\n",
        "precision": "precision  bf16\n",
        "weight_precision": "precision         bf16\nweight_precision  half\n",
    },
    "Settings of a `group`": {
        "select": "group biases {\n    select     [bias, scale]\n    optimizer  adam(lr=1e-3)\n}\n",
        "optimizer": "group biases {\n    select     bias\n    optimizer  adam(lr=1e-4)\n}\n",
        "schedule": "group biases {\n    select    bias\n    schedule  cosine\n}\n",
        "constrain": "group filters {\n    select     filter\n    constrain  max_norm(3)\n}\n",
        "epochs": "group biases {\n    select  bias\n    epochs  3\n}\n",
    },
    "Choices of `data`": {
        "cifar10": "data  cifar10\n",
        "cifar100": "data  cifar100\n",
        "mnist": "data  mnist\n",
        "fashion_mnist": "data  fashion_mnist\n",
        "svhn": "data  svhn\n",
        "shapes": "data  shapes\n",
    },
    "Choices of `normalize`": {
        "unit": "normalize  unit\n",
        "signed": "normalize  signed\n",
        "per_channel": "normalize  per_channel\n",
        "gcn": "normalize  gcn\n",
        "zca": "normalize  zca\n",
        "standardize": "normalize  standardize([0.49, 0.48, 0.45], [0.25, 0.24, 0.26])\n",
    },
    "Choices of `augment`": {
        "crop": "augment  crop(4) -> flip\n",
        "translate": "augment  translate(2)\n",
        "flip": "augment  crop(4) -> flip\n",
        "alternating_flip": "augment  alternating_flip\n",
        "rotate": "augment  rotate\n",
        "cutout": "augment  cutout\n",
        "random_erasing": "augment  random_erasing\n",
        "color_jitter": "augment  color_jitter\n",
        "grayscale": "augment  grayscale\n",
        "randaugment": "augment  randaugment\n",
        "trivial_augment": "augment  trivial_augment\n",
        "autoaugment": "augment  autoaugment\n",
        "mixup": "augment  mixup\n",
        "cutmix": "augment  cutmix\n",
    },
    "Choices of `early_stopping`": {
        "none": "early_stopping  none\n",
        "accuracy": "epochs          100\nvalidation      5000\nearly_stopping  accuracy(5)\n",
        "loss": "epochs          100\nvalidation      5000\nearly_stopping  loss(5)\n",
    },
    "Choices of `optimizer`": {
        "sgd": "optimizer  sgd(lr=0.1, momentum=0.9, nesterov=true, weight_decay=5e-4)\n",
        "adam": "optimizer  adam(lr=1e-3)\n",
        "adamw": "optimizer  adamw(lr=1e-3, weight_decay=0.05)\n",
        "rmsprop": "optimizer  rmsprop(lr=1e-3)\n",
        "nadam": "optimizer  nadam(lr=1e-3)\n",
        "adagrad": "optimizer  adagrad(lr=0.01)\n",
        "lion": "optimizer  lion(lr=1e-4)\n",
        "muon": (
            "optimizer  adam(lr=1e-3)\n"
            "group matrices {\n    select     [filter, matrix]\n    optimizer  muon(lr=0.02)\n}\n"
        ),
    },
    "Choices of `schedule`": {
        "constant": "schedule  constant\n",
        "cosine": "schedule  cosine(warmup=1)\n",
        "linear": "schedule  linear\n",
        "polynomial": "schedule  polynomial(2)\n",
        "warm_restarts": "epochs    30\nschedule  warm_restarts(10)\n",
        "exponential": "schedule  exponential(0.9)\n",
        "step": "epochs    30\nschedule  step([15, 25])\n",
        "piecewise": "schedule  piecewise([0, 2, 10], [0, 1, 0])\n",
        "one_cycle": "schedule  one_cycle\n",
    },
    "Choices of `drop_schedule`": {
        "constant": "drop_schedule  constant\n",
        "linear": "drop_schedule  linear\n",
        "cosine": "drop_schedule  cosine\n",
    },
    "Choices of `loss`": {
        "cross_entropy": "loss  cross_entropy(label_smoothing=0.1)\n",
        "mse": "loss  mse\n",
        "bce": "loss  bce\n",
        "focal": "loss  focal\n",
    },
    "Choices of `distill`": {
        "none": "distill  none\n",
        "soft": "distill  soft(temperature=4, weight=0.9)\n",
        "hard": "distill  hard\n",
    },
    "Choices of `keep`": {
        "all": "keep  all\n",
        "hardest": "keep  hardest(0.5)\n",
        "chosen": "keep  chosen\n",
    },
    "Choices of `perturb`": {
        "none": "perturb  none\n",
        "sam": "perturb  sam\n",
    },
    "Choices of `clip`": {
        "none": "clip  none\n",
        "norm": "clip  norm(1)\n",
        "value": "clip  value(0.5)\n",
    },
    "Choices of `constrain`": {
        "none": "constrain  none\n",
        "max_norm": "constrain  max_norm(3)\n",
    },
    "Choices of `average`": {
        "ema": "average  ema(0.999)\n",
        "swa": "epochs   30\naverage  swa(20)\n",
        "lookahead": "average  lookahead\n",
    },
    "Choices of `test_augment`": {
        "mirror": "test_augment  mirror\n",
        "shift": "test_augment  mirror -> shift(1)\n",
    },
}
