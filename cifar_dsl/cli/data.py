"""`cifar-dsl data`: list, download and import datasets."""

import math
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cifar_dsl.cli.click_options import StrictGroup, with_option
from cifar_dsl.cli.output import note, print_result, warn
from cifar_dsl.foundation.text import columns, small_number
from cifar_dsl.operations.recipe import DATASETS
from cifar_dsl.training.options import RunOptions

if TYPE_CHECKING:
    from cifar_dsl.training.datasets import Dataset
    from cifar_dsl.training.datasets.folder import Conversion

_OPTIONS = "--resize, --crop, --grey and --split"  # of `data import`, which change images or their split


@click.group(name="data", cls=StrictGroup)
def command() -> None:
    """List, download and import datasets."""


@command.command(name="list")
@with_option(RunOptions, "data_dir")
def list_(data_dir: Path | None) -> None:
    """List the datasets, and which are on this machine."""
    from cifar_dsl.training.datasets.catalogue import PUBLISHED
    from cifar_dsl.training.datasets.load import cache_path

    rows = []
    for name in DATASETS:
        info = DATASETS[name]
        where = "generated when needed"
        if name in PUBLISHED:
            path = cache_path(name, data_dir)
            where = str(path) if path.exists() else f"not downloaded; run `cifar-dsl data download {name}`"
        elif name == "npz":
            where = "--data npz:PATH"
        rows.append([name, (info.__doc__ or "").splitlines()[0], where])
    for line in columns(rows):
        print_result(line)


def _published(_context: click.Context, _parameter: click.Parameter, name: str) -> str:
    from cifar_dsl.training.datasets.catalogue import PUBLISHED

    if name not in PUBLISHED:
        raise click.BadParameter(f"{name} is not one of {', '.join(PUBLISHED)}.")
    return name


@command.command(name="download")
@click.argument("name", callback=_published)
@with_option(RunOptions, "data_dir")
def download(name: str, data_dir: Path | None) -> None:
    """Download, verify and store NAME, unless it is stored already. Resumes an interrupted download."""
    from cifar_dsl.cli.progress import DownloadProgress
    from cifar_dsl.training.datasets import load_dataset
    from cifar_dsl.training.datasets.load import cache_path

    with DownloadProgress() as progress:
        dataset = load_dataset(name, data_dir=data_dir, progress=progress)
    print_result(f"{name}: {len(dataset.y_train):,} + {len(dataset.y_test):,} images in {cache_path(name, data_dir)}")


def _size(_context: click.Context, _parameter: click.Parameter, text: str | None) -> tuple[int, int] | None:
    """`32`, or `48x32` (width, height), as (height, width)."""
    if text is None:
        return None
    from cifar_dsl.training.datasets.folder import SIDE_LIMIT

    sides = [small_number(side) or 0 for side in text.split("x")]
    if len(sides) > 2 or not all(0 < side <= SIDE_LIMIT for side in sides):
        raise click.BadParameter(f"{text} is not SIZE or WIDTHxHEIGHT, of 1 to {SIDE_LIMIT} pixels.")
    return sides[-1], sides[0]


def _share(_context: click.Context, _parameter: click.Parameter, text: str | None) -> float | None:
    """`0.2`, or `20%`."""
    if text is None:
        return None
    try:
        share = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        share = math.nan
    if 0 < share < 1:
        return share
    percent = share if 1 < share < 100 and not text.endswith("%") else 20.0
    raise click.BadParameter(f"{text} is not a share between 0 and 1, such as {percent:g}% or {percent / 100:g}.")


@command.command(name="import")
@click.argument("path", type=click.Path(exists=True, path_type=Path))
@click.option(
    "--to", "file", type=click.Path(dir_okay=False, path_type=Path), help="Write the dataset to this .npz file."
)
@click.option(
    "--resize",
    metavar="SIZE",
    callback=_size,
    help="Scale images to SIZE x SIZE, or WIDTHxHEIGHT. Stretches images of other proportions.",
)
@click.option(
    "--crop", is_flag=True, help="With --resize: cut images to the new proportions, instead of stretching them."
)
@click.option("--grey", is_flag=True, help="Convert images to one channel.")
@click.option(
    "--split",
    metavar="SHARE",
    callback=_share,
    help="Import PATH/<class>/, and use this share of each class, such as 0.2 or 20%, as the test images.",
)
@click.option(
    "--replace", is_flag=True, help="Replace a stored dataset of the same name, or a file, that has other images."
)
@with_option(RunOptions, "data_dir")
def import_(
    path: Path,
    file: Path | None,
    resize: tuple[int, int] | None,
    crop: bool,
    grey: bool,
    split: float | None,
    replace: bool,
    data_dir: Path | None,
) -> None:
    """Import a folder of images, PATH/train|test/<class>/*.png, or published files.

    Images may be PNG, JPEG, BMP, GIF, PPM, TIFF or WebP. If the classes are those of CIFAR-10 or CIFAR-100, the images
    are stored and used as that dataset from then on; for CIFAR-10, they must be exactly the published ones. Write any
    other dataset to a file with --to, and train on it with `--data npz:FILE`.

    PATH may also be a published archive, such as cifar-10-python.tar.gz, the folder cifar-10-batches-py or
    cifar-100-python, or a folder with the published files of MNIST, Fashion-MNIST or SVHN.
    """
    from cifar_dsl.training.datasets.cifar import compare_to_published
    from cifar_dsl.training.datasets.folder import Conversion
    from cifar_dsl.training.datasets.load import cache_path
    from cifar_dsl.training.datasets.store import check_place, save_npz

    if crop and resize is None:
        raise click.UsageError("--crop requires --resize.")
    elsewhere = () if file is None else ("choose another file with --to",)
    if file is not None:
        check_place(file, *elsewhere)
    conversion = Conversion(resize, grey, crop)
    own = f"--to {path.resolve().name.partition('.')[0]}.npz"
    dataset = _import_published(path, is_plain=conversion == Conversion() and split is None)
    if dataset is None:
        dataset = _import_images(path, conversion, split, own if file is None else None, data_dir)
    target = file or cache_path(dataset.name, data_dir)
    if file is None:
        _check_identity(dataset, target, own, replace=replace)
    elif not replace:
        _check_unused(dataset, target)
    save_npz(dataset, target, *elsewhere)
    use = f"--data npz:{file}" if file else f"--data {dataset.name}"
    print_result(
        f"{len(dataset.y_train):,} + {len(dataset.y_test):,} images of {len(dataset.classes)} classes in {target}, "
        f"digest {dataset.digest[:12]}"
    )
    print_result(f"train on them with {use}")
    for text in dataset.notes:
        warn(text)
    if sentence := compare_to_published(dataset):
        note(sentence)


