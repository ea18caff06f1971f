"""Energy meters: NVML for NVIDIA GPUs, RAPL for CPUs on Linux."""

import math
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

import torch

from cifar_dsl.foundation.records import define, field, frozen

POWERCAP = Path("/sys/class/powercap")
_EVERY_S = 0.2  # between two readings; RAPL counters must not wrap around twice in between
_PATIENCE_S = 5


class Meter(Protocol):
    """Measures energy from its creation on."""

    def read_j(self) -> float | None:
        """The energy since the start, in joules; None if a reading failed or another process used the device."""
        ...

    def stop(self) -> None:
        """Stop measuring."""
        ...


def start_meter(device: torch.device, powercap: Path = POWERCAP) -> Meter | None:
    """A meter for the whole device; None if the device has none that this process can read."""
    if device.type == "cuda":
        return _nvml_meter(device)
    return _rapl_meter(powercap) if device.type == "cpu" else None


# ---- NVIDIA's GPUs


def _nvml_meter(device: torch.device) -> Meter | None:
    try:
        import pynvml
    except ImportError:
        return None
    try:
        pynvml.nvmlInit()
        handle = pynvml.nvmlDeviceGetHandleByUUID(f"GPU-{torch.cuda.get_device_properties(device).uuid}")
    except (pynvml.NVMLError, RuntimeError, AttributeError):
        return None
    return meter_of_gpu(pynvml, handle)


def meter_of_gpu(nvml: Any, handle: Any) -> Meter | None:
    """A meter that reads the energy counter (Volta and newer), else the power five times a second."""

    def is_shared() -> bool:
        """Whether another process uses the GPU too. Processes are counted, since their ids differ in containers."""
        try:
            return len(nvml.nvmlDeviceGetComputeRunningProcesses(handle)) > 1
        except nvml.NVMLError:
            return False

    def energy_j() -> float:
        return float(nvml.nvmlDeviceGetTotalEnergyConsumption(handle)) / 1e3

    def power_w() -> float:
        return float(nvml.nvmlDeviceGetPowerUsage(handle)) / 1e3

    for read, is_power in ((energy_j, False), (power_w, True)):
        with suppress(nvml.NVMLError):
            read()
            return _Sampled(read, is_power=is_power, is_shared=is_shared, errors=(nvml.NVMLError,))
    return None


# ---- CPUs


@frozen
class _Domain:
    """A RAPL energy counter: one processor with all its cores."""

    path: Path
    range_uj: int  # where it wraps around to 0

    def read_uj(self) -> int:
        return int((self.path / "energy_uj").read_text())


def _rapl_meter(powercap: Path) -> Meter | None:
    """A meter for all processors of this machine together, other processes included."""
    domains = []
    try:
        for path in sorted(powercap.glob("intel-rapl:*")):
            if path.name.count(":") == 1 and (path / "name").read_text().startswith("package"):
                domain = _Domain(path, int((path / "max_energy_range_uj").read_text()))
                domain.read_uj()
                domains.append(domain)
    except (OSError, ValueError):  # on most systems, only root can read them
        return None
    if not domains:
        return None
    last = [domain.read_uj() for domain in domains]
    total_uj = 0

    def energy_j() -> float:
        nonlocal last, total_uj
        now = [domain.read_uj() for domain in domains]
        for domain, before, after in zip(domains, last, now, strict=True):
            total_uj += after - before if after >= before else after + domain.range_uj - before
        last = now
        return total_uj / 1e6

    return _Sampled(energy_j, is_power=False, is_shared=lambda: False, errors=(OSError, ValueError))


# ---- both


@define
class _Sampled:
    """Reads an energy counter (J) repeatedly, or a power (W), which it integrates over time."""

    read: Callable[[], float]
    is_power: bool
    is_shared: Callable[[], bool]
    errors: tuple[type[Exception], ...]
    _total_j: float = field(default=0.0, init=False)
    _is_lost: bool = field(default=False, init=False)
    _lock: threading.Lock = field(factory=threading.Lock, init=False)
    _ended: threading.Event = field(factory=threading.Event, init=False)
    _last: float = field(init=False)
    _when: float = field(init=False)
    _thread: threading.Thread = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._last, self._when = self.read(), time.perf_counter()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def read_j(self) -> float | None:
        """The energy since the start, in joules; None if another process used the device or a reading failed."""
        self._sample()
        return None if self._is_lost else self._total_j

    def stop(self) -> None:
        """Stop the thread that reads."""
        self._ended.set()
        self._thread.join(_PATIENCE_S)

    def _watch(self) -> None:
        while not self._ended.wait(_EVERY_S):
            self._sample()

    def _sample(self) -> None:
        with self._lock:
            if self._is_lost:
                return
            try:
                value, now = self.read(), time.perf_counter()
                self._is_lost = self.is_shared()
            except self.errors:
                self._is_lost = True
                return
            passed_s = now - self._when
            used_j = (value + self._last) / 2 * passed_s if self.is_power else value - self._last
            if not 0 <= used_j < math.inf:  # a driver that restarts sets its counter to 0
                self._is_lost = True
                return
            self._total_j += used_j
            self._last, self._when = value, now
