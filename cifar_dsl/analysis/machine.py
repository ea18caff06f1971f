"""The memory that is available on this machine."""

import os
from pathlib import Path


def available_bytes(root: Path = Path("/")) -> int | None:
    """Bytes that a new process can use; None if the system doesn't report it. `root` holds the system's files."""
    limits: list[int] = []
    try:
        lines = (root / "proc/meminfo").read_text(encoding="ascii").splitlines()
        limits += [int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")]
    except OSError:  # not Linux
        if {"SC_PHYS_PAGES", "SC_PAGE_SIZE"} <= getattr(os, "sysconf_names", {}).keys():
            limits.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    limits += _available_in_container(root / "sys/fs/cgroup")
    return min(limits, default=None)


def _available_in_container(group: Path) -> list[int]:
    """The unused bytes below the limit of a container, if it has one; the page cache counts as unused."""

    def read(name: str) -> str:
        try:
            return (group / name).read_text(encoding="ascii").strip()
        except OSError:
            return ""

    limit = read("memory.max")
    if not limit.isdecimal():  # `max`: no limit
        return []
    cached = [int(line.split()[1]) for line in read("memory.stat").splitlines() if line.startswith("inactive_file ")]
    return [max(0, int(limit) - int(read("memory.current") or 0) + sum(cached))]
