"""Finding a data set by its name."""

import os
from pathlib import Path

import platformdirs

from cifar_dsl.foundation.errors import DataError
from cifar_dsl.training.datasets.cifar import ARCHIVES, obtain
from cifar_dsl.training.datasets.dataset import Dataset
from cifar_dsl.training.datasets.progress import Progress
from cifar_dsl.training.datasets.shapes import shapes
from cifar_dsl.training.datasets.store import load_npz, save_npz

NAMES = (*ARCHIVES, "shapes", "npz")


def data_directory(data_dir: Path | None = None) -> Path:
    """The folder of downloaded data: `data_dir`, else $CIFAR_DSL_DATA, else one in the user's cache."""
    if data_dir is not None:
        return data_dir
    configured = os.environ.get("CIFAR_DSL_DATA")
    if configured:
        return Path(configured).expanduser()
    return platformdirs.user_cache_path("cifar_dsl") / "data"


def cache_path(name: str, data_dir: Path | None = None) -> Path:
    """Where the data set `name` is kept once it has been downloaded or imported."""
    return data_directory(data_dir) / f"{name}.npz"


def load_dataset(
    name: str, *, path: Path | None = None, data_dir: Path | None = None, progress: Progress | None = None
) -> Dataset:
    """The data set called `name`; no other data ever stands in for it.

    Args:
        name: "cifar10", "cifar100", "shapes" or "npz".
        path: The .npz file, for "npz" alone.
        data_dir: Where downloads are kept; see `data_directory`.
        progress: Told how far a download is.

    Raises:
        DataError: The data can't be had, or is damaged.
    """
    if name not in NAMES:
        raise DataError(
            f"there is no data set '{name}'",
            f"choose one of {', '.join(NAMES)}",
            reason="a data set is found by its name",
        )
    if (name == "npz") != (path is not None):
        raise DataError(
            f"data set '{name}' {'needs' if name == 'npz' else 'takes no'} path",
            "say --data npz together with the path of the .npz file",
            reason="a path names the file of a data set of one's own, 'npz'; the others are found by their names",
        )
    if path is not None:
        return load_npz(path)
    if name == "shapes":
        return shapes()
    cached = cache_path(name, data_dir)
    try:
        is_cached = cached.exists()
    except OSError as error:  # the folder is forbidden, or its name too long
        raise DataError(
            f"cannot look into the data folder {cached.parent}",
            "choose another folder with --data-dir or CIFAR_DSL_DATA",
            reason=str(error),
        ) from error
    if is_cached:
        return _kept(cached, name)
    dataset = obtain(ARCHIVES[name], cached.parent, progress)
    save_npz(dataset, cached)
    return dataset


def _kept(path: Path, name: str) -> Dataset:
    """A published set that was kept. Raises DataError."""
    dataset = load_npz(path, name=name)
    if dataset.classes != ARCHIVES[name].classes:  # a damaged list of contents may lack their names
        raise DataError(
            f"{path} is damaged: its classes are not those of {ARCHIVES[name].title}",
            f"delete {path} to have it downloaded or import it again",
            reason="a file that is kept under the name of a published data set holds that and nothing else",
        )
    return dataset
