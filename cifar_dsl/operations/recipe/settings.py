"""The settings of `train`, each with what it takes and its default."""

from collections.abc import Callable
from typing import Any

from cifar_dsl.foundation.limits import Limits
from cifar_dsl.foundation.records import frozen
from cifar_dsl.ir import Declaration, Kind
from cifar_dsl.operations.argument_types import Bool, Choice, Float, Int, ListOf, OneOf, Pattern
from cifar_dsl.operations.recipe.augmentation import AUGMENTATIONS
from cifar_dsl.operations.recipe.average import AVERAGES
from cifar_dsl.operations.recipe.clip import CLIPS, NoClip
from cifar_dsl.operations.recipe.dataset import DATASETS
from cifar_dsl.operations.recipe.groups import KINDS
from cifar_dsl.operations.recipe.loss import LOSSES, CrossEntropy
from cifar_dsl.operations.recipe.normalization import NORMALIZATIONS, PerChannel
from cifar_dsl.operations.recipe.optimizer import OPTIMIZERS
from cifar_dsl.operations.recipe.schedule import SCHEDULES, Constant
from cifar_dsl.operations.recipe.views import TEST_AUGMENTATIONS
from cifar_dsl.operations.registry import Registry

EPOCHS = Float(0, 100_000, open_low=True, whole=True)


@frozen
class Setting:
    """One line of `train`.

    It takes either a value of a `kind`, or a choice from a `registry` (up to `most`, joined by `->`, or `none`,
    where `is_chain`). `default` None stands for a setting that every recipe must say.
    """

    name: str
    doc: str
    kind: Kind | None = None
    registry: Registry[Any] | None = None
    is_chain: bool = False
    most: Callable[[Limits], int] | None = None
    default: Declaration | str | bool | int | tuple[()] | None = None


_ALL = (
    Setting("data", "the data set that is trained and tested on", registry=DATASETS),
    Setting(
        "validation",
        "training images that are held out: they choose the best epoch, so that the test images don't have to",
        kind=Int(0, 10_000_000),
        default=0,
    ),
    Setting("normalize", "how bytes become numbers", registry=NORMALIZATIONS, default=PerChannel()),
    Setting(
        "augment",
        "random changes to training images",
        registry=AUGMENTATIONS,
        is_chain=True,
        most=lambda limits: limits.changes,
        default=(),
    ),
    Setting("epochs", "how often every training image is seen; the last epoch may be a part", kind=EPOCHS),
    Setting("batch", "images in one step", kind=Int(1, 1_000_000)),
    Setting(
        "drop_last",
        "whether what is left of an epoch after its last full batch is left out",
        kind=Bool(),
        default=False,
    ),
    Setting("optimizer", "how gradients become steps", registry=OPTIMIZERS),
    Setting("schedule", "the learning rate over time", registry=SCHEDULES, default=Constant()),
    Setting("loss", "what training makes small", registry=LOSSES, default=CrossEntropy()),
    Setting("clip", "a bound on gradients", registry=CLIPS, default=NoClip()),
    Setting(
        "average",
        "means of the weights along the way",
        registry=AVERAGES,
        is_chain=True,
        most=lambda limits: limits.averages,
        default=(),
    ),
    Setting(
        "test_augment",
        "views of a test image to score",
        registry=TEST_AUGMENTATIONS,
        is_chain=True,
        most=lambda limits: limits.views,
        default=(),
    ),
    Setting(
        "precision",
        "numbers of the forward and backward pass; weights stay float32",
        kind=Choice(("fp32", "bf16", "fp16")),
        default="fp32",
    ),
)

SETTINGS = {setting.name: setting for setting in _ALL}

_OF_GROUP = (
    Setting(
        "select",
        "which parameters it takes, by kind or by path",
        kind=ListOf(OneOf((Choice(KINDS), Pattern())), most=lambda limits: limits.selected),
    ),
    Setting("optimizer", "how their gradients become steps", registry=OPTIMIZERS, default="the recipe's"),
    Setting("schedule", "their learning rate over time", registry=SCHEDULES, default="the recipe's"),
    Setting("epochs", "how long they are trained; then they stay as they are", kind=EPOCHS, default="the recipe's"),
)

GROUP_SETTINGS = {setting.name: setting for setting in _OF_GROUP}
