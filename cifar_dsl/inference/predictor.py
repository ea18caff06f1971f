"""A trained network that predicts the classes of pictures of any size."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor

from cifar_dsl.compiler import Analysis
from cifar_dsl.foundation.errors import DataError, UserError
from cifar_dsl.foundation.records import frozen
from cifar_dsl.inference.prediction import Prediction
from cifar_dsl.inference.saliency import saliency
from cifar_dsl.ir import Graph, Shape
from cifar_dsl.runs import Run
from cifar_dsl.training.datasets.folder import Conversion, picture_of, read_picture
from cifar_dsl.training.trained import TrainedNetwork
from cifar_dsl.training.weights import Weights, load_network

Pixels = npt.NDArray[np.uint8]  # (H, W, C)
_BATCH = 64


@frozen(eq=False)
class Predictor:
    """The network of a run, and how a picture becomes its input."""

    network: TrainedNetwork
    graph: Graph
    classes: tuple[str, ...]
    conversion: Conversion

    @property
    def preparation(self) -> str:
        """What happens to a picture, in words."""
        _, height, width = self.graph.input.extents
        scaled = "cropped around its centre and resized" if self.conversion.crop else "stretched"
        return f"turned upright, {scaled} to {width}x{height}{', made grey' if self.conversion.grey else ''}"

    def prepare(self, picture: Any) -> Pixels:
        """A picture as the network's input, (H, W, C): a path, a Pillow image, or an array (H, W), (H, W, 1|3|4) uint8.

        Raises DataError, UserError.
        """
        if isinstance(picture, str | Path):
            return read_picture(Path(picture), self.conversion)
        return picture_of(_as_image(picture), self.conversion)

    def probabilities(self, pixels: Sequence[Pixels]) -> list[tuple[float, ...]]:
        """The probabilities of the classes, for each of the prepared pictures."""
        found: list[tuple[float, ...]] = []
        with torch.no_grad():
            for start in range(0, len(pixels), _BATCH):
                batch = torch.stack([_tensor(each) for each in pixels[start : start + _BATCH]])
                found += [tuple(row.tolist()) for row in self.network(batch).double().softmax(1)]
        return found

    def predict(self, pictures: Sequence[Any]) -> tuple[Prediction, ...]:
        """Predictions for pictures as `prepare` takes them. Raises DataError, UserError."""
        rows = self.probabilities([self.prepare(picture) for picture in pictures])
        return tuple(self._prediction(row, picture) for row, picture in zip(rows, pictures, strict=True))

    def predict_files(self, paths: Sequence[Path]) -> "Iterator[tuple[Path, Pixels, Prediction] | DataError]":
        """Each file's input and prediction, or the error that keeps it from being read."""
        for start in range(0, len(paths), _BATCH):
            read: list[tuple[Path, Pixels] | DataError] = []
            for path in paths[start : start + _BATCH]:
                try:
                    read.append((path, self.prepare(path)))
                except DataError as error:
                    read.append(error)
            rows = iter(self.probabilities([each[1] for each in read if isinstance(each, tuple)]))
            for each in read:
                yield (*each, self._prediction(next(rows), each[0])) if isinstance(each, tuple) else each

    def explain(self, pixels: Pixels, label: int) -> npt.NDArray[np.float32] | None:
        """Where the network looked for a class: Grad-CAM of a prepared picture, (h, w) from 0 to 1.

        None if no layer has places left that the score depends on, as in a network of dense layers.
        """
        return saliency(self.network, self.graph, _tensor(pixels)[None], label)

    def _prediction(self, probabilities: tuple[float, ...], picture: Any) -> Prediction:
        named = str(picture) if isinstance(picture, str | Path) else None
        return Prediction(self.classes, probabilities, named)


def predictor_of(run: Run, *, crop: bool = True, weights: Weights = "last") -> Predictor:
    """The predictor of a run. Pictures are cropped to the input's proportions, or stretched. Raises RunError."""
    analysis = run.analysis()
    conversion = conversion_for(analysis.graph.input, crop=crop)
    network = load_network(run, analysis, which=weights).eval()
    return Predictor(network, analysis.graph, names_of(network.classes, analysis), conversion)


def conversion_for(image: Shape, *, crop: bool = True) -> Conversion:
    """How a picture becomes an input of this shape (C, H, W). Raises UserError if none can."""
    channels, height, width = image.extents
    if channels not in {1, 3}:
        raise UserError(
            f"the network takes images with {channels} channels, but pictures have 1 or 3",
            "pass arrays to its module: cifar_dsl.load_trained(run)",
        )
    return Conversion((height, width), grey=channels == 1, crop=crop, matte=True)


def names_of(classes: tuple[str, ...], analysis: Analysis) -> tuple[str, ...]:
    """The names of the classes that a run recorded; numbers where it has none."""
    return classes or tuple(map(str, range(analysis.graph.shape_of(analysis.graph.output).elements)))


def _tensor(pixels: Pixels) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1)))


def _as_image(picture: Any) -> Image.Image:
    if isinstance(picture, Image.Image):
        return picture
    array = np.asarray(picture)
    if array.ndim == 3 and array.shape[-1] == 1:
        array = array[..., 0]
    if array.dtype != np.uint8 or not (array.ndim == 2 or (array.ndim == 3 and array.shape[-1] in {3, 4})):
        raise UserError(
            f"a picture is {array.dtype} of shape {array.shape}, not uint8 of shape (H, W), (H, W, 3) or (H, W, 4)",
            "pass paths, Pillow images, or arrays with values from 0 to 255",
            reason="pictures are predicted one by one from a list, or from an array with a first axis for pictures",
        )
    return Image.fromarray(array)
