"""What PyTorch, Keras, timm and notes call the names of the language: the only table of such names.

Messages look names up here; `views.foreign_names` prints the table for docs/coming-from.md.
"""

from collections.abc import Container, Iterator, Mapping
from functools import cached_property

from cifar_dsl.foundation.records import frozen


def folded(name: str) -> str:
    """A name without capitals, `_` and `-`: `Max_Pool2d` and `maxpool2d` are one name."""
    return name.casefold().replace("_", "").replace("-", "")


@frozen
class Equivalent:
    """What to write for a foreign name.

    `text`: a name, or the text for a whole call or setting, in which `{}` stands for its arguments or value; "" if
    there is none. `note` says why, or what to do. `is_exact`: the text has the same meaning as the foreign name.
    """

    text: str = ""
    note: str = ""
    is_exact: bool = True

    @property
    def is_name(self) -> bool:
        """Whether the text replaces just the name."""
        return self.text.isidentifier()


@frozen
class ForeignNames:
    """The foreign names of one sort.

    `exact` and `similar` map text of the language to foreign names, separated by commas; `notes` maps what to do, where
    there is no such text, to foreign names. `noun` is the heading in the docs.
    """

    noun: str
    exact: Mapping[str, str]
    similar: Mapping[str, str] = {}
    notes: Mapping[str, str] = {}

    def entries(self) -> Iterator[tuple[str, Equivalent]]:
        """Every foreign name as people write it, with its equivalent."""
        for text, names in self.exact.items():
            yield from ((name, Equivalent(text)) for name in names.split(", "))
        for text, names in self.similar.items():
            yield from ((name, Equivalent(text, is_exact=False)) for name in names.split(", "))
        for note, names in self.notes.items():
            yield from ((name, Equivalent(note=note, is_exact=False)) for name in names.split(", "))

    @cached_property
    def _all_by_name(self) -> dict[str, tuple[Equivalent, ...]]:
        found: dict[str, tuple[Equivalent, ...]] = {}
        for name, equivalent in self.entries():
            found[folded(name)] = (*found.get(folded(name), ()), equivalent)
        return found

    def meanings(self, name: str) -> tuple[Equivalent, ...]:
        """All equivalents of a name, in any spelling."""
        return self._all_by_name.get(folded(name), ())

    @cached_property
    def _by_name(self) -> dict[str, Equivalent]:
        return {folded(name): equivalent for name, equivalent in self.entries()}

    def names_of(self, known: Container[str]) -> Iterator[tuple[str, str]]:
        """The foreign names that stand for a name in `known`, each with that name."""
        return ((written, text) for written, text in self._texts if text in known)

    @cached_property
    def _texts(self) -> tuple[tuple[str, str], ...]:
        return tuple((written, one.text) for written, one in self.entries())

    def get(self, name: str) -> Equivalent | None:
        """The equivalent of a name, in any spelling, or None."""
        return self._by_name.get(folded(name))


