"""The settings of `train`, each with what it takes and its default."""

from typing import Any

from attrs import frozen

from cifar_dsl.recipes.augmentation import AUGMENTATIONS
from cifar_dsl.recipes.clip import CLIPS, NoClip
from cifar_dsl.recipes.dataset import DATASETS
from cifar_dsl.recipes.loss import LOSSES, CrossEntropy
from cifar_dsl.recipes.normalization import NORMALIZATIONS, PerChannel
from cifar_dsl.recipes.optimizer import OPTIMIZERS
from cifar_dsl.recipes.schedule import SCHEDULES, Constant
from cifar_dsl.registry import Choice, Declaration, Int, Kind, Registry


@frozen
class Setting:
    """One line of `train`.

    It takes either a value of a `kind`, or a choice from a `registry` (several, joined by `->`, or `none`,
    where `is_chain`). `default` None stands for a setting that every recipe must say.
    """

    name: str
    doc: str
    kind: Kind | None = None
    registry: Registry[Any] | None = None
    is_chain: bool = False
    default: Declaration | str | tuple[()] | None = None


_ALL = (
    Setting("data", "the data set that is trained and tested on", registry=DATASETS),
    Setting("normalize", "how bytes become numbers", registry=NORMALIZATIONS, default=PerChannel()),
    Setting("augment", "random changes to training images", registry=AUGMENTATIONS, is_chain=True, default=()),
    Setting("epochs", "how often every training image is seen", kind=Int(1, 100_000)),
    Setting("batch", "images in one step", kind=Int(1, 1_000_000)),
    Setting("optimizer", "how gradients become steps", registry=OPTIMIZERS),
    Setting("schedule", "the learning rate over time", registry=SCHEDULES, default=Constant()),
    Setting("loss", "what training makes small", registry=LOSSES, default=CrossEntropy()),
    Setting("clip", "a bound on gradients", registry=CLIPS, default=NoClip()),
    Setting(
        "precision",
        "numbers of the forward and backward pass; weights stay float32",
        kind=Choice(("fp32", "bf16")),
        default="fp32",
    ),
)

SETTINGS = {setting.name: setting for setting in _ALL}
