"""The division of a training into epochs and steps."""

import math

from cifar_dsl.foundation.records import frozen
from cifar_dsl.ir import Recipe


@frozen
class Plan:
    """The number of steps and images in each epoch. Epochs count from 1; the last one may be a fraction.

    A step takes `accumulate` batches of `batch` images; the last one of an epoch takes what is left.
    """

    images: int
    batch: int
    epochs: int | float
    drop_last: bool = False
    accumulate: int = 1

    @classmethod
    def of(cls, recipe: Recipe, images: int) -> "Plan":
        """The plan of a recipe for a number of training images."""
        return cls(images, recipe.batch, recipe.epochs, recipe.drop_last, recipe.accumulate)

    @property
    def steps(self) -> int:
        """The number of steps in a whole epoch."""
        return math.ceil(self._seen / self.images_per_step)

    @property
    def images_per_step(self) -> int:
        """The number of images in a step, but for the last one of an epoch."""
        return self.batch * self.accumulate

    @property
    def _seen(self) -> int:
        """The number of images in a whole epoch."""
        return self.images // self.batch * self.batch if self.drop_last else self.images

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
        return min(self._seen, self.steps_in(epoch) * self.images_per_step)

    def images_in_step(self, epoch: int, step: int) -> int:
        """The number of images in a step of an epoch. Here, steps count from 0."""
        return min(self.images_per_step, self.images_in(epoch) - step * self.images_per_step)

    def batches_of(self, images: int) -> list[int]:
        """The number of images in each batch of a step of `images` images."""
        return [min(self.batch, images - start) for start in range(0, images, self.batch)]
