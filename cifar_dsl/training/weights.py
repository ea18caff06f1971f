"""Weights files: writing, loading and evaluating trained weights."""

import hashlib

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import nn

from cifar_dsl.compiler import Analysis
from cifar_dsl.foundation.errors import RunError
from cifar_dsl.foundation.reading import open_regular
from cifar_dsl.ir import Standardization
from cifar_dsl.runs import PREDICTIONS, RECORD, Run, RunRecord
from cifar_dsl.runs.predictions import read_predictions
from cifar_dsl.runs.records import damaged
from cifar_dsl.training.datasets import Dataset
from cifar_dsl.training.device import Choice
from cifar_dsl.training.evaluation import EvaluationResult, evaluate
from cifar_dsl.training.images import load_images, measure
from cifar_dsl.training.lowering.torch_module import Network, build_module
from cifar_dsl.training.provenance import check_data
from cifar_dsl.training.trained import TrainedNetwork


def packed(module: nn.Module, spec_text: str) -> bytes:
    """A network's weights as a safetensors file, with the spec in the metadata."""
    weights = {key: tensor.detach().cpu().contiguous() for key, tensor in module.state_dict().items()}
    # Only one entry: safetensors writes several in any order, and equal runs should have equal bytes.
    return save(weights, metadata={"spec": spec_text})


def load_weights(run: Run, analysis: Analysis) -> Network:
    """The trained network of a run. Raises RunError."""
    module = build_module(analysis.graph, analysis.program.name.text, seed=0)
    try:
        with open_regular(run.weights) as file:
            content = file.read()
        if run.result().weights_digest not in {None, hashlib.sha256(content).hexdigest()}:
            raise ValueError("its digest differs from the recorded one")
        module.load_state_dict(load(content))
    except (OSError, ValueError, RuntimeError, KeyError, SafetensorError) as error:
        raise RunError(f"can't read the weights of {run.path}: {error}", "train the spec again") from error
    return module


def load_network(run: Run, analysis: Analysis, dataset: Dataset | None = None) -> TrainedNetwork:
    """The trained network of a run with its normalization. Raises RunError, DataError.

    Runs with a schema below 4 don't record the statistics of their training images: if the recipe normalizes with
    them, `dataset` is required.
    """
    record = run.record()
    if dataset is not None:
        check_data(run, dataset)
    normalization = record.normalization or _unrecorded_normalization(run, record, analysis, dataset)
    if len(normalization.mean) != analysis.graph.input.channels:
        raise damaged(run.path / RECORD)
    return TrainedNetwork(
        load_weights(run, analysis), analysis.graph.input, normalization, record.classes or _unrecorded_classes(run)
    )


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


def evaluate_run(run: Run, dataset: Dataset, choice: Choice) -> EvaluationResult:
    """Evaluate a run's weights on the test images. Raises RunError, DataError, SpecError."""
    check_data(run, dataset)
    analysis = run.analysis()
    recipe = analysis.require_recipe()
    splits = load_images(recipe, (dataset.x_train, dataset.y_train), (dataset.x_test, dataset.y_test), choice.device)
    module = load_weights(run, analysis).to(choice.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return evaluate(module, splits.test, recipe)
