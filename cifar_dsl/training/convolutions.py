"""How cuDNN chooses the algorithms of convolutions on an NVIDIA GPU."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

# A guess at where timing the candidates of all layers pays for itself; part `choices` of bench/gpu.py measures both.
_LEAST_STEPS = 1000


@contextmanager
def tuned_convolutions(device: torch.device, steps: int) -> Iterator[None]:
    """The context in which a training of `steps` steps chooses algorithms: by timing them, if that pays for itself.

    cuDNN times its candidates for each shape in the first step that has it, which is never a recorded one, and keeps
    the fastest. Shorter trainings use its heuristics. Whatever the process had set before doesn't count.
    """
    if device.type != "cuda":
        yield
        return
    cudnn = torch.backends.cudnn
    before = cudnn.benchmark
    cudnn.benchmark = steps >= _LEAST_STEPS
    try:
        yield
    finally:
        cudnn.benchmark = before
