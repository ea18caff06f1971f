"""Applies a chain of augmentations to a batch."""

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812  # torch's own name for it

from cifar_dsl.foundation.records import frozen
from cifar_dsl.ir.recipe import Augmentation
from cifar_dsl.operations.recipe.augmentation import resizing
from cifar_dsl.training.augmentation.changes import CHANGES
from cifar_dsl.training.augmentation.mixtures import MIXTURES
from cifar_dsl.training.augmentation.moves import BLACK, MEAN, MOVES, NOISE, identity_map, leaves_gaps
from cifar_dsl.training.augmentation.policies import POLICIES
from cifar_dsl.training.draws import Draws, DrawTable, Keys
from cifar_dsl.training.images import Images
from cifar_dsl.training.losses import one_hot


@frozen
class Batch:
    """A training batch after augmentation."""

    images: Tensor  # (N, C, H, W) float32
    labels: Tensor  # (N,) int64: of each image itself, even if others are mixed into it
    parts: tuple[Tensor, Tensor] | None = None  # of mixtures: labels (N, K) int64 and shares (N, K) float32
    values: Tensor | None = None  # (N, H, W, C), 0 to 255: the images before resizing and normalization, if kept

    def targets(self, classes: int) -> Tensor:
        """The targets for the loss: labels, (N,) int64, or the share of each class, (N, classes) float32."""
        if self.parts is None:
            return self.labels
        labels, shares = self.parts
        return (one_hot(labels, classes) * shares[..., None]).sum(1)


def augmented(
    images: Images,
    index: Tensor,
    chain: tuple[Augmentation, ...],
    keys: Keys,
    epoch: int = 1,
    *,
    keeps_values: bool = False,
    table: DrawTable | None = None,
) -> Batch:
    """The training images at `index`, (N,) int64, augmented by the chain and normalized.

    `epoch`, counted from 1, decides their size, if the chain resizes them; `keys` all draws, which `table` has for all
    images at once.
    """
    resize = resizing(chain)
    whole = tuple(one for one in chain if one is not resize)
    values, parts = _Pipeline(images, whole, keys, table).run(index, len(whole)) if whole else (images.at(index), None)
    inputs = images.normalized(values)
    if resize:
        inputs = resized(inputs, resize.size_in(epoch))
    labels = images.labels.index_select(0, index)
    return Batch(inputs, labels, parts, values if keeps_values else None)


def resized(images: Tensor, size: tuple[int, int]) -> Tensor:
    """Images (N, C, H, W) in another size: bilinear, and antialiased, as torchvision's Resize."""
    if tuple(images.shape[2:]) == size:
        return images
    smaller = F.interpolate(images, size, mode="bilinear", antialias=True, align_corners=False)
    return smaller.contiguous(memory_format=torch.channels_last)


@frozen
class _Pipeline:
    images: Images
    chain: tuple[Augmentation, ...]
    keys: Keys
    table: DrawTable | None

    def run(self, index: Tensor, stages: int) -> tuple[Tensor, tuple[Tensor, Tensor] | None]:
        """Apply the first `stages` augmentations. Returns values (N, H, W, C), 0 to 255, and `Batch.parts`."""
        last = self.chain[stages - 1]
        if last.name not in MIXTURES:
            return self._unmixed(index, stages), None
        drawn = self._draws(stages - 1, index, self.table)
        partners = drawn.integers(len(self.images), "partner")
        (own, own_parts), (other, other_parts) = self._parts(index, stages - 1), self._parts(partners, stages - 1)
        values, share = MIXTURES[last.name](own.float(), other.float(), drawn, **last.arguments())
        labels = torch.cat([own_parts[0], other_parts[0]], dim=1)
        shares = torch.cat([own_parts[1] * share[:, None], other_parts[1] * (1 - share)[:, None]], dim=1)
        return values, (labels, shares)

    def _parts(self, index: Tensor, stages: int) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """As `run`, but an image without a mixture counts as one part."""
        values, parts = self.run(index, stages) if stages else (self.images.at(index), None)
        labels = self.images.labels.index_select(0, index)[:, None]
        return values, parts or (labels, torch.ones_like(labels, dtype=torch.float32))

    def _unmixed(self, index: Tensor, stages: int) -> Tensor:
        """Apply the first `stages` augmentations, none of which is a mixture: (N, H, W, C)."""
        values: Tensor | None = None
        place = 0
        while place < stages:
            end = place
            while end < stages and self.chain[end].name in MOVES:
                end += 1
            if end > place:
                values = self._moved(values, index, range(place, end))
            else:
                end = place + 1
                values = self.images.at(index) if values is None else values
                values = self._changed(values, index, place)
            place = end
        assert values is not None
        return values

    def _changed(self, values: Tensor, index: Tensor, place: int) -> Tensor:
        """Apply an augmentation that changes values, or bytes if it is a policy: (N, H, W, C)."""
        change, drawn = self.chain[place], self._draws(place, index, self.table)
        if change.name in POLICIES:
            pixels = values.round().to(torch.uint8) if values.is_floating_point() else values
            return POLICIES[change.name](pixels, drawn, **change.arguments())
        return CHANGES[change.name](values.float(), drawn, **change.arguments())

    def _moved(self, values: Tensor | None, index: Tensor, places: range) -> Tensor:
        """Apply successive moves to `values`, or to the stored images if None: (N, H, W, C)."""
        _, height, width, channels = self.images.pixels.shape
        source = identity_map(len(index), height, width, index.device)
        for place in places:
            move = self.chain[place]
            source = MOVES[move.name](source, self._draws(place, index, self.table), **move.arguments())
        if values is None:
            pixels, image = self.images.rows, index
        else:
            pixels, image = values.flatten(0, 2), torch.arange(len(index), device=index.device)
        has_gaps = any(leaves_gaps(self.chain[place]) for place in places)
        rows = (source.clamp(min=0) if has_gaps else source) + (image * (height * width))[:, None, None]
        gathered = pixels.index_select(0, rows.flatten()).view(len(index), height, width, channels)
        if not has_gaps:
            return gathered
        gathered = gathered.masked_fill((source == BLACK)[..., None], 0)
        fills = {self.chain[place].arguments().get("fill") for place in places}
        if "mean" in fills:
            gathered = torch.where((source == MEAN)[..., None], self.images.mean, gathered.float())
        if "noise" in fills:
            noise = self._noise(index, places[0]).to(gathered.dtype)
            gathered = torch.where((source == NOISE)[..., None], noise, gathered)
        return gathered

    def _noise(self, index: Tensor, place: int) -> Tensor:
        """A random byte for every pixel and channel: (N, H, W, C) int64."""
        shape = self.images.pixels.shape[1:]
        elements = index[:, None] * shape.numel() + torch.arange(shape.numel(), device=index.device)
        return self._draws(place, elements, None).integers(256, "noise").view(len(index), *shape)

    def _draws(self, place: int, index: Tensor, table: DrawTable | None) -> Draws:
        return Draws(self.keys, f"augment {place} {self.chain[place].name}", index, table)