LAYERS = ForeignNames(
    "Layers and blocks",
    exact={
        "conv": "Conv2d, Conv2D, convolution, Convolution2D, conv_layer, Conv",
        "conv_transpose": "ConvTranspose2d, Conv2DTranspose, deconv, deconvolution, transposed_conv",
        "locally_connected": "LocallyConnected2D, local2d",
        "unfold": "im2col",
        "dense": "Linear, Dense, fc, fully_connected, dense_linear",
        "bn": "BatchNorm2d, BatchNormalization, batchnorm, BatchNorm1d",
        "layernorm": "LayerNorm, LayerNormalization, ln, layer_norm2d",
        "groupnorm": "GroupNorm, GroupNormalization, gn",
        "instancenorm": "InstanceNorm2d, InstanceNormalization",
        "rmsnorm": "RMSNorm, RMSNormalization",
        "lrn": "LocalResponseNorm",
        "l2norm": "normalize, UnitNormalization, l2_normalize",
        "maxpool": "MaxPool2d, MaxPooling2D, max_pooling",
        "avgpool": "AvgPool2d, AveragePooling2D, average_pool, average_pooling, mean_pool",
        "lppool": "LPPool2d",
        "adaptive_avgpool": "AdaptiveAvgPool2d, AdaptiveAvgPool, AdaptiveAveragePooling2D",
        "adaptive_maxpool": "AdaptiveMaxPool2d, AdaptiveMaxPool, AdaptiveMaxPooling2D",
        "global_avgpool": "GlobalAveragePooling2D, GlobalAvgPool2d, global_average_pool, global_avg, gap",
        "global_maxpool": "GlobalMaxPooling2D, GlobalMaxPool2d, gmp",
        "blurpool": "BlurPool2d",
        "channel_dropout": "Dropout2d, SpatialDropout2D, spatial_dropout",
        "dropout": "Dropout, Dropout1d",
        "drop_path": "DropPath, StochasticDepth",
        "drop_block": "DropBlock, DropBlock2d, drop_block2d",
        "shake_drop": "ShakeDrop, shakedrop",
        "shake": "ShakeShake, shake_shake",
        "stochastic_pool": "StochasticPool2d, stochastic_pooling, StochasticPooling",
        "leaky_relu": "LeakyReLU, lrelu",
        "silu": "SiLU, swish",
        "hardswish": "Hardswish, hswish",
        "hardsigmoid": "Hardsigmoid, hsigmoid",
        "flatten": "Flatten",
        "identity": "Identity, noop",
        "upsample": "Upsample, UpSampling2D, upsampling",
        "pixel_shuffle": "PixelShuffle, depth_to_space",
        "pixel_unshuffle": "PixelUnshuffle, space_to_depth",
        "pad_image": "ZeroPad2d, ZeroPadding2D, zero_pad",
        "shuffle": "ChannelShuffle",
        "attention": "MultiheadAttention, MultiHeadAttention, self_attention, mha",
        "class_token": "cls_token",
        "position_embedding": "pos_embed, positional_embedding, PositionEmbedding",
        "patches": "PatchEmbed, patch_embedding, PatchEmbedding",
        "layer_scale": "LayerScale",
        "power": "pow",
        "learned": "Parameter, learnable, trainable",
        "add { {branches} }": "Add",
        "concat { {branches} }": "cat, Concatenate, concatenate",
        "mul { {branches} }": "Multiply, multiply",
        "conv({}, 1)": "conv1x1",
        "conv({}, 3, pad=1)": "conv3x3",
        "conv({}, 5, pad=2)": "conv5x5",
    },
    similar={
        "maxpool": "pool, pooling",
        "global_avgpool": "global_pool, global_pooling",
        "bn": "norm, normalization, norm2d",
        "dropout": "drop",
        "pad_image": "pad, padding",
        "upsample": "interpolate, resize",
        "depthwise": "depthwise_conv, DepthwiseConv2D, dwconv",
        "separable_block": "SeparableConv2D, separable_conv, sepconv",
        "squeeze_excite": "se, se_block, se_module, SqueezeExcitation, SqueezeExcite",
        "basic_block": "BasicBlock, ResBlock, ResidualBlock, resnet_block, residual",
        "bottleneck_block": "Bottleneck, bottleneck",
        "preact_block": "PreActBlock",
        "inverted_residual": "InvertedResidual, MBConv, inverted_bottleneck",
        "convnext_block": "ConvNeXtBlock",
        "transformer_layer": "TransformerEncoderLayer, transformer_block, TransformerEncoder, encoder_layer",
        "conv_block": "ConvBNReLU, conv_bn_relu, ConvBnAct, Conv2dNormActivation",
        "flatten": "view, reshape",
        "squeeze_excite()": "SELayer",
        "{}": "Activation",
        "{chain}": "Sequential",
    },
    notes={
        "name the activation itself, such as `relu` or `gelu`": "act, act_layer, nonlinearity, activation_fn",
        "delete it: the loss `cross_entropy` applies it": "log_softmax, LogSoftmax",
        "stack layers, such as `dense(64) -> relu -> dense(10)`": "mlp, ffn, feed_forward",
        "join with the input: `add { ... | identity }`": "skip, shortcut, skip_connection",
        "start the chain at once: the network's input is the current tensor": "Input, InputLayer",
    },
)

