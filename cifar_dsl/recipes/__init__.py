"""Everything that a recipe may name, each declared in one class: data sets, optimizers, schedules, ..."""

from cifar_dsl.recipes.augmentation import AUGMENTATIONS
from cifar_dsl.recipes.clip import CLIPS
from cifar_dsl.recipes.dataset import DATASETS
from cifar_dsl.recipes.loss import LOSSES
from cifar_dsl.recipes.normalization import NORMALIZATIONS
from cifar_dsl.recipes.optimizer import OPTIMIZERS
from cifar_dsl.recipes.schedule import SCHEDULES
from cifar_dsl.recipes.settings import SETTINGS, Setting

__all__ = [
    "AUGMENTATIONS",
    "CLIPS",
    "DATASETS",
    "LOSSES",
    "NORMALIZATIONS",
    "OPTIMIZERS",
    "SCHEDULES",
    "SETTINGS",
    "Setting",
]
