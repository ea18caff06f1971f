"""What is shared out evenly: channels among groups, an image among tiles."""

from math import gcd

from cifar_dsl.ir import Shape
from cifar_dsl.operations.layers.base import Layer
from cifar_dsl.operations.registry import MisfitError


def check_divisible(count: int, what: str, parts: int, argument: str, others: int = 0) -> None:
    """Raise MisfitError where `argument` asks for a number of parts that `what` can't be shared out among.

    The parts that the message advises divide `others` too.
    """
    if count % parts:
        raise MisfitError(
            "E0302",
            f"{what} are not divisible by {argument}",
            argument=argument,
            label=f"{count} % {parts} = {count % parts}",
            help=(f"use {argument}={_divisors(gcd(count, others))}",),
        )


def check_tiles(layer: Layer, x: Shape, tile: tuple[int, int], argument: str) -> None:
    """Raise MisfitError where tiles of the size that `argument` says leave a rest of the image."""
    _, height, width = x.extents
    if height % tile[0] or width % tile[1]:
        raise MisfitError(
            "E0304",
            f"{layer.name} divides height and width without a remainder",
            argument=argument,
            label=f"{height}x{width} is not divisible by {tile[0]}x{tile[1]}",
            help=(f"use {argument}={_divisors(gcd(height, width))}, or pad the image with `pad_image`",),
        )


def _divisors(count: int) -> str:
    found = [str(divisor) for divisor in range(1, min(count, 1024) + 1) if not count % divisor]
    return ", ".join(found[:8])
