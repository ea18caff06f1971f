"""Whitening initialization: first-layer weights from the training images."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  # torch's own name for it

from cifar_dsl.ir import Graph
from cifar_dsl.training.images import Images

_IMAGES = 5_000  # to measure, spread evenly over the split, which may be sorted by class
_CHUNK = 500  # images per step


@torch.no_grad()
def whiten(module: nn.Module, graph: Graph, images: Images) -> None:
    """Fill, in place, the weights of `module` whose initializer is `whitening`. `images` are the training images."""
    for node in graph.nodes:
        for parameter in node.parameters:
            if parameter.initial.name == "whitening":
                weight = module.get_parameter(f"{node.path}.{parameter.name}")
                eps = float(str(parameter.initial.keywords()["eps"]))
                weight.copy_(whitening_filters(images, weight.shape, eps))


def whitening_filters(images: Images, shape: torch.Size, eps: float) -> Tensor:
    """Filters (channels, C, h, w) whose outputs are uncorrelated, with a mean square of about 1.

    The first half are the eigenvectors of the uncentered covariance of the normalized images' patches, in descending
    order of their eigenvalues, each divided by sqrt(eigenvalue + eps). The second half are their negatives. See
    https://github.com/KellerJordan/cifar10-airbench.
    """
    channels, patch = shape[0], tuple(shape[1:])
    eigenvalues, eigenvectors = torch.linalg.eigh(_patch_covariance(images, patch[1:]))
    leading = eigenvectors.flip(1)[:, : channels // 2]
    leading = leading / (eigenvalues.flip(0)[: channels // 2] + eps).sqrt()
    # The solver may return an eigenvector or its negative: choose the one whose largest element is positive.
    largest = leading.gather(0, leading.abs().argmax(0, keepdim=True))
    filters = (leading * largest.sign()).T.reshape(-1, *patch)
    return torch.cat([filters, -filters]).float()


def _patch_covariance(images: Images, window: tuple[int, ...]) -> Tensor:
    """Uncentered covariance of the elements of a patch (C, h, w): (C * h * w, C * h * w) float64, on the CPU."""
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
