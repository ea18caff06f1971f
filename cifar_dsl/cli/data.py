"""`cifar-dsl data`: what data is there, and how more gets there."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cifar_dsl.cli.options import with_option
from cifar_dsl.cli.output import note, say
from cifar_dsl.foundation.text import columns
from cifar_dsl.operations.recipe import DATASETS
from cifar_dsl.training.options import RunOptions

if TYPE_CHECKING:
    from cifar_dsl.training.datasets import Dataset


@click.group(name="data")
def command() -> None:
    """Show, download and import data sets."""


@command.command(name="list")
@with_option(RunOptions, "data_dir")
def list_(data_dir: Path | None) -> None:
    """List the data sets by name, and which of them are on this machine."""
    from cifar_dsl.training.datasets.cifar import ARCHIVES
    from cifar_dsl.training.datasets.load import cache_path

    rows = []
    for name in DATASETS:
        info = DATASETS[name]
        where = "drawn when needed"
        if name in ARCHIVES:
            path = cache_path(name, data_dir)
            where = str(path) if path.exists() else f"not here yet; `cifar-dsl data download {name}`"
        elif name == "npz":
            where = "--data npz:PATH"
        rows.append([name, (info.__doc__ or "").splitlines()[0], where])
    for line in columns(rows):
        say(line)


def _archive(_context: click.Context, _parameter: click.Parameter, name: str) -> str:
    from cifar_dsl.training.datasets.cifar import ARCHIVES

    if name not in ARCHIVES:
        raise click.BadParameter(f"{name} is none of {', '.join(ARCHIVES)}.")
    return name


@command.command(name="download")
@click.argument("name", callback=_archive)
@with_option(RunOptions, "data_dir")
def download(name: str, data_dir: Path | None) -> None:
    """Download NAME, check it, and keep it; does nothing when it is there. An interrupted download goes on."""
    from cifar_dsl.cli.progress import DownloadProgress
    from cifar_dsl.training.datasets import load_dataset
    from cifar_dsl.training.datasets.load import cache_path

    with DownloadProgress() as progress:
        dataset = load_dataset(name, data_dir=data_dir, progress=progress)
    say(f"{name}: {len(dataset.y_train):,} + {len(dataset.y_test):,} images in {cache_path(name, data_dir)}")


@command.command(name="import")
@click.argument("directory", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--to", "file", type=click.Path(dir_okay=False, path_type=Path), help="Write it to this .npz file.")
@click.option("--replace", is_flag=True, help="Replace a CIFAR-100 that is kept already and is another one.")
@with_option(RunOptions, "data_dir")
def import_(directory: Path, file: Path | None, replace: bool, data_dir: Path | None) -> None:
    """Import a tree of pictures, DIRECTORY/train|test/<class>/*.png.

    A tree of CIFAR-10, which must be exactly the published one, or with the classes of CIFAR-100 is kept, and
    used as that data set from then on. Any other one is written to a file (--to), for `--data npz:FILE`.
    """
    from cifar_dsl.cli.progress import DownloadProgress
    from cifar_dsl.training.datasets.cifar import ARCHIVES, compare_to_published
    from cifar_dsl.training.datasets.folder import import_folder
    from cifar_dsl.training.datasets.load import cache_path
    from cifar_dsl.training.datasets.store import save_npz

    with DownloadProgress() as progress:
        dataset = import_folder(directory, progress)
    own = f"--to {directory.resolve().name}.npz"
    if file is None and dataset.name not in ARCHIVES:
        message = f"These are not the classes of {' or '.join(ARCHIVES)}; write them to a file: {own}"
        raise click.UsageError(message)
    path = file or cache_path(dataset.name, data_dir)
    if file is None:
        _check_identity(dataset, path, own, replace=replace)
    save_npz(dataset, path)
    use = f"--data npz:{file}" if file else f"--data {dataset.name}"
    say(f"{len(dataset.y_train):,} + {len(dataset.y_test):,} images of {len(dataset.classes)} classes in {path}")
    say(f"train on them with {use}")
    if sentence := compare_to_published(dataset):
        note(sentence)


def _check_identity(dataset: "Dataset", path: Path, own: str, *, replace: bool) -> None:
    """May the imported data be kept at `path`, as the data set of its name? Raises DataError."""
    from cifar_dsl.foundation.errors import DataError
    from cifar_dsl.training.datasets.cifar import CIFAR10_DIGEST, compare_to_published
    from cifar_dsl.training.datasets.store import load_npz

    if dataset.name == "cifar10":
        if dataset.digest != CIFAR10_DIGEST:
            raise DataError(
                compare_to_published(dataset) or "",
                f"write these to a file: {own}",
                reason="the classes are those of CIFAR-10, but `--data cifar10` stands for the published pictures "
                "alone",
            )
    elif path.exists() and not replace and load_npz(path).digest != dataset.digest:
        raise DataError(
            f"{path} is there already and holds other pictures",
            f"write these to a file: {own}",
            "or replace the old ones with --replace",
            reason=f"`--data {dataset.name}` would mean something else from then on",
        )
