"""Learning rate schedules: a factor on the optimizer's learning rate at every step, and perhaps its momentum."""

import math
from itertools import pairwise

from cifar_dsl.ir import argument, declared
from cifar_dsl.ir.recipe import Schedule
from cifar_dsl.operations.argument_types import Choice, Float, Int, ListOf, OneOf
from cifar_dsl.operations.registry import MisfitError, Registry

_WARMUP = Float(0)
_WARMUP_DOC = "epochs of linear warm-up from zero"
_SHARE = Float(0, 1)


SCHEDULES: Registry[Schedule] = Registry("schedule")


class _Warmed(Schedule):
    warmup: float

    def unreached(self, epochs: float) -> str | None:
        return "warmup" if self.warmup > epochs else None

    def factor(self, epoch: float, epochs: float) -> float:
        if epoch < self.warmup:
            return epoch / self.warmup
        rest = epochs - self.warmup
        return self.after_warmup(min(1.0, (epoch - self.warmup) / rest) if rest > 0 else 1.0)

    def after_warmup(self, progress: float) -> float:
        """The factor at `progress`: 0 at the end of the warm-up, 1 at the end of training."""
        raise NotImplementedError(self.name, progress)


@SCHEDULES.register("constant")
@declared
class Constant(_Warmed):
    """A constant learning rate."""

    warmup: float = argument(_WARMUP, _WARMUP_DOC, default=0.0)

    def after_warmup(self, progress: float) -> float:
        return 1.0


@SCHEDULES.register("cosine")
@declared
class Cosine(_Warmed):
    """Cosine decay; Loshchilov and Hutter 2016, https://arxiv.org/abs/1608.03983."""

    warmup: float = argument(_WARMUP, _WARMUP_DOC, default=0.0)
    final: float = argument(_SHARE, "factor at the end", default=0.0)

    def after_warmup(self, progress: float) -> float:
        return self.final + (1 - self.final) * (1 + math.cos(math.pi * progress)) / 2


@SCHEDULES.register("linear")
@declared
class Linear(_Warmed):
    """Linear decay."""

    warmup: float = argument(_WARMUP, _WARMUP_DOC, default=0.0)
    final: float = argument(_SHARE, "factor at the end", default=0.0)

    def after_warmup(self, progress: float) -> float:
        return 1 + (self.final - 1) * progress


@SCHEDULES.register("polynomial")
@declared
class Polynomial(_Warmed):
    """Polynomial decay: (1 - progress)^power, as in Chen et al. 2016, https://arxiv.org/abs/1606.00915.

    Torch: https://docs.pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.PolynomialLR.html
    """

    power: float = argument(Float(0, open_low=True), "exponent; 1 is linear decay")
    final: float = argument(_SHARE, "factor at the end", default=0.0)
    warmup: float = argument(_WARMUP, _WARMUP_DOC, default=0.0)

    def after_warmup(self, progress: float) -> float:
        return self.final + (1 - self.final) * math.pow(1 - progress, self.power)


@SCHEDULES.register("warm_restarts")
@declared
class WarmRestarts(Schedule):
    """Cosine decay that starts again after each cycle; Loshchilov and Hutter 2016, https://arxiv.org/abs/1608.03983.

    The first cycle has `period` epochs, each later one `growth` times as many as the one before. The end of training
    may cut the last one short. Torch:
    https://docs.pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.CosineAnnealingWarmRestarts.html
    """

    period: float = argument(Float(0, open_low=True), "epochs of the first cycle")
    growth: int = argument(Int(1), "length of a cycle, in lengths of the one before", default=1)
    final: float = argument(_SHARE, "factor at the end of each cycle", default=0.0)
    warmup: float = argument(_WARMUP, _WARMUP_DOC, default=0.0)

    def unreached(self, epochs: float) -> str | None:
        if self.warmup > epochs:
            return "warmup"
        return "period" if self.warmup + self.period > epochs else None

    def factor(self, epoch: float, epochs: float) -> float:
        if epoch < self.warmup:
            return epoch / self.warmup
        start, length = self._cycle(epoch - self.warmup)
        progress = (epoch - self.warmup - start) / length
        return self.final + (1 - self.final) * (1 + math.cos(math.pi * progress)) / 2

    def _cycle(self, epoch: float) -> tuple[float, float]:
        """Start and length of the cycle that contains `epoch`."""
        start, length = 0.0, self.period
        while self.growth > 1 and epoch >= start + length:
            start, length = start + length, length * self.growth
        return start + (epoch - start) // length * length, length