ARGUMENTS = ForeignNames(
    "Arguments",
    exact={
        "channels": "out_channels, filters, num_filters, n_filters, out_planes, planes, out_ch, cout, c_out, nf",
        "features": "out_features, units, num_units, hidden_units, embed_dim, hidden_size, num_outputs",
        "kernel": "kernel_size, pool_size, ksize, k, filter_size, kernel_shape",
        "stride": "strides, s, subsample",
        "pad": "padding, paddings",
        "dilation": "dilation_rate, dilations",
        "groups": "num_groups, n_groups, cardinality",
        "bias": "use_bias, has_bias",
        "init": "kernel_initializer, weight_init, initializer, kernel_init, w_init, gamma_initializer",
        "bias_init": "bias_initializer",
        "pad_mode": "padding_mode",
        "output_pad": "output_padding",
        "ceil": "ceil_mode",
        "count_pad": "count_include_pad",
        "eps": "epsilon",
        "affine": "elementwise_affine",
        "slope": "negative_slope",
        "p": "rate, prob, probability, drop_prob, drop_rate, dropout_rate",
        "heads": "num_heads, n_heads, nhead, nheads",
        "factor": "scale_factor, upscale_factor, downscale_factor",
        "size": "patch_size, output_size, mask_size",
        "lr": "learning_rate, lrate, base_lr, init_lr, initial_lr, eta",
        "weight_decay": "wd, decay, l2, weightdecay",
        "momentum": "mom",
        "warmup": "warmup_epochs, warm_up, num_warmup",
        "at": "milestones, boundaries, step_size, decay_epochs",
        "final": "eta_min, final_lr_factor",
        "gamma": "decay_rate, lr_gamma",
        "peak": "pct_start",
        "period": "T_0, first_decay_steps, t_initial",
        "growth": "T_mult, t_mul, cycle_mul",
        "label_smoothing": "smoothing",
        "weights": "weight, class_weight, class_weights, cls_weight",
        "limit": "max_norm, clip_value, clipvalue, clipnorm",
        "ops": "num_ops",
        "padding": "pad",
        "pixels": "shift",
    },
    similar={
        "slope": "alpha",
        "pad": "p",
        "kernel": "size",
        "factor": "scale, size",
    },
    notes={
        "delete it: the input's shape decides it": (
            "in_channels, in_features, in_planes, in_ch, inplanes, input_shape, input_dim, num_features, "
            "normalized_shape, num_channels, cin, c_in, in_dim, batch_input_shape, img_size, in_chans"
        ),
        "write both: `betas=[0.9, 0.999]`": "beta1, beta2, beta_1, beta_2, b1, b2",
        "delete it: it changes no result": "inplace, data_format, device, dtype, track_running_stats, foreach, fused",
        "delete it: a schedule always spans all epochs": "T_max, total_steps, max_epochs, total_iters, steps_per_epoch",
        "delete it: it acts on channels or features": "dim, axis, start_dim, keepdim",
        "delete it: there is no such option": "amsgrad, maximize, differentiable, last_epoch, verbose, n_holes",
    },
)
# Layers of PyTorch that take the number of input channels or features; Keras spells its layers in another way.
_WITH_INPUT_CHANNELS = frozenset(
    [
        *("Conv2d", "ConvTranspose2d", "Linear", "PReLU"),
        *("BatchNorm1d", "BatchNorm2d", "GroupNorm", "InstanceNorm2d", "LayerNorm", "RMSNorm"),
    ]
)

# The two numbers of `betas`: the folded names of each, and the defaults of PyTorch and Keras.
BETAS = {"beta1": 0, "b1": 0, "beta2": 1, "b2": 1}
BETA_DEFAULTS = ("0.9", "0.999")


