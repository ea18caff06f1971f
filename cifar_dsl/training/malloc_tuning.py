"""Tuning of glibc's malloc: freed tensor memory stays in the process, because the next step needs it again."""

import ctypes
import math
import platform
from collections.abc import Callable

import torch

from cifar_dsl.analysis import available_bytes, usable_cpus

# Parameters of mallopt(3), in malloc.h. Tensors of 32 MB and more, the largest threshold that glibc takes, are mapped
# and go back to the system when they are freed, unless nothing may be mapped.
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD, _MMAP_MAX = -1, -2, -3, -4
_NEVER, _STEP, _LARGE, _MAPPINGS = 2**31 - 1, 2**26, 2**25, 2**16
# Where a training keeps large tensors too, it takes up to 1.5 times its estimate (docs/results/memory.md).
_HEADROOM = 2


def keep_freed_memory(device: torch.device, needed: Callable[[], int]) -> None:
    """Keep freed tensor memory in this process if the device is a CPU and the C library is glibc.

    By default, glibc returns the memory of freed tensors to the system at once. The next step then gets it back page by
    page, each filled with zeros first, which takes up to a third of the step (docs/decisions/0020-freed-memory.md).
    Tensors of 32 MB and more are kept only if there is room. `needed` returns the bytes that the training is estimated
    to take.
    """
    if device.type != "cpu" or platform.libc_ver()[0] != "glibc":
        return
    mallopt = ctypes.CDLL(None).mallopt
    mallopt(_TRIM_THRESHOLD, _NEVER)
    mallopt(_TOP_PAD, _STEP)
    mallopt(_MMAP_THRESHOLD, _LARGE)
    mallopt(_MMAP_MAX, 0 if has_room(needed()) else _MAPPINGS)


def has_room(needed: int) -> bool:
    """Whether twice as many bytes as `needed` are available to each process that can train beside this one.

    Those are as many as the CPUs take with the threads of this one.
    """
    available = available_bytes()
    processes = math.ceil(usable_cpus() / torch.get_num_threads())
    return available is not None and _HEADROOM * needed * processes <= available
