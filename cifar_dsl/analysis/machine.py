"""The memory and the CPUs that this process can use, as its system, container or batch scheduler limits them."""

import math
import os
from collections.abc import Iterator
from pathlib import Path

_ROOT = Path("/")
_SPINS = "10000"  # of libgomp, whose default is 300,000


def available_bytes(root: Path = _ROOT) -> int | None:
    """Bytes that a new process can use; None if the system doesn't report it. `root` holds the system's files."""
    limits: list[int] = []
    try:
        lines = (root / "proc/meminfo").read_text(encoding="ascii").splitlines()
        limits += [int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")]
    except OSError:  # not Linux
        if {"SC_PHYS_PAGES", "SC_PAGE_SIZE"} <= getattr(os, "sysconf_names", {}).keys():
            limits.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    for group in _control_groups(root, "memory"):
        limits += _unused_bytes(group)
    return min(limits, default=None)


def usable_cpus(root: Path = _ROOT) -> int:
    """The number of CPUs that this process can use, at least 1. It doesn't depend on the load.

    It is the number of CPUs in the process's affinity, which `taskset` and Slurm set, or the CPU quota of its control
    groups, which containers set, rounded up, if that is less. `root` holds the system's files.
    """
    has_affinity = hasattr(os, "sched_getaffinity")  # not on macOS
    cpus = len(os.sched_getaffinity(0)) if has_affinity else os.cpu_count() or 1
    quotas = [quota for group in _control_groups(root, "cpu") for quota in _quotas(group)]
    return max(1, min([cpus, *map(math.ceil, quotas)]))


def spin_briefly() -> None:
    """Make threads that wait for others sleep after a short spin. Has an effect only before torch is imported.

    On a busy machine, a spinning thread takes the CPU from the one that it waits for. `bench/waiting.py` measures both.
    OMP_WAIT_POLICY and GOMP_SPINCOUNT, if set, win.
    """
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", _SPINS)


def _control_groups(root: Path, controller: str) -> Iterator[Path]:
    """The folders of the process's control groups for a controller, and of their parents: each sets limits."""
    mount = root / "sys/fs/cgroup"
    try:
        lines = (root / "proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = ["0::/"]
    for line in lines:
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if controllers and controller not in controllers.split(","):
            continue
        base = mount / controller if controllers else mount  # version 1 has a hierarchy for each controller
        group = Path(os.path.normpath(base / path.lstrip("/")))
        yield base  # a container may see the path of its group outside
        while group != base and base in group.parents:
            yield group
            group = group.parent


def _unused_bytes(group: Path) -> list[int]:
    """The unused bytes below the memory limit of a control group, if any; the page cache counts as unused."""
    for limit_name, used_name, cache_key in (
        ("memory.max", "memory.current", "inactive_file "),
        ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file "),
    ):
        limit = _read(group / limit_name)
        if limit.isdecimal():  # else `max`: no limit
            stat = _read(group / "memory.stat").splitlines()
            cached = [int(line.split()[1]) for line in stat if line.startswith(cache_key)]
            return [max(0, int(limit) - int(_read(group / used_name) or 0) + sum(cached))]
    return []


def _quotas(group: Path) -> list[float]:
    """The CPU quota of a control group, in CPUs, if any."""
    texts = _read(group / "cpu.max").split() or [
        _read(group / "cpu.cfs_quota_us"),
        _read(group / "cpu.cfs_period_us"),
    ]
    if len(texts) == 2 and all(text.isdecimal() and int(text) for text in texts):  # else `max` or -1: no quota
        return [int(texts[0]) / int(texts[1])]
    return []


def _read(path: Path) -> str:
    """The text of a file of the system; empty if it can't be read."""
    try:
        return path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""
