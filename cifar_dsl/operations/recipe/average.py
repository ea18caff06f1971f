"""Averages of weights along the way of training."""

from cifar_dsl.ir import argument, declared
from cifar_dsl.ir.recipe import Average
from cifar_dsl.operations.argument_types import Float, Int
from cifar_dsl.operations.registry import MisfitError, Registry

_START = Float(0)


AVERAGES: Registry[Average] = Registry("average")


def check_averages(averages: tuple[Average, ...]) -> None:
    """Can these be had together? Raises MisfitError."""
    tested = [average.name for average in averages if average.is_tested]
    if len(tested) > 1:
        raise MisfitError(
            "E0403",
            f"`{tested[0]}` and `{tested[1]}` both say which weights are tested and kept",
            help=("leave one of them out",),
        )


class _Late(Average):
    start: float

    def check_epochs(self, epochs: float) -> None:
        if self.start >= epochs:
            raise MisfitError(
                "E0403",
                f"`{self.name}` would start after {self.start:g} epochs, and there are {epochs:g}",
                argument="start",
                help=(f"use a start below {epochs:g}",),
            )


@AVERAGES.register("ema")
@declared
class Ema(_Late):
    """An exponential moving average: decay x average + (1 - decay) x weights, after every few steps.

    The first update takes the weights as they are. Running statistics of batch norm are those of the network that
    is trained, as in torch's
    https://docs.pytorch.org/docs/stable/generated/torch.optim.swa_utils.AveragedModel.html
    """

    decay: float = argument(Float(0, 1, open_high=True), "what is kept of the average at an update")
    every: int = argument(Int(1), "steps from one update to the next", default=1)
    start: float = argument(_START, "epochs before the first update", default=0.0)


@AVERAGES.register("swa")
@declared
class Swa(_Late):
    """The plain mean of the weights at the ends of epochs; Izmailov et al. 2018, https://arxiv.org/abs/1803.05407.

    Running statistics of batch norm are measured anew for it, on the training images without augmentation.
    """

    start: float = argument(_START, "epochs before those whose ends take part")


@AVERAGES.register("lookahead")
@declared
class Lookahead(Average):
    """Slow weights go a part of the way to the trained ones, which then start from there; Zhang et al. 2019.

    https://arxiv.org/abs/1907.08610. State that the optimizer keeps stays as it is. Evaluation takes the trained
    weights, which are the slow ones after every `every`-th step.
    """

    is_tested = False
    every: int = argument(Int(1), "steps from one meeting to the next", default=5)
    rate: float = argument(Float(0, 1, open_low=True), "which part of the way", default=0.5)
