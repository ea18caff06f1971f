"""The settings of `train` and of its groups, with their types and defaults."""

from collections.abc import Callable
from typing import Any

from cifar_dsl.foundation.limits import Limits
from cifar_dsl.foundation.records import frozen
from cifar_dsl.ir import Declaration, Kind
from cifar_dsl.ir.recipe import (
    ConstantDrop,
    KeepAll,
    NoConstraint,
    NoDistillation,
    NoEarlyStopping,
    NoPerturbation,
)
from cifar_dsl.operations.argument_types import Bool, Choice, Float, Int, ListOf, OneOf, Pattern
from cifar_dsl.operations.recipe.artifact import ARTIFACTS
from cifar_dsl.operations.recipe.augmentation import AUGMENTATIONS
from cifar_dsl.operations.recipe.average import AVERAGES
from cifar_dsl.operations.recipe.clip import CLIPS, NoClip
from cifar_dsl.operations.recipe.constraint import CONSTRAINTS
from cifar_dsl.operations.recipe.dataset import DATASETS
from cifar_dsl.operations.recipe.distillation import DISTILLATIONS
from cifar_dsl.operations.recipe.drop_schedule import DROP_SCHEDULES
from cifar_dsl.operations.recipe.early_stopping import EARLY_STOPPINGS
from cifar_dsl.operations.recipe.groups import KINDS
from cifar_dsl.operations.recipe.loss import LOSSES, CrossEntropy
from cifar_dsl.operations.recipe.normalization import NORMALIZATIONS, PerChannel
from cifar_dsl.operations.recipe.optimizer import OPTIMIZERS
from cifar_dsl.operations.recipe.perturbation import PERTURBATIONS
from cifar_dsl.operations.recipe.schedule import SCHEDULES, Constant
from cifar_dsl.operations.recipe.selection import KEEPINGS
from cifar_dsl.operations.recipe.test_time_augmentation import TEST_AUGMENTATIONS
from cifar_dsl.operations.registry import Registry

EPOCHS = Float(0, 100_000, open_low=True, whole=True)


@frozen
class Setting:
    """One setting of `train`.

    Its value is either of type `kind`, or a choice from a `registry`. With `is_chain`, it is up to `most` choices
    joined by `->`, or `none`. A setting whose `default` is None is required.
    """

    name: str
    doc: str
    kind: Kind | None = None
    registry: Registry[Any] | None = None
    is_chain: bool = False
    most: Callable[[Limits], int] | None = None
    default: Declaration | str | bool | int | tuple[()] | None = None


_ALL = (
    Setting("data", "the dataset; an array file is passed with `--data npz:PATH`", registry=DATASETS),
    Setting(
        "validation",
        "number of training images that are held out to choose the best epoch without the test images",
        kind=Int(0, 10_000_000),
        default=0,
    ),
    Setting("normalize", "how pixel values become network inputs", registry=NORMALIZATIONS, default=PerChannel()),
    Setting(
        "augment",
        "random changes to training images",
        registry=AUGMENTATIONS,
        is_chain=True,
        most=lambda limits: limits.changes,
        default=(),
    ),
    Setting("epochs", "number of passes over the training images; a fraction ends within an epoch", kind=EPOCHS),
    Setting(
        "early_stopping",
        "when training ends before its last epoch, decided on the held-out images of `validation`",
        registry=EARLY_STOPPINGS,
        default=NoEarlyStopping(),
    ),
    Setting("batch", "images per batch; a step takes one batch, or `accumulate` batches", kind=Int(1, 1_000_000)),
    Setting(
        "drop_last",
        "drop the last, incomplete batch of each epoch",
        kind=Bool(),
        default=False,
    ),
    Setting(
        "accumulate",
        "gradient accumulation: batches per step of the optimizer",
        kind=Int(1, 10_000),
        default=1,
    ),
    Setting("optimizer", "the optimizer and its learning rate", registry=OPTIMIZERS),
    Setting("schedule", "the learning rate schedule", registry=SCHEDULES, default=Constant()),
    Setting(
        "drop_schedule",
        "how the probabilities of `drop_path`, `drop_block`, `shake_drop` and `mean(drop=...)` grow over training",
        registry=DROP_SCHEDULES,
        default=ConstantDrop(),
    ),
    Setting("loss", "the loss that training minimises", registry=LOSSES, default=CrossEntropy()),
    Setting(
        "distill",
        "what the network learns from a teacher, the run that `--teacher` names",
        registry=DISTILLATIONS,
        default=NoDistillation(),
    ),
    Setting("keep", "which images of each batch training learns from", registry=KEEPINGS, default=KeepAll()),
    Setting(
        "perturb",
        "perturbation of the weights, at which the gradients of a step are taken",
        registry=PERTURBATIONS,
        default=NoPerturbation(),
    ),
    Setting("clip", "gradient clipping", registry=CLIPS, default=NoClip()),
    Setting(
        "constrain",
        "a constraint on the weights, which holds after each step",
        registry=CONSTRAINTS,
        default=NoConstraint(),
    ),
    Setting(
        "average",
        "averages of the weights",
        registry=AVERAGES,
        is_chain=True,
        most=lambda limits: limits.averages,
        default=(),
    ),
    Setting(
        "test_augment",
        "test-time augmentation: average the predictions for several views of each test image",
        registry=TEST_AUGMENTATIONS,
        is_chain=True,
        most=lambda limits: limits.views,
        default=(),
    ),
    Setting(
        "uses",
        "what training uses beside the spec and its images, by content; `--from`, `--teacher` and `--selection` set it",
        registry=ARTIFACTS,
        is_chain=True,
        default=(),
    ),
    Setting(
        "precision",
        "number format of the forward and backward pass",
        kind=Choice(("fp32", "bf16", "fp16")),
        default="fp32",
    ),
    Setting(
        "weight_precision",
        "number format of the weights that `precision` rounds in each pass; `half` keeps and updates them in that of "
        "`precision`",
        kind=Choice(("fp32", "half")),
        default="fp32",
    ),
)

SETTINGS = {setting.name: setting for setting in _ALL}

_OF_GROUP = (
    Setting(
        "select",
        "the parameters of the group, by kind or by path",
        kind=ListOf(OneOf((Choice(KINDS), Pattern())), most=lambda limits: limits.selected),
    ),
    Setting("optimizer", "their optimizer", registry=OPTIMIZERS, default="the recipe's"),
    Setting("schedule", "their learning rate schedule", registry=SCHEDULES, default="the recipe's"),
    Setting("constrain", "the constraint on their weights", registry=CONSTRAINTS, default="the recipe's"),
    Setting(
        "epochs",
        "number of epochs after which they are frozen; 0 freezes them and the running statistics of their norms",
        kind=Float(0, 100_000, whole=True),
        default="the recipe's",
    ),
)

GROUP_SETTINGS = {setting.name: setting for setting in _OF_GROUP}
