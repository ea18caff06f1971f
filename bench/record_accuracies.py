"""Train small specs with many seeds and record their accuracies, for bench/false_claims.py.

    python bench/record_accuracies.py [SEEDS]

The specs are bench/recorded/*.arch: a base, a variant with clipped gradients, one with a learning rate so high that its
accuracies vary more, and a wider one, which is better. Each trains for three epochs on the generated dataset `shapes`
(10,000 + 2,000 images) with one CPU thread. Seeds that are already recorded are skipped, so more can be added.
"""

import csv
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import cifar_dsl

SPECS = Path(__file__).parent / "recorded"
ACCURACIES = SPECS / "accuracies.csv"


def main() -> None:
    seeds = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    if not ACCURACIES.exists():
        ACCURACIES.write_text("spec,seed,accuracy\n")
    with ACCURACIES.open(newline="") as file:
        recorded = {(line["spec"], int(line["seed"])) for line in csv.DictReader(file)}
    specs = [cifar_dsl.load(path) for path in sorted(SPECS.glob("*.arch"))]
    for seed in range(seeds):
        for spec in specs:
            if (spec.name, seed) in recorded:
                continue
            with TemporaryDirectory() as runs:
                accuracy = spec.train(seed=seed, runs=runs, device="cpu", threads=1).accuracy
            with ACCURACIES.open("a", newline="") as file:
                csv.writer(file, lineterminator="\n").writerow([spec.name, seed, "" if accuracy is None else accuracy])
            print(spec.name, seed, accuracy, flush=True)


if __name__ == "__main__":
    main()
