"""Losses: logits (N, classes), and labels (N,) or class probabilities (N, classes) -> a scalar."""

from cifar_dsl.ir import argument, declared
from cifar_dsl.ir.recipe import Loss
from cifar_dsl.operations.argument_types import Choice, Float
from cifar_dsl.operations.registry import Registry

_REDUCTION = Choice(("mean", "sum"))
_REDUCTION_DOC = "minimise the mean or the sum over the batch; metrics report the mean"


LOSSES: Registry[Loss] = Registry("loss")


@LOSSES.register("cross_entropy")
@declared
class CrossEntropy(Loss):
    """Cross-entropy between the target and the softmax of the logits.

    Torch: https://docs.pytorch.org/docs/stable/generated/torch.nn.CrossEntropyLoss.html
    """

    target = "torch.nn.CrossEntropyLoss"
    label_smoothing: float = argument(
        Float(0, 1, open_high=True),
        "fraction of the target that is spread evenly over all classes; https://arxiv.org/abs/1512.00567",
        default=0.0,
    )
    reduction: str = argument(_REDUCTION, _REDUCTION_DOC, default="mean")


@LOSSES.register("mse")
@declared
class Mse(Loss):
    """Mean squared error between the logits and the target (1 for the right class, 0 for the others) over the classes.

    Hui and Belkin 2020, https://arxiv.org/abs/2006.07322.
    Torch: https://docs.pytorch.org/docs/stable/generated/torch.nn.MSELoss.html
    """

    target = "mse"
    reduction: str = argument(_REDUCTION, _REDUCTION_DOC, default="mean")


@LOSSES.register("bce")
@declared
class Bce(Loss):
    """Binary cross-entropy between the target and the sigmoid of the logits, averaged over the classes.

    As in Wightman et al. 2021, https://arxiv.org/abs/2110.00476, but mixed images keep their shares as targets: timm's
    `--bce-target-thresh` would make each share above a threshold a 1. Labels aren't smoothed.
    Torch: https://docs.pytorch.org/docs/stable/generated/torch.nn.BCEWithLogitsLoss.html
    """

    target = "bce"
    reduction: str = argument(_REDUCTION, _REDUCTION_DOC, default="mean")


@LOSSES.register("focal")
@declared
class Focal(Loss):
    """Cross-entropy times (1 - p)^gamma, where p is the softmax probability of the right class; Lin et al. 2017.

    https://arxiv.org/abs/1708.02002.
    """

    target = "focal"
    gamma: float = argument(
        Float(0), "exponent; larger values discount easy images more, 0 is plain cross-entropy", default=2.0
    )
    reduction: str = argument(_REDUCTION, _REDUCTION_DOC, default="mean")
