"""The division of a training into epochs, steps and batches."""

import math

from cifar_dsl.foundation.records import frozen
from cifar_dsl.ir import Recipe
from cifar_dsl.operations.recipe.selection import share_of


@frozen
class Plan:
    """The number of steps and images in each epoch. Epochs count from 1; the last one may be a fraction.

    A step takes `accumulate` batches of `batch` images; the last one of an epoch takes what is left. Of each batch, the
    network sees a `share`, rounded up: that of a selection. Only `drawn_in` counts the others. If it
    `has_validation` images, every epoch is evaluated, since any of them may be the best.
    """

    images: int
    batch: int
    epochs: int | float
    drop_last: bool = False
    accumulate: int = 1
    share: float = 1.0
    has_validation: bool = False

    @classmethod
    def of(cls, recipe: Recipe, images: int, share: float = 1.0) -> "Plan":
        """The plan of a recipe for a number of training images, of which the network sees a `share`."""
        return cls(
            images,
            recipe.batch,
            recipe.epochs,
            recipe.drop_last,
            recipe.accumulate,
            share,
            has_validation=recipe.validation > 0,
        )

    @property
    def steps(self) -> int:
        """The number of steps in a whole epoch."""
        return math.ceil(self._drawn / self._drawn_per_step)

    @property
    def images_per_step(self) -> int:
        """The number of images in a step, but for the last one of an epoch."""
        return self._seen_of(self._drawn_per_step)

    @property
    def _drawn_per_step(self) -> int:
        return self.batch * self.accumulate

    @property
    def _drawn(self) -> int:
        """The number of images in a whole epoch, before the selection."""
        return self.images // self.batch * self.batch if self.drop_last else self.images

    @property
    def epochs_begun(self) -> int:
        """The number of epochs, including a fraction at the end."""
        return math.ceil(self.epochs)

    def has_evaluation(self, epoch: int, every: int) -> bool:
        """Whether an evaluation follows an epoch, if it does after every `every` epochs (0: none) and the last one."""
        return self.has_validation or epoch >= self.epochs_begun or (every > 0 and epoch % every == 0)

    def steps_until(self, epochs: float) -> int:
        """The number of steps that begin before `epochs` epochs have passed."""
        return math.ceil(round(epochs * self.steps, 6))  # 0.07 * 100 is slightly more than 7

    def steps_in(self, epoch: int) -> int:
        """The number of steps in an epoch."""
        return min(self.steps, self.steps_until(self.epochs) - (epoch - 1) * self.steps)

    def drawn_in(self, epoch: int) -> int:
        """The number of images in an epoch, before the selection."""
        return min(self._drawn, self.steps_in(epoch) * self._drawn_per_step)

    def images_in(self, epoch: int) -> int:
        """The number of images in an epoch."""
        return self._seen_of(self.drawn_in(epoch))

    def batches_in_step(self, epoch: int, step: int) -> list[int]:
        """The number of images in each batch of a step of an epoch. Here, steps count from 0."""
        first = step * self._drawn_per_step
        drawn = min(self._drawn_per_step, self.drawn_in(epoch) - first)
        return [share_of(self.share, batch) for batch in self._batches_of(drawn)]

    def _batches_of(self, images: int) -> list[int]:
        return [min(self.batch, images - start) for start in range(0, images, self.batch)]

    def _seen_of(self, drawn: int) -> int:
        """How many images of this number the network sees; only the last batch may be incomplete."""
        whole, rest = divmod(drawn, self.batch)
        return whole * share_of(self.share, self.batch) + share_of(self.share, rest)
