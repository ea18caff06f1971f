"""Normalisation of images: x * scale + offset for each channel, with pixel values x from 0 to 255."""

from cifar_dsl.ir import argument, declared
from cifar_dsl.ir.recipe import Affine, Normalization
from cifar_dsl.operations.argument_types import Float, ListOf
from cifar_dsl.operations.registry import MisfitError, Registry

NORMALIZATIONS: Registry[Normalization] = Registry("normalization")


def _standardized(mean: tuple[float, ...], std: tuple[float, ...]) -> Affine:
    scales = tuple(1 / (255 * s) for s in std)
    return scales, tuple(-m / s for m, s in zip(mean, std, strict=True))


@NORMALIZATIONS.register("unit")
@declared
class Unit(Normalization):
    """Scale pixels to [0, 1]."""

    def affine(self, mean: tuple[float, ...], std: tuple[float, ...]) -> Affine:
        return tuple(1 / 255 for _ in mean), tuple(0.0 for _ in mean)


@NORMALIZATIONS.register("signed")
@declared
class Signed(Normalization):
    """Scale pixels to [-1, 1]."""

    def affine(self, mean: tuple[float, ...], std: tuple[float, ...]) -> Affine:
        return tuple(2 / 255 for _ in mean), tuple(-1.0 for _ in mean)


@NORMALIZATIONS.register("per_channel")
@declared
class PerChannel(Normalization):
    """Normalise each channel to mean 0 and standard deviation 1, measured on the training images."""

    def affine(self, mean: tuple[float, ...], std: tuple[float, ...]) -> Affine:
        # A constant channel has a standard deviation of 0.
        return _standardized(mean, tuple(s or 1.0 for s in std))


@NORMALIZATIONS.register("standardize")
@declared
class Standardize(Normalization):
    """(x / 255 - mean) / std, with `mean` and `std` for each channel."""

    mean: tuple[float, ...] = argument(ListOf(Float()), "mean of each channel, for pixels in [0, 1]")
    std: tuple[float, ...] = argument(ListOf(Float(0, open_low=True)), "standard deviation of each channel")

    def check_channels(self, channels: int) -> None:
        for name, numbers in (("mean", self.mean), ("std", self.std)):
            if len(numbers) != channels:
                count = f"{len(numbers)} number{'s' if len(numbers) > 1 else ''}"
                raise MisfitError(
                    "E0403",
                    f"`{name}` of `{self.name}` has {count} for {channels} channels",
                    argument=name,
                    help=(f"write {channels} numbers",),
                )

    def affine(self, mean: tuple[float, ...], std: tuple[float, ...]) -> Affine:
        return _standardized(self.mean, self.std)
