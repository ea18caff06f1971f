"""Training loops for benchmarks: ours and hand-written ones.

Each function returns a loop that trains an epoch per call, on random bytes in CIFAR-10's shape, which take as long as
real images. The first calls in a process are slower on every side; callers leave them out.
"""

import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

import cifar_dsl

Arrays = tuple[np.ndarray, np.ndarray]  # images (N, 32, 32, 3) and labels (N,)
Round = Callable[[], float]  # trains an epoch and returns its seconds
# Contexts of engines, which are never left: a process has one, and ends with it. Without a reference, they'd be left.
_ENTERED: list[object] = []


def random_images(count: int) -> Arrays:
    """Images (N, 32, 32, 3) as uint8, and labels (N,)."""
    generator = np.random.default_rng(0)
    return generator.integers(0, 256, (count, 32, 32, 3), np.uint8), generator.integers(0, 10, count)


def wait(device: torch.device) -> None:
    """Wait until the device is idle."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _timed(device: torch.device, epoch: Callable[[], None]) -> Round:
    def run() -> float:
        wait(device)
        start = time.perf_counter()
        epoch()
        wait(device)
        return time.perf_counter() - start

    return run


def ours(
    spec_path: Path,
    images: int | Arrays,
    batch: int,
    device: torch.device,
    *overrides: str,
    engine: str = "auto",
) -> Round:
    """The loop behind `cifar-dsl train`, without evaluation and checkpoints, on that many random images or on these."""
    return ours_together(spec_path, images, batch, device, *overrides, engine=engine, seeds=1)


def ours_together(
    spec_path: Path,
    images: int | Arrays,
    batch: int,
    device: torch.device,
    *overrides: str,
    engine: str = "auto",
    seeds: int = 1,
) -> Round:
    """Like `ours`, for several seeds side by side."""
    from cifar_dsl.training.engines import choose_engine
    from cifar_dsl.training.images import load_images
    from cifar_dsl.training.learner import Learner

    sets = ["train.epochs=100000", f"train.batch={batch}", *overrides]
    spec = cifar_dsl.load(spec_path, overrides=sets)
    assert spec.recipe is not None
    data = random_images(images) if isinstance(images, int) else images
    splits = load_images(spec.recipe, data, (data[0][:batch], data[1][:batch]), device)
    chosen = choose_engine(engine, device, spec.recipe).engine
    learners = [Learner(spec.graph, spec.recipe, spec.name, seed, splits.train, chosen) for seed in range(seeds)]
    running = chosen.running()
    running.__enter__()
    _ENTERED.append(running)

    def epoch() -> None:
        for learner in learners:
            learner.begin_epoch()
        for _ in range(learners[0].plan.steps):
            chosen.run([learner.prepare() for learner in learners])
        for learner in learners:
            learner.end_epoch()
            learner.advance_epoch()

    return _timed(device, epoch)


def resident(
    spec_path: Path,
    images: int,
    batch: int,
    device: torch.device,
    *,
    channels_last: bool = True,
    half: torch.dtype | None = None,
) -> Round:
    """Our network in a plain loop: tensors in the device's memory, Adam, nothing recorded; `half`: under autocast."""
    torch.manual_seed(0)
    layout = torch.channels_last if channels_last else torch.contiguous_format
    model = cifar_dsl.load(spec_path).build().to(device, memory_format=layout)
    pixels, labels = random_images(images)
    x_train = torch.from_numpy(pixels).to(device).permute(0, 3, 1, 2).float() / 127.5 - 1
    x_train = x_train.contiguous(memory_format=layout)
    y_train = torch.from_numpy(labels).to(device)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    loss_function = torch.nn.CrossEntropyLoss()

    def epoch() -> None:
        order = torch.randperm(len(x_train), device=device)
        correct = torch.zeros((), dtype=torch.int64, device=device)
        for i in range(0, len(x_train), batch):
            index = order[i : i + batch]
            x, y = x_train[index], y_train[index]
            optimizer.zero_grad()
            with torch.autocast(device.type, half, enabled=half is not None):
                scores = model(x)
                loss = loss_function(scores, y)
            loss.backward()
            optimizer.step()
            correct += (scores.argmax(1) == y).sum()

    return _timed(device, epoch)


def usual(spec_path: Path, images: int, batch: int, device: torch.device, *, tuned: bool = False) -> Round:
    """The usual loop: torchvision's CIFAR10 + ToTensor + Normalize + DataLoader with 2 workers, eager, NCHW.

    `tuned`: with what guides recommend: a worker for each core (at most 12) that stays, channels_last, a fused
    optimizer, cuDNN's benchmark, and no wait in a step.

    The clock starts at the second batch, to leave out the start-up of the workers; the time is scaled to all batches.
    """
    torch.manual_seed(0)
    model = cifar_dsl.load(spec_path).build().to(device)
    if not tuned:
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
        return _with_loader(model, optimizer, [], images, batch, device)
    torch.backends.cudnn.benchmark = True
    model = model.to(memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True)
    workers = min(12, len(os.sched_getaffinity(0)))
    return _with_loader(model, optimizer, [], images, batch, device, workers=workers, tuned=True)


def kuangliu(checkout: Path, images: int, batch: int, device: torch.device) -> Round:
    """ResNet-18 as https://github.com/kuangliu/pytorch-cifar trains it, from a checkout."""
    import sys

    from torchvision import transforms

    sys.path.insert(0, str(checkout))
    from models import ResNet18

    torch.manual_seed(0)
    torch.backends.cudnn.benchmark = True
    model = ResNet18().to(device)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=5e-4)
    augmentation = [transforms.RandomCrop(32, padding=4), transforms.RandomHorizontalFlip()]
    return _with_loader(model, optimizer, augmentation, images, batch, device)


def _with_loader(
    model: torch.nn.Module,
    optimizer: torch.optim.Optimizer,
    augmentation: list[object],
    images: int,
    batch: int,
    device: torch.device,
    *,
    workers: int = 2,
    tuned: bool = False,
) -> Round:
    from torchvision import transforms
    from torchvision.datasets import CIFAR10

    pixels, labels = random_images(images)
    dataset = CIFAR10.__new__(CIFAR10)  # reads items, but downloads nothing
    dataset.data, dataset.targets = pixels, labels.tolist()
    normalization = [transforms.ToTensor(), transforms.Normalize((0.5,) * 3, (0.5,) * 3)]
    dataset.transform = transforms.Compose([*augmentation, *normalization])
    dataset.target_transform = None
    loader = torch.utils.data.DataLoader(
        dataset,
        batch_size=batch,
        shuffle=True,
        num_workers=workers,
        pin_memory=device.type == "cuda",
        persistent_workers=tuned,
    )
    loss_function = torch.nn.CrossEntropyLoss()
    layout = torch.channels_last if tuned else torch.preserve_format

    def run() -> float:
        start, running_loss = 0.0, torch.zeros((), device=device)
        for step, (images_of_batch, y) in enumerate(loader):
            if step == 1:
                wait(device)
                start = time.perf_counter()
            optimizer.zero_grad()
            x = images_of_batch.to(device, non_blocking=True, memory_format=layout)
            loss = loss_function(model(x), y.to(device, non_blocking=True))
            loss.backward()
            optimizer.step()
            running_loss += loss.detach() if tuned else loss.item()
        wait(device)
        steps = len(loader)
        return (time.perf_counter() - start) * steps / (steps - 1)

    return run