def takes_input_channels(name: str) -> bool:
    """Whether a foreign layer, in this very spelling, takes the number of its input channels."""
    return name in _WITH_INPUT_CHANNELS


# Arguments whose value is another stage, or the name of the stage.
STAGE_ARGUMENTS = frozenset(["activation", "act", "nonlinearity", "actlayer", "activationfn", "normlayer"])
NAME_ARGUMENTS = frozenset(["name"])

SETTINGS = ForeignNames(
    "Settings of `train`",
    exact={
        "batch": "batch_size, bs, batchsize, mini_batch",
        "epochs": "num_epochs, max_epochs, n_epochs, epoch, nb_epoch",
        "optimizer": "optimiser, opt, optim",
        "schedule": "scheduler, lr_scheduler, lr_schedule, sched, lr_policy, learning_rate_schedule",
        "loss": "criterion, objective, loss_fn, loss_function",
        "data": "dataset, datasets",
        "augment": "augmentation, augmentations, transform, transforms, data_augmentation, aug",
        "normalize": "normalization, normalise, normalisation",
        "test_augment": "tta, test_time_augmentation",
        "drop_last": "drop_remainder",
        "accumulate": (
            "accumulation, accumulation_steps, gradient_accumulation, gradient_accumulation_steps, grad_accum, "
            "grad_accum_steps, accumulate_grad_batches, accumulate_gradients, accum_iter, accum_steps"
        ),
        "precision": "dtype, number_format",
        "weight_precision": "param_dtype, weight_dtype, variable_dtype, parameter_dtype",
        "clip norm({})": (
            "grad_clip, clip_grad, clip_grad_norm, clipnorm, global_clipnorm, gradient_clip_val, max_grad_norm, "
            "gradient_clipping, clip_norm"
        ),
        "clip value({})": "clipvalue, clip_grad_value, clip_value",
        "distill": "distillation, knowledge_distillation, distillation_type, kd, distill_type",
        "keep hardest(0.5)": "ohem, hard_example_mining, online_hard_example_mining, hard_mining, selective_backprop",
        "average ema({})": "ema_decay, model_ema_decay, weight_ema",
    },
    similar={
        "precision fp16": "amp, fp16, half, mixed_precision, use_amp",
        "precision bf16": "bf16, bfloat16",
        "loss cross_entropy(weights=balanced)": "balanced, balance, sampler, weighted",
        "epochs 10": "steps, iterations, max_steps, num_steps, iters, max_iter, total_steps, num_iterations",
        "early_stopping accuracy({})": "patience, early_stop",
        "validation 5000": ("val_split, validation_split, val_size, valid_size, save_best, keep_best, val_fraction"),
    },
    notes={
        "delete it and pass `--seed`: a seed belongs to a run": "seed, random_seed, manual_seed, seeds",
        "delete it and pass `--device`": "device, gpu, gpus, cuda, accelerator, devices",
        "delete it: images stay in memory, so there are no workers": (
            "num_workers, workers, pin_memory, prefetch, persistent_workers"
        ),
        "delete it: training images are shuffled in every epoch": "shuffle",
        "delete it: every image of a class has the same weight": "sample_weight, sample_weights",
        "delete it: accuracy and loss are always recorded": "metrics, metric",
        "delete it and write the layer in the model: `dropout(0.5)`": "dropout, dropout_rate, drop_rate",
        "delete it and end the model with `dense(10)`: the dataset decides the number": "num_classes, n_classes",
        "delete it and give the optimizer a `weight_decay`": "l2, l2_reg, regularization, regularizer",
        "delete it and pass `--checkpoint-every`": "checkpoint, checkpoints, save_every, save_freq, checkpoint_every",
        "delete it and pass `--engine compile`": "compile, torch_compile",
        "delete it and pass `--log`": "log, logger, wandb, mlflow, tensorboard, logging",
        "delete it and write `frozen=all` as an argument of the layer": "freeze, frozen",
        "delete it, write `distill soft`, and name the run of the teacher on the command line: `--teacher RUN`": (
            "teacher, teacher_model, teacher_path"
        ),
        "delete it, write `keep chosen`, and name the run that chose on the command line: `--selection RUN`": (
            "selection, subset_mask, proxy, masks"
        ),
        "delete it and write it in `distill`: `soft(temperature=3, weight=0.5)`": (
            "distillation_alpha, distillation_tau, kd_weight, kd_temperature, distill_weight"
        ),
    },
)

