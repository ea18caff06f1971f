"""Train small specs with many seeds and record their accuracies, for bench/false_claims.py.

    python bench/record_accuracies.py [SEEDS]

The specs are bench/recorded/*.arch: a base, a variant with clipped gradients, and one with a learning rate so high that
its accuracies vary more. Each trains for three epochs on the generated dataset `shapes` (10,000 + 2,000 images) with
one CPU thread. Seeds that are already recorded are skipped, so more can be added.
"""

import csv
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from cifar_dsl import api
from cifar_dsl.training.device import choose_device
from cifar_dsl.training.session import train_run

SPECS = Path(__file__).parent / "recorded"
ACCURACIES = SPECS / "accuracies.csv"


def main() -> None:
    seeds = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    if not ACCURACIES.exists():
        ACCURACIES.write_text("spec,seed,accuracy\n")
    with ACCURACIES.open(newline="") as file:
        recorded = {(line["spec"], int(line["seed"])) for line in csv.DictReader(file)}
    opened = api.open_data_for_all([api.load(path) for path in sorted(SPECS.glob("*.arch"))])
    choice = choose_device("cpu")
    api.set_threads(1)
    for seed in range(seeds):
        for spec, dataset in opened:
            if (spec.name, seed) in recorded:
                continue
            with TemporaryDirectory() as runs:
                run = train_run(spec.analysis, dataset, root=Path(runs), seed=seed, choice=choice)
                accuracy = run.result().accuracy
            with ACCURACIES.open("a", newline="") as file:
                csv.writer(file, lineterminator="\n").writerow([spec.name, seed, "" if accuracy is None else accuracy])
            print(spec.name, seed, accuracy, flush=True)


if __name__ == "__main__":
    main()
