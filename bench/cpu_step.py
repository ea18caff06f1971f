"""One training step on a CPU: cifar_dsl against the loops that people write.

    python bench/cpu_step.py                          # baseline.arch
    python bench/cpu_step.py --spec specs/residual.arch

Claim: a step of ours takes no longer than a plain in-memory channels_last loop of the same network, and at
most 0.6 of the usual loop's. Every side is a process of its own; sides are interleaved; the median of
`--rounds` is taken. A side trains four epochs and times the last one, since the first few hundred steps of a
process are slower (fresh memory), on every side. The images are random bytes of CIFAR-10's shape: they cost the same
time as real ones.

Sides:
  ours           `cifar_dsl`: the training loop behind `cifar-dsl train`
  plain          the same network and recipe by hand: tensors in memory, channels_last, Adam
  plain NCHW     the same without channels_last
  usual          torchvision's CIFAR10 + ToTensor + Normalize + DataLoader with 2 workers; the time that its
                 workers take to start is left out
"""

import argparse
import time
from pathlib import Path

from measure import child, interleaved, report

_BATCH = 64
_EPOCHS = 4


def main() -> None:
    """Measure all sides, or be one of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--spec", type=Path, default=Path(__file__).parents[1] / "specs" / "baseline.arch")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--side", choices=list(_SIDES), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side:
        import torch

        torch.set_num_threads(options.threads)
        print(_SIDES[options.side](options.spec, options.steps))
        return

    def run(side: str) -> float:
        arguments = ["--spec", str(options.spec), "--steps", str(options.steps), "--threads", str(options.threads)]
        return 1000 * float(child([__file__, "--side", side, *arguments], options.threads))

    times = interleaved({side: lambda side=side: run(side) for side in _SIDES}, options.rounds)
    title = f"one step of {options.spec.name}, batch {_BATCH}, {options.threads} threads"
    report(title, times, "ms", reference="ours")


def _random_data(steps: int):
    import numpy as np

    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (steps * _BATCH, 32, 32, 3), np.uint8)
    return images, generator.integers(0, 10, steps * _BATCH)


def _ours(spec_path: Path, steps: int) -> float:
    import torch

    import cifar_dsl
    from cifar_dsl.training.images import load_images
    from cifar_dsl.training.loop import Trainer

    spec = cifar_dsl.load(spec_path, overrides=[f"train.epochs={_EPOCHS}", f"train.batch={_BATCH}"])
    data = _random_data(steps)
    device = torch.device("cpu")
    train, test = load_images(spec.recipe, data, (data[0][:_BATCH], data[1][:_BATCH]), device)
    metrics = []
    Trainer(spec.graph, spec.recipe, spec.name, 0, device, train, test).run(metrics.append)
    return metrics[-1].time_s / steps


def _plain(spec_path: Path, steps: int, *, channels_last: bool = True) -> float:
    import torch

    import cifar_dsl

    torch.manual_seed(0)
    layout = torch.channels_last if channels_last else torch.contiguous_format
    model = cifar_dsl.load(spec_path).build().to(memory_format=layout)
    images, labels = _random_data(steps)
    x_train = (torch.from_numpy(images).permute(0, 3, 1, 2).float() / 127.5 - 1).contiguous(memory_format=layout)
    y_train = torch.from_numpy(labels)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    loss_function = torch.nn.CrossEntropyLoss()
    start = 0.0
    for _ in range(_EPOCHS):
        start = time.perf_counter()
        order = torch.randperm(len(x_train))
        correct = 0
        for i in range(0, len(x_train), _BATCH):
            index = order[i : i + _BATCH]
            x, y = x_train[index], y_train[index]
            optimizer.zero_grad()
            scores = model(x)
            loss = loss_function(scores, y)
            loss.backward()
            optimizer.step()
            correct += (scores.argmax(1) == y).sum()
    return (time.perf_counter() - start) / steps


def _plain_nchw(spec_path: Path, steps: int) -> float:
    return _plain(spec_path, steps, channels_last=False)


def _usual(spec_path: Path, steps: int) -> float:
    import torch
    from torchvision import transforms
    from torchvision.datasets import CIFAR10

    import cifar_dsl

    torch.manual_seed(0)
    images, labels = _random_data(steps)
    dataset = CIFAR10.__new__(CIFAR10)  # its reading of items, without its download
    dataset.data, dataset.targets = images, labels.tolist()
    dataset.transform = transforms.Compose([transforms.ToTensor(), transforms.Normalize((0.5,) * 3, (0.5,) * 3)])
    dataset.target_transform = None
    loader = torch.utils.data.DataLoader(dataset, batch_size=_BATCH, shuffle=True, num_workers=2)
    model = cifar_dsl.load(spec_path).build()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    loss_function = torch.nn.CrossEntropyLoss()
    warm_up = 20  # steps that aren't timed: the workers start
    start, running_loss = 0.0, 0.0
    for _ in range(_EPOCHS):
        for step, (x, y) in enumerate(loader):
            if step == warm_up:
                start = time.perf_counter()
            optimizer.zero_grad()
            loss = loss_function(model(x), y)
            loss.backward()
            optimizer.step()
            running_loss += loss.item()
    return (time.perf_counter() - start) / (steps - warm_up)


_SIDES = {"ours": _ours, "plain": _plain, "plain NCHW": _plain_nchw, "usual": _usual}

if __name__ == "__main__":
    main()
