"""Where to compute, and what is there."""

import os
import platform
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path

import torch

from cifar_dsl.analysis import available_bytes
from cifar_dsl.foundation.errors import DeviceError
from cifar_dsl.foundation.records import frozen
from cifar_dsl.training.precision import type_of

_BEST = "`--device auto` takes the best there is"


@frozen
class Choice:
    """A device, and why it was chosen."""

    device: torch.device
    reason: str

    @property
    def name(self) -> str:
        """The device as its maker calls it."""
        if self.device.type == "cuda":
            return torch.cuda.get_device_name(self.device)
        return processor_name()


def choose_device(wanted: str) -> Choice:
    """`auto`, `cpu`, `cuda`, `cuda:<n>` or `mps` -> a device. Raises DeviceError."""
    if wanted == "auto":
        if torch.cuda.is_available():
            return Choice(torch.device("cuda", 0), "auto: a CUDA GPU is there")
        if torch.backends.mps.is_available():
            return Choice(torch.device("mps"), "auto: no CUDA GPU, but Apple's MPS is there")
        return Choice(torch.device("cpu"), "auto: no GPU that torch can use")
    if wanted == "cpu":
        return Choice(torch.device("cpu"), "asked for")
    if wanted == "mps":
        if not torch.backends.mps.is_available():
            raise DeviceError("there is no MPS device here (it needs macOS on Apple silicon)", _BEST)
        return Choice(torch.device("mps"), "asked for")
    kind, colon, number = wanted.partition(":")
    if kind != "cuda" or (colon and not number.isdecimal()):
        raise DeviceError(f"{wanted!r} is not a device; use auto, cpu, cuda, cuda:0 or mps", _BEST)
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if int(number or 0) >= count:
        there = f"it sees {count} GPUs" if count else "torch sees no CUDA GPU here"
        raise DeviceError(f"there is no device {wanted}: {there}", _BEST)
    return Choice(torch.device("cuda", int(number or 0)), "asked for")


def spare_gpus(wanted: str) -> tuple[str, ...]:
    """The GPUs that processes may share out, as CUDA_VISIBLE_DEVICES names them; none if `wanted` is a certain one."""
    if wanted not in {"auto", "cuda"} or not torch.cuda.is_available():
        return ()
    count = torch.cuda.device_count()
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    return tuple(visible.split(","))[:count] if visible else tuple(map(str, range(count)))


def processor_name() -> str:
    """The CPU's name."""
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def memory_bytes(device: torch.device) -> int | None:
    """How much memory a training on the device can have; None where the system doesn't say."""
    if device.type == "cuda":
        return torch.cuda.get_device_properties(device).total_memory
    return available_bytes()  # MPS shares the machine's


def synchronize(device: torch.device) -> None:
    """Wait until the device has done everything."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def timed(device: torch.device, run: Callable[[], object]) -> float:
    """How many seconds something takes, with all that it leaves the device to do."""
    synchronize(device)
    start = time.perf_counter()
    run()
    synchronize(device)
    return time.perf_counter() - start


def peak_macs_per_s(device: torch.device, precision: str) -> float:
    """Multiply-accumulates a second of a large matrix product: about the most that the device can do."""
    return _peak_macs_per_s(device, precision, torch.get_num_threads())


@cache
def _peak_macs_per_s(device: torch.device, precision: str, _threads: int) -> float:
    extent = 4096 if device.type == "cuda" else 1024
    left, right = (torch.ones(extent, extent, device=device, dtype=type_of(precision)) for _ in range(2))
    torch.mm(left, right)
    best = min(timed(device, lambda: torch.mm(left, right)) for _ in range(5))
    return float(extent**3 / best)
