"""A random part of labelled images with an equal share of each class: the same for every seed."""

import numpy as np
from numpy.typing import NDArray


def share(labels: NDArray[np.int64], count: int, purpose: str) -> NDArray[np.bool_]:
    """The mask of `count` images, (N,). Each purpose has its own choice."""
    import torch  # what only reads the facts of a dataset needs none

    from cifar_dsl.training import draws

    scattered = np.argsort(draws.hashed(draws.key(0, 0, purpose), torch.arange(len(labels))).numpy(), kind="stable")
    preceding = np.empty(len(labels))  # the fraction of its class that precedes an image
    for label in np.unique(labels):
        members = scattered[labels[scattered] == label]
        preceding[members] = (np.arange(len(members)) + 0.5) / len(members)
    is_chosen = np.zeros(len(labels), dtype=bool)
    is_chosen[scattered[np.argsort(preceding[scattered], kind="stable")[:count]]] = True
    return is_chosen
