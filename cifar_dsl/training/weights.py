"""Trained weights as a file, and back."""

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import nn

from cifar_dsl.compiler import Analysis, analyze_text
from cifar_dsl.foundation.errors import DataError, RunError
from cifar_dsl.runs import Run
from cifar_dsl.runs.digests import file_digest
from cifar_dsl.training.datasets import Dataset
from cifar_dsl.training.device import Choice
from cifar_dsl.training.evaluation import Measured, evaluate
from cifar_dsl.training.images import load_images
from cifar_dsl.training.lowering.torch_module import build_module
from cifar_dsl.training.requirements import required_recipe


def packed(module: nn.Module, spec_text: str) -> bytes:
    """A network's weights as the content of a file, with the spec in the metadata."""
    weights = {key: tensor.detach().cpu().contiguous() for key, tensor in module.state_dict().items()}
    # One entry alone: safetensors writes several in any order, and the same run should be the same bytes.
    return save(weights, metadata={"spec": spec_text})


def load_weights(run: Run, analysis: Analysis) -> nn.Module:
    """The trained network of a run. Raises RunError."""
    module = build_module(analysis.graph, analysis.program.name.text, seed=0)
    try:
        if run.result().weights_digest not in {None, file_digest(run.weights)}:
            raise ValueError("the file is not the one that was written")
        module.load_state_dict(load_file(run.weights))
    except (OSError, ValueError, RuntimeError, KeyError, SafetensorError) as error:
        raise RunError(f"the weights of {run.path} can't be read: {error}", "train the spec again") from error
    return module


def evaluate_run(run: Run, dataset: Dataset, choice: Choice) -> Measured:
    """A run's weights, measured on the test images. Raises RunError, DataError, SpecError."""
    record = run.record()
    if dataset.digest != record.data.digest:
        raise DataError(
            f"this is not the data that {run.path} was trained on",
            f"the run's data: {record.data.origin}",
            reason=f"the run has {record.data.name} with digest {record.data.digest[:16]}, "
            f"this is {dataset.digest[:16]}",
        )
    analysis = analyze_text(run.spec_text, str(run.path / "spec.arch"))
    if analysis.fingerprint != record.spec.fingerprint:
        raise RunError(
            f"the spec in {run.path} means something else now than when it was trained",
            f"it was trained with cifar_dsl {record.environment.cifar_dsl}; evaluate it with that version",
        )
    recipe = required_recipe(analysis)
    splits = load_images(recipe, (dataset.x_train, dataset.y_train), (dataset.x_test, dataset.y_test), choice.device)
    module = load_weights(run, analysis).to(choice.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return evaluate(module, splits.test, recipe)
