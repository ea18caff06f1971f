"""What a training will take of memory, known without torch."""

from cifar_dsl.memory.estimate import EVALUATION_BATCH, estimate
from cifar_dsl.memory.machine import available_bytes
from cifar_dsl.memory.tape import kept_bytes

__all__ = ["EVALUATION_BATCH", "available_bytes", "estimate", "kept_bytes"]
