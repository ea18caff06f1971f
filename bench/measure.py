"""Shared by the benchmarks: interleaved measurements, child processes and reports."""

import os
import platform
import statistics
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path


def interleaved(sides: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    """Run every side once per round, so that a slow phase of the machine affects all sides."""
    times: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(rounds):
        for name, run in sides.items():
            times[name].append(run())
            print(f"round {number + 1}/{rounds}  {name}: {times[name][-1]:.4g}", file=sys.stderr)
    return times


def child(arguments: list[str], threads: int | None = None, folder: Path | None = None) -> str:
    """The output of a new Python process with `arguments`, in `folder`."""
    environment = dict(os.environ)
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # cache bytecode, as on a user's machine
    if threads is not None:
        environment["OMP_NUM_THREADS"] = str(threads)
    done = subprocess.run(
        [sys.executable, *arguments], check=True, capture_output=True, text=True, env=environment, cwd=folder
    )
    return done.stdout


def report(title: str, times: Mapping[str, list[float]], unit: str, reference: str) -> None:
    """Median and range of each side, and its ratio to the reference."""
    print(f"{title}\n{hardware()}\n")
    base = statistics.median(times[reference])
    width = max(map(len, times))
    for name, values in times.items():
        median = statistics.median(values)
        print(
            f"{name:<{width}}  median {median:8.2f} {unit}  ({min(values):.2f} to {max(values):.2f}, n={len(values)})  "
            f"{reference} / this: {base / median:.3f}"
        )


def verdict(claims: Mapping[str, bool]) -> int:
    """Print for each claim whether it holds, and return the exit code."""
    print()
    for claim, holds in claims.items():
        print(f"{'holds' if holds else 'DOES NOT HOLD'}: {claim}")
    return int(not all(claims.values()))


def rows_of(page: str) -> dict[str, str]:
    """The lines of the table in a page, by their first cell."""
    lines = page.partition("| --- |")[2].splitlines()[1:]
    return {line.split("|")[1].strip(): line for line in lines}


def hardware() -> str:
    """The processor, its cores, the system and the versions of packages."""
    from importlib.metadata import version

    from cifar_dsl.training.device import processor_name

    versions = ", ".join(f"{name} {version(name)}" for name in ("torch", "torchvision", "cifar-dsl"))
    machine = f"{processor_name()}, {os.cpu_count()} cores, {platform.system()}"
    return f"{machine}; Python {platform.python_version()}, {versions}"
