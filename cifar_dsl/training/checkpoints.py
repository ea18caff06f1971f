"""A training's state as bytes and back: safetensors, with everything that is no tensor in the metadata."""

import json
from collections.abc import Sequence

import cattrs
import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from cifar_dsl.foundation.records import frozen
from cifar_dsl.runs import Best, EpochMetrics
from cifar_dsl.runs.records import from_json
from cifar_dsl.training.learner import Learner

_FORMAT = "2"
_BEST = "best"


class CheckpointError(Exception):
    """The bytes are no checkpoint of this training."""


@frozen
class Progress:
    """How far a training is, beside its tensors: finished epochs, and so many steps of the next.

    `time_s` is the time of all processes so far that trained it, `spent_s` that of the steps of the running epoch;
    `energy_j` is the energy of all processes, None where it isn't known.
    The file of the `best` weights is beside it.
    """

    metrics: tuple[EpochMetrics, ...]
    epoch: int
    steps_done: int
    spent_s: float
    time_s: float
    best: Best | None
    energy_j: float | None


def to_bytes(
    learner: Learner,
    metrics: Sequence[EpochMetrics],
    time_s: float,
    best: Best | None,
    best_file: bytes,
    energy_j: float | None,
) -> bytes:
    """What a training needs to go on from where it stands."""
    progress = Progress(tuple(metrics), learner.epoch, learner.steps_done, learner.spent_s, time_s, best, energy_j)
    metadata = {"format": _FORMAT, "progress": json.dumps(cattrs.unstructure(progress))}
    state = _stored(learner.state())
    if best_file:
        state[_BEST] = torch.frombuffer(bytearray(best_file), dtype=torch.uint8)
    return save(state, metadata=metadata)


def restored(learner: Learner, content: bytes) -> tuple[Progress, bytes]:
    """Let a new learner go on from there; how far it is, and the file of the best weights.

    Raises CheckpointError, after which the learner must not be used.
    """
    try:
        length = int.from_bytes(content[:8], "little")
        metadata = json.loads(content[8 : 8 + length])["__metadata__"]
        if metadata["format"] != _FORMAT:
            raise CheckpointError(f"format {metadata['format']}")
        progress = from_json(metadata["progress"], Progress)
        state = load(content)
        best_file = state.pop(_BEST).numpy().tobytes() if progress.best else b""
        learner.restore(state, progress.epoch, progress.steps_done)
    except (ValueError, TypeError, KeyError, RuntimeError, SafetensorError, cattrs.BaseValidationError) as error:
        raise CheckpointError(str(error)) from error
    learner.spent_s = progress.spent_s
    return progress, best_file


def _stored(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Tensors on the CPU, each of its own memory, as safetensors wants them."""
    return {name: tensor.detach().cpu().contiguous().clone() for name, tensor in state.items()}
