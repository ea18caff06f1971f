"""Losses: what training makes small."""

from cifar_dsl.ir import argument, declared
from cifar_dsl.ir.recipe import Loss
from cifar_dsl.operations.argument_types import Choice, Float
from cifar_dsl.operations.registry import Registry

_REDUCTION = Choice(("mean", "sum"))
_REDUCTION_DOC = "what gradients are taken of: the batch's mean or its sum; the mean is what is reported"


LOSSES: Registry[Loss] = Registry("loss")


@LOSSES.register("cross_entropy")
@declared
class CrossEntropy(Loss):
    """The negative log-likelihood of the right class under a softmax of the scores.

    Torch: https://docs.pytorch.org/docs/stable/generated/torch.nn.CrossEntropyLoss.html
    """

    target = "torch.nn.CrossEntropyLoss"
    label_smoothing: float = argument(
        Float(0, 1, open_high=True),
        "share of the target that is spread evenly over all classes; https://arxiv.org/abs/1512.00567",
        default=0.0,
    )
    reduction: str = argument(_REDUCTION, _REDUCTION_DOC, default="mean")


@LOSSES.register("mse")
@declared
class Mse(Loss):
    """The squared difference of the scores from 1 for the right class and 0 for the others, averaged over classes.

    Hui and Belkin 2020, https://arxiv.org/abs/2006.07322.
    Torch: https://docs.pytorch.org/docs/stable/generated/torch.nn.MSELoss.html
    """

    target = "mse"
    reduction: str = argument(_REDUCTION, _REDUCTION_DOC, default="mean")


@LOSSES.register("bce")
@declared
class Bce(Loss):
    """Binary cross-entropy: each class by itself is there or not, under a sigmoid of its score; averaged over classes.

    As in Wightman et al. 2021, https://arxiv.org/abs/2110.00476.
    Torch: https://docs.pytorch.org/docs/stable/generated/torch.nn.BCEWithLogitsLoss.html
    """

    target = "bce"
    reduction: str = argument(_REDUCTION, _REDUCTION_DOC, default="mean")


@LOSSES.register("focal")
@declared
class Focal(Loss):
    """Cross-entropy in which what is right already counts less, by the factor (1 - p)^gamma; Lin et al. 2017.

    https://arxiv.org/abs/1708.02002, with a softmax over the classes.
    """

    target = "focal"
    gamma: float = argument(Float(0), "how much less; 0 is plain cross-entropy", default=2.0)
    reduction: str = argument(_REDUCTION, _REDUCTION_DOC, default="mean")
