"""Everything that a recipe can name, each declared in one class: datasets, optimizers, schedules ..."""

from cifar_dsl.operations.recipe.artifact import ARTIFACTS
from cifar_dsl.operations.recipe.augmentation import AUGMENTATIONS
from cifar_dsl.operations.recipe.average import AVERAGES
from cifar_dsl.operations.recipe.clip import CLIPS
from cifar_dsl.operations.recipe.constraint import CONSTRAINTS
from cifar_dsl.operations.recipe.dataset import DATASETS
from cifar_dsl.operations.recipe.distillation import DISTILLATIONS
from cifar_dsl.operations.recipe.drop_schedule import DROP_SCHEDULES
from cifar_dsl.operations.recipe.early_stopping import EARLY_STOPPINGS
from cifar_dsl.operations.recipe.loss import LOSSES
from cifar_dsl.operations.recipe.normalization import NORMALIZATIONS
from cifar_dsl.operations.recipe.optimizer import OPTIMIZERS
from cifar_dsl.operations.recipe.perturbation import PERTURBATIONS
from cifar_dsl.operations.recipe.schedule import SCHEDULES
from cifar_dsl.operations.recipe.selection import KEEPINGS
from cifar_dsl.operations.recipe.settings import GROUP_SETTINGS, SETTINGS, Setting
from cifar_dsl.operations.recipe.test_time_augmentation import TEST_AUGMENTATIONS

__all__ = [
    "ARTIFACTS",
    "AUGMENTATIONS",
    "AVERAGES",
    "CLIPS",
    "CONSTRAINTS",
    "DATASETS",
    "DISTILLATIONS",
    "DROP_SCHEDULES",
    "EARLY_STOPPINGS",
    "GROUP_SETTINGS",
    "KEEPINGS",
    "LOSSES",
    "NORMALIZATIONS",
    "OPTIMIZERS",
    "PERTURBATIONS",
    "SCHEDULES",
    "SETTINGS",
    "TEST_AUGMENTATIONS",
    "Setting",
]
