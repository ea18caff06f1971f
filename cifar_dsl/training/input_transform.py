"""How pixels become the inputs of a network: standardised by channel, or of one contrast and whitened."""

import hashlib
from collections.abc import Callable, Mapping
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from cifar_dsl.foundation.records import field, frozen
from cifar_dsl.ir import Contrast, Standardization
from cifar_dsl.ir.recipe import Normalization

_CHUNK = 1000  # images


@frozen
class Whitening:
    """The affine map of ZCA whitening on images of D = C * H * W numbers: (x - mean) @ matrix.

    Attributes:
        mean: (D,) float32, on the CPU.
        matrix: (D, D) float32, symmetric, on the CPU.
    """

    mean: Tensor = field(eq=False, repr=False)
    matrix: Tensor = field(eq=False, repr=False)

    def to_bytes(self) -> bytes:
        """As a safetensors file."""
        return save({"mean": self.mean, "matrix": self.matrix})

    @classmethod
    def from_bytes(cls, content: bytes) -> "Whitening":
        """What `to_bytes` made. Raises ValueError if it isn't that."""
        try:
            tensors = load(content)
            return cls(tensors["mean"], tensors["matrix"])
        except (SafetensorError, KeyError) as error:
            raise ValueError(f"no whitening: {error}") from error


def digest_of(content: bytes) -> str:
    """The SHA-256 of a whitening's file, in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


@frozen(eq=False)
class InputTransform:
    """Images (N, C, H, W), floats from 0 to 255 -> the inputs of the network, of the same shape.

    `formula` is a picklable function of the images and of `tensors`, by name.
    """

    formula: Callable[..., Tensor]
    tensors: Mapping[str, Tensor]

    def __call__(self, pixels: Tensor) -> Tensor:
        """The inputs. The images must be on the device of `tensors`."""
        return self.formula(pixels, **self.tensors)

    def to(self, device: torch.device) -> "InputTransform":
        """The transform on a device."""
        return InputTransform(self.formula, {name: tensor.to(device) for name, tensor in self.tensors.items()})


def standardizing(constants: Standardization) -> InputTransform:
    """The transform that standardises each channel."""
    scale, offset = (torch.tensor(figures)[:, None, None] for figures in (constants.scale, constants.offset))
    return InputTransform(_standardized, {"scale": scale, "offset": offset})


def first_transform(normalization: Normalization, whitening: Whitening | None) -> InputTransform:
    """The transform of a normalization that `is_first`; `whitening` is what was fitted, if it `is_whitening`."""
    contrast = normalization.contrast
    tensors = {"scale": torch.tensor(contrast.scale)} if contrast else {}
    if whitening is not None:
        tensors |= {"mean": whitening.mean, "matrix": whitening.matrix}
    return InputTransform(partial(_first, sqrt_bias=contrast.sqrt_bias if contrast else 0.0), tensors)


def _standardized(pixels: Tensor, *, scale: Tensor, offset: Tensor) -> Tensor:
    return torch.addcmul(offset, pixels, scale)


def _first(
    pixels: Tensor,
    *,
    sqrt_bias: float,
    scale: Tensor | None = None,
    mean: Tensor | None = None,
    matrix: Tensor | None = None,
) -> Tensor:
    """Images of one contrast, unless `scale` is None; whitened, unless `matrix` is None."""
    images = pixels / 255 if scale is None else _with_contrast(pixels, scale, sqrt_bias)
    if mean is None or matrix is None:
        return images
    return ((images.flatten(1) - mean) @ matrix).reshape(images.shape)


def _with_contrast(pixels: Tensor, scale: Tensor, sqrt_bias: float) -> Tensor:
    centred = pixels - pixels.mean((1, 2, 3), keepdim=True)
    divisor = (sqrt_bias + centred.square().sum((1, 2, 3), keepdim=True)).sqrt() / scale
    return centred / torch.where(divisor < Contrast.LEAST, 1.0, divisor)


def transformed(images: NDArray[np.uint8], transform: InputTransform, device: torch.device) -> Tensor:
    """Stored images (N, H, W, C) -> inputs (N, H, W, C) float32 on the device of `transform`, `device`."""
    inputs = torch.empty(images.shape, device=device)
    for start in range(0, len(images), _CHUNK):
        values = transform(_channels_first(images[start : start + _CHUNK]).to(device, torch.float32))
        inputs[start : start + _CHUNK] = values.permute(0, 2, 3, 1)
    return inputs


def fit_whitening(normalization: Normalization, images: NDArray[np.uint8]) -> Whitening:
    """The whitening of training images (N, H, W, C), computed on the CPU in float64: the same for equal images.

    Takes 2 N D^2 operations for the covariance of D = C * H * W numbers, and about 10 D^3 for its eigenvectors.
    """
    contrast = first_transform(normalization, None)
    size = images[0].size
    total, products = torch.zeros(size, dtype=torch.float64), torch.zeros(size, size, dtype=torch.float64)
    for start in range(0, len(images), _CHUNK):
        vectors = contrast(_channels_first(images[start : start + _CHUNK]).float()).flatten(1).double()
        total += vectors.sum(0)
        products.addmm_(vectors.T, vectors)
    mean = total / len(images)
    covariance = products.div_(len(images)).addr_(mean, mean, alpha=-1)
    covariance.diagonal().add_(normalization.eps)
    values, vectors = torch.linalg.eigh(covariance)
    del products, covariance
    matrix = (vectors * values.clamp(min=normalization.eps).rsqrt()) @ vectors.T
    return Whitening(mean.float(), matrix.float())


def _channels_first(images: NDArray[np.uint8]) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2)
