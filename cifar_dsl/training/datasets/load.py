"""Loads datasets by name."""

import os
from pathlib import Path

from cifar_dsl.foundation.errors import DataError
from cifar_dsl.foundation.text import reason_of
from cifar_dsl.foundation.user_folders import expanded, user_folder
from cifar_dsl.training.datasets.catalogue import PUBLISHED
from cifar_dsl.training.datasets.dataset import Dataset
from cifar_dsl.training.datasets.progress import Progress
from cifar_dsl.training.datasets.published import load_or_download
from cifar_dsl.training.datasets.shapes import shapes
from cifar_dsl.training.datasets.store import load_npz, save_npz

NAMES = (*PUBLISHED, "shapes", "npz")


def data_directory(data_dir: Path | None = None) -> Path:
    """The folder for downloaded datasets: `data_dir`, else $CIFAR_DSL_DATA, else one in the user's cache.

    Raises UserError if neither is set and the user has no home folder.
    """
    if data_dir is not None:
        return data_dir
    configured = os.environ.get("CIFAR_DSL_DATA")
    if configured:
        return expanded(configured)
    cache = user_folder("cache")
    if cache is None:
        raise DataError(
            "there is no folder for datasets, because this user has no home folder",
            "choose one with --data-dir or CIFAR_DSL_DATA",
        )
    return cache / "data"


def cache_path(name: str, data_dir: Path | None = None) -> Path:
    """The file of a downloaded or imported dataset."""
    return data_directory(data_dir) / f"{name}.npz"


def load_dataset(
    name: str, *, path: Path | None = None, data_dir: Path | None = None, progress: Progress | None = None
) -> Dataset:
    """Load the dataset `name`, downloading it if necessary. Other data never replaces it.

    Args:
        name: A name in `NAMES`.
        path: The .npz file, only for "npz".
        data_dir: The folder for downloads; see `data_directory`.
        progress: Called during a download.

    Raises:
        DataError: The dataset can't be loaded or downloaded, or is damaged.
    """
    if name not in NAMES:
        raise DataError(
            f"unknown dataset '{name}'",
            f"choose one of {', '.join(NAMES)}",
            reason="a dataset is loaded by its name",
        )
    if (name == "npz") != (path is not None):
        raise DataError(
            f"dataset '{name}' {'needs a' if name == 'npz' else 'takes no'} path",
            "pass npz:PATH for an .npz file",
            reason="only 'npz' is loaded from a path; other datasets are loaded by name",
        )
    if path is not None:
        return load_npz(path)
    if name == "shapes":
        return shapes()
    cached = cache_path(name, data_dir)
    try:
        is_cached = cached.exists()
    except OSError as error:  # no permission, or the path is too long
        raise DataError(
            f"cannot access the data folder {cached.parent}",
            "choose another folder with --data-dir or CIFAR_DSL_DATA",
            reason=reason_of(error),
        ) from error
    if is_cached:
        return _load_cached(cached, name)
    dataset = load_or_download(PUBLISHED[name], cached.parent, progress)
    save_npz(dataset, cached)
    return dataset


def _load_cached(path: Path, name: str) -> Dataset:
    """Load a published dataset from the data folder. Raises DataError."""
    dataset = load_npz(path, name=name, is_replaced_whole=True)
    if dataset.classes != PUBLISHED[name].classes:  # damage to the zip directory can hide the class names
        raise DataError(
            f"{path} is damaged: its classes are not those of {PUBLISHED[name].title}",
            f"delete {path}, then download or import it again",
            reason="a file with the name of a published dataset must contain that dataset",
        )
    return dataset
