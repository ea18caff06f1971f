"""Averages of the weights over the course of a training."""

from cifar_dsl.foundation.text import in_epochs
from cifar_dsl.ir import argument, declared
from cifar_dsl.ir.recipe import Average, Recipe
from cifar_dsl.operations.argument_types import Bool, Choice, Float, Int
from cifar_dsl.operations.registry import MisfitError, Registry

_START = Float(0)


AVERAGES: Registry[Average] = Registry("average")


def check_averages(averages: tuple[Average, ...]) -> None:
    """Raise MisfitError if more than one average is to be evaluated."""
    tested = [average.name for average in averages if average.is_tested]
    if len(tested) > 1:
        raise MisfitError(
            "E0403",
            f"`{tested[0]}` and `{tested[1]}` both set the weights that are evaluated and saved",
            help=("remove one of them",),
        )


class _Late(Average):
    start: float

    def check_epochs(self, epochs: float) -> None:
        if self.start >= epochs:
            raise MisfitError(
                "E0403",
                f"`{self.name}` starts after {in_epochs(self.start)}, but training ends after {epochs:g}",
                argument="start",
                help=(f"use a start below {epochs:g}",),
            )


@AVERAGES.register("ema")
@declared
class Ema(_Late):
    """Exponential moving average of the weights: decay * average + (1 - decay) * weights at every update.

    The first update copies the weights. With `warmup_power` p, the decay of the n-th update is at most 1 - n^-p: it
    grows, so that the first weights are soon forgotten. `ModelEmaV3(use_warmup=True)` of timm,
    https://github.com/huggingface/pytorch-image-models, is `warmup_power=2/3`. The running statistics of batch norm are
    those of the trained network, as in
    https://docs.pytorch.org/docs/stable/generated/torch.optim.swa_utils.AveragedModel.html
    """

    decay: float = argument(Float(0, 1, open_high=True), "weight of the old average in an update")
    every: int = argument(Int(1), "steps between updates", default=1)
    start: float = argument(_START, "epochs before the first update", default=0.0)
    warmup_power: float = argument(
        Float(0, 1), "how fast the decay grows in the first updates; 0: it is constant", default=0.0
    )


@AVERAGES.register("swa")
@declared
class Swa(_Late):
    """Stochastic weight averaging: the mean of the weights at the ends of epochs; Izmailov et al. 2018.

    https://arxiv.org/abs/1803.05407. The running statistics of batch norm are measured again for the average, on the
    training images without augmentation.
    """

    start: float = argument(_START, "epochs before the first one that is averaged")


@AVERAGES.register("lookahead")
@declared
class Lookahead(Average):
    """Move slow weights towards the trained weights every few steps, then continue from them; Zhang et al. 2019.

    https://arxiv.org/abs/1907.08610. The state of the optimizer is left unchanged. Evaluation uses the trained
    weights, which equal the slow ones after every `every`-th step. Parameters whose group's `epochs` are over stand
    still.

    With `growth`, the slow weights keep the fraction (1 - rate) * (steps so far / all steps)^growth of themselves: they
    follow the trained ones at first, and average later. That of airbench94 and airbench96
    (https://github.com/KellerJordan/cifar10-airbench) is
    `lookahead(rate=0.2262190625, growth=3, statistics=true, final=slow)`.
    """

    is_tested = False
    every: int = argument(Int(1), "steps between synchronisations", default=5)
    rate: float = argument(Float(0, 1, open_low=True), "fraction of the way that the slow weights move", default=0.5)
    growth: float = argument(Float(0), "exponent with which the slow weights slow down; 0: not at all", default=0.0)
    statistics: bool = argument(Bool(), "average the running statistics of batch norm, too", default=False)
    final: str = argument(
        Choice(("trained", "slow")),
        "weights after the last step, if `every` doesn't divide the number of steps",
        default="trained",
    )

    def revision(self, recipe: Recipe) -> int:
        # 1: it no longer moves the parameters of a group whose epochs are over.
        return int(any(group.epochs is not None and group.epochs < recipe.epochs for group in recipe.groups))
