"""Labelled images to evaluate a run's network on: the test images of its dataset, or others of the same classes."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from cifar_dsl.compiler import Analysis
from cifar_dsl.foundation.errors import DataError, UserError
from cifar_dsl.foundation.records import frozen
from cifar_dsl.foundation.text import shortened
from cifar_dsl.foundation.user_folders import expanded
from cifar_dsl.inference.predictor import conversion_for, names_of
from cifar_dsl.operations.recipe import DATASETS
from cifar_dsl.runs import Run
from cifar_dsl.training.datasets import Dataset, load_dataset
from cifar_dsl.training.datasets.choice import advice
from cifar_dsl.training.datasets.folder import pictures_of_classes, read_picture
from cifar_dsl.training.datasets.progress import Progress
from cifar_dsl.training.provenance import array_file_of, check_data
from cifar_dsl.training.weights import classes_of

_FILE = "npz:"


@frozen(eq=False)
class LabelledImages:
    """Images (N, H, W, C) uint8, and their labels (N,), the numbers of the network's classes.

    `name` is for people: a dataset, or the name of a file or folder. `dataset` is the run's own, if these are its test
    images.
    """

    name: str
    images: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.int64]
    dataset: Dataset | None = None


def open_images(
    run: Run,
    analysis: Analysis,
    data: str | None = None,
    *,
    data_dir: Path | None = None,
    progress: Progress | None = None,
    warn: Callable[[str], None] = lambda _: None,
) -> LabelledImages:
    """The test images of the run's dataset, or of `data`: a name, `npz:PATH`, or a folder with a folder of each class.

    The classes of other data are found by their names, and `warn` is called if it has only numbers. Raises DataError
    if they aren't classes of the network, or the images have another size; RunError if the run's array file is gone.
    """
    recorded = run.record().data
    if data is None or (data == recorded.name and data != "npz"):
        path = array_file_of(run) if recorded.name == "npz" else None
        dataset = load_dataset(recorded.name, path=path, data_dir=data_dir, progress=progress).part(recorded.subset)
        check_data(run, dataset)
    elif data.startswith(_FILE):
        dataset = load_dataset("npz", path=expanded(data.removeprefix(_FILE)))
    elif data in DATASETS and data != "npz":
        dataset = load_dataset(data, data_dir=data_dir, progress=progress)
    elif (folder := expanded(data)).is_dir():
        return _pictures(run, analysis, folder, progress)
    else:
        raise UserError(f"there is no dataset or folder `{data}`", *advice(data))
    dataset = _own_part(run, dataset)
    if dataset.digest == recorded.digest:
        return LabelledImages(dataset.name, dataset.x_test, dataset.y_test, dataset)
    return _others(run, analysis, dataset, warn)


def _own_part(run: Run, dataset: Dataset) -> Dataset:
    """The part of a dataset that the run has used, if it has used a part of this one; else the dataset."""
    recorded = run.record().data
    if recorded.of_train_images != len(dataset.y_train):
        return dataset
    part = dataset.part(recorded.subset)
    return part if part.digest == recorded.digest else dataset


def _others(run: Run, analysis: Analysis, dataset: Dataset, warn: Callable[[str], None]) -> LabelledImages:
    """The test images of another dataset."""
    name = dataset.path.name if dataset.path and dataset.name == "npz" else dataset.name
    expected = analysis.graph.input.extents
    if dataset.image_shape != expected:
        found, needed = ("x".join(map(str, shape)) for shape in (dataset.image_shape, expected))
        raise DataError(
            f"the images of {name} are {found}, but the network takes {needed}",
            "pass a folder of pictures, which are resized, or convert the images",
        )
    classes = names_of(classes_of(run), analysis)
    if dataset.classes == tuple(map(str, range(len(dataset.classes)))) and len(dataset.classes) <= len(classes):
        if dataset.classes != classes[: len(dataset.classes)]:
            warn(f"{name} has no names of classes: its labels count as the numbers of the network's classes")
        return LabelledImages(name, dataset.x_test, dataset.y_test)
    numbers = _numbers(classes, dataset.classes, name)
    return LabelledImages(name, dataset.x_test, np.array([numbers[each] for each in dataset.classes])[dataset.y_test])


def _pictures(run: Run, analysis: Analysis, folder: Path, progress: Progress | None) -> LabelledImages:
    """The pictures of a folder, prepared as `cifar-dsl predict` does it."""
    files = pictures_of_classes(folder)
    name = folder.resolve().name
    numbers = _numbers(names_of(classes_of(run), analysis), tuple(files), name)
    conversion = conversion_for(analysis.graph.input)
    labelled = [(path, numbers[each]) for each, paths in files.items() for path in paths]
    images = np.empty((len(labelled), *conversion.shape(0, 0)), np.uint8)
    for index, (path, _) in enumerate(labelled):
        images[index] = read_picture(path, conversion)
        if progress:
            progress(index + 1, len(labelled), "pictures")
    return LabelledImages(name, images, np.array([number for _, number in labelled], np.int64))


def _numbers(classes: Sequence[str], found: Sequence[str], name: str) -> Mapping[str, int]:
    """The number of each class of the network. Raises DataError if `name` has another class."""
    numbers = {each: number for number, each in enumerate(classes)}
    if unknown := [each for each in found if each not in numbers]:
        raise DataError(
            f"{name} has classes that the network doesn't have: {shortened(unknown)}",
            f"name them as the network's classes: {shortened(list(classes))}",
            reason="other data is evaluated by the names of its classes",
        )
    return numbers
