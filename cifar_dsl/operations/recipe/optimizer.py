"""Optimizers."""

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
    """Stochastic gradient descent with optional momentum.

    Torch: https://docs.pytorch.org/docs/stable/generated/torch.optim.SGD.html
    """

    target = "torch.optim.SGD"
    momentum_on_device = True
    lr: float = argument(_LR, "learning rate")
    momentum: float = argument(Float(0, 1, open_high=True), "momentum", default=0.0)
    nesterov: bool = argument(Bool(), "use Nesterov momentum", default=False)
    weight_decay: float = argument(_DECAY, "L2 penalty, added to the gradient", default=0.0)

    @property
    def momentum_argument(self) -> str | None:
        return "momentum" if self.momentum else None

    @property
    def states(self) -> int:
        return int(self.momentum > 0)

    def check(self) -> None:
        _check_nesterov(self.nesterov, self.momentum)


def _check_nesterov(nesterov: bool, momentum: float) -> None:
    if nesterov and not momentum:
        raise MisfitError(
            "E0304",
            "`nesterov` needs a momentum",
            argument="nesterov",
            help=("add `momentum=0.9`, or write `nesterov=false`",),
        )


class _Adaptive(Optimizer):
    has_capturable = True
    keeps_squares = True
    momentum_on_device = True
    lr: float
    betas: tuple[float, float]
    eps: float
    weight_decay: float

    @property
    def momentum_argument(self) -> str | None:
        return "betas"

    @property
    def states(self) -> int:
        return 2


@OPTIMIZERS.register("adam")
@declared
class Adam(_Adaptive):
    """Adam: steps scaled by running moments of the gradient; Kingma and Ba 2014, https://arxiv.org/abs/1412.6980."""

    target = "torch.optim.Adam"
    lr: float = argument(_LR, "learning rate")
    betas: tuple[float, float] = argument(_BETAS, "decay rates of the two moments", default=(0.9, 0.999))
    eps: float = argument(_EPS, "added to the denominator", default=1e-8)
    weight_decay: float = argument(_DECAY, "L2 penalty, added to the gradient", default=0.0)


@OPTIMIZERS.register("adamw")
@declared
class AdamW(_Adaptive):
    """Adam with decoupled weight decay; Loshchilov and Hutter 2017, https://arxiv.org/abs/1711.05101."""

    target = "torch.optim.AdamW"
    lr: float = argument(_LR, "learning rate")
    betas: tuple[float, float] = argument(_BETAS, "decay rates of the two moments", default=(0.9, 0.999))
    eps: float = argument(_EPS, "added to the denominator", default=1e-8)
    weight_decay: float = argument(_DECAY, "decoupled weight decay, times the learning rate", default=1e-2)


@OPTIMIZERS.register("rmsprop")
@declared
class RmsProp(Optimizer):
    """RMSprop: steps scaled by a running root mean square of the gradient.

    Torch: https://docs.pytorch.org/docs/stable/generated/torch.optim.RMSprop.html
    """

    target = "torch.optim.RMSprop"
    keeps_squares = True
    has_fused = False
    has_capturable = True
    lr: float = argument(_LR, "learning rate")
    alpha: float = argument(Float(0, 1, open_high=True), "decay rate of the mean square", default=0.99)
    momentum: float = argument(Float(0, 1, open_high=True), "momentum", default=0.0)
    eps: float = argument(_EPS, "added to the denominator", default=1e-8)
    weight_decay: float = argument(_DECAY, "L2 penalty, added to the gradient", default=0.0)

    @property
    def momentum_argument(self) -> str | None:
        return "momentum" if self.momentum else None

    @property
    def states(self) -> int:
        return 1 + int(self.momentum > 0)

    @property
    def can_be_recorded(self) -> bool:
        return not self.momentum  # with momentum, torch reads the learning rate on the host


