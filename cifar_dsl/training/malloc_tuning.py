"""Tuning of glibc's malloc: freed tensor memory stays in the process, because the next step needs it again."""

import ctypes
import platform
from functools import cache

import torch

# Parameters of mallopt(3), in malloc.h. Tensors of 32 MB and more still go back to the system: they are few, and
# keeping them would fragment the heap.
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3
_NEVER, _STEP, _LARGE = 2**31 - 1, 2**26, 2**25


def keep_freed_memory(device: torch.device) -> None:
    """Keep freed tensor memory in this process if the device is a CPU and the C library is glibc.

    By default, glibc returns the memory of freed tensors to the system at once. The next step then gets it back page by
    page, each filled with zeros first, which takes up to a quarter of the step (docs/decisions/0020-freed-memory.md).
    """
    if device.type == "cpu" and platform.libc_ver()[0] == "glibc":
        _configure_glibc()


@cache
def _configure_glibc() -> None:
    mallopt = ctypes.CDLL(None).mallopt
    mallopt(_MMAP_THRESHOLD, _LARGE)
    mallopt(_TRIM_THRESHOLD, _NEVER)
    mallopt(_TOP_PAD, _STEP)
