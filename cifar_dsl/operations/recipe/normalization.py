"""Normalisation of images: (x - mean) / std for each channel, with pixels x from 0 to 1."""

from cifar_dsl.ir import argument, declared
from cifar_dsl.ir.recipe import Normalization, Standardization
from cifar_dsl.operations.argument_types import Float, ListOf
from cifar_dsl.operations.registry import MisfitError, Registry

NORMALIZATIONS: Registry[Normalization] = Registry("normalization")


@NORMALIZATIONS.register("unit")
@declared
class Unit(Normalization):
    """Scale pixels to [0, 1]."""

    def standardization(self, channels: int) -> Standardization:
        return Standardization((0.0,) * channels, (1.0,) * channels)


@NORMALIZATIONS.register("signed")
@declared
class Signed(Normalization):
    """Scale pixels to [-1, 1]."""

    def standardization(self, channels: int) -> Standardization:
        return Standardization((0.5,) * channels, (0.5,) * channels)


@NORMALIZATIONS.register("per_channel")
@declared
class PerChannel(Normalization):
    """Normalise each channel to mean 0 and standard deviation 1, measured on the training images."""

    def standardization(self, channels: int) -> None:
        return None


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

    def standardization(self, channels: int) -> Standardization:
        return Standardization(self.mean, self.std)
