"""Grad-CAM: the places of an image on which a class's score depends (Selvaraju et al., 2017)."""

import math
from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from cifar_dsl.foundation.records import frozen
from cifar_dsl.ir import Graph, Shape

_LEAST_SHARE = 0.5  # of the places that must have a gradient; a class token read alone has one


@frozen
class _Grid:
    """A layer's output as a grid of places. `prefix` counts the tokens before them, such as a class token."""

    path: str
    height: int
    width: int
    prefix: int = 0
    is_tokens: bool = False

    def places(self, values: Tensor) -> Tensor:
        """One image's values of the layer, (1, C, H, W) or (1, T, D), as (C, H, W)."""
        if not self.is_tokens:
            return values[0]
        return values[0, self.prefix :].T.reshape(-1, self.height, self.width)


def saliency(module: nn.Module, graph: Graph, image: Tensor, label: int) -> npt.NDArray[np.float32] | None:
    """The Grad-CAM map of one image (1, C, H, W) uint8 for a class: (h, w), from 0 to 1.

    It is taken at the last layer with several places, most of which the score depends on: behind that layer, places are
    averaged, flattened, or read from one token. None if there is no such layer.
    """
    grids = list(_grids(graph))
    calls = _calls(graph)
    values: dict[str, Tensor] = {}
    gradients: dict[str, Tensor] = {}

    def keep(paths: Iterator[str], _module: nn.Module, _inputs: Any, output: Any) -> None:
        path = next(paths)
        if isinstance(output, Tensor) and output.requires_grad:
            values[path] = output.detach().clone()  # a later layer may change it in place
            output.register_hook(partial(gradients.__setitem__, path))  # type: ignore[no-untyped-call]

    modules = dict(module.named_modules())
    wanted = {calls[grid.path] for grid in grids}
    handles = [
        modules[paths[0]].register_forward_hook(partial(keep, iter(paths))) for paths in wanted if paths[0] in modules
    ]
    try:
        with torch.enable_grad():
            pixels = (image.float() / 255).requires_grad_()
            scores = module(pixels)
            torch.autograd.grad(scores[0, label], pixels)
    finally:
        for handle in handles:
            handle.remove()
    for grid in reversed(grids):
        if grid.path not in gradients:
            continue
        gradient = grid.places(gradients[grid.path])
        if (gradient != 0).any(0).float().mean().item() >= _LEAST_SHARE:
            return _map(grid.places(values[grid.path]), gradient)
    return None


def _calls(graph: Graph) -> dict[str, tuple[str, ...]]:
    """The paths of the layers that are calls of one module, in order, by the path of each; several in a tied block."""
    calls: dict[str, list[str]] = {}
    for node in graph.nodes:
        calls.setdefault(node.shares or node.path, []).append(node.path)
    return {path: tuple(paths) for paths in calls.values() for path in paths}


def _map(values: Tensor, gradient: Tensor) -> npt.NDArray[np.float32]:
    found = torch.relu((gradient.mean((1, 2), keepdim=True) * values).sum(0))
    peak = found.max()
    scaled = found / peak if peak > 0 else found
    return scaled.detach().numpy().astype(np.float32)


def _grids(graph: Graph) -> Iterator[_Grid]:
    """The outputs that are images of several places, or tokens of a grid with the proportions of the image."""
    for node in graph.nodes:
        if node.parts == 1 and (grid := _grid(node.path, node.shape, graph.input)):
            yield grid


def _grid(path: str, shape: Shape, image: Shape) -> _Grid | None:
    if shape.is_image:
        _, height, width = shape.extents
        return _Grid(path, height, width) if height * width > 1 else None
    if not shape.is_tokens:
        return None
    _, tall, wide = image.extents
    for prefix in (0, 1):
        count = shape.extents[0] - prefix
        height = math.isqrt(count * tall // wide)
        if count > 1 and height and count % height == 0 and height * wide == count // height * tall:
            return _Grid(path, height, count // height, prefix, is_tokens=True)
    return None
