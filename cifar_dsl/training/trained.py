"""Trained networks that take images as they are stored: bytes, or floats from 0 to 1."""

import math
from typing import Any

import torch
from torch import Tensor

from cifar_dsl.foundation.errors import UserError
from cifar_dsl.ir import Shape
from cifar_dsl.training.input_transform import InputTransform
from cifar_dsl.training.lowering.torch_module import Network

_ROUNDING = 1e-3  # by which floats may leave [0, 1]: resizing and half precision round


class TrainedNetwork(Network):
    """A network with the normalization of its training: images (N, C, H, W) -> scores (N, classes).

    Images are uint8 from 0 to 255, or floats from 0 to 1. `forward` raises UserError for others. `classes` are the
    names of the classes, in the order of the scores. `state_dict` has the keys of the network alone.
    """

    classes: tuple[str, ...]

    def __init__(
        self, network: Network, image: Shape, normalization: InputTransform, classes: tuple[str, ...] = ()
    ) -> None:
        steps, outputs = network._steps, network._outputs  # noqa: SLF001  # of the same class
        super().__init__(network._get_name(), dict(network.named_children()), steps, outputs)  # noqa: SLF001
        self._image = image.extents
        self._formula, self._tensors = normalization.formula, tuple(normalization.tensors)
        for name, tensor in normalization.tensors.items():
            self.register_buffer(f"_{name}", tensor, persistent=False)
        vars(self)["classes"] = classes  # an ordinary assignment fails if a stage is called `classes`
        self.train(network.training)

    def forward(self, images: Tensor) -> Tensor | tuple[Tensor, ...]:  # type: ignore[override]
        """Scores (N, classes), and in training mode those of exits; see `Network.forward`."""
        self._check(images)
        tensors = {name: self.get_buffer(f"_{name}") for name in self._tensors}
        values = images.to(tensors[self._tensors[0]].dtype)
        if images.is_floating_point():
            values = 255 * values
        return super().forward(self._formula(values, **tensors))

    def _check(self, images: Any) -> None:
        """Raise UserError unless these are images of the network."""
        if not isinstance(images, Tensor):
            raise UserError(
                f"the network takes a tensor, not {type(images).__name__}", "convert arrays with torch.from_numpy"
            )
        channels, height, width = self._image
        if images.ndim != 4 or images.shape[1:] != self._image:
            raise UserError(
                f"the images have the shape {tuple(images.shape)}, but the network takes (N, {channels}, {height}, "
                f"{width})",
                self._reshaping(tuple(images.shape)),
            )
        if images.dtype != torch.uint8 and not images.is_floating_point():
            raise UserError(
                f"the images are {str(images.dtype).removeprefix('torch.')}, but the network takes uint8 from 0 to 255 "
                "or floats from 0 to 1",
                "convert integers from 0 to 255 with images.to(torch.uint8)",
            )
        # torch.export and torch.compile can't look at values.
        if images.is_floating_point() and images.numel() and not torch.compiler.is_compiling():
            _check_range(*(bound.item() for bound in images.detach().aminmax()))

    def _reshaping(self, shape: tuple[int, ...]) -> str:
        """How to give images of a wrong shape the right one."""
        channels, *extents = self._image
        if shape == self._image:
            return "add the axis of the batch: images[None]"
        if shape == (*extents, channels):
            return "move the channels to the front, and add the axis of the batch: images.permute(2, 0, 1)[None]"
        if shape[1:] == (*extents, channels):
            return "move the channels to the front: images.permute(0, 3, 1, 2)"
        return "resize the images, or load the network alone with load_trained(run, raw=True), which checks nothing"


def _check_range(low: float, high: float) -> None:
    if low >= -_ROUNDING and high <= 1 + _ROUNDING:
        return
    if math.isnan(low):  # and `high`
        raise UserError("the images contain NaN")
    found = f"the images are floats from {low:.3g} to {high:.3g}, but the network takes floats from 0 to 1"
    if low < -_ROUNDING:
        raise UserError(
            found, "if they are normalized already, load the network alone with load_trained(run, raw=True)"
        )
    raise UserError(found, "divide pixels from 0 to 255 by 255, or pass them as uint8")
