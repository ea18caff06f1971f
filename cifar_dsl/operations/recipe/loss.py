"""Losses: logits (N, classes), and labels (N,) or class probabilities (N, classes) -> a scalar."""

from collections.abc import Sequence
from typing import Any

from cifar_dsl.ir import Lowering, argument, declared
from cifar_dsl.ir.recipe import Loss
from cifar_dsl.operations.argument_types import Choice, Float, ListOf, OneOf
from cifar_dsl.operations.registry import MisfitError, Registry

_REDUCTION = Choice(("mean", "sum"))
_REDUCTION_DOC = "minimise the mean or the sum over the batch; metrics report the mean"
_WEIGHTS = OneOf((Choice(("none", "balanced")), ListOf(Float(0))))
_WEIGHTS_DOC = (
    "factor on the loss of each class; `balanced`: N / (classes * n) for a class with n of the N training images; "
    "`none`: 1"
)


LOSSES: Registry[Loss] = Registry("loss")


def balanced_weights(class_images: Sequence[int]) -> tuple[float, ...]:
    """A weight for each class that makes all classes count the same; their mean over the training images is 1.

    `class_images` are the numbers of training images. A class without any gets the weight 0, and isn't counted.
    """
    present = sum(count > 0 for count in class_images)
    total = sum(class_images)
    return tuple(total / (present * count) if count else 0.0 for count in class_images)


class _Weighted(Loss):
    """A loss with weights for the classes."""

    weighted_target: str  # the key in the table of this package's own losses
    weights: tuple[float, ...] | str

    def check(self) -> None:
        if not isinstance(self.weights, str) and not any(self.weights):
            raise MisfitError(
                "E0304",
                "`weights` needs a weight above 0",
                argument="weights",
                help=("write one weight for each class",),
            )

    def check_classes(self, classes: int) -> None:
        if not isinstance(self.weights, str) and len(self.weights) != classes:
            count = f"{len(self.weights)} number{'s' if len(self.weights) > 1 else ''}"
            raise MisfitError(
                "E0403",
                f"`weights` of `{self.name}` has {count} for {classes} classes",
                argument="weights",
                help=(f"write {classes} weights", "or `weights=balanced`: the training images decide"),
            )

    def lower(self, class_images: Sequence[int] = ()) -> Lowering:
        arguments: dict[str, Any] = self.arguments()
        weights = arguments.pop("weights")
        if weights == "none":
            return Lowering.to(self.target, **arguments)
        weights = balanced_weights(class_images) if weights == "balanced" else weights
        return Lowering.to(self.weighted_target, **arguments, weights=weights)


@LOSSES.register("cross_entropy")
@declared
class CrossEntropy(_Weighted):
    """Cross-entropy between the target and the softmax of the logits.

    With `weights`, the mean is over the images, also of mixed ones; torch divides by the sum of the weights of the
    batch's labels, unless the targets are probabilities.
    Torch: https://docs.pytorch.org/docs/stable/generated/torch.nn.CrossEntropyLoss.html
    """

    target = "torch.nn.CrossEntropyLoss"
    weighted_target = "weighted_cross_entropy"
    label_smoothing: float = argument(
        Float(0, 1, open_high=True),
        "fraction of the target that is spread evenly over all classes; https://arxiv.org/abs/1512.00567",
        default=0.0,
    )
    reduction: str = argument(_REDUCTION, _REDUCTION_DOC, default="mean")
    weights: tuple[float, ...] | str = argument(_WEIGHTS, _WEIGHTS_DOC, default="none")


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
class Focal(_Weighted):
    """Cross-entropy times (1 - p)^gamma, where p is the softmax probability of the right class; Lin et al. 2017.

    https://arxiv.org/abs/1708.02002. `weights` are the paper's alpha, one for each class. With two classes it equals
    torchvision's `sigmoid_focal_loss` of the difference of the two logits.
    """

    target = "focal"
    weighted_target = "focal"
    gamma: float = argument(
        Float(0), "exponent; larger values discount easy images more, 0 is plain cross-entropy", default=2.0
    )
    reduction: str = argument(_REDUCTION, _REDUCTION_DOC, default="mean")
    weights: tuple[float, ...] | str = argument(_WEIGHTS, _WEIGHTS_DOC, default="none")
