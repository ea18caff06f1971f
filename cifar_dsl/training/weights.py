"""Weights files: writing, loading and evaluating trained weights."""

import hashlib
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import nn

from cifar_dsl.compiler import Analysis
from cifar_dsl.foundation.errors import RunError, UserError
from cifar_dsl.foundation.reading import open_regular
from cifar_dsl.ir import Standardization
from cifar_dsl.runs import BEST, PREDICTIONS, RECORD, WHITENING, Run, RunRecord
from cifar_dsl.runs.file_errors import changed, damaged, unreadable, without_weights
from cifar_dsl.runs.predictions import read_predictions
from cifar_dsl.training.datasets import Dataset
from cifar_dsl.training.device import Choice
from cifar_dsl.training.evaluation import EvaluationResult, evaluate
from cifar_dsl.training.images import Arrays, Images, load_images, measure, normalized_images
from cifar_dsl.training.input_transform import (
    InputTransform,
    Whitening,
    first_transform,
    standardizing,
)
from cifar_dsl.training.lowering.torch_module import Network, build_module
from cifar_dsl.training.provenance import check_data
from cifar_dsl.training.trained import TrainedNetwork

Weights = Literal["last", "best"]  # of the last epoch, or of the one that is best on the held-out images


def packed(module: nn.Module, spec_text: str) -> bytes:
    """A network's weights as a safetensors file, with the spec in the metadata."""
    weights = {key: tensor.detach().cpu().contiguous() for key, tensor in module.state_dict().items()}
    # Only one entry: safetensors writes several in any order, and equal runs should have equal bytes.
    return save(weights, metadata={"spec": spec_text})


def load_weights(run: Run, analysis: Analysis, which: Weights = "last") -> Network:
    """The trained network of a run, with the weights of its last or its best epoch. Raises RunError."""
    module = build_module(analysis.graph, analysis.program.name.text, seed=0)
    path, recorded = _recorded_weights(run, which)
    if not path.exists():
        raise without_weights(path)
    try:
        with open_regular(path) as file:
            content = file.read()
    except OSError as error:
        raise unreadable(path, error) from error
    if recorded not in {None, hashlib.sha256(content).hexdigest()}:
        raise changed(path)
    try:
        module.load_state_dict(load(content))
    except (ValueError, RuntimeError, KeyError, SafetensorError) as error:
        raise damaged(path) from error
    return module


def _recorded_weights(run: Run, which: Weights) -> tuple[Path, str | None]:
    """The path of a run's weights, and their digest, where it is recorded. Raises RunError."""
    result = run.result()
    if result.accuracy is None:
        raise RunError(f"{run.path} diverged and has no weights", "train it again with a lower learning rate")
    if which not in get_args(Weights):
        raise UserError(f"weights is {which!r}, but must be 'last' or 'best'")
    if which == "last":
        return run.weights, result.weights_digest
    if result.best is None:
        raise RunError(
            f"{run.path} has no weights of a best epoch, because it held out no images",
            "use the weights of the last epoch",
            "or train it again with --validation IMAGES, which keeps the epoch that is best on these images",
        )
    return run.path / BEST, result.best.weights_digest


def load_network(
    run: Run, analysis: Analysis, dataset: Dataset | None = None, which: Weights = "last"
) -> TrainedNetwork:
    """The trained network of a run with its normalization. Raises RunError, DataError.

    Runs with a schema below 4 don't record the statistics of their training images: if the recipe normalizes with
    them, `dataset` is required.
    """
    transform = input_transform(run, analysis, dataset)
    return TrainedNetwork(load_weights(run, analysis, which), analysis.graph.input, transform, classes_of(run))


def input_transform(run: Run, analysis: Analysis, dataset: Dataset | None = None) -> InputTransform:
    """How the network of a run takes images. Raises RunError, DataError; `dataset` as in `load_network`."""
    normalize = analysis.require_recipe().normalize
    if normalize.is_first:
        return first_transform(normalize, load_whitening(run, analysis))
    return standardizing(normalization_of(run, analysis, dataset))


