"""Distillation: what a network learns from a teacher, beside the labels; `training/losses.py` computes it."""

from cifar_dsl.ir import argument, declared
from cifar_dsl.ir.recipe import Distillation, NoDistillation
from cifar_dsl.operations.argument_types import Float
from cifar_dsl.operations.registry import Registry

DISTILLATIONS: Registry[Distillation] = Registry("distillation")
DISTILLATIONS.register("none")(NoDistillation)

_SHARE = Float(0, 1, open_low=True)
_SHARE_DOC = "share of the teacher's part in the loss; the labels have the rest"


@DISTILLATIONS.register("soft")
@declared
class Soft(Distillation):
    """Learn the teacher's probabilities; Hinton et al. 2015, https://arxiv.org/abs/1503.02531.

    The loss is (1 - weight) * L + weight * T^2 * KL(softmax(t / T) || softmax(s / T)), where L is the recipe's loss of
    the labels, T the temperature, t the scores of the teacher and s those of the network. The divergence is summed over
    the classes, and reduced over the batch as L is.
    """

    target = "soft"
    temperature: float = argument(
        Float(0.01, 1000),
        "divides the scores of both networks: higher values show more of small probabilities",
        default=4.0,
    )
    weight: float = argument(_SHARE, _SHARE_DOC, default=0.9)


@DISTILLATIONS.register("hard")
@declared
class Hard(Distillation):
    """Learn the class that the teacher predicts; Touvron et al. 2021 (DeiT), https://arxiv.org/abs/2012.12877.

    The loss is (1 - weight) * L + weight * CE(s, argmax t), where L is the recipe's loss of the labels, and CE the
    cross-entropy, without label smoothing, of the network's scores s and the class with the highest of the teacher's
    scores t. Both are reduced over the batch alike.
    """

    target = "hard"
    weight: float = argument(_SHARE, _SHARE_DOC, default=0.5)
