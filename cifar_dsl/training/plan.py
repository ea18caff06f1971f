"""The division of a training into epochs and steps."""

import math

from cifar_dsl.foundation.records import frozen
from cifar_dsl.ir import Recipe


@frozen
class Plan:
    """The number of steps and images in each epoch. Epochs count from 1; the last one may be a fraction."""

    images: int
    batch: int
    epochs: int | float
    drop_last: bool = False

    @classmethod
    def of(cls, recipe: Recipe, images: int) -> "Plan":
        """The plan of a recipe for a number of training images."""
        return cls(images, recipe.batch, recipe.epochs, recipe.drop_last)

    @property
    def steps(self) -> int:
        """The number of steps in a whole epoch."""
        return self.images // self.batch if self.drop_last else math.ceil(self.images / self.batch)

    @property
    def epochs_begun(self) -> int:
        """The number of epochs, including a fraction at the end."""
        return math.ceil(self.epochs)

    def steps_until(self, epochs: float) -> int:
        """The number of steps that begin before `epochs` epochs have passed."""
        return math.ceil(round(epochs * self.steps, 6))  # 0.07 * 100 is slightly more than 7

    def steps_in(self, epoch: int) -> int:
        """The number of steps in an epoch."""
        return min(self.steps, self.steps_until(self.epochs) - (epoch - 1) * self.steps)

    def images_in(self, epoch: int) -> int:
        """The number of images in an epoch."""
        return min(self.images, self.steps_in(epoch) * self.batch)

    def images_in_step(self, epoch: int, step: int) -> int:
        """The number of images in a step of an epoch. Here, steps count from 0."""
        return min(self.batch, self.images_in(epoch) - step * self.batch)