def normalization_of(run: Run, analysis: Analysis, dataset: Dataset | None = None) -> Standardization:
    """The normalization of a run's images, by channel. Raises RunError, DataError; `dataset` as in `load_network`."""
    record = run.record()
    if dataset is not None:
        check_data(run, dataset)
    normalization = record.normalization or _unrecorded_normalization(run, record, analysis, dataset)
    if len(normalization.mean) != analysis.graph.input.channels:
        raise damaged(run.path / RECORD)
    return normalization


def classes_of(run: Run) -> tuple[str, ...]:
    """The names of the classes, in the order of the scores; empty if the run has none."""
    return run.record().classes or _unrecorded_classes(run)


def load_whitening(run: Run, analysis: Analysis) -> Whitening | None:
    """The whitening that the run was trained with; None if its recipe doesn't whiten. Raises RunError."""
    if not analysis.require_recipe().normalize.is_whitening:
        return None
    size, digest = analysis.graph.input.elements, run.record().whitening
    content = run.whitening_content()
    if not (run.path / WHITENING).exists():
        raise without_weights(run.path / WHITENING)
    if content is None or digest is None:
        raise damaged(run.path / WHITENING)
    whitening = Whitening.from_bytes(content)
    if whitening.matrix.shape != (size, size) or whitening.mean.shape != (size,):
        raise damaged(run.path / WHITENING)
    return whitening


def _unrecorded_normalization(
    run: Run, record: RunRecord, analysis: Analysis, dataset: Dataset | None
) -> Standardization:
    recipe = analysis.require_recipe()
    if fixed := recipe.normalize.standardization(analysis.graph.input.channels):
        return fixed
    if dataset is None:
        named = "npz:PATH" if record.data.name == "npz" else record.data.name
        raise RunError(
            f"normalizing images for {run.path} requires its dataset",
            f"pass it: load_trained(run, data={named!r})",
            "or load the network alone, which takes normalized images: load_trained(run, raw=True)",
            reason=f"it has schema {record.schema}, which doesn't record the statistics of the training images",
        )
    return measure(recipe, (dataset.x_train, dataset.y_train))


def _unrecorded_classes(run: Run) -> tuple[str, ...]:
    predictions = read_predictions(run.path / PREDICTIONS)
    return predictions.classes if predictions else ()


def own_images(run: Run, analysis: Analysis, dataset: Dataset, device: torch.device) -> Images:
    """The test images of a run's dataset, as its training evaluated them. Raises DataError for another dataset."""
    check_data(run, dataset)
    train, test = (dataset.x_train, dataset.y_train), (dataset.x_test, dataset.y_test)
    return load_images(analysis.require_recipe(), train, test, device, whitening=load_whitening(run, analysis)).test


def other_images(
    run: Run, analysis: Analysis, images: Arrays, device: torch.device, dataset: Dataset | None = None
) -> Images:
    """Other images with their labels, as the network of a run takes them. Raises RunError.

    `dataset` is the run's, as in `load_network`.
    """
    if analysis.require_recipe().normalize.is_first:
        transform = input_transform(run, analysis).to(device)
        return normalized_images(images, transform, device)
    normalization = normalization_of(run, analysis, dataset)
    pixels, labels = (torch.from_numpy(np.ascontiguousarray(array)).to(device) for array in images)
    scale, offset, mean = (
        torch.tensor(figures, device=device)
        for figures in (normalization.scale, normalization.offset, [255 * value for value in normalization.mean])
    )
    return Images(pixels, labels, scale, offset, mean)


def evaluate_run(run: Run, dataset: Dataset, choice: Choice, which: Weights = "last") -> EvaluationResult:
    """Evaluate a run's weights on the test images of its dataset. Raises RunError, DataError, SpecError."""
    analysis = run.analysis()
    images = own_images(run, analysis, dataset, choice.device)
    module = load_weights(run, analysis, which).to(choice.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return evaluate(module, images, analysis.require_recipe())
