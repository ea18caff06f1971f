"""Normalisation of images: how bytes 0 to 255 become the numbers that the network sees.

Each is x * scale + offset, one scale and one offset for each channel, with x from 0 to 255.
"""

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
    """To 0 ... 1."""

    def affine(self, mean: tuple[float, ...], std: tuple[float, ...]) -> Affine:
        return tuple(1 / 255 for _ in mean), tuple(0.0 for _ in mean)


@NORMALIZATIONS.register("signed")
@declared
class Signed(Normalization):
    """To -1 ... 1."""

    def affine(self, mean: tuple[float, ...], std: tuple[float, ...]) -> Affine:
        return tuple(2 / 255 for _ in mean), tuple(-1.0 for _ in mean)


@NORMALIZATIONS.register("per_channel")
@declared
class PerChannel(Normalization):
    """To mean 0 and deviation 1 in each channel, as measured on the training images."""

    def affine(self, mean: tuple[float, ...], std: tuple[float, ...]) -> Affine:
        # A channel that never varies has no deviation to divide by.
        return _standardized(mean, tuple(s or 1.0 for s in std))


@NORMALIZATIONS.register("standardize")
@declared
class Standardize(Normalization):
    """To (x / 255 - mean) / std, with figures given for each channel."""

    mean: tuple[float, ...] = argument(ListOf(Float()), "one mean for each channel")
    std: tuple[float, ...] = argument(ListOf(Float(0, open_low=True)), "one deviation for each channel")

    def check_channels(self, channels: int) -> None:
        for name, figures in (("mean", self.mean), ("std", self.std)):
            if len(figures) != channels:
                count = f"{len(figures)} figure{'s' if len(figures) > 1 else ''}"
                raise MisfitError(
                    "E0403",
                    f"`{name}` of `{self.name}` has {count} for {channels} channels",
                    argument=name,
                    help=(f"give {channels} figures",),
                )

    def affine(self, mean: tuple[float, ...], std: tuple[float, ...]) -> Affine:
        return _standardized(self.mean, self.std)