DATASETS = ForeignNames(
    "Datasets",
    exact={"cifar10": "CIFAR10, cifar_10", "cifar100": "CIFAR100, cifar_100"},
    similar={"cifar10": "cifar"},
    notes={
        "import the images with `cifar-dsl data import`": (
            "imagenet, stl10, tiny_imagenet, folder, ImageFolder, custom, kmnist, emnist"
        )
    },
)
NORMALIZATIONS = ForeignNames(
    "Normalisation",
    exact={
        "unit": "minmax, min_max, rescale, div255, ToTensor, zero_one",
        "per_channel": "mean_std, zscore, channelwise, per_channel_mean_std, auto",
        "signed": "tf, minus_one_one, symmetric",
        "gcn": "global_contrast_normalization, GlobalContrastNormalization, global_contrast_normalize",
        "zca": "zca_whitening, ZCA, whitening, whiten",
    },
    similar={
        "unit": "none, scale, off, false, no",
        "per_channel": "imagenet, standard, cifar10, cifar, true, yes, on, Normalize, default",
    },
)
AUGMENTATIONS = ForeignNames(
    "Augmentations",
    exact={
        "flip": (
            "hflip, horizontal_flip, RandomHorizontalFlip, random_flip, flip_lr, fliplr, RandomFlip, lr_flip, "
            "left_right_flip, mirror, random_mirror"
        ),
        "cutout": "random_cutout, RandomCutout, CoarseDropout, cut_out",
        "random_erasing": "RandomErasing, erasing, random_erase, erase, RandomErase",
        "color_jitter": "ColorJitter, jitter, colorjitter, colour_jitter",
        "grayscale": "RandomGrayscale, random_grayscale, grayscale_random, gray, RandomGray",
        "randaugment": "RandAugment, rand_augment, randaug, rand_aug, ra",
        "trivial_augment": "TrivialAugmentWide, TrivialAugment, trivialaug, ta_wide",
        "autoaugment": "AutoAugment, autoaug, auto_aug, aa",
        "translate": "shift, random_shift, RandomTranslation, random_translate, translation",
        "mixup": "mix_up, RandomMixUp",
        "cutmix": "cut_mix, RandomCutMix",
    },
    similar={
        "resize": "progressive_resizing, progressive_resize, image_size_schedule",
        "rotate": "rotation, RandomRotation, random_rotation",
        "randaugment": "RandomAffine, affine, shear",
        "crop": "RandomCrop, random_crop, pad_crop, pad_and_crop, RandomResizedCrop",
        "color_jitter": "brightness, contrast, saturation, hue",
        "crop -> flip": "standard, true, basic, default, yes, on, light, weak",
        "none": "false, off, no",
    },
    notes={"delete it: `normalize` does this": "ToTensor, Normalize, Resize, Rescaling, CenterCrop"},
)
OPTIMIZERS = ForeignNames(
    "Optimizers",
    exact={"adamw": "adam_w", "rmsprop": "rms_prop", "sgd": "gradient_descent, GradientDescent"},
    similar={
        "sgd({}, momentum=0.9)": "momentum, sgdm, sgd_momentum, MomentumOptimizer",
        "sgd({}, momentum=0.9, nesterov=true)": "nesterov, nag",
        "adamw": "lamb, radam, adabelief, adamax, adafactor, lars",
    },
    notes={"name the optimizer that it wraps, such as `sgd(lr=0.1, momentum=0.9)`, and add `perturb sam`": "SAM, ASAM"},
)
SCHEDULES = ForeignNames(
    "Schedules",
    exact={
        "cosine": "CosineAnnealingLR, cosine_annealing, CosineDecay, cosine_decay, cos, cosine_lr, CosineLRScheduler",
        "constant": "none, fixed, flat, ConstantLR, off, no",
        "linear": "LinearLR, linear_decay, lin",
        "polynomial": "poly, PolynomialLR, PolynomialDecay",
        "warm_restarts": "CosineAnnealingWarmRestarts, cosine_restarts, sgdr, CosineDecayRestarts",
        "exponential": "ExponentialLR, ExponentialDecay, exp, exponential_decay",
        "step": "MultiStepLR, multistep",
        "piecewise": "piecewise_linear",
        "one_cycle": "OneCycleLR, onecycle, one_cycle_lr, super_convergence",
    },
    similar={
        "exponential(0.1, every={})": "StepLR, step_decay",
        "step": "PiecewiseConstantDecay, piecewise_constant",
        "cosine(warmup={})": "warmup_cosine, cosine_warmup, cosine_with_warmup, LinearWarmupCosineAnnealingLR",
        "constant(warmup={})": "warmup, linear_warmup, LinearWarmup, warm_up",
        "cosine": ("ReduceLROnPlateau, plateau, reduce_on_plateau, CyclicLR, triangular"),
    },
)
LOSSES = ForeignNames(
    "Losses",
    exact={
        "cross_entropy": (
            "CrossEntropyLoss, crossentropy, ce, categorical_crossentropy, sparse_categorical_crossentropy, "
            "CategoricalCrossentropy, SparseCategoricalCrossentropy, softmax_cross_entropy, xent, cross_entropy_loss"
        ),
        "mse": "MSELoss, mean_squared_error, MeanSquaredError, l2, squared_error",
        "bce": "BCEWithLogitsLoss, binary_crossentropy, BinaryCrossentropy, binary_cross_entropy, BCELoss",
        "focal": "FocalLoss, focal_loss",
    },
    similar={
        "cross_entropy(weights=balanced)": "weighted_cross_entropy, balanced_cross_entropy, class_balanced",
        "cross_entropy": "softmax, nll, NLLLoss, log_loss, hinge, kl_div, logloss, nll_loss",
    },
)
CLIPS = ForeignNames(
    "Gradient clipping",
    exact={
        "none": "off, false, no",
        "norm": "global_norm, clip_grad_norm, l2, max_norm, clipnorm, clip_by_norm, grad_norm",
        "value": "clip_grad_value, clipvalue, clip_by_value, max_value",
    },
)
PERTURBATIONS = ForeignNames(
    "Perturbations of weights",
    exact={"sam": "sharpness_aware, sharpness_aware_minimization", "sam({}, adaptive=true)": "ASAM, adaptive_sam"},
)
CONSTRAINTS = ForeignNames(
    "Constraints on weights",
    exact={
        "none": "off, false, no",
        "max_norm": "MaxNorm, maxnorm, max_col_norm, max_kernel_norm, kernel_constraint, weight_constraint",
    },
)
DISTILLATIONS = ForeignNames(
    "Distillation",
    exact={"soft": "kl, kl_div, kd, kldiv, hinton", "hard": "argmax, label, pseudo_labels", "none": "off, false, no"},
)
KEEPINGS = ForeignNames(
    "Selection of images",
    exact={
        "all": "none, off, false, no",
        "hardest(0.5)": "ohem, OHEM, hard, largest, top, topk, selective_backprop",
        "chosen": "proxy, selection, selected, masks",
    },
)
EARLY_STOPPINGS = ForeignNames(
    "Early stopping",
    exact={
        "accuracy": "val_acc, val_accuracy, validation_accuracy, acc, max",
        "loss": "val_loss, validation_loss, min",
        "none": "off, false, no",
    },
    similar={"accuracy({})": "patience, EarlyStopping, plateau"},
)
AVERAGES = ForeignNames(
    "Averages of weights",
    exact={
        "ema": "exponential_moving_average, ExponentialMovingAverage, model_ema, ModelEma, exponential",
        "swa": "stochastic_weight_averaging, AveragedModel, weight_averaging",
    },
)
TEST_AUGMENTATIONS = ForeignNames(
    "Test-time augmentation", exact={"mirror": "flip, hflip, horizontal_flip", "shift": "translate, crop, shifts"}
)
PRECISIONS = ForeignNames(
    "Precision",
    exact={
        "fp32": "float32, single, full, float, f32",
        "fp16": "float16, half, f16",
        "bf16": "bfloat16, brain",
    },
    similar={"fp16": "mixed, amp, mixed_float16, auto"},
)
WEIGHT_PRECISIONS = ForeignNames(
    "Weight precision",
    exact={
        "fp32": "float32, single, full, float, f32",
        "half": "fp16, bf16, float16, bfloat16, f16, brain, pure",
    },
)
VALUES = ForeignNames(
    "Values",
    exact={
        "true": "True, yes, on",
        "false": "False, no, off",
        "none": "None, null, nil",
        "0": "valid",
        "same": "SAME, half",
    },
)
INITIALIZERS = ForeignNames(
    "Initialisers",
    exact={
        "kaiming": "he, he_normal, HeNormal, kaiming_normal, kaiming_normal_, msra",
        "kaiming(distribution=uniform)": "he_uniform, HeUniform, kaiming_uniform, kaiming_uniform_",
        "xavier": "glorot, glorot_uniform, GlorotUniform, xavier_uniform, xavier_uniform_",
        "xavier(distribution=normal)": "glorot_normal, GlorotNormal, xavier_normal, xavier_normal_",
        "truncated_normal": "trunc_normal, trunc_normal_, TruncatedNormal",
        "normal": "random_normal, RandomNormal, gaussian, normal_",
        "zeros": "zero, Zeros, zeros_",
        "ones": "one, Ones, ones_",
        "orthogonal": "orthogonal_, ortho",
        "dirac": "dirac_",
        "standard": "default",
    },
)
# Advice for a power whose exponent isn't written as a number.
NO_POWER = "list the values: `for (c, stride) in [(32, 1), (64, 2)]`, or `width * [1, 2, 4][i]`"
FUNCTIONS = ForeignNames(
    "Functions",
    exact={"round_to": "make_divisible, _make_divisible"},
    similar={"floor": "int, trunc"},
    notes={
        NO_POWER: "pow, exp2",
        "count with a range: `for i in 0..len(widths)`, and write `widths[i]` in the loop": "enumerate, zip",
    },
)
BUDGETS = ForeignNames(
    "Names in `assert`",
    exact={"params": "parameters, num_params, n_params, param_count, count_params, weights", "macs": "mac, madds"},
    similar={"2 * macs": "flops, FLOPS, num_flops"},
)

# The choices of settings, by setting.
CHOICES: Mapping[str, ForeignNames] = {
    "data": DATASETS,
    "normalize": NORMALIZATIONS,
    "augment": AUGMENTATIONS,
    "optimizer": OPTIMIZERS,
    "schedule": SCHEDULES,
    "loss": LOSSES,
    "clip": CLIPS,
    "distill": DISTILLATIONS,
    "keep": KEEPINGS,
    "perturb": PERTURBATIONS,
    "constrain": CONSTRAINTS,
    "early_stopping": EARLY_STOPPINGS,
    "average": AVERAGES,
    "test_augment": TEST_AUGMENTATIONS,
    "precision": PRECISIONS,
    "weight_precision": WEIGHT_PRECISIONS,
}
TABLES = (LAYERS, ARGUMENTS, VALUES, INITIALIZERS, FUNCTIONS, BUDGETS, SETTINGS, *CHOICES.values())
