"""specs/records/airbench94.arch on a CPU, against the author's script without CUDA and torch.compile.

    python bench/airbench.py                                     # seconds of a step
    python bench/airbench.py --precision bf16 --steps 5
    python bench/airbench.py --train 3 --data cifar10            # accuracies of the script, seeds 0 to 2

The script is bench/airbench_by_hand.py: https://github.com/KellerJordan/cifar10-airbench, airbench94_muon.py, in plain
PyTorch. Both sides train in the same precision, with batches of 2,000 images, augmentation included.

Claim: the author's script takes at least 1.2 times as long, best round against best round. Each side is a process;
rounds of `--steps` steps on random images are interleaved. Exits with 1 if the claim doesn't hold.

`--train` trains the script on the whole dataset, each seed for eight epochs, and appends a line to
bench/recorded/airbench94.csv; recorded seeds are skipped, so that seeds can be added on another day. Ours is
`cifar-dsl train airbench94 --seeds 3 --set train.precision=fp32`.
"""

import argparse
import csv
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from measure import hardware, report, verdict
from sides import Side, interleaved, serve

if TYPE_CHECKING:
    import torch

_SPEC = Path(__file__).parents[1] / "specs" / "records" / "airbench94.arch"
_RECORDED = Path(__file__).parent / "recorded" / "airbench94.csv"
_COLUMNS = ("seed", "precision", "accuracy", "seconds", "threads", "machine")
_SIDES = ("ours", "by hand")
_GOAL = 1.2


def main() -> int:
    """Run the benchmark or, with --side, serve one side."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=2)
    parser.add_argument("--batch", type=int, default=2000)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--precision", choices=("fp32", "bf16"), default="fp32")
    parser.add_argument("--train", type=int, metavar="SEEDS", help="train the author's script")
    parser.add_argument("--data", default="cifar10", help="the dataset of --train")
    parser.add_argument("--side", choices=_SIDES, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side:
        _serve(options)
        return 0
    if options.train:
        _train(options)
        return 0
    shared = [__file__, "--steps", str(options.steps), "--batch", str(options.batch)]
    shared += ["--threads", str(options.threads), "--precision", options.precision]
    sides = {name: Side([*shared, "--side", name], options.threads) for name in _SIDES}
    times = interleaved(sides, options.rounds, scale=1 / options.steps)
    report(
        f"a step of airbench94 in {options.precision}, batch {options.batch}, {options.threads} threads",
        times,
        "s",
        reference="ours",
    )
    best = min(times["by hand"]) / min(times["ours"])
    print(f"\nbest: by hand / ours: {best:.2f}")
    return verdict({f"the author's script takes at least {_GOAL} times as long": best >= _GOAL})


def _serve(options: argparse.Namespace) -> None:
    import torch
    from loops import ours

    torch.set_num_threads(options.threads)
    if options.side == "ours":
        images, precision = options.steps * options.batch, f"train.precision={options.precision}"
        serve(ours(_SPEC, images, options.batch, torch.device("cpu"), precision))
    else:
        serve(_by_hand(options))


def _by_hand(options: argparse.Namespace) -> Callable[[], float]:
    """Rounds of steps of the author's script, on random images."""
    import torch
    from airbench_by_hand import Training
    from loops import random_images

    import cifar_dsl
    from cifar_dsl.training.images import load_images

    recipe = cifar_dsl.load(_SPEC).recipe
    assert recipe is not None
    train = random_images(options.steps * options.batch)
    splits = load_images(recipe, train, train, torch.device("cpu"))
    training = Training(splits, 0, epochs=10_000, dtype=_dtype(options.precision), batch=options.batch)

    def epoch() -> float:
        start = time.perf_counter()
        for _ in range(options.steps):
            training.step()
        return time.perf_counter() - start

    return epoch


def _train(options: argparse.Namespace) -> None:
    """Train the author's script with the seeds that aren't recorded."""
    import torch
    from airbench_by_hand import run

    import cifar_dsl
    from cifar_dsl.training.images import load_images

    torch.set_num_threads(options.threads)
    if not _RECORDED.exists():
        _RECORDED.write_text(",".join(_COLUMNS) + "\n")
    with _RECORDED.open(newline="") as file:
        recorded = {(int(line["seed"]), line["precision"]) for line in csv.DictReader(file)}
    recipe = cifar_dsl.load(_SPEC).recipe
    assert recipe is not None
    dataset = cifar_dsl.data(options.data)
    train, test = (dataset.x_train, dataset.y_train), (dataset.x_test, dataset.y_test)
    splits = load_images(recipe, train, test, torch.device("cpu"))
    for seed in range(options.train):
        if (seed, options.precision) in recorded:
            continue
        start = time.perf_counter()
        accuracy = run(splits, seed, dtype=_dtype(options.precision))
        seconds = round(time.perf_counter() - start)
        line = [seed, options.precision, accuracy, seconds, options.threads, hardware()]
        with _RECORDED.open("a", newline="") as file:
            csv.writer(file, lineterminator="\n").writerow(line)
        print(f"seed {seed}: {accuracy:.2%} in {seconds} s", flush=True)


def _dtype(precision: str) -> "torch.dtype":
    import torch

    return torch.float32 if precision == "fp32" else torch.bfloat16


if __name__ == "__main__":
    sys.exit(main())
