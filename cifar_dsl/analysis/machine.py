"""How much memory this machine has left."""

import os
from pathlib import Path


def available_bytes(root: Path = Path("/")) -> int | None:
    """Bytes that a process can still have; None where the system, whose files are below `root`, doesn't say."""
    found: list[int] = []
    try:
        lines = (root / "proc/meminfo").read_text(encoding="ascii").splitlines()
        found += [int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")]
    except OSError:  # not Linux
        if {"SC_PHYS_PAGES", "SC_PAGE_SIZE"} <= getattr(os, "sysconf_names", {}).keys():
            found.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    found += _left_in_container(root / "sys/fs/cgroup")
    return min(found, default=None)


def _left_in_container(group: Path) -> list[int]:
    """What a container's limit leaves beyond what is used, if it has one; files that are cached can go."""

    def said(name: str) -> str:
        try:
            return (group / name).read_text(encoding="ascii").strip()
        except OSError:
            return ""

    limit = said("memory.max")
    if not limit.isdecimal():  # `max`: there is none
        return []
    cached = [int(line.split()[1]) for line in said("memory.stat").splitlines() if line.startswith("inactive_file ")]
    return [max(0, int(limit) - int(said("memory.current") or 0) + sum(cached))]
