"""The memory of tensors on a CPU: kept when it is freed, since the next step needs it again."""

import ctypes
import platform
from functools import cache

import torch

# Of mallopt(3), in malloc.h. Tensors of 32 MB and more go back to the system as before: they are few, and between those
# that were kept of them there would be room that nothing fits.
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3
_NEVER, _STEP, _LARGE = 2**31 - 1, 2**26, 2**25


def keep_freed_memory(device: torch.device) -> None:
    """Keep the memory of freed tensors in this process, where the device is a CPU and the C library is glibc.

    Glibc gives the memory of tensors back to the system as soon as they are freed, and the next step gets it again page
    by page, each filled with zeros first. That takes up to a quarter of a step
    (docs/decisions/0020-freed-memory.md).
    """
    if device.type == "cpu" and platform.libc_ver()[0] == "glibc":
        _tell_glibc()


@cache
def _tell_glibc() -> None:
    mallopt = ctypes.CDLL(None).mallopt
    mallopt(_MMAP_THRESHOLD, _LARGE)
    mallopt(_TRIM_THRESHOLD, _NEVER)
    mallopt(_TOP_PAD, _STEP)
