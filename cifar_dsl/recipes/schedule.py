"""Schedules: the learning rate at every step, as a factor of the optimizer's."""

import math

from cifar_dsl.registry import Declaration, Float, Int, ListOf, Registry, argument, declared

_WARMUP = Float(0)
_WARMUP_DOC = "epochs during which the rate rises from zero, linearly"
_SHARE = Float(0, 1)


class Schedule(Declaration):
    """A learning rate over time; a pure function, so that a resumed run finds its place."""

    def factor(self, epoch: float, epochs: float) -> float:
        """Factor of the optimizer's rate when `epoch` of `epochs` have passed (fractions between steps)."""
        raise NotImplementedError(self.name, epoch, epochs)


SCHEDULES: Registry[Schedule] = Registry("schedule")


class _Warmed(Schedule):
    warmup: float

    def factor(self, epoch: float, epochs: float) -> float:
        if epoch < self.warmup:
            return epoch / self.warmup
        rest = epochs - self.warmup
        return self.after_warmup(min(1.0, (epoch - self.warmup) / rest) if rest > 0 else 1.0)

    def after_warmup(self, progress: float) -> float:
        """The factor at `progress`, from 0 at the end of the warm-up to 1 at the end of training."""
        raise NotImplementedError(self.name, progress)


@SCHEDULES.register("constant")
@declared
class Constant(_Warmed):
    """The same rate throughout."""

    warmup: float = argument(_WARMUP, _WARMUP_DOC, default=0.0)

    def after_warmup(self, progress: float) -> float:
        return 1.0


@SCHEDULES.register("cosine")
@declared
class Cosine(_Warmed):
    """Down along half a cosine; Loshchilov and Hutter 2016, https://arxiv.org/abs/1608.03983."""

    warmup: float = argument(_WARMUP, _WARMUP_DOC, default=0.0)
    final: float = argument(_SHARE, "the factor at the end", default=0.0)

    def after_warmup(self, progress: float) -> float:
        return self.final + (1 - self.final) * (1 + math.cos(math.pi * progress)) / 2


@SCHEDULES.register("linear")
@declared
class Linear(_Warmed):
    """Down along a straight line."""

    warmup: float = argument(_WARMUP, _WARMUP_DOC, default=0.0)
    final: float = argument(_SHARE, "the factor at the end", default=0.0)

    def after_warmup(self, progress: float) -> float:
        return 1 + (self.final - 1) * progress


@SCHEDULES.register("step")
@declared
class Step(Schedule):
    """Multiplied by `gamma` at the start of each of some epochs, counted from 0."""

    at: tuple[int, ...] = argument(ListOf(Int(1)), "after how many epochs it falls")
    gamma: float = argument(Float(0, 1, open_low=True), "what it is multiplied by", default=0.1)

    def factor(self, epoch: float, epochs: float) -> float:
        return self.gamma ** sum(epoch >= start for start in self.at)


@SCHEDULES.register("one_cycle")
@declared
class OneCycle(Schedule):
    """Up and down along straight lines; Smith 2018, https://arxiv.org/abs/1803.09820."""

    peak: float = argument(Float(0, 1, open_low=True, open_high=True), "where the top lies, of the whole", default=0.3)
    start: float = argument(_SHARE, "the factor at the start", default=0.04)
    final: float = argument(_SHARE, "the factor at the end", default=0.0)

    def factor(self, epoch: float, epochs: float) -> float:
        progress = epoch / epochs
        if progress < self.peak:
            return self.start + (1 - self.start) * progress / self.peak
        return 1 + (self.final - 1) * (progress - self.peak) / (1 - self.peak)
