"""Losses: what training makes small."""

from cifar_dsl.ir import Call
from cifar_dsl.registry import Declaration, Float, Registry, argument, declared


class Loss(Declaration):
    """A loss: a batch's scores (N, classes) and labels (N,) -> one number, the mean over the batch."""

    def emit(self) -> Call:
        """The torch class and its keyword arguments, as data."""
        raise NotImplementedError(self.name)


LOSSES: Registry[Loss] = Registry("loss")


@LOSSES.register("cross_entropy")
@declared
class CrossEntropy(Loss):
    """The negative log-likelihood of the right class under a softmax of the scores.

    Torch: https://docs.pytorch.org/docs/stable/generated/torch.nn.CrossEntropyLoss.html
    """

    label_smoothing: float = argument(
        Float(0, 1, open_high=True),
        "share of the target that is spread evenly over all classes; https://arxiv.org/abs/1512.00567",
        default=0.0,
    )

    def emit(self) -> Call:
        return Call("torch.nn.CrossEntropyLoss", (("label_smoothing", self.label_smoothing),))
