"""Checkpoints as bytes: tensors in safetensors format, everything else in its metadata."""

import json
from collections.abc import Sequence

import cattrs
import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from cifar_dsl.foundation.records import frozen
from cifar_dsl.runs import Best, EpochMetrics
from cifar_dsl.runs.record_json import from_json
from cifar_dsl.training.learner import Learner

_FORMAT = "2"
_BEST = "best"


class CheckpointError(Exception):
    """The bytes aren't a checkpoint of this training."""


@frozen
class Progress:
    """The progress of a training, beside its tensors: the finished epochs, and the finished steps of the next one.

    `spent_s` is the time for those steps. `time_s` and `energy_j` are the time and energy of all processes so far that
    trained the run; the energy is None if unknown. The file of the `best` weights follows as a tensor of bytes.
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
    """A checkpoint of the training at its current step."""
    progress = Progress(tuple(metrics), learner.epoch, learner.steps_done, learner.epoch_time_s, time_s, best, energy_j)
    metadata = {"format": _FORMAT, "progress": json.dumps(cattrs.unstructure(progress))}
    state = _to_cpu(learner.state())
    if best_file:
        state[_BEST] = torch.frombuffer(bytearray(best_file), dtype=torch.uint8)
    return save(state, metadata=metadata)


def restored(learner: Learner, content: bytes) -> tuple[Progress, bytes]:
    """Restore a checkpoint into a new learner. Returns its progress and the file of the best weights.

    Raises CheckpointError; the learner is unusable then.
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
    learner.epoch_time_s = progress.spent_s
    return progress, best_file


def _to_cpu(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Copies on the CPU that share no memory, as safetensors requires."""
    return {name: tensor.detach().cpu().contiguous().clone() for name, tensor in state.items()}
