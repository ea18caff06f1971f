"""Drop schedules: how the probabilities of stages that drop grow over training."""

import math

from cifar_dsl.ir import argument, declared
from cifar_dsl.ir.recipe import ConstantDrop, DropSchedule
from cifar_dsl.operations.argument_types import Float
from cifar_dsl.operations.registry import Registry

DROP_SCHEDULES: Registry[DropSchedule] = Registry("drop schedule")
DROP_SCHEDULES.register("constant")(ConstantDrop)

_START = Float(0, 1)
_START_DOC = "factor at the start of training"


@DROP_SCHEDULES.register("linear")
@declared
class LinearDrop(DropSchedule):
    """Probabilities that grow linearly from step to step, as in NASNet's ScheduledDropPath; Zoph et al. 2017.

    https://arxiv.org/abs/1707.07012. The factor in a step is the fraction of all steps that are done.
    """

    start: float = argument(_START, _START_DOC, default=0.0)

    def factor(self, epoch: float, epochs: float) -> float:
        return self.start + (1 - self.start) * epoch / epochs


@DROP_SCHEDULES.register("cosine")
@declared
class CosineDrop(DropSchedule):
    """Probabilities that grow along half a cosine: slowly at the start and at the end of training."""

    start: float = argument(_START, _START_DOC, default=0.0)

    def factor(self, epoch: float, epochs: float) -> float:
        return self.start + (1 - self.start) * (1 - math.cos(math.pi * epoch / epochs)) / 2
