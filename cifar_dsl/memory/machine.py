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
    limit = root / "sys/fs/cgroup/memory.max"  # a container's
    if limit.is_file() and (text := limit.read_text(encoding="ascii").strip()).isdecimal():
        found.append(int(text))
    return min(found, default=None)
