"""Devices: choosing one, its name, memory and peak speed."""

import math
import multiprocessing
import os
import platform
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from pathlib import Path
from typing import TypeVar

import torch

from cifar_dsl.analysis import available_bytes, usable_cpus
from cifar_dsl.foundation.errors import DeviceError
from cifar_dsl.foundation.records import frozen
from cifar_dsl.foundation.text import small_number
from cifar_dsl.training.precision import CONVOLUTIONS, MATRIX_PRODUCTS, matrix_products_in, type_of, why_slow

Answer = TypeVar("Answer")
_ADVICE = "choose the device `auto`, which is the best one here"
_WARM_UP_S = 0.5  # of work, until an idle GPU has raised its clocks
# In messages of errors other than OutOfMemoryError: from torch for CPU memory, from libraries for GPU memory.
_NO_MEMORY = ("can't allocate memory", "not enough memory", "out of memory", "ALLOC_FAILED")


@frozen
class Choice:
    """The device to train on, and the reason for the choice.

    `is_used_elsewhere`: other processes train on it, and this one must not take memory of a GPU, as a context of CUDA
    does.
    """

    device: torch.device
    reason: str
    is_used_elsewhere: bool = False

    @property
    def name(self) -> str:
        """The vendor's name of the device."""
        return self.ask(_name, self.device)

    def ask(self, function: Callable[..., Answer], *arguments: object) -> Answer:
        """What a function of this module, or of another one, finds out about the device, in the right process."""
        if not self.is_used_elsewhere:
            return function(*arguments)
        return _helper().submit(function, *arguments).result()

    def stop_asking(self) -> None:
        """End the process that was asked, if there is one, and free the memory of its context."""
        if self.is_used_elsewhere:
            _helper().shutdown()
            _helper.cache_clear()


@cache
def _helper() -> ProcessPoolExecutor:
    return ProcessPoolExecutor(1, multiprocessing.get_context("spawn"))


def _name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else processor_name()


def choose_device(wanted: str) -> Choice:
    """The device for `auto`, `cpu`, `cuda`, `cuda:<n>` or `mps`. Raises DeviceError."""
    if wanted == "auto":
        if torch.cuda.is_available():
            return Choice(torch.device("cuda", 0), "auto: a CUDA GPU is available")
        if torch.backends.mps.is_available():
            return Choice(torch.device("mps"), "auto: no CUDA GPU, but Apple's MPS is available")
        return Choice(torch.device("cpu"), "auto: no GPU that torch can use")
    if wanted == "cpu":
        return Choice(torch.device("cpu"), "requested")
    if wanted == "mps":
        if not torch.backends.mps.is_available():
            raise DeviceError("no MPS device is available (it requires macOS on Apple silicon)", _ADVICE)
        return Choice(torch.device("mps"), "requested")
    kind, colon, number = wanted.partition(":")
    index = small_number(number) if colon else 0
    if kind != "cuda" or index is None:
        raise DeviceError(f"{wanted!r} is not a device; use auto, cpu, cuda, cuda:0 or mps", _ADVICE)
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if index >= count:
        available = f"torch sees {count} GPUs" if count else "torch sees no CUDA GPU"
        raise DeviceError(f"device {wanted} is not available: {available}", _ADVICE)
    return Choice(torch.device("cuda", index), "requested")


def spare_gpus(wanted: str) -> tuple[str, ...]:
    """The GPUs to distribute processes over, as in CUDA_VISIBLE_DEVICES; none if `wanted` names a single device."""
    if wanted not in {"auto", "cuda"} or not torch.cuda.is_available():
        return ()
    count = torch.cuda.device_count()
    visible = [name.strip() for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")]
    if not visible[0]:
        return tuple(map(str, range(count)))
    if visible[0].startswith("MIG-"):  # a process sees only the first one, but another process another one
        return tuple(dict.fromkeys(name for name in visible if name.startswith("MIG-")))
    return tuple(visible[:count])


def processor_name() -> str:
    """The vendor's name of the CPU."""
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def memory_bytes(device: torch.device) -> int | None:
    """The memory that is free for training on the device, in bytes; None if unknown."""
    if device.type == "cuda":
        free, _total = torch.cuda.mem_get_info(device)
        return int(free)
    return available_bytes()  # MPS uses the machine's memory


def is_memory_error(error: BaseException) -> bool:
    """Whether memory ran out, be it while another error was handled, such as that of the recording that it ended."""
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        text = str(cause)
        if isinstance(cause, MemoryError | torch.OutOfMemoryError) or (
            isinstance(cause, RuntimeError) and any(sign in text for sign in _NO_MEMORY)
        ):
            return True
        cause = cause.__cause__ or cause.__context__
    return False


def synchronize(device: torch.device) -> None:
    """Wait until the device has finished all work."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def timed(device: torch.device, run: Callable[[], object]) -> float:
    """The time that `run` takes, in seconds, including the work that it launches on the device."""
    synchronize(device)
    start = time.perf_counter()
    run()
    synchronize(device)
    return time.perf_counter() - start


def set_threads(threads: int | None) -> None:
    """Set the number of torch's CPU threads; None: torch's default, but at most `usable_cpus`.

    In a container, torch's default is the number of cores of the whole machine.
    """
    torch.set_num_threads(threads or min(torch.get_num_threads(), usable_cpus()))


def peak_share(macs_per_s: float, device: torch.device, precision: str) -> float | None:
    """A speed as a fraction of `peak_macs_per_s`; None if the peak was slower, so that it can't be the peak.

    Then other processes were using the device while the peak was measured.
    """
    share = macs_per_s / peak_macs_per_s(device, precision)
    return share if share <= 1 else None


def peak_macs_per_s(device: torch.device, precision: str) -> float:
    """Multiply-accumulates per second in a large operation: about the peak of the device.

    It is the faster of a matrix product and, on a CPU, a convolution: torch computes the two with different libraries
    and instructions. The matrices are random, as products of zeros take less power and so less time.
    """
    return _peak_macs_per_s(device, precision, torch.get_num_threads())


@cache
def _peak_macs_per_s(device: torch.device, precision: str, _threads: int) -> float:
    generator = torch.Generator(device).manual_seed(0)

    def random(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator, device=device).to(type_of(precision))

    is_slow = why_slow(precision, device) is not None  # then small operations show it, and large ones take minutes
    extent = 4096 if device.type == "cuda" else 128 if is_slow else 1024
    left, right = random(extent, extent), random(extent, extent)
    # On a GPU, convolutions of float32 multiply in TF32, and matrix products as fast if they may.
    with matrix_products_in(CONVOLUTIONS if device.type == "cuda" else MATRIX_PRODUCTS):
        peak = extent**3 / _best_s(device, lambda: torch.mm(left, right))
    if device.type == "cpu":
        images, channels, size = 1 if is_slow else 32, 128, 16
        inputs = random(images, channels, size, size).to(memory_format=torch.channels_last)
        weight = random(channels, channels, 3, 3).to(memory_format=torch.channels_last)
        macs = images * size**2 * channels**2 * 9
        peak = max(peak, macs / _best_s(device, lambda: torch.conv2d(inputs, weight, padding=1)))
    return float(peak)


@torch.no_grad()
def _best_s(device: torch.device, run: Callable[[], object]) -> float:
    """The shortest of several times of `run`, in seconds. The first doesn't count, nor any until a GPU is warm."""
    timed(device, run)
    if device.type == "cuda":
        repetitions = math.ceil(_WARM_UP_S / max(timed(device, run), 1e-6))
        timed(device, lambda: [run() for _ in range(repetitions)])
    return min(timed(device, run) for _ in range(5))
