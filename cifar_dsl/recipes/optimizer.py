"""Optimizers: how gradients become steps."""

from typing import ClassVar

from cifar_dsl.ir import Call
from cifar_dsl.registry import Bool, Declaration, Float, ListOf, MisfitError, Registry, argument, declared

_LR = Float(0, open_low=True)
_BETAS = ListOf(Float(0, 1, open_high=True), length=2)
_EPS = Float(0, open_low=True)
_DECAY = Float(0)


class Optimizer(Declaration):
    """An optimizer. Torch does the whole step of one that `has_fused` in one pass over the weights."""

    has_fused: ClassVar[bool] = True
    lr: float

    @property
    def states(self) -> int:
        """How many numbers it keeps for each trained parameter."""
        raise NotImplementedError(self.name)

    def emit(self) -> Call:
        """The torch class and its keyword arguments, as data."""
        raise NotImplementedError(self.name)


OPTIMIZERS: Registry[Optimizer] = Registry("optimizer")


@OPTIMIZERS.register("sgd")
@declared
class Sgd(Optimizer):
    """Stochastic gradient descent, with momentum.

    Torch: https://docs.pytorch.org/docs/stable/generated/torch.optim.SGD.html
    """

    lr: float = argument(_LR, "learning rate")
    momentum: float = argument(Float(0, 1, open_high=True), "how much of the last step is kept", default=0.0)
    nesterov: bool = argument(Bool(), "look ahead along the momentum", default=False)
    weight_decay: float = argument(_DECAY, "pull towards zero, added to the gradient", default=0.0)

    @property
    def states(self) -> int:
        return int(self.momentum > 0)

    def check(self) -> None:
        if self.nesterov and not self.momentum:
            raise MisfitError(
                "E0304",
                "Nesterov's step needs a momentum",
                argument="nesterov",
                help=("give `momentum=0.9`, or leave `nesterov` out",),
            )

    def emit(self) -> Call:
        return Call(
            "torch.optim.SGD",
            (
                ("lr", self.lr),
                ("momentum", self.momentum),
                ("nesterov", self.nesterov),
                ("weight_decay", self.weight_decay),
            ),
        )


class _Adaptive(Optimizer):
    target: ClassVar[str]
    lr: float
    betas: tuple[float, float]
    eps: float
    weight_decay: float

    @property
    def states(self) -> int:
        return 2

    def emit(self) -> Call:
        return Call(
            self.target,
            (("lr", self.lr), ("betas", self.betas), ("eps", self.eps), ("weight_decay", self.weight_decay)),
        )


@OPTIMIZERS.register("adam")
@declared
class Adam(_Adaptive):
    """Steps scaled by running moments of the gradient; Kingma and Ba 2014, https://arxiv.org/abs/1412.6980."""

    target = "torch.optim.Adam"
    lr: float = argument(_LR, "learning rate")
    betas: tuple[float, float] = argument(_BETAS, "memory of the two moments", default=(0.9, 0.999))
    eps: float = argument(_EPS, "added to the denominator", default=1e-8)
    weight_decay: float = argument(_DECAY, "pull towards zero, added to the gradient", default=0.0)


@OPTIMIZERS.register("adamw")
@declared
class AdamW(_Adaptive):
    """Adam with weight decay apart from the gradient; Loshchilov and Hutter, https://arxiv.org/abs/1711.05101."""

    target = "torch.optim.AdamW"
    lr: float = argument(_LR, "learning rate")
    betas: tuple[float, float] = argument(_BETAS, "memory of the two moments", default=(0.9, 0.999))
    eps: float = argument(_EPS, "added to the denominator", default=1e-8)
    weight_decay: float = argument(_DECAY, "pull towards zero, times the learning rate", default=1e-2)


@OPTIMIZERS.register("rmsprop")
@declared
class RmsProp(Optimizer):
    """Steps scaled by the running size of the gradient.

    Torch: https://docs.pytorch.org/docs/stable/generated/torch.optim.RMSprop.html
    """

    has_fused = False
    lr: float = argument(_LR, "learning rate")
    alpha: float = argument(Float(0, 1, open_high=True), "memory of the running size", default=0.99)
    momentum: float = argument(Float(0, 1, open_high=True), "how much of the last step is kept", default=0.0)
    eps: float = argument(_EPS, "added to the denominator", default=1e-8)
    weight_decay: float = argument(_DECAY, "pull towards zero, added to the gradient", default=0.0)

    @property
    def states(self) -> int:
        return 1 + int(self.momentum > 0)

    def emit(self) -> Call:
        return Call(
            "torch.optim.RMSprop",
            (
                ("lr", self.lr),
                ("alpha", self.alpha),
                ("momentum", self.momentum),
                ("eps", self.eps),
                ("weight_decay", self.weight_decay),
            ),
        )
