"""Optimizers: how gradients become steps."""

from cifar_dsl.ir import argument, declared
from cifar_dsl.ir.recipe import Optimizer
from cifar_dsl.operations.argument_types import Bool, Float, Int, ListOf
from cifar_dsl.operations.registry import MisfitError, Registry

_LR = Float(0, open_low=True)
_BETAS = ListOf(Float(0, 1, open_high=True), length=2)
_EPS = Float(0, open_low=True)
_DECAY = Float(0)


OPTIMIZERS: Registry[Optimizer] = Registry("optimizer")


@OPTIMIZERS.register("sgd")
@declared
class Sgd(Optimizer):
    """Stochastic gradient descent, with momentum.

    Torch: https://docs.pytorch.org/docs/stable/generated/torch.optim.SGD.html
    """

    target = "torch.optim.SGD"
    lr: float = argument(_LR, "learning rate")
    momentum: float = argument(Float(0, 1, open_high=True), "how much of the last step is kept", default=0.0)
    nesterov: bool = argument(Bool(), "look ahead along the momentum", default=False)
    weight_decay: float = argument(_DECAY, "pull towards zero, added to the gradient", default=0.0)

    @property
    def states(self) -> int:
        return int(self.momentum > 0)

    def check(self) -> None:
        _check_nesterov(self.nesterov, self.momentum)


def _check_nesterov(nesterov: bool, momentum: float) -> None:
    if nesterov and not momentum:
        raise MisfitError(
            "E0304",
            "Nesterov's step needs a momentum",
            argument="nesterov",
            help=("give `momentum=0.9`, or write `nesterov=false`",),
        )


class _Adaptive(Optimizer):
    has_capturable = True
    lr: float
    betas: tuple[float, float]
    eps: float
    weight_decay: float

    @property
    def states(self) -> int:
        return 2


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

    target = "torch.optim.RMSprop"
    has_fused = False
    has_capturable = True
    lr: float = argument(_LR, "learning rate")
    alpha: float = argument(Float(0, 1, open_high=True), "memory of the running size", default=0.99)
    momentum: float = argument(Float(0, 1, open_high=True), "how much of the last step is kept", default=0.0)
    eps: float = argument(_EPS, "added to the denominator", default=1e-8)
    weight_decay: float = argument(_DECAY, "pull towards zero, added to the gradient", default=0.0)

    @property
    def states(self) -> int:
        return 1 + int(self.momentum > 0)

    @property
    def can_be_recorded(self) -> bool:
        return not self.momentum  # with one, torch reads the rate


@OPTIMIZERS.register("nadam")
@declared
class NAdam(Optimizer):
    """Adam with Nesterov's momentum; Dozat 2016, https://openreview.net/forum?id=OM0jvwB8jIp57ZJjtNEZ.

    Torch: https://docs.pytorch.org/docs/stable/generated/torch.optim.NAdam.html
    """

    target = "torch.optim.NAdam"
    has_fused = False
    has_capturable = True
    lr: float = argument(_LR, "learning rate")
    betas: tuple[float, float] = argument(_BETAS, "memory of the two moments", default=(0.9, 0.999))
    eps: float = argument(_EPS, "added to the denominator", default=1e-8)
    weight_decay: float = argument(_DECAY, "pull towards zero, added to the gradient", default=0.0)
    momentum_decay: float = argument(_DECAY, "how fast the momentum comes up to its full size", default=4e-3)

    @property
    def states(self) -> int:
        return 2


@OPTIMIZERS.register("adagrad")
@declared
class Adagrad(Optimizer):
    """Steps scaled by the sum of all squared gradients; Duchi et al. 2011, https://jmlr.org/papers/v12/duchi11a.html.

    Torch: https://docs.pytorch.org/docs/stable/generated/torch.optim.Adagrad.html
    """

    target = "torch.optim.Adagrad"
    has_fused = False
    lr: float = argument(_LR, "learning rate")
    lr_decay: float = argument(_DECAY, "at step n the rate is divided by 1 + n times this", default=0.0)
    eps: float = argument(_EPS, "added to the denominator", default=1e-10)
    weight_decay: float = argument(_DECAY, "pull towards zero, added to the gradient", default=0.0)

    @property
    def states(self) -> int:
        return 1

    @property
    def can_be_recorded(self) -> bool:
        return False  # torch reads its counter of steps


@OPTIMIZERS.register("lion")
@declared
class Lion(Optimizer):
    """Steps of one size, along the sign of a mean gradient; Chen et al. 2023, https://arxiv.org/abs/2302.06675."""

    target = "lion"
    has_fused = False
    lr: float = argument(_LR, "learning rate")
    betas: tuple[float, float] = argument(_BETAS, "memory of the step, and of the momentum", default=(0.9, 0.99))
    weight_decay: float = argument(_DECAY, "pull towards zero, times the learning rate", default=0.0)

    @property
    def states(self) -> int:
        return 1


@OPTIMIZERS.register("muon")
@declared
class Muon(Optimizer):
    """The momentum of each matrix is made orthogonal before it is a step; Jordan et al. 2024, https://kellerjordan.github.io/posts/muon/.

    A filter bank counts as a matrix with a row for each output channel. A few Newton-Schulz iterations in bfloat16
    bring all singular values near 1, so that a step's size depends on the learning rate alone.
    """

    target = "muon"
    has_fused = False
    trains_only = "tensors of two or more dimensions"
    lr: float = argument(_LR, "learning rate")
    momentum: float = argument(Float(0, 1, open_high=True), "how much of the last steps is kept", default=0.95)
    nesterov: bool = argument(Bool(), "look ahead along the momentum", default=True)
    steps: int = argument(Int(1, 100), "Newton-Schulz iterations", default=5)
    weight_decay: float = argument(_DECAY, "pull towards zero, times the learning rate", default=0.0)
    rescale: bool = argument(
        Bool(),
        "before each step, bring the weight to the Frobenius norm sqrt(output channels), as in "
        "https://github.com/KellerJordan/cifar10-airbench",
        default=False,
    )

    def can_train(self, shape: tuple[int, ...]) -> bool:
        return len(shape) >= 2

    @property
    def states(self) -> int:
        return 1

    def check(self) -> None:
        _check_nesterov(self.nesterov, self.momentum)
        if self.rescale and self.weight_decay:
            raise MisfitError(
                "E0304",
                "a weight that is rescaled at every step can't decay",
                argument="weight_decay",
                help=("leave `weight_decay` or `rescale` out",),
            )
