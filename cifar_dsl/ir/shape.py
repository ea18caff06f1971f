"""Shapes of tensors."""

from math import prod

from cifar_dsl.foundation.records import frozen


@frozen
class Shape:
    """Extents of one sample's tensor without its batch.

    (C, H, W) for images, (F,) for features, (T, D) for T tokens of D features each.
    """

    extents: tuple[int, ...]

    def __str__(self) -> str:
        return "x".join(map(str, self.extents))

    @property
    def elements(self) -> int:
        """How many numbers the tensor holds."""
        return prod(self.extents)

    @property
    def is_image(self) -> bool:
        """Whether it has channels, height and width."""
        return len(self.extents) == 3

    @property
    def is_tokens(self) -> bool:
        """Whether it is a sequence of tokens."""
        return len(self.extents) == 2

    @property
    def channels(self) -> int:
        """Channels of an image, features of a vector or of each token."""
        return self.extents[-1] if self.is_tokens else self.extents[0]
