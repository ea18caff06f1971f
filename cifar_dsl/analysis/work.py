"""How much a training computes, in multiply-accumulates."""

from cifar_dsl.ir import Recipe

_BACKWARD = 2  # times the multiply-accumulates of a forward pass


def step_macs(forward: float, teacher: float, passes: int) -> float:
    """The multiply-accumulates of a training step for one image that it learns from.

    Args:
        forward: Those of the network's forward pass; a backward pass takes twice as many.
        teacher: Those of the teacher, which has only a forward pass; 0 without one.
        passes: How often a step computes the gradients of its images (`Perturbation.passes`).
    """
    return passes * ((1 + _BACKWARD) * forward + teacher)


def work_share(recipe: Recipe, forward: float, teacher: float = 0.0, seen: float = 1.0) -> float:
    """The work of a recipe that keeps some images, relative to that of learning from all of them in every step.

    `forward` and `teacher` are the multiply-accumulates of a forward pass of network and teacher for an image, and
    `seen` is the share of the images that the network sees.
    """
    idle = forward + teacher
    whole = step_macs(forward, teacher, recipe.perturb.passes)
    every = recipe.keep.every
    return seen * (whole + (every - 1) * idle) / (every * whole) if whole else seen
