"""What a training decides, step by step, about the modules that drop: how likely they do, and which column is alone."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from cifar_dsl.foundation.records import define, field
from cifar_dsl.ir.recipe import ConstantDrop, DropSchedule
from cifar_dsl.training import draws
from cifar_dsl.training.lowering.chance_modules import Dropping, MeanOfColumns
from cifar_dsl.training.plan import Plan
from cifar_dsl.training.step_inputs import StepInputs

NO_COLUMN = -1.0  # no branch's


@define
class Drops:
    """The factor of a drop schedule, and the columns of global drop-path, for one network and seed.

    Both lie in tensors on the device, which recorded steps read. The network's modules refer to them within a step
    only: a copy of the network, such as an average of weights, drops with the full probabilities.
    """

    schedule: DropSchedule
    module: nn.Module
    plan: Plan
    seed: int
    device: torch.device
    first_column: int  # among the hyperparameters
    _dropping: list[Dropping] = field(init=False)  # that follow the schedule
    _joins: dict[float, list[MeanOfColumns]] = field(factory=dict, init=False)  # by the fraction of global steps
    _numbers: list[Tensor] = field(init=False)  # () float32 each, in the order of the hyperparameters

    def __attrs_post_init__(self) -> None:
        modules = list(self.module.modules())
        is_constant = isinstance(self.schedule, ConstantDrop)
        self._dropping = [] if is_constant else [one for one in modules if isinstance(one, Dropping)]
        for one in modules:
            if isinstance(one, MeanOfColumns):
                self._joins.setdefault(one.global_share, []).append(one)
        columns = bool(self._dropping) + len(self._joins)
        self._numbers = [torch.zeros((), device=self.device) for _ in range(columns)]

    def hyperparameters(self, epoch: int) -> list[list[float]]:
        """The factor, if there is a schedule, and the column for each fraction, in each step of an epoch.

        Epochs count from 1. [step][column], with columns counted from `first_column`.
        """
        steps = range(self.plan.steps_in(epoch))
        passed = (epoch - 1 + step / self.plan.steps for step in steps)
        factors = [[self.schedule.factor(at, self.plan.epochs)] if self._dropping else [] for at in passed]
        return [factor + columns for factor, columns in zip(factors, self._columns(epoch, len(steps)), strict=True)]

    def _columns(self, epoch: int, steps: int) -> list[list[float]]:
        """The column of each step, for each fraction of global steps; the same one for all that have one."""
        if not self._joins:
            return [[] for _ in range(steps)]
        number = torch.arange(steps)
        drawn = draws.uniform(draws.key(self.seed, epoch, "global drop-path"), number)
        most = max(join.branches for joins in self._joins.values() for join in joins)
        columns = draws.integers(draws.key(self.seed, epoch, "column"), number, most)
        return [
            [float(column) if share_drawn < share else NO_COLUMN for share in self._joins]
            for share_drawn, column in zip(drawn.tolist(), columns.tolist(), strict=True)
        ]

    @contextmanager
    def in_step(self, inputs: StepInputs) -> Iterator[None]:
        """The context in which the network drops as the step of `inputs` requires."""
        for place, number in enumerate(self._numbers):
            number.fill_(inputs.hyperparameter(self.first_column + place))
        self._refer_to(*self._numbers)
        try:
            yield
        finally:
            self._refer_to(*[1.0] * bool(self._dropping), *[NO_COLUMN] * len(self._joins))

    def _refer_to(self, *numbers: float | Tensor) -> None:
        """Give the modules these numbers, in the order of the hyperparameters."""
        columns = numbers[1:] if self._dropping else numbers
        for one in self._dropping:
            one.factor = numbers[0]
        for joins, column in zip(self._joins.values(), columns, strict=True):
            for join in joins:
                join.column = column
