"""The floating-point precision of a network.

NVIDIA GPUs multiply float32 numbers exactly (`ieee`), or several times as fast rounded to TF32: to ten bits of the
mantissa instead of 23. A training rounds in convolutions, not in matrix products, whatever the process had set before
(docs/decisions/0092-tf32-in-convolutions.md). Sums are float32 either way.
"""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from cifar_dsl.ir import Recipe

CONVOLUTIONS, MATRIX_PRODUCTS = "tf32", "ieee"  # how they multiply float32 numbers on a GPU
_TYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}
# x86 instruction sets that compute with a type, as `torch.cpu.get_capabilities` names them.
_INSTRUCTION_SETS = {"bf16": ("avx512_bf16", "amx_bf16"), "fp16": ("avx512_fp16", "amx_fp16")}


@contextmanager
def float32_products(device: torch.device) -> Iterator[None]:
    """The context in which trainings and evaluations multiply float32 numbers on a device."""
    if device.type != "cuda":
        yield
        return
    cudnn: Any = torch.backends.cudnn
    with _rounding(cudnn, cudnn.conv, CONVOLUTIONS), matrix_products_in(MATRIX_PRODUCTS):
        yield


@contextmanager
def matrix_products_in(name: str) -> Iterator[None]:
    """The context in which a GPU computes matrix products of float32 numbers in TF32 (`tf32`) or exactly (`ieee`)."""
    products = torch.backends.cuda.matmul
    with _rounding(products, products, name):
        yield


@contextmanager
def _rounding(backend: Any, setting: Any, name: str) -> Iterator[None]:
    """Set torch's older and newer switch of a backend, which must agree, and restore the newer one on exit."""
    before = setting.fp32_precision
    backend.allow_tf32 = name == "tf32"
    try:
        yield
    finally:
        backend.allow_tf32 = before == "tf32"
        setting.fp32_precision = before


def products_of(device: torch.device) -> str:
    """How float32 numbers are multiplied on a device, as run records store it; empty where torch has no choice."""
    return f"convolutions {CONVOLUTIONS}, matrix products {MATRIX_PRODUCTS}" if device.type == "cuda" else ""


def precision(recipe: Recipe, device: torch.device) -> torch.autocast:
    """The context in which a network computes in the recipe's precision."""
    return torch.autocast(device.type, _TYPES.get(recipe.precision), enabled=recipe.precision in _TYPES)


def keep_in_half(module: nn.Module, paths: Collection[str], recipe: Recipe) -> None:
    """Keep the parameters at these paths in the recipe's half precision, in place."""
    for path in paths:
        parameter = module.get_parameter(path)
        parameter.data = parameter.data.to(type_of(recipe.precision))


def in_float32(tensor: Tensor) -> Tensor:
    """The tensor in float32, if it is one of half precision, else itself."""
    return tensor.float() if tensor.dtype in _TYPES.values() else tensor


def type_of(name: str) -> torch.dtype:
    """The torch type of a recipe's `precision`."""
    return _TYPES.get(name, torch.float32)


def why_slow(name: str, device: torch.device) -> str | None:
    """The reason why a precision is slower than float32 on a device; None if it isn't, or if that is unknown."""
    if name not in _TYPES:
        return None
    if device.type == "cuda":
        is_missing = name == "bf16" and not torch.cuda.is_bf16_supported(including_emulation=False)
        return "this GPU has no bfloat16 units" if is_missing else None
    # Some releases of torch lack this function.
    capabilities = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    if device.type != "cpu" or capabilities.get("architecture") != "x86_64":
        return None
    if any(capabilities.get(each) for each in _INSTRUCTION_SETS[name]):
        return None
    return f"this processor has neither {' nor '.join(_INSTRUCTION_SETS[name])}"
