"""How much a training computes."""

from cifar_dsl.ir import Recipe

BACKWARD = 2  # times the multiply-accumulates of the forward pass


def work_share(recipe: Recipe, forward: float, teacher: float = 0.0, seen: float = 1.0) -> float:
    """The work of a recipe that keeps some images, relative to that of learning from all of them in every step.

    `forward` and `teacher` are the multiply-accumulates of a forward pass of network and teacher for an image, and
    `seen` is the share of the images that the network sees.
    """
    idle = forward + teacher
    whole = recipe.perturb.passes * ((1 + BACKWARD) * forward + teacher)
    every = recipe.keep.every
    return seen * (whole + (every - 1) * idle) / (every * whole) if whole else seen
