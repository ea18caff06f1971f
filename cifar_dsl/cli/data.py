"""`cifar-dsl data`: list, download and import datasets."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cifar_dsl.cli.click_options import with_option
from cifar_dsl.cli.output import note, print_result
from cifar_dsl.foundation.text import columns
from cifar_dsl.operations.recipe import DATASETS
from cifar_dsl.training.options import RunOptions

if TYPE_CHECKING:
    from cifar_dsl.training.datasets import Dataset


@click.group(name="data")
def command() -> None:
    """List, download and import datasets."""


@command.command(name="list")
@with_option(RunOptions, "data_dir")
def list_(data_dir: Path | None) -> None:
    """List the datasets, and which are on this machine."""
    from cifar_dsl.training.datasets.cifar import ARCHIVES
    from cifar_dsl.training.datasets.load import cache_path

    rows = []
    for name in DATASETS:
        info = DATASETS[name]
        where = "generated when needed"
        if name in ARCHIVES:
            path = cache_path(name, data_dir)
            where = str(path) if path.exists() else f"not downloaded; run `cifar-dsl data download {name}`"
        elif name == "npz":
            where = "--data npz:PATH"
        rows.append([name, (info.__doc__ or "").splitlines()[0], where])
    for line in columns(rows):
        print_result(line)


def _archive(_context: click.Context, _parameter: click.Parameter, name: str) -> str:
    from cifar_dsl.training.datasets.cifar import ARCHIVES

    if name not in ARCHIVES:
        raise click.BadParameter(f"{name} is not one of {', '.join(ARCHIVES)}.")
    return name


@command.command(name="download")
@click.argument("name", callback=_archive)
@with_option(RunOptions, "data_dir")
def download(name: str, data_dir: Path | None) -> None:
    """Download, verify and store NAME, unless it is stored already. Resumes an interrupted download."""
    from cifar_dsl.cli.progress import DownloadProgress
    from cifar_dsl.training.datasets import load_dataset
    from cifar_dsl.training.datasets.load import cache_path

    with DownloadProgress() as progress:
        dataset = load_dataset(name, data_dir=data_dir, progress=progress)
    print_result(f"{name}: {len(dataset.y_train):,} + {len(dataset.y_test):,} images in {cache_path(name, data_dir)}")


@command.command(name="import")
@click.argument("directory", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--to", "file", type=click.Path(dir_okay=False, path_type=Path), help="Write the dataset to this .npz file."
)
@click.option("--replace", is_flag=True, help="Replace a stored CIFAR-100 that has other images.")
@with_option(RunOptions, "data_dir")
def import_(directory: Path, file: Path | None, replace: bool, data_dir: Path | None) -> None:
    """Import a folder of images, DIRECTORY/train|test/<class>/*.png.

    If the classes are those of CIFAR-10 or CIFAR-100, the images are stored and used as that dataset from then on; for
    CIFAR-10, they must be exactly the published ones. Write any other dataset to a file with --to, and train on it
    with `--data npz:FILE`.
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
        message = f"The classes are not those of {' or '.join(ARCHIVES)}; write the dataset to a file: {own}"
        raise click.UsageError(message)
    path = file or cache_path(dataset.name, data_dir)
    if file is None:
        _check_identity(dataset, path, own, replace=replace)
    save_npz(dataset, path)
    use = f"--data npz:{file}" if file else f"--data {dataset.name}"
    print_result(
        f"{len(dataset.y_train):,} + {len(dataset.y_test):,} images of {len(dataset.classes)} classes in {path}"
    )
    print_result(f"train on them with {use}")
    if sentence := compare_to_published(dataset):
        note(sentence)


def _check_identity(dataset: "Dataset", path: Path, own: str, *, replace: bool) -> None:
    """Check that the imported images may be stored at `path` as the dataset of that name. Raises DataError."""
    from cifar_dsl.foundation.errors import DataError
    from cifar_dsl.training.datasets.cifar import CIFAR10_DIGEST, compare_to_published
    from cifar_dsl.training.datasets.store import load_npz

    if dataset.name == "cifar10":
        if dataset.digest != CIFAR10_DIGEST:
            raise DataError(
                compare_to_published(dataset) or "",
                f"write the dataset to a file: {own}",
                reason="the classes are those of CIFAR-10, and `--data cifar10` always means the published images",
            )
    elif path.exists() and not replace and load_npz(path).digest != dataset.digest:
        raise DataError(
            f"{path} already exists, with other images",
            f"write the dataset to a file: {own}",
            "or replace the stored one with --replace",
            reason=f"`--data {dataset.name}` would mean a different dataset from then on",
        )
