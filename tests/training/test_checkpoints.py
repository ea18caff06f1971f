"""Checkpoints restore a training's state, and invalid ones are refused."""

import json
from collections.abc import Callable

import pytest
import torch
from attrs import evolve
from helpers.reliability import SPEC
from helpers.runs import EPOCH
from helpers.training import CPU, meaning
from safetensors.torch import load, save

from cifar_dsl.runs import Best
from cifar_dsl.training.checkpoints import CheckpointError, Progress, restored, to_bytes
from cifar_dsl.training.engines import EagerEngine
from cifar_dsl.training.images import load_images
from cifar_dsl.training.learner import Learner

METRICS = (EPOCH, evolve(EPOCH, epoch=2, validation_loss=0.5, validation_accuracy=0.25))
BEST = Best(2, 0.25, 0.2, "ab" * 32)


@pytest.fixture
def new_learner() -> Callable[[], Learner]:
    """A learner that hasn't taken a step."""
    graph, recipe = meaning(SPEC)
    images = torch.zeros(60, 8, 8, 3, dtype=torch.uint8).numpy(), (torch.arange(60) % 10).numpy()
    splits = load_images(recipe, images, images, CPU)
    return lambda: Learner(graph, recipe, "small", 0, splits.train, EagerEngine(CPU))


@pytest.fixture
def content(new_learner: Callable[[], Learner]) -> bytes:
    """A checkpoint of a learner that has trained."""
    learner = new_learner()
    learner.epoch, learner.steps_done, learner.epoch_time_s = 3, 2, 1.5
    with torch.no_grad():
        for parameter in learner.module.parameters():
            parameter.fill_(0.5)
    learner.loss_sum.fill_(7)
    return to_bytes(learner, METRICS, 12.5, BEST, b"the best weights", 7.5)


def header(content: bytes) -> dict[str, object]:
    length = int.from_bytes(content[:8], "little")
    return json.loads(content[8 : 8 + length])


def changed(content: bytes, **more: str | None) -> bytes:
    """The same tensors with other metadata."""
    metadata = header(content)["__metadata__"] | more
    return save(load(content), {name: text for name, text in metadata.items() if text is not None})


def test_a_checkpoint_restores_everything(new_learner, content):
    learner = new_learner()
    progress, best_file = restored(learner, content)
    assert progress == Progress(METRICS, 3, 2, 1.5, 12.5, BEST, 7.5)
    assert best_file == b"the best weights"
    assert (learner.epoch, learner.steps_done, learner.epoch_time_s) == (3, 2, 1.5)
    assert all(bool((parameter == 0.5).all()) for parameter in learner.module.parameters())
    assert learner.loss_sum.item() == 7
    again, before = load(to_bytes(learner, METRICS, 12.5, BEST, b"the best weights", 7.5)), load(content)
    assert set(again) == set(before)
    assert all(torch.equal(tensor, before[name]) for name, tensor in again.items())


def test_a_checkpoint_without_a_best_epoch_has_no_best_weights(new_learner):
    content = to_bytes(new_learner(), [], 0.0, None, b"", None)
    assert "best" not in load(content)
    assert restored(new_learner(), content) == (Progress((), 1, 0, 0.0, 0.0, None, None), b"")


@pytest.mark.parametrize("length", [0, 4, 8, 100, -1])
def test_truncated_bytes_are_refused(new_learner, content, length):
    with pytest.raises(CheckpointError):
        restored(new_learner(), content[:length])


def test_another_format_is_refused_and_named(new_learner, content):
    with pytest.raises(CheckpointError, match="format 1"):
        restored(new_learner(), changed(content, format="1"))


@pytest.mark.parametrize("name", ["format", "progress"])
def test_incomplete_metadata_is_refused(new_learner, content, name):
    with pytest.raises(CheckpointError, match=name):
        restored(new_learner(), changed(content, **{name: None}))


@pytest.mark.parametrize("text", ["", "{", "{}", "[]", "null", '{"epoch": "x"}', '{"metrics": [{}]}'])
def test_invalid_progress_is_refused(new_learner, content, text):
    with pytest.raises(CheckpointError):
        restored(new_learner(), changed(content, progress=text))


def test_a_missing_tensor_is_refused(new_learner, content):
    metadata = header(content)["__metadata__"]
    for name in ("best", "sums.loss", "generator", "module.conv.weight"):
        state = load(content)
        del state[name]
        with pytest.raises(CheckpointError):
            restored(new_learner(), save(state, metadata))


def test_tensors_of_another_network_are_refused(new_learner, content):
    state = load(content)
    state["module.conv.weight"] = torch.zeros(1)
    with pytest.raises(CheckpointError):
        restored(new_learner(), save(state, header(content)["__metadata__"]))
