"""The Muon optimizer, for weights of two or more dimensions."""

from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any

import torch
from torch import Tensor

from cifar_dsl.training.precision import why_slow

_COEFFICIENTS = (3.4445, -4.7750, 2.0315)
_EPS = 1e-7
# Weights of up to as many numbers are updated at once, and a larger one alone: more would take more memory.
_TOGETHER = 2**22


class Muon(torch.optim.Optimizer):
    """Steps along the orthogonalized momentum; Jordan et al. 2024, https://kellerjordan.github.io/posts/muon/.

    A weight (out, in, ...) is treated as the matrix (out, in * ...). torch.optim.Muon accepts only matrices, and scales
    the steps of tall ones. Weights of equal shape are orthogonalized as one batch.
    """

    def __init__(
        self,
        params: Iterable[Tensor] | Iterable[dict[str, Any]],
        lr: float | Tensor,
        momentum: float = 0.95,
        nesterov: bool = True,
        steps: int = 5,
        weight_decay: float = 0.0,
        rescale: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "nesterov": nesterov,
            "steps": steps,
            "weight_decay": weight_decay,
            "rescale": rescale,
        }
        super().__init__(params, defaults)
        if any(weight.dim() < 2 for group in self.param_groups for weight in group["params"]):
            raise ValueError("Muon requires tensors of two or more dimensions")

    @torch.no_grad()
    def step(self) -> None:  # type: ignore[override]
        """Update every weight that has a gradient."""
        for group in self.param_groups:
            for weights in _parts(group["params"]):
                self._step(weights, group)

    def _step(self, weights: list[Tensor], group: dict[str, Any]) -> None:
        """Update weights together, with one kernel for all of them wherever there is one."""
        gradients = [weight.grad for weight in weights if weight.grad is not None]
        buffers = [self._buffer(weight) for weight in weights]
        torch._foreach_mul_(buffers, group["momentum"])
        torch._foreach_add_(buffers, gradients)
        directions = buffers
        if group["nesterov"]:
            ahead = torch._foreach_add(gradients, buffers, alpha=group["momentum"])  # noqa: SLF001  # as torch.optim
            directions = list(ahead)
        if group["rescale"]:
            factors = torch._foreach_norm(weights)  # noqa: SLF001  # as torch.optim
            torch._foreach_clamp_min_(factors, _EPS)
            torch._foreach_reciprocal_(factors)
            torch._foreach_mul_(factors, [len(weight) ** 0.5 for weight in weights])
            torch._foreach_mul_(weights, factors)
        elif group["weight_decay"]:
            torch._foreach_mul_(weights, 1 - group["lr"] * group["weight_decay"])
        torch._foreach_sub_(weights, _updates(directions, group["steps"], group["lr"]))  # lr may be a tensor

    def _buffer(self, weight: Tensor) -> Tensor:
        """The momentum of a weight."""
        state = self.state[weight]
        if not state:
            state["momentum_buffer"] = torch.zeros_like(weight)
        buffer: Tensor = state["momentum_buffer"]
        return buffer


def _parts(weights: Iterable[Tensor]) -> Iterator[list[Tensor]]:
    """The weights that have gradients, in lists of those to update together."""
    part: list[Tensor] = []
    for weight in weights:
        if weight.grad is None:
            continue
        if part and sum(one.numel() for one in part) + weight.numel() > _TOGETHER:
            yield part
            part = []
        part.append(weight)
    if part:
        yield part


def _updates(directions: list[Tensor], steps: int, lr: float | Tensor) -> list[Tensor]:
    """The orthogonalized directions times the learning rate; those of equal shape are computed as one batch."""
    places: dict[tuple[int, int], list[int]] = {}
    for place, direction in enumerate(directions):
        places.setdefault((len(direction), direction.numel() // len(direction)), []).append(place)
    updates = list(directions)
    for those in places.values():
        matrices = [_matrix(directions[place]) for place in those]
        batch = torch.stack(matrices) if len(those) > 1 else matrices[0][None]
        moves = orthogonalized(batch, steps).to(matrices[0].dtype) * lr
        for place, move in zip(those, moves.unbind(), strict=True):
            updates[place] = _weight(move, directions[place])
    return updates


def _matrix(weight: Tensor) -> Tensor:
    """(out, in, ...) -> (out, in * ...), with columns in the order of the memory, which needs no copy.

    `orthogonalized` keeps the order of columns, and `_weight` undoes it.
    """
    return (weight.permute(0, 2, 3, 1) if _is_channels_last(weight) else weight).flatten(1)


def _weight(matrix: Tensor, like: Tensor) -> Tensor:
    """(out, in * ...) -> (out, in, ...): the inverse of `_matrix`."""
    if not _is_channels_last(like):
        return matrix.view(like.shape)
    count, channels, height, width = like.shape
    return matrix.view(count, height, width, channels).permute(0, 3, 1, 2)


def _is_channels_last(weight: Tensor) -> bool:
    return weight.dim() == 4 and weight.is_contiguous(memory_format=torch.channels_last)


def orthogonalized(matrix: Tensor, steps: int) -> Tensor:
    """Move all singular values of a matrix close to 1: U S V^T -> about U V^T.

    Each Newton-Schulz step applies s -> a s + b s^3 + c s^5 to every singular value s. With these coefficients, small
    values grow fast, but the result scatters around 1. `matrix` is (rows, columns) or a batch (N, rows, columns).

    Computes in bfloat16, or in float32 on a processor without instructions for bfloat16, where that is several times
    as fast.
    """
    a, b, c = _COEFFICIENTS
    is_tall = matrix.shape[-2] > matrix.shape[-1]
    x = matrix.to(_product_type(matrix.device))
    x = x / (torch.linalg.vector_norm(x, dim=(-2, -1), keepdim=True) + _EPS)  # no singular value is larger than 1
    if is_tall:
        x = x.mT  # which makes the products below smaller
    is_single = x.dim() == 2 or len(x) == 1
    x = x.reshape(x.shape[-2:]) if is_single else x
    add_product = torch.addmm if is_single else torch.baddbmm  # rounds once, like torch.optim.Muon
    for _ in range(steps):
        gram = x @ x.mT
        x = add_product(x, add_product(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return (x.mT if is_tall else x).reshape(matrix.shape)


@cache
def _product_type(device: torch.device) -> torch.dtype:
    return torch.float32 if device.type == "cpu" and why_slow("bf16", device) else torch.bfloat16