@OPTIMIZERS.register("nadam")
@declared
class NAdam(Optimizer):
    """Adam with Nesterov momentum; Dozat 2016, https://openreview.net/forum?id=OM0jvwB8jIp57ZJjtNEZ.

    Torch: https://docs.pytorch.org/docs/stable/generated/torch.optim.NAdam.html
    """

    target = "torch.optim.NAdam"
    keeps_squares = True
    has_fused = False
    has_capturable = True
    lr: float = argument(_LR, "learning rate")
    betas: tuple[float, float] = argument(_BETAS, "decay rates of the two moments", default=(0.9, 0.999))
    eps: float = argument(_EPS, "added to the denominator", default=1e-8)
    weight_decay: float = argument(_DECAY, "L2 penalty, added to the gradient", default=0.0)
    momentum_decay: float = argument(_DECAY, "decay of the momentum schedule", default=4e-3)

    @property
    def momentum_argument(self) -> str | None:
        return "betas"

    @property
    def states(self) -> int:
        return 2


@OPTIMIZERS.register("adagrad")
@declared
class Adagrad(Optimizer):
    """Adagrad: steps scaled by the sum of squared gradients; Duchi et al. 2011, https://jmlr.org/papers/v12/duchi11a.html.

    Torch: https://docs.pytorch.org/docs/stable/generated/torch.optim.Adagrad.html
    """

    target = "torch.optim.Adagrad"
    keeps_squares = True
    has_fused = False
    lr: float = argument(_LR, "learning rate")
    lr_decay: float = argument(_DECAY, "step n divides the learning rate by 1 + n * lr_decay", default=0.0)
    eps: float = argument(_EPS, "added to the denominator", default=1e-10)
    weight_decay: float = argument(_DECAY, "L2 penalty, added to the gradient", default=0.0)

    @property
    def states(self) -> int:
        return 1

    @property
    def can_be_recorded(self) -> bool:
        return False  # torch reads its step counter on the host


@OPTIMIZERS.register("lion")
@declared
class Lion(Optimizer):
    """Lion: steps of constant size along the sign of a momentum; Chen et al. 2023, https://arxiv.org/abs/2302.06675."""

    target = "lion"
    momentum_on_device = True
    has_fused = False
    lr: float = argument(_LR, "learning rate")
    betas: tuple[float, float] = argument(_BETAS, "decay rates for the step and for the momentum", default=(0.9, 0.99))
    weight_decay: float = argument(_DECAY, "decoupled weight decay, times the learning rate", default=0.0)

    @property
    def momentum_argument(self) -> str | None:
        return "betas"

    @property
    def states(self) -> int:
        return 1


@OPTIMIZERS.register("muon")
@declared
class Muon(Optimizer):
    """Muon: steps along the orthogonalised momentum of each matrix; Jordan et al. 2024, https://kellerjordan.github.io/posts/muon/.

    A convolution's weight counts as a matrix with one row per output channel. Newton-Schulz iterations in bfloat16 (in
    float32 on a processor without instructions for it) bring all singular values close to 1, so that the size of a step
    depends only on the learning rate.
    """

    target = "muon"
    has_fused = False
    trains_only = "tensors of two or more dimensions"
    lr: float = argument(_LR, "learning rate")
    momentum: float = argument(Float(0, 1, open_high=True), "momentum", default=0.95)
    nesterov: bool = argument(Bool(), "use Nesterov momentum", default=True)
    steps: int = argument(Int(1, 100), "Newton-Schulz iterations", default=5)
    weight_decay: float = argument(_DECAY, "decoupled weight decay, times the learning rate", default=0.0)
    rescale: bool = argument(
        Bool(),
        "before each step, scale the weight to the Frobenius norm sqrt(output channels), as in "
        "https://github.com/KellerJordan/cifar10-airbench",
        default=False,
    )

    def can_train(self, shape: tuple[int, ...]) -> bool:
        return len(shape) >= 2

    @property
    def momentum_argument(self) -> str | None:
        return "momentum" if self.momentum else None

    @property
    def states(self) -> int:
        return 1

    def check(self) -> None:
        _check_nesterov(self.nesterov, self.momentum)
        if self.rescale and self.weight_decay:
            raise MisfitError(
                "E0304",
                "`weight_decay` has no effect with `rescale`",
                argument="weight_decay",
                help=("remove `weight_decay` or `rescale`",),
            )
