"""What a small network gains from a teacher: the measurement of docs/distillation.md.

    python bench/distillation.py [--data npz:PATH] [--seeds 5] [--folder distilled]

Trains bench/distillation/teacher.arch, then student.arch there with `distill` none, soft and hard, and compares them.
Without --data, the images are the first 500 training and 100 test images of each class of CIFAR-10, which are
downloaded. Takes about ten minutes of an idle core. Runs that exist are kept, so more seeds can be added.
"""

import argparse
import subprocess
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cifar_dsl.training.datasets import load_dataset

SPECS = Path(__file__).parent / "distillation"
PER_CLASS = {"train": 500, "test": 100}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", help="images to train on, as for `cifar-dsl train`")
    parser.add_argument("--seeds", default="5", help="seeds of each student")
    parser.add_argument("--folder", type=Path, default=Path("distilled"), help="folder for runs and results")
    options = parser.parse_args()
    options.folder.mkdir(exist_ok=True)
    shared = ["--data", options.data or f"npz:{part_of_cifar10(options.folder / 'part.npz')}", "--device", "cpu"]
    shared += ["--runs", str(options.folder / "runs"), "--threads", "1"]
    run("train", str(SPECS / "teacher.arch"), *shared)
    (teacher,) = (options.folder / "runs").glob("teacher-*")
    several = ["--seeds", options.seeds, "--jobs", "1", "--out", str(options.folder / "comparison")]
    variants = ["--set", "train.distill=soft,hard", "--teacher", str(teacher)]
    run("sweep", str(SPECS / "student.arch"), *variants, *several, *shared)


def part_of_cifar10(path: Path) -> Path:
    """Write the first images of each class to an array file."""
    whole = load_dataset("cifar10")
    arrays: dict[str, NDArray[np.generic]] = {"classes": np.array(whole.classes)}
    for split, count in PER_CLASS.items():
        labels = getattr(whole, f"y_{split}")
        first = np.sort(np.concatenate([np.flatnonzero(labels == label)[:count] for label in range(10)]))
        arrays[f"x_{split}"], arrays[f"y_{split}"] = getattr(whole, f"x_{split}")[first], labels[first]
    np.savez(path, **arrays)  # type: ignore[arg-type]
    return path


def run(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "cifar_dsl", *arguments], check=True)


if __name__ == "__main__":
    main()