@SCHEDULES.register("exponential")
@declared
class Exponential(Schedule):
    """Exponential decay by `gamma` per epoch, applied at every step, or in drops.

    With `every=N`, the rate is multiplied by `gamma` after every N epochs, as by torch's `StepLR`; `every=1` is
    torch's `ExponentialLR`:
    https://docs.pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.StepLR.html
    """

    gamma: float = argument(Float(0, 1, open_low=True), "factor per epoch; with `every`, of each drop")
    every: float = argument(Float(0), "epochs between drops; 0: a continuous decay", default=0.0)

    def unreached(self, epochs: float) -> str | None:
        return "every" if self.every >= epochs else None

    def factor(self, epoch: float, epochs: float) -> float:
        return math.pow(self.gamma, epoch // self.every if self.every else epoch)


@SCHEDULES.register("step")
@declared
class Step(Schedule):
    """Multiply by `gamma` after each of the epochs in `at`.

    They count from the start of the training, also in a group with fewer `epochs`, which may end before them.
    """

    at: tuple[int, ...] = argument(ListOf(Int(1)), "after how many epochs the rate drops")
    gamma: float = argument(Float(0, 1, open_low=True), "factor of each drop", default=0.1)
    warmup: float = argument(_WARMUP, _WARMUP_DOC, default=0.0)

    def unreached(self, epochs: float) -> str | None:
        if any(start >= epochs for start in self.at):
            return "at"
        return "warmup" if self.warmup > epochs else None

    def factor(self, epoch: float, epochs: float) -> float:
        factor = self.gamma ** sum(epoch >= start for start in self.at)
        return factor * epoch / self.warmup if epoch < self.warmup else factor


@SCHEDULES.register("piecewise")
@declared
class Piecewise(Schedule):
    """Piecewise linear between points; constant before the first and after the last."""

    at: tuple[float, ...] = argument(ListOf(Float(0)), "epoch of each point")
    factors: tuple[float, ...] = argument(ListOf(_SHARE), "factor at each point")

    def check(self) -> None:
        if not self.at:
            raise MisfitError("E0304", "`at` needs at least one point", argument="at")
        if len(self.at) != len(self.factors):
            raise MisfitError(
                "E0304",
                f"`at` has {len(self.at)} points, but `factors` has {len(self.factors)}",
                argument="factors",
                help=("write one factor for each point",),
            )
        if any(later <= earlier for earlier, later in pairwise(self.at)):
            raise MisfitError("E0304", "the points of `at` must increase", argument="at")

    def unreached(self, epochs: float) -> str | None:
        return "at" if self.at[-1] > epochs else None

    def factor(self, epoch: float, epochs: float) -> float:
        points = list(zip(self.at, self.factors, strict=True))
        if epoch <= self.at[0]:
            return self.factors[0]
        for (start, first), (end, second) in pairwise(points):
            if epoch < end:
                return first + (second - first) * (epoch - start) / (end - start)
        return self.factors[-1]


@SCHEDULES.register("one_cycle")
@declared
class OneCycle(Schedule):
    """Rise to the optimizer's learning rate, then decay; Smith 2018, https://arxiv.org/abs/1803.09820.

    With `momentum`, the momentum falls while the rate rises, and the other way round; for optimizers with `betas`, it
    is the first of them. Torch's defaults are `one_cycle(final=4e-6, anneal=cosine, momentum=[0.85, 0.95])`, with two
    differences: here, the rate is largest exactly at `peak`, one step later, and `final` follows the last step.
    Torch: https://docs.pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.OneCycleLR.html
    """

    peak: float = argument(
        Float(0, 1, open_low=True, open_high=True),
        "position of the maximum, as a fraction of the training",
        default=0.3,
    )
    start: float = argument(_SHARE, "factor at the start", default=0.04)
    final: float = argument(_SHARE, "factor at the end", default=0.0)
    anneal: str = argument(Choice(("linear", "cosine")), "shape of rise and decay", default="linear")
    momentum: tuple[float, float] | str = argument(
        OneOf((Choice(("none",)), ListOf(Float(0, 1, open_low=True, open_high=True), length=2))),
        "minimum, where the rate is largest, and maximum, at start and end; `none`: the optimizer's momentum, constant",
        default="none",
    )

    def check(self) -> None:
        if isinstance(self.momentum, str):
            return
        minimum, maximum = self.momentum
        if minimum > maximum:
            raise MisfitError(
                "E0304",
                "the minimum of `momentum` is larger than its maximum",
                argument="momentum",
                help=(f"write `momentum=[{maximum:g}, {minimum:g}]`",),
            )

    @property
    def sets_momentum(self) -> bool:
        return not isinstance(self.momentum, str)

    def factor(self, epoch: float, epochs: float) -> float:
        return self._value(epoch / epochs, self.start, 1.0, self.final)

    def momentum_at(self, epoch: float, epochs: float) -> float:
        assert not isinstance(self.momentum, str)
        minimum, maximum = self.momentum
        return self._value(epoch / epochs, maximum, minimum, maximum)

    def _value(self, progress: float, start: float, peak: float, final: float) -> float:
        """The value at `progress`, from 0 to 1, of something that goes from `start` to `peak` to `final`."""
        if progress < self.peak:
            return self._annealed(start, peak, progress, self.peak)
        return self._annealed(peak, final, progress - self.peak, 1 - self.peak)

    def _annealed(self, first: float, last: float, passed: float, length: float) -> float:
        if self.anneal == "linear":
            return first + (last - first) * passed / length
        return last + (first - last) * (1 + math.cos(math.pi * passed / length)) / 2
