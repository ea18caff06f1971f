"""What a training will take of memory, known without torch."""

from cifar_dsl.memory.estimate import EVALUATION_BATCH, estimate
from cifar_dsl.memory.tape import kept_bytes

__all__ = ["EVALUATION_BATCH", "estimate", "kept_bytes"]
