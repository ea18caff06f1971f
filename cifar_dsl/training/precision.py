"""The floating-point precision of a network."""

import torch

from cifar_dsl.ir import Recipe

_TYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}
# x86 instruction sets that compute with a type, as `torch.cpu.get_capabilities` names them.
_INSTRUCTION_SETS = {"bf16": ("avx512_bf16", "amx_bf16"), "fp16": ("avx512_fp16", "amx_fp16")}


def precision(recipe: Recipe, device: torch.device) -> torch.autocast:
    """The context in which a network computes in the recipe's precision."""
    return torch.autocast(device.type, _TYPES.get(recipe.precision), enabled=recipe.precision in _TYPES)


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
