"""Compares an imported network with the module that it came from."""

import copy
import math
from typing import TYPE_CHECKING, Any

from cifar_dsl.export.verification import example, fill_with_statistics, normalized
from cifar_dsl.foundation.errors import UserError
from cifar_dsl.foundation.records import frozen
from cifar_dsl.ir import Shape

if TYPE_CHECKING:
    from torch import Tensor, nn

_IMAGES = 4
_RELATIVE = 1e-9  # by which scores in float64 may differ, of their spread between images


@frozen
class Agreement:
    """How scores of two networks in float64 compare: the largest differences, and their spread between images."""

    evaluation: float
    training: float
    spread: float

    def __str__(self) -> str:
        return (
            f"scores differ by at most {self.evaluation:.1e}, and by {self.training:.1e} with batch statistics; "
            f"they differ between images by {self.spread:.2g}"
        )


def verify(module: "nn.Module", network: "nn.Module", keys: dict[str, str], image: Shape) -> Agreement:
    """Compare the scores of a module and of the network that was made of it.

    `keys` has the name of each tensor of the network in the module. Raises UserError if scores differ.
    """
    theirs = copy.deepcopy(module).eval()
    for parameter in theirs.parameters():
        parameter.requires_grad_(False)
    fill_with_statistics(theirs, image, images=_IMAGES)
    load(network, theirs.state_dict(), keys)
    theirs, ours = theirs.double().eval(), network.double().eval()
    images = normalized(example(image, _IMAGES)).double()
    evaluation, spread = _difference(theirs, ours, images)
    alone = _difference_alone(theirs, ours, images[:1])
    for one in (theirs, ours):
        _use_batch_statistics(one)
    training, spread_in_training = _difference(theirs, ours, images)
    found = Agreement(evaluation, training, min(spread, spread_in_training))
    if not found.spread > 0:
        raise UserError(
            "the scores of the module are equal for all images, so nothing shows that the spec computes the same",
            "check its weights: they may be 0, or NaN",
        )
    if not (evaluation <= _RELATIVE * spread and training <= _RELATIVE * spread_in_training):
        raise UserError(
            f"the imported network doesn't compute what the module computes: {found}; nothing was written",
            "please report it, with the module: this is a bug of the import",
        )
    if not alone <= _RELATIVE * spread:
        raise UserError(
            "the module computes something else for a batch of one image, which a spec can't",
            "remove what depends on the number of images, such as a `squeeze` without an axis, or `len(x)` in an `if`",
        )
    return found


def load(network: "nn.Module", tensors: "dict[str, Tensor]", keys: dict[str, str]) -> None:
    """Give a network the tensors of a module, by name; a tensor may have another shape of as many numbers."""
    wanted = network.state_dict()
    network.load_state_dict({own: tensors[key].detach().reshape(wanted[own].shape) for own, key in keys.items()})


def _difference(theirs: Any, ours: Any, images: "Tensor") -> tuple[float, float]:
    """The largest difference of the scores, and the spread of the right ones between images."""
    import torch

    with torch.no_grad():
        wanted, found = theirs(images.clone()), ours(images.clone())
    if wanted.shape != found.shape:
        return float("inf"), 0.0
    return float((wanted - found).abs().max()), float(wanted.flatten(1).std(0, correction=0).mean())


def _difference_alone(theirs: Any, ours: Any, image: "Tensor") -> float:
    """The largest difference of the scores of a batch of one image; infinite if the module can't take one."""
    try:
        return _difference(theirs, ours, image)[0]
    except (RuntimeError, ValueError, IndexError):
        return math.inf


def _use_batch_statistics(module: "nn.Module") -> None:
    for inner in module.modules():
        if getattr(inner, "running_mean", None) is not None:
            inner.train()
