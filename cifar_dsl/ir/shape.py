"""Shapes of tensors, without the batch."""

from math import prod

from cifar_dsl.foundation.records import frozen


@frozen
class Shape:
    """The shape of one sample's tensor, without the batch.

    (C, H, W) for images, (F,) for vectors of features, (T, D) for T tokens of D features each.
    """

    extents: tuple[int, ...]

    def __str__(self) -> str:
        return "x".join(map(str, self.extents))

    @property
    def elements(self) -> int:
        """The number of elements."""
        return prod(self.extents)

    @property
    def is_image(self) -> bool:
        """Whether it is an image (C, H, W)."""
        return len(self.extents) == 3

    @property
    def is_tokens(self) -> bool:
        """Whether it is a sequence of tokens (T, D)."""
        return len(self.extents) == 2

    @property
    def is_vector(self) -> bool:
        """Whether it is a vector of features (F,)."""
        return len(self.extents) == 1

    @property
    def channels(self) -> int:
        """C of an image, F of a vector, D of tokens."""
        return self.extents[-1] if self.is_tokens else self.extents[0]
