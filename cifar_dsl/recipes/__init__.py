"""Everything that a recipe may name, each declared in one class: data sets, optimizers, schedules, ..."""

from cifar_dsl.recipes.augmentation import AUGMENTATIONS
from cifar_dsl.recipes.average import AVERAGES
from cifar_dsl.recipes.clip import CLIPS
from cifar_dsl.recipes.dataset import DATASETS
from cifar_dsl.recipes.loss import LOSSES
from cifar_dsl.recipes.normalization import NORMALIZATIONS
from cifar_dsl.recipes.optimizer import OPTIMIZERS
from cifar_dsl.recipes.schedule import SCHEDULES
from cifar_dsl.recipes.settings import GROUP_SETTINGS, SETTINGS, Setting
from cifar_dsl.recipes.views import TEST_AUGMENTATIONS

__all__ = [
    "AUGMENTATIONS",
    "AVERAGES",
    "CLIPS",
    "DATASETS",
    "GROUP_SETTINGS",
    "LOSSES",
    "NORMALIZATIONS",
    "OPTIMIZERS",
    "SCHEDULES",
    "SETTINGS",
    "TEST_AUGMENTATIONS",
    "Setting",
]
