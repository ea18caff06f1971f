"""What `train --dry-run` shows: the network, its recipe, and the memory that training it will take."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cifar_dsl.analysis import available_bytes, estimate
from cifar_dsl.cli.output import note
from cifar_dsl.cli.show import table
from cifar_dsl.foundation.text import columns, in_short

if TYPE_CHECKING:
    from cifar_dsl.api import Spec

_EXPLANATIONS = {
    "activations": "at the worst moment of a step or an evaluation",
    "dataset": "as bytes",
    "fragmentation": "of the heap",
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
        spec = api.with_data(spec, data)
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
    available = available_bytes() if is_on_cpu else None
    if available is not None and parts["total"] > available:
        note(f"warning: that is more than the {in_short(available, 'B')} that this machine has left")
        note(f"  = help: a smaller batch takes less: --set train.batch={max(1, spec.recipe.batch // 2)}")


def _has_gpu() -> bool:
    """Whether NVIDIA's driver is loaded; only torch could say whether it can use a GPU."""
    return Path("/dev/nvidiactl").exists()
