"""Options and arguments that several commands take."""

import glob
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click
from attrs import frozen
from click.shell_completion import CompletionItem

from cifar_dsl.cli.completing import run_items, spec_items
from cifar_dsl.foundation.errors import UserError
from cifar_dsl.language.diagnostics import nearest
from cifar_dsl.language.diagnostics.render import visible

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

overrides: Decorator = click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="NAME=VALUE",
    help="Override a param (head=[512]) or a setting (train.batch=128, train.optimizer.lr=1e-3).",
)


root: Decorator = click.option(
    "--root",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="The folder that `extends` may not leave [default: the spec's own].",
)


def _complete_specs(_ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    return spec_items(incomplete)


def complete_runs(_ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """What a shell is told of runs."""
    return run_items(incomplete)


class _SpecFile(click.Path):
    """A file that is there; else the nearest name that is."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not Path(value).exists():
            raise click.UsageError(_missing(Path(value)), ctx)
        return super().convert(value, param, ctx)


spec: Decorator = click.argument("spec", type=_SpecFile(dir_okay=False, path_type=Path), shell_complete=_complete_specs)
optional_spec: Decorator = click.argument(
    "spec", type=_SpecFile(dir_okay=False, path_type=Path), required=False, shell_complete=_complete_specs
)
specs: Decorator = click.argument("specs", nargs=-1, required=True, shell_complete=_complete_specs)
run: Decorator = click.argument("run", type=click.Path(path_type=Path), shell_complete=complete_runs)
some_runs: Decorator = click.argument(
    "which", nargs=-1, metavar="[RUN]...", type=click.Path(path_type=Path), shell_complete=complete_runs
)
runs: Decorator = click.option(
    "--runs", type=click.Path(path_type=Path), default=Path("runs"), show_default=True, help="Folder of runs."
)
data: Decorator = click.option(
    "--data", metavar="NAME", help="Data in place of the spec's: cifar10, cifar100, shapes, or npz:PATH."
)
data_dir: Decorator = click.option(
    "--data-dir",
    type=click.Path(path_type=Path),
    help="Where downloaded data is kept [default: $CIFAR_DSL_DATA, else the user's cache].",
)


def _device_name(ctx: click.Context, parameter: click.Parameter, text: str) -> str:
    """What may be the name of a device; whether it is there, only torch knows. Raises BadParameter."""
    if not re.fullmatch("auto|cpu|mps|cuda(:[0-9]{1,4})?", text):
        raise click.BadParameter(
            visible(f"{text!r} is not a device; use auto, cpu, cuda, cuda:0 or mps."), ctx, parameter
        )
    return text


device: Decorator = click.option(
    "--device",
    default="auto",
    show_default=True,
    callback=_device_name,
    help="auto, cpu, cuda, cuda:<n> or mps.",
)
threads: Decorator = click.option(
    "--threads", type=click.IntRange(1), help="CPU threads [default: torch's choice]; recorded with the run."
)


engine: Decorator = click.option(
    "--engine",
    type=click.Choice(["auto", "eager", "graph", "compile"]),
    default="auto",
    show_default=True,
    help="How steps are run: one by one; recorded as CUDA graphs and replayed, where that is possible; or one by one "
    "with the network compiled by torch.compile.",
)
checkpoint_every: Decorator = click.option(
    "--checkpoint-every",
    type=click.IntRange(0),
    metavar="EPOCHS",
    default=1,
    show_default=True,
    help="After how many epochs to write down everything from which training can go on; 0 for never.",
)
keep_last: Decorator = click.option(
    "--keep-last", type=click.IntRange(1), default=2, show_default=True, help="Checkpoints to keep while training."
)
jobs: Decorator = click.option(
    "--jobs",
    type=click.IntRange(1),
    help="Trainings at a time [default: one a core, each with one thread; one a GPU, of a spec with all its seeds].",
)
executor: Decorator = click.option(
    "--executor",
    type=click.Choice(["local", "ray"]),
    default="local",
    show_default=True,
    help="Where to train: in processes of this machine, or on a Ray cluster (pip install 'cifar-dsl[ray]').",
)
address: Decorator = click.option(
    "--address", metavar="ADDRESS", help="The Ray cluster, as host:port or auto [default: one of this machine alone]."
)
log: Decorator = click.option(
    "--log",
    type=click.Choice(["tensorboard", "mlflow", "wandb"]),
    multiple=True,
    help="Tell a tracker of every epoch, too; may be given several times (pip install 'cifar-dsl[tensorboard]').",
)
log_dir: Decorator = click.option(
    "--log-dir",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where trackers keep their files [default: beside the runs; MLflow's own].",
)
wait: Decorator = click.option("--wait", is_flag=True, help="Wait where another process is training the same run.")
yes: Decorator = click.option("-y", "--yes", is_flag=True, help="Agree beforehand to what would be asked.")
validation: Decorator = click.option(
    "--validation",
    type=click.IntRange(0),
    metavar="IMAGES",
    help="Hold out so many training images, and keep the weights that are best on them (train.validation).",
)


@frozen
class SpecPath:
    """A spec that the command line names, and the folder that its `extends` may not leave."""

    path: Path
    root: Path


def spec_paths(names: Sequence[str], root: Path | None = None) -> list[SpecPath]:
    """The specs that files, folders and globs stand for, each once. Raises UsageError for what is none, UserError.

    A folder stands for the specs right in it, and is the root of what they may extend where `root` says no other.
    """
    found: dict[Path, SpecPath] = {}
    for name in names:
        path = Path(name)
        if path.is_dir():
            inside = [SpecPath(file, root or path) for file in sorted(path.glob("*.arch"))]
            for item in inside:
                _check_inside(item.path, root or path)
            if not inside:
                raise click.UsageError(visible(f"There is no spec (*.arch) in {name}."))
        elif path.exists():
            inside = [SpecPath(path, root or path.parent)]
        else:
            inside = [
                SpecPath(Path(match), root or Path(match).parent) for match in sorted(glob.glob(name, recursive=True))
            ]
            if not inside:
                raise click.UsageError(_missing(path))
        for item in inside:
            found.setdefault(item.path, item)
    return list(found.values())


def _check_inside(file: Path, folder: Path) -> None:
    """Whoever filled a folder may have planted links to files of whoever checks it. Raises UserError."""
    if file.is_symlink() and not file.resolve().is_relative_to(folder.resolve()):
        raise UserError(
            f"{file} is a link that leads out of {folder}", "name the file itself if it is meant to be read"
        )


def _missing(path: Path) -> str:
    there = [file.name for file in path.parent.glob("*.arch")] if path.parent.is_dir() else []
    near = nearest(path.name, there)
    advice = f" Did you mean {path.parent / near}?" if near else ""
    return visible(f"There is no file {path}.{advice}")