def _import_published(path: Path, *, is_plain: bool) -> "Dataset | None":
    """The dataset of published files at `path`; None if there are none. Raises DataError."""
    from cifar_dsl.training.datasets.catalogue import import_files

    dataset = import_files(path)
    if dataset is not None and not is_plain:
        raise click.UsageError(f"{_OPTIONS} are for folders of images, not for {dataset.name}.")
    return dataset


def _import_images(
    directory: Path, conversion: "Conversion", split: float | None, own: str | None, data_dir: Path | None
) -> "Dataset":
    """The images of a tree. Without a file for them (`own` names one), checks first that they could be stored.

    Raises DataError, and click.UsageError if they need a file.
    """
    from cifar_dsl.cli.progress import DownloadProgress
    from cifar_dsl.training.datasets.catalogue import PUBLISHED
    from cifar_dsl.training.datasets.cifar import CIFAR10_COUNTS, other_counts
    from cifar_dsl.training.datasets.folder import Conversion, find_tree, import_tree
    from cifar_dsl.training.datasets.load import cache_path
    from cifar_dsl.training.datasets.store import check_place

    tree = find_tree(directory, split)
    if own is not None:
        if tree.name not in PUBLISHED:
            message = f"The classes are not those of CIFAR-10 or CIFAR-100; write the dataset to a file: {own}"
            raise click.UsageError(message)
        if conversion != Conversion() or split is not None:
            raise click.UsageError(f"{_OPTIONS} make another dataset; write it to a file: {own}")
        if tree.name == "cifar10" and (counts := (tree.count("train"), tree.count("test"))) != CIFAR10_COUNTS:
            raise _other_cifar10(other_counts(counts), own)
        check_place(cache_path(tree.name, data_dir))
    for text in tree.left_out:
        warn(text)
    with DownloadProgress() as progress:
        return import_tree(tree, progress, conversion=conversion, warn=warn)


def _check_identity(dataset: "Dataset", path: Path, own: str, *, replace: bool) -> None:
    """Check that the imported images may be stored at `path` as the dataset of that name. Raises DataError."""
    from cifar_dsl.foundation.errors import DataError
    from cifar_dsl.training.datasets.cifar import CIFAR10_DIGEST, compare_to_published
    from cifar_dsl.training.datasets.store import load_npz

    if dataset.name == "cifar10":
        if dataset.digest != CIFAR10_DIGEST:
            raise _other_cifar10(compare_to_published(dataset) or "", own)
    elif path.exists() and not replace and load_npz(path).digest != dataset.digest:
        raise DataError(
            f"{path} already exists, with other images",
            f"write the dataset to a file: {own}",
            "or replace the stored one with --replace",
            reason=f"`--data {dataset.name}` would mean a different dataset from then on",
        )


def _check_unused(dataset: "Dataset", path: Path) -> None:
    """Check that `path` holds nothing, or what an earlier import of the same images wrote. Raises DataError."""
    from cifar_dsl.foundation.errors import DataError
    from cifar_dsl.training.datasets.store import load_npz

    if not path.exists():
        return
    try:
        earlier = load_npz(path).origin
    except DataError:
        earlier = ""
    if earlier.split(",")[0] != dataset.origin.split(",")[0]:
        raise DataError(
            f"{path} already exists, with other content",
            "choose another file with --to, or replace this one with --replace",
        )


def _other_cifar10(message: str, own: str) -> Exception:
    from cifar_dsl.foundation.errors import DataError

    return DataError(
        message,
        f"write the dataset to a file: {own}",
        reason="the classes are those of CIFAR-10, and `--data cifar10` always means the published images",
    )
