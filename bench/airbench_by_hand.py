"""The recipe of specs/records/airbench94.arch in plain PyTorch, as somebody would write it for this recipe alone.

It follows https://github.com/KellerJordan/cifar10-airbench (airbench94_muon.py, MIT License) in what it computes:
one precision throughout, batch norm parameters in float32, whole batches augmented on the device, nothing recorded or
compiled. Images are on the device already, as ours are.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  # torch's own name for it

if TYPE_CHECKING:
    from cifar_dsl.training.images import Images, Splits

_BATCH, _BIAS_LR, _HEAD_LR, _FILTER_LR = 2000, 0.053, 0.67, 0.24
_DECAY = 2e-6 * _BATCH


def run(splits: "Splits", seed: int, *, epochs: int = 8, dtype: torch.dtype | None = None) -> float:
    """Train once and return the accuracy on the test images, with mirrored and shifted views of each.

    `dtype` is that of images and weights, by default the half precision of the device: float16 on a GPU, and bfloat16
    on a CPU.
    """
    training = Training(splits, seed, epochs=epochs, dtype=dtype)
    for _ in range(training.steps):
        training.step()
    return training.accuracy()


class Training:
    """A training of `steps` steps."""

    def __init__(
        self,
        splits: "Splits",
        seed: int,
        *,
        epochs: int = 8,
        dtype: torch.dtype | None = None,
        batch: int = _BATCH,
    ) -> None:
        torch.manual_seed(seed)
        train, self._test = splits.train, splits.test
        device = train.labels.device
        is_cuda = device.type == "cuda"
        self._dtype = dtype or (torch.half if is_cuda else torch.bfloat16)
        images = _normalized(train).to(self._dtype)
        self._net = _Net(images).to(device, memory_format=torch.channels_last)
        for module in self._net.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                module.to(self._dtype)
        filters = [
            one.weight for one in self._net.modules() if isinstance(one, nn.Conv2d) and one is not self._net.whiten
        ]
        biases = [one.bias for one in self._net.modules() if isinstance(one, nn.BatchNorm2d)]
        assert self._net.whiten.bias is not None
        groups = [
            {"params": [self._net.whiten.bias], "lr": _BIAS_LR, "weight_decay": _DECAY / _BIAS_LR},
            {"params": biases, "lr": _BIAS_LR, "weight_decay": _DECAY / _BIAS_LR},
            {"params": [self._net.head.weight], "lr": _HEAD_LR, "weight_decay": _DECAY / _HEAD_LR},
        ]
        self._sgd = torch.optim.SGD(groups, momentum=0.85, nesterov=True, fused=is_cuda)
        self._muon = _Muon(filters, lr=_FILTER_LR, momentum=0.6)
        self._rates = [(group, group["lr"]) for group in (*self._sgd.param_groups, *self._muon.param_groups)]
        count = min(batch, len(images))
        steps_of_epoch = len(images) // count
        self.steps = epochs * steps_of_epoch
        self._whitening_steps = 3 * steps_of_epoch
        self._done = 0
        self._net.train()
        self._batches = _batches(images, train.labels, count, epochs)

    def step(self) -> None:
        """Learn from the next batch."""
        batch, labels = next(self._batches)
        self._net.whiten.bias.requires_grad_(self._done < self._whitening_steps)  # type: ignore[union-attr]
        scores = self._net(batch)
        F.cross_entropy(scores, labels, label_smoothing=0.2, reduction="sum").backward()
        for group, rate in self._rates:
            group["lr"] = rate * (1 - self._done / self.steps)
        whitening, rate = self._rates[0]
        whitening["lr"] = rate * max(0, 1 - self._done / self._whitening_steps)
        self._sgd.step()
        self._muon.step()
        self._net.zero_grad(set_to_none=True)
        self._done += 1

    def accuracy(self) -> float:
        """The accuracy on the test images."""
        return _accuracy(self._net.eval(), _normalized(self._test).to(self._dtype), self._test.labels)


def _normalized(images: "Images") -> Tensor:
    """All images of a split: (N, C, H, W) float32, normalized."""
    return torch.cat([images.normalized(part) for part in images.pixels.split(5000)])


def _batches(images: Tensor, labels: Tensor, count: int, epochs: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Batches of all epochs: each image mirrored in every other epoch, and moved by up to two pixels."""
    is_mirrored = torch.rand(len(images), device=images.device) < 0.5
    images = torch.where(is_mirrored[:, None, None, None], images.flip(3), images)
    padded = F.pad(images, (2, 2, 2, 2), "reflect")
    size = images.shape[2]
    for epoch in range(epochs):
        source = padded.flip(3) if epoch % 2 else padded
        moved = torch.empty_like(images, memory_format=torch.channels_last)
        down, right = torch.randint(5, (2, len(images)), device=images.device)
        for y in range(5):
            for x in range(5):
                chosen = (down == y) & (right == x)
                moved[chosen] = source[chosen, :, y : y + size, x : x + size]
        order = torch.randperm(len(images), device=images.device)
        for start in range(0, len(images) - count + 1, count):
            index = order[start : start + count]
            yield moved[index], labels[index]


