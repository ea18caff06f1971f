"""Checks for divisibility: channels by groups, an image by tiles."""

from math import gcd

from cifar_dsl.ir import Shape
from cifar_dsl.operations.layers.base import Layer
from cifar_dsl.operations.registry import MisfitError


def check_divisible(count: int, what: str, parts: int, argument: str, others: int = 0) -> None:
    """Raise MisfitError if `count` isn't divisible by `parts`, the value of `argument`.

    The message names `what` is counted, and suggests numbers that also divide `others`.
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
    """Raise MisfitError if the image isn't divisible into tiles of size `tile`, the value of `argument`."""
    _, height, width = x.extents
    if height % tile[0] or width % tile[1]:
        raise MisfitError(
            "E0304",
            f"height and width are not divisible by `{argument}` of `{layer.name}`",
            argument=argument,
            label=f"{height}x{width} is not divisible by {tile[0]}x{tile[1]}",
            help=(f"use {argument}={_divisors(gcd(height, width))}, or pad the image with `pad_image`",),
        )


def _divisors(count: int) -> str:
    divisors = [str(divisor) for divisor in range(1, min(count, 1024) + 1) if not count % divisor]
    return ", ".join(divisors[:8])
