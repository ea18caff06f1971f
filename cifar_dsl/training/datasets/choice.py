"""The dataset that a user chooses with `--data` or `data=`, in place of the one in the spec."""

from collections.abc import Callable
from pathlib import Path

from cifar_dsl.compiler import ChosenData, DataShape
from cifar_dsl.foundation.errors import UserError
from cifar_dsl.foundation.records import frozen
from cifar_dsl.foundation.user_folders import expanded
from cifar_dsl.language.diagnostics import nearest
from cifar_dsl.operations.recipe import DATASETS
from cifar_dsl.training.datasets.dataset import Dataset
from cifar_dsl.training.datasets.load import load_dataset

_FILE = "npz:"


@frozen
class DataChoice:
    """A chosen dataset, as the compiler needs it; `file` holds the arrays of a file, None for a dataset by name."""

    chosen: ChosenData
    file: Dataset | None

    def load(self, data_dir: Path | None) -> Dataset:
        """The dataset itself, downloaded below `data_dir` if necessary. Raises DataError."""
        return self.file or load_dataset(self.chosen.setting, data_dir=data_dir)


def choose_data(text: str, warn: Callable[[str], None]) -> DataChoice:
    """The dataset that `text` names: `shapes`, or `npz:PATH`, whose file is read; `warn` gets its notes.

    Raises DataError, UserError.
    """
    if text.startswith(_FILE):
        dataset = load_dataset("npz", path=expanded(text.removeprefix(_FILE)))
        dataset.report_notes(warn)
        return DataChoice(ChosenData(f'npz("{dataset.digest[:16]}")', dataset.data_shape), dataset)
    if text not in DATASETS or text == "npz":
        raise UserError(f"there is no dataset `{text}`", *advice(text))
    return DataChoice(ChosenData(text, DataShape.declared(DATASETS[text])), None)


def advice(text: str) -> tuple[str, ...]:
    """What to pass instead of a text that names no dataset: it may be a path."""
    path = expanded(text)
    if path.is_dir():
        file = f"{path.resolve().name}.npz"
        return (f"import the folder, `cifar-dsl data import {text} --to {file}`, then pass {_FILE}{file}",)
    if path.is_file() and path.suffix == ".npz":
        return (f"pass an array file as {_FILE}{text}",)
    near = nearest(text, DATASETS)
    names = ", ".join(name for name in DATASETS if name != "npz")
    return (
        f"did you mean `{near}`?" if near else f"choose one of {names}",
        f"pass an array file by its path: {_FILE}PATH",
    )
