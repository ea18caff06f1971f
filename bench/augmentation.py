"""Torchvision's policies: our computation of whole batches against torchvision, image by image, on one core.

    python bench/augmentation.py                  # batches of 128 images of 32x32
    python bench/augmentation.py --images 16

Claim: at least ten times as fast for 128 images. AutoAugment misses it, with 9.2. Torchvision gets the images as it
wants them, (C, H, W) uint8, and its results are stacked. All sides run in turn in one process; a time is that of the
thread, so others count little.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable

import torch
from measure import interleaved, report, verdict
from torchvision.transforms import v2

from cifar_dsl.operations.recipe import AUGMENTATIONS
from cifar_dsl.training.augmentation.policies import POLICIES
from cifar_dsl.training.draws import Draws, HostKeys

_POLICIES = {
    "randaugment": v2.RandAugment(),
    "trivial_augment": v2.TrivialAugmentWide(),
    "autoaugment": v2.AutoAugment(v2.AutoAugmentPolicy.CIFAR10),
}
_GOAL = 10


def main() -> int:
    """Measure every policy, and return 1 if the claim doesn't hold."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=128, help="of a batch")
    parser.add_argument("--rounds", type=int, default=20)
    options = parser.parse_args()
    torch.set_num_threads(1)
    random = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (options.images, 32, 32, 3), generator=random, dtype=torch.uint8)
    claims: dict[str, bool] = {}
    for name in _POLICIES:
        ours, theirs = _ours(name, images), _theirs(name, images)
        ours(), theirs()
        times = interleaved({"torchvision": theirs, "ours": ours}, options.rounds)
        report(f"{name}, {options.images} images", times, "ms", "torchvision")
        ratio = statistics.median(times["torchvision"]) / statistics.median(times["ours"])
        claims[f"{name} is at least {_GOAL} times as fast: {ratio:.1f}"] = ratio >= _GOAL
    return verdict(claims)


def _ours(name: str, images: torch.Tensor) -> Callable[[], float]:
    epoch, index = 0, torch.arange(len(images))
    arguments = AUGMENTATIONS[name]().arguments()

    def run() -> float:
        nonlocal epoch
        epoch += 1
        begun = time.thread_time()
        POLICIES[name](images, Draws(HostKeys(0, epoch), name, index), **arguments)
        return 1e3 * (time.thread_time() - begun)

    return run


def _theirs(name: str, images: torch.Tensor) -> Callable[[], float]:
    transform = _POLICIES[name]

    def run() -> float:
        begun = time.thread_time()
        torch.stack([transform(image) for image in images.permute(0, 3, 1, 2)])
        return 1e3 * (time.thread_time() - begun)

    return run


if __name__ == "__main__":
    sys.exit(main())
