"""Perturbations of the weights: where the gradients of a step are taken."""

from cifar_dsl.ir import argument, declared
from cifar_dsl.ir.recipe import NoPerturbation, Perturbation
from cifar_dsl.operations.argument_types import Bool, Float
from cifar_dsl.operations.registry import Registry

PERTURBATIONS: Registry[Perturbation] = Registry("perturbation")


PERTURBATIONS.register("none")(NoPerturbation)


@PERTURBATIONS.register("sam")
@declared
class Sam(Perturbation):
    """Sharpness-aware minimization: take the gradients where the loss is about highest nearby; Foret et al. 2020.

    https://arxiv.org/abs/2010.01412. Each step computes gradients twice, on the same images: at the weights, and at
    weights that lie `rho` further along these gradients (the norm is over all trained parameters). The optimizer moves
    the original weights with the second gradients. Loss, accuracy and the running statistics of batch norm are those of
    the first pass. `sam(rho=2, adaptive=true)` is ASAM, Kwon et al. 2021, https://arxiv.org/abs/2102.11600.
    The same arithmetic as https://github.com/davda54/sam
    """

    passes = 2
    rho: float = argument(
        Float(0, open_low=True), "distance to the weights at which the gradients are taken", default=0.05
    )
    adaptive: bool = argument(Bool(), "measure the distance relative to the size of each weight (ASAM)", default=False)