@torch.no_grad()
def _accuracy(net: nn.Module, images: Tensor, labels: Tensor) -> float:
    """With a weight of one half for the image and its mirror, and for both shifted by a pixel along the diagonals."""
    hits = 0
    for part, truth in zip(images.split(2000), labels.split(2000), strict=True):
        padded = F.pad(part, (1, 1, 1, 1), "reflect")
        shifted = (padded[:, :, :-2, :-2], padded[:, :, 2:, 2:])
        scores = [net(one).float() + net(one.flip(3)).float() for one in (part, *shifted)]
        hits += int((0.5 * scores[0] + 0.25 * (scores[1] + scores[2])).argmax(1).eq(truth).sum())
    return hits / len(labels)


class _Net(nn.Module):
    """The network; its first layer whitens patches of these images."""

    def __init__(self, images: Tensor) -> None:
        super().__init__()
        self.whiten = nn.Conv2d(3, 24, 2)
        self.whiten.weight.requires_grad_(False)
        self.groups = nn.Sequential(_Group(24, 64), _Group(64, 256), _Group(256, 256))
        self.head = nn.Linear(256, 10, bias=False)
        with torch.no_grad():
            self.head.weight /= self.head.weight.std()
            patches = F.unfold(images[:5000].float(), 2).transpose(1, 2).reshape(-1, 12)
            # Columns are of channel, row and column, as weights of a convolution are.
            values, vectors = torch.linalg.eigh(patches.T @ patches / len(patches))
            scaled = (vectors.T.flip(0) / (values.flip(0)[:, None] + 5e-4).sqrt()).reshape(12, 3, 2, 2)
            self.whiten.weight.copy_(torch.cat([scaled, -scaled]))

    def forward(self, images: Tensor) -> Tensor:
        hidden = F.max_pool2d(self.groups(F.gelu(self.whiten(images))), 3)
        return self.head(hidden.flatten(1)) / 256


class _Group(nn.Module):
    def __init__(self, before: int, channels: int) -> None:
        super().__init__()
        self.first, self.second = (
            nn.Conv2d(count, channels, 3, padding="same", bias=False) for count in (before, channels)
        )
        self.norms = nn.ModuleList(nn.BatchNorm2d(channels, eps=1e-12, momentum=0.4) for _ in range(2))
        for conv in (self.first, self.second):
            nn.init.dirac_(conv.weight[: conv.weight.shape[1]])
        for norm in self.norms:
            norm.weight.requires_grad_(False)

    def forward(self, images: Tensor) -> Tensor:
        hidden = F.gelu(self.norms[0](F.max_pool2d(self.first(images), 2)))
        return F.gelu(self.norms[1](self.second(hidden)))


class _Muon(torch.optim.Optimizer):
    """Steps along orthogonalized momentum, of filters that are scaled to a fixed norm before."""

    def __init__(self, params: list[Tensor], lr: float, momentum: float) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum})

    @torch.no_grad()
    def step(self) -> None:  # type: ignore[override]
        for group in self.param_groups:
            for weight in group["params"]:
                state = self.state[weight]
                if not state:
                    state["momentum"] = torch.zeros_like(weight)
                momentum = state["momentum"].mul_(group["momentum"]).add_(weight.grad)
                direction = weight.grad + group["momentum"] * momentum
                weight.mul_(len(weight) ** 0.5 / weight.norm())
                weight.add_(_orthogonal(direction.reshape(len(weight), -1)).view_as(weight), alpha=-group["lr"])


def _orthogonal(matrix: Tensor) -> Tensor:
    """About the nearest orthogonal matrix, by three steps of a quintic Newton-Schulz iteration in bfloat16."""
    x = matrix.bfloat16()
    x = x / (x.norm() + 1e-7)
    is_tall = x.shape[0] > x.shape[1]
    x = x.T if is_tall else x
    for _ in range(3):
        square = x @ x.T
        x = 3.4445 * x + (-4.7750 * square + 2.0315 * square @ square) @ x
    return (x.T if is_tall else x).to(matrix.dtype)
