"""With which numbers a network computes."""

import torch

from cifar_dsl.ir import Recipe

_TYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}
# What a processor of the x86 family has that computes with them, as `torch.cpu.get_capabilities` names it.
_UNITS = {"bf16": ("avx512_bf16", "amx_bf16"), "fp16": ("avx512_fp16", "amx_fp16")}


def precision(recipe: Recipe, device: torch.device) -> torch.autocast:
    """The context in which a network computes with the numbers that the recipe names."""
    return torch.autocast(device.type, _TYPES.get(recipe.precision), enabled=recipe.precision in _TYPES)


def type_of(name: str) -> torch.dtype:
    """The numbers that a recipe's `precision` names."""
    return _TYPES.get(name, torch.float32)


def why_slow(name: str, device: torch.device) -> str | None:
    """Why these numbers are slower than float32 on a device; None where they aren't, or it can't be known."""
    if name not in _TYPES:
        return None
    if device.type == "cuda":
        is_missing = name == "bf16" and not torch.cuda.is_bf16_supported(including_emulation=False)
        return "this GPU has no bfloat16 units" if is_missing else None
    # A release of torch without this function can't say.
    capabilities = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    if device.type != "cpu" or capabilities.get("architecture") != "x86_64":
        return None
    if any(capabilities.get(unit) for unit in _UNITS[name]):
        return None
    return f"this processor has neither {' nor '.join(_UNITS[name])}"
