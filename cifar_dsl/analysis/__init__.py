"""The memory that training a network takes, and the memory and CPUs of this machine, without torch."""

from cifar_dsl.analysis.activation_trace import kept_bytes
from cifar_dsl.analysis.estimate import EVALUATION_BATCH, estimate
from cifar_dsl.analysis.machine import available_bytes, spin_briefly, usable_cpus

__all__ = ["EVALUATION_BATCH", "available_bytes", "estimate", "kept_bytes", "spin_briefly", "usable_cpus"]
