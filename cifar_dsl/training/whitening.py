"""First weights that are worked out from the training images."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  # torch's own name for it

from cifar_dsl.ir import Graph
from cifar_dsl.training.images import Images

_IMAGES = 5_000  # so many are measured, from all over the set: it may be in the order of its classes
_CHUNK = 500


@torch.no_grad()
def whiten(module: nn.Module, graph: Graph, images: Images) -> None:
    """Fill the weights of `module` whose declared first values are to whiten `images`, the training images."""
    for node in graph.nodes:
        for parameter in node.parameters:
            if parameter.initial.name == "whitening":
                weight = module.get_parameter(f"{node.path}.{parameter.name}")
                eps = float(str(parameter.initial.keywords()["eps"]))
                weight.copy_(whitening_filters(images, weight.shape, eps))


def whitening_filters(images: Images, shape: torch.Size, eps: float) -> Tensor:
    """Filters (channels, C, h, w) whose outputs are uncorrelated and have a mean square of about 1.

    The first half are eigenvectors of the uncentred covariance of the normalised images' patches, each over
    sqrt(eigenvalue + eps), that of the largest eigenvalue first; the other half are their negatives. After
    https://github.com/KellerJordan/cifar10-airbench.
    """
    channels, patch = shape[0], tuple(shape[1:])
    eigenvalues, eigenvectors = torch.linalg.eigh(_patch_covariance(images, patch[1:]))
    leading = eigenvectors.flip(1)[:, : channels // 2]
    leading = leading / (eigenvalues.flip(0)[: channels // 2] + eps).sqrt()
    # An eigenvector and its negative are one to the solver: the largest of its numbers is made positive.
    largest = leading.gather(0, leading.abs().argmax(0, keepdim=True))
    filters = (leading * largest.sign()).T.reshape(-1, *patch)
    return torch.cat([filters, -filters]).float()


def _patch_covariance(images: Images, window: tuple[int, ...]) -> Tensor:
    """Mean of the products of any two numbers of a patch (C, h, w): (C * h * w,) squared, float64 on the CPU."""
    device = images.labels.device
    count = min(_IMAGES, len(images))
    index = torch.arange(count, device=device) * len(images) // count
    products = []
    for chunk in torch.split(index, _CHUNK):
        patches = F.unfold(images.batch(chunk), window).transpose(0, 1).flatten(1)  # (C * h * w, patches)
        if device.type != "mps":  # which has no float64
            patches = patches.double()
        products.append((patches @ patches.T).cpu().double() / patches.shape[1] * len(chunk))
    return torch.stack(products).sum(0) / len(index)
