"""How training images fall into steps."""

import math

from cifar_dsl.foundation.records import frozen
from cifar_dsl.ir import Recipe


@frozen
class Plan:
    """The steps of a training. Epochs and steps are counted from 1; the last epoch may be a part of one."""

    images: int
    batch: int
    epochs: int | float
    drop_last: bool = False

    @classmethod
    def of(cls, recipe: Recipe, images: int) -> "Plan":
        """The plan of a recipe for so many training images."""
        return cls(images, recipe.batch, recipe.epochs, recipe.drop_last)

    @property
    def steps(self) -> int:
        """Steps of a whole epoch."""
        return self.images // self.batch if self.drop_last else math.ceil(self.images / self.batch)

    @property
    def epochs_begun(self) -> int:
        """How many epochs there are, the last of which may be a part."""
        return math.ceil(self.epochs)

    def steps_until(self, epochs: float) -> int:
        """How many steps begin before so many epochs have passed."""
        return math.ceil(round(epochs * self.steps, 6))  # 0.07 * 100 is a little more than 7

    def steps_in(self, epoch: int) -> int:
        """How many steps an epoch has."""
        return min(self.steps, self.steps_until(self.epochs) - (epoch - 1) * self.steps)

    def images_in(self, epoch: int) -> int:
        """How many images an epoch trains on."""
        return min(self.images, self.steps_in(epoch) * self.batch)

    def images_in_step(self, epoch: int, step: int) -> int:
        """How many images a step of an epoch trains on; steps are counted from 0 here."""
        return min(self.batch, self.images_in(epoch) - step * self.batch)
