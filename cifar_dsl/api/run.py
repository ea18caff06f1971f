"""A run in Python: its figures, its history, and its network at work."""

from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

import cattrs

from cifar_dsl.api.python_warnings import warn_caller
from cifar_dsl.foundation.extras import required
from cifar_dsl.foundation.records import frozen
from cifar_dsl.foundation.text import accuracy_in_percent, in_epochs
from cifar_dsl.runs import PREDICTIONS, EpochMetrics
from cifar_dsl.runs import Run as StoredRun
from cifar_dsl.runs.predictions import Confusion, read_predictions

if TYPE_CHECKING:
    from cifar_dsl.inference.evaluation import Evaluation, Mistakes
    from cifar_dsl.inference.evaluator import RunEvaluator
    from cifar_dsl.inference.prediction import Prediction

Weights = Literal["last", "best"]


@frozen(repr=False)
class History(Sequence[EpochMetrics]):
    """The metrics of each epoch of a run, as a sequence. In a notebook, curves and a table."""

    name: str
    epochs: tuple[EpochMetrics, ...]

    @overload
    def __getitem__(self, index: int) -> EpochMetrics: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[EpochMetrics]: ...
    def __getitem__(self, index: int | slice) -> EpochMetrics | Sequence[EpochMetrics]:
        return self.epochs[index]

    def __len__(self) -> int:
        return len(self.epochs)

    def to_dataframe(self) -> Any:
        """The metrics as a `pandas.DataFrame`, one row per epoch. Raises UserError without pandas."""
        pandas = required("pandas", "to_dataframe()", "notebook")
        return pandas.DataFrame([cattrs.unstructure(epoch) for epoch in self.epochs])

    def plot(self) -> Any:
        """Draw loss and accuracy by epoch. Returns the two axes of matplotlib; raises UserError without it."""
        from cifar_dsl.api.displays import curves_of

        pyplot = required("matplotlib.pyplot", "plot()", "notebook")
        figure, panels = pyplot.subplots(1, 2, figsize=(10, 4))
        figure.suptitle(self.name)
        for axes, what, unit, factor in zip(panels, ("loss", "accuracy"), ("", " (%)"), (1, 100), strict=True):
            for label, epochs, values in curves_of(self.epochs, what):
                axes.plot(epochs, [factor * value for value in values], label=label)
            axes.set_xlabel("epoch")
            axes.set_ylabel(what + unit)
            axes.legend()
        return panels

    def __repr__(self) -> str:
        accuracy = self.epochs[-1].test_accuracy if self.epochs else None
        last = "" if accuracy is None else f", test accuracy {accuracy_in_percent(accuracy)} after the last"
        return f"<History of {self.name}: {in_epochs(len(self))}{last}>"

    def _repr_html_(self) -> str:
        from cifar_dsl.api.displays import curves_html, epochs_html

        return curves_html(self.epochs) + epochs_html(self.epochs)


@frozen(repr=False)
class Run(StoredRun):
    """A complete run: its folder, spec, record, metrics and result, and its network at work.

    `record()`, `metrics()` and `result()` read its files. All methods raise RunError for a damaged run.
    """

    @property
    def accuracy(self) -> float | None:
        """The accuracy on the test images after the last epoch; None if the training diverged."""
        return self.result().accuracy

    @property
    def history(self) -> History:
        """The metrics of each epoch."""
        record = self.record()
        return History(f"{record.spec.name}, seed {record.seed}", tuple(self.metrics()))

    def confusion(self) -> Confusion:
        """The confusion matrix of the test images, from the predictions that the run saved, or else computed again."""
        self.result()
        saved = read_predictions(self.path / PREDICTIONS)
        return saved.confusion() if saved else self.evaluate().confusion()

    def mistakes(self, count: int = 24, *, data: str | None = None) -> "Mistakes":
        """The most confident wrong predictions for the test images, or for other `data`; see `evaluate`."""
        return self.evaluate(data).mistakes(count)

    def predict(self, pictures: Any, *, crop: bool = True, weights: Weights = "last") -> "tuple[Prediction, ...]":
        """Predict the classes of pictures of any size, as `cifar-dsl predict` does (docs/predict.md).

        `pictures` is a list of paths, Pillow images or arrays (H, W), (H, W, 3) or (H, W, 4) of uint8; an array with a
        first axis for pictures; or a single path or Pillow image. They are cropped to the proportions of the network's
        input, or stretched. `weights` are as in `evaluate`. Raises DataError for a picture that can't be read,
        UserError for other arguments.
        """
        from PIL.Image import Image

        from cifar_dsl.inference.predictor import predictor_of

        is_single = isinstance(pictures, str | Path | Image)
        return predictor_of(self, crop=crop, weights=weights).predict([pictures] if is_single else list(pictures))

    def evaluate(
        self,
        data: str | None = None,
        *,
        weights: Weights = "last",
        device: str = "auto",
        data_dir: str | Path | None = None,
    ) -> "Evaluation":
        """Evaluate the network on the test images of its dataset, or on other images (docs/evaluate.md).

        `data` is the name of a dataset, `npz:PATH`, or a folder with a folder of pictures for each class. `weights` are
        those of the last epoch, or of the best one on the held-out images. Raises DataError, DeviceError, UserError.
        """
        evaluator = self._evaluator(weights, device, data_dir)
        return evaluator.evaluate(evaluator.open_images(data, warn=warn_caller))

    def corruptions(
        self,
        names: Sequence[str] = (),
        *,
        data: str | None = None,
        weights: Weights = "last",
        device: str = "auto",
        data_dir: str | Path | None = None,
        seed: int = 0,
    ) -> dict[str, tuple[float, ...]]:
        """The accuracy on corrupted images at severities from 1 to 5, by corruption; by default for all 14.

        The figures aren't comparable with published ones (docs/evaluate.md). Other arguments are those of `evaluate`.
        """
        from cifar_dsl.inference.corruptions import check_names

        chosen = check_names((names,) if isinstance(names, str) else names, every=not names)
        evaluator = self._evaluator(weights, device, data_dir)
        return dict(evaluator.corruptions(evaluator.open_images(data, warn=warn_caller), chosen, seed))

    def _evaluator(self, weights: Weights, device: str, data_dir: str | Path | None) -> "RunEvaluator":
        from cifar_dsl.inference.evaluator import evaluator_of
        from cifar_dsl.training.device import choose_device

        folder = None if data_dir is None else Path(data_dir)
        return evaluator_of(self, choose_device(device).device, weights, data_dir=folder)

    def __repr__(self) -> str:
        return f"<Run {self.path}>"

    def _repr_html_(self) -> str:
        """A summary for notebooks: the result, the learning curves, and the epochs, folded."""
        from cifar_dsl.api.displays import curves_html, epochs_html, folded

        record, result = self.record(), self.result()
        shown = "diverged" if result.accuracy is None else f"accuracy {accuracy_in_percent(result.accuracy)}"
        text = (
            f"{record.spec.name} on {record.data.title}, seed {record.seed}: {shown} after {in_epochs(result.epochs)}"
        )
        summary = f"<p>{escape(text)}<br><code>{escape(str(self.path))}</code></p>"
        epochs = self.metrics()
        table = folded(in_epochs(len(epochs)), epochs_html(epochs)) if epochs else ""
        return summary + curves_html(epochs) + table
