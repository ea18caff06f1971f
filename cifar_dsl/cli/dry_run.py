"""What `train --dry-run` shows: the network, its recipe, and the memory that training it will take."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cifar_dsl.cli.output import note
from cifar_dsl.cli.show import table
from cifar_dsl.memory import estimate
from cifar_dsl.text import columns, in_short

if TYPE_CHECKING:
    from cifar_dsl.api import Spec

_EXPLANATIONS = {
    "activations": "at the worst moment of a step or an evaluation",
    "data set": "as bytes",
    "gaps": "between tensors in the heap",
    "process": "Python and torch",
}


def dry_run_of(spec: "Spec", data: str | None, device: str) -> None:
    """Show what a training would do, without torch and without its data, unless that is a file."""
    from cifar_dsl import api

    images = None
    if data is not None and data.startswith("npz:"):  # only the file's content says what it is called
        spec, dataset = api.open_data(spec, data)
        images = len(dataset.y_train) + len(dataset.y_test)
    elif data is not None:
        spec = api.with_overrides(spec, f"train.data={data}")
    for line in table(spec.analysis):
        click.echo(line)
    if spec.recipe is None:
        return
    is_on_cpu = device == "cpu" or (device == "auto" and not _has_gpu())
    parts = estimate(spec.graph, spec.recipe, images, "cpu" if is_on_cpu else "cuda")
    click.echo(f"\nmemory of training on a {'CPU' if is_on_cpu else 'GPU'}, estimated")
    rows = [[what, in_short(number, "B"), _EXPLANATIONS.get(what, "")] for what, number in parts.items()]
    for line in columns(rows, right=frozenset({1}), indent="  "):
        click.echo(line)
    available = _available_memory() if is_on_cpu else None
    if available is not None and parts["together"] > available:
        note(f"warning: that is more than the {in_short(available, 'B')} that this machine has left")
        note(f"  = help: a smaller batch takes less: --set train.batch={max(1, spec.recipe.batch // 2)}")


def _has_gpu() -> bool:
    """Whether NVIDIA's driver is loaded; only torch could say whether it can use a GPU."""
    return Path("/dev/nvidiactl").exists()


def _available_memory() -> int | None:
    """Bytes that a process can still have; None where the system doesn't say."""
    found: list[int] = []
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        found += [int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")]
    except OSError:  # not Linux
        if {"SC_PHYS_PAGES", "SC_PAGE_SIZE"} <= getattr(os, "sysconf_names", {}).keys():
            found.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    limit = Path("/sys/fs/cgroup/memory.max")  # a container's
    if limit.is_file() and (text := limit.read_text(encoding="ascii").strip()).isdecimal():
        found.append(int(text))
    return min(found, default=None)
