"""`cifar-dsl sweep --until-decided` and `--halving`: the best combination."""

import json
import shlex
import shutil

import numpy as np
import pytest
from helpers.tolerances import FLOAT64

from cifar_dsl.experiments.elimination import FRESH

VALIDATED = """\
arch tiny

input 3x32x32

param head = [2]

model {
    avgpool(4) -> flatten
    for width in head { dense(width) -> relu }
    dense(classes)
}

train {
    data        shapes
    epochs      4
    batch       16
    validation  20
    optimizer   adam(lr=1e-3)
}
"""
GRID = ("--set", "train.optimizer.lr=1e-3,1e-2")


@pytest.fixture
def sweep(cli, make_spec, make_pictures):
    path = make_spec("tiny", VALIDATED)
    random = np.random.default_rng(0)

    def drawn(count: int) -> np.ndarray:
        """Images of two classes, one of which is a little brighter."""
        shades = 120 + 12 * (np.arange(count) % 2)[:, None, None, None] + random.normal(0, 24, (count, 1, 1, 1))
        return (shades + random.normal(0, 9, (count, 32, 32, 3))).clip(0, 255).astype(np.uint8)

    data = make_pictures(classes=2, x_train=drawn(60), x_test=drawn(20))
    common = ("--data", f"npz:{data}", "--device", "cpu", "--jobs", 1)
    return lambda *more: cli("sweep", path, *common, *more)


def best(folder) -> dict:
    return json.loads((folder / "comparison/best.json").read_text())


def seeds(folder) -> dict[str, set[int]]:
    """The seeds of each fingerprint."""
    found: dict[str, set[int]] = {}
    for path in folder.glob("runs/*/seed-*/result.json"):
        found.setdefault(path.parts[-3], set()).add(int(path.parts[-2].removeprefix("seed-")))
    return found


def test_the_best_is_found_measured_with_fresh_seeds_and_the_same_command_goes_on(sweep, cli, tmp_path):
    search = (*GRID, "--until-decided", "--cap", 4, "--equivalent-within", 40, "--fresh", 2)
    outcome = sweep(*search)
    assert outcome.code == 0
    first, trained = best(tmp_path), seeds(tmp_path)
    (plan,) = tmp_path.glob("runs/plans/*.json")
    assert json.loads(plan.read_text())["purpose"] == "best"
    assert f"chosen: {first['chosen']}, {first['reason']}\n" in outcome.out
    assert "of validation accuracy worse than the best (95 %)" in first["reason"]
    assert f"test accuracy: {100 * sum(first['accuracies']) / 2:.2f} % (2 fresh seeds, 95 % interval" in outcome.out
    assert first["fresh_seeds"] == [FRESH, FRESH + 1]
    advice = shlex.split(outcome.err.partition("train it with: ")[2])
    assert first["fingerprint"] in cli(*advice[1:], "--dry-run").out  # on the same data
    (chosen,) = (name for name in trained if name.endswith(first["fingerprint"]))
    (other,) = (name for name in trained if name != chosen)
    assert {0, 1, 2, FRESH, FRESH + 1} <= trained[chosen]
    assert {0, 1, 2} <= trained[other] <= {0, 1, 2, 3}

    # The accuracies that choose are those of the held-out images, and fresh seeds choose nothing.
    for name, row in zip(
        (chosen, other), sorted(first["specs"], key=lambda row: row["remark"] != "chosen"), strict=True
    ):
        last = [
            json.loads((tmp_path / f"runs/{name}/seed-{seed}/metrics.jsonl").read_text().splitlines()[-1])
            for seed in sorted(trained[name])
            if seed < FRESH
        ]
        assert row["n"] == len(last)
        mean = sum(each["validation_accuracy"] for each in last) / len(last)
        assert row["validation"] == pytest.approx(mean, **FLOAT64)

    # As if it had been killed: the same command goes on, to the same result.
    shutil.rmtree(tmp_path / "runs" / other / "seed-1")
    shutil.rmtree(tmp_path / "runs" / chosen / f"seed-{FRESH}")
    assert sweep(*search).code == 0
    assert (best(tmp_path), seeds(tmp_path)) == (first, trained)


def test_halving_trains_the_better_half_for_twice_the_epochs(sweep, tmp_path):
    outcome = sweep("--set", "train.optimizer.lr=1e-4,1e-3,1e-2", "--halving", "--fresh", 1)
    assert outcome.code == 0
    assert "halving: 3 specs, 2 of 4 epochs" in outcome.err
    assert "halving: 2 specs, 4 of 4 epochs" in outcome.err
    found = best(tmp_path)
    assert sorted(row["epochs"] for row in found["specs"]) == [2, 4, 4]
    scores = {row["name"]: row["validation"] for row in found["specs"] if row["epochs"] == 4}
    assert scores[found["chosen"]] == max(scores.values())
    assert "the last of the halving, which guarantees nothing" in outcome.out
    assert "(1 fresh seed)" in outcome.out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((*GRID, "--halving", "--until-decided"), "--until-decided can't be combined with --halving"),
        ((*GRID, "--fresh", 2), "--fresh requires --halving, or --until-decided without --baseline"),
        ((*GRID, "--until-decided", "--seeds", 2), "--seeds can't be combined with --until-decided"),
        (
            (*GRID, "--until-decided", "--no-train"),
            "--no-train can't be combined with --until-decided without --baseline",
        ),
        ((*GRID, "--halving", "--set", "train.validation=0"), "hold out training images: --set train.validation=6"),
        (("--set", "train.epochs=1,2", "--halving"), "leave train.epochs out of the sweep"),
        (("--set", "head=[2],[2]", "--halving"), "the sweep has a single spec"),
    ],
)
def test_searches_that_cannot_be_made_are_refused(sweep, tmp_path, options, message):
    outcome = sweep(*options)
    assert outcome.code != 0
    assert message in " ".join(outcome.err.split())
    assert not seeds(tmp_path)


def test_a_baseline_asks_for_a_comparison_instead(sweep, tmp_path):
    outcome = sweep(*GRID, "--until-decided", "--cap", 4, "--baseline", "tiny", "--no-report", "--no-chart")
    assert outcome.code == 0
    assert json.loads(next(tmp_path.glob("runs/plans/*.json")).read_text())["baseline"]["name"] == "tiny"
    assert "until decided: plan" in outcome.out
    assert not (tmp_path / "comparison/best.json").exists()


def test_options_for_settings_apply_to_all_specs(sweep):
    outcome = sweep(*GRID, "--epochs", 3, "--batch", 20, "--dry-run")
    assert outcome.code == 0
    same = sweep(*GRID, "--set", "train.epochs=3", "--set", "train.batch=20", "--dry-run")
    assert outcome.out == same.out


def test_a_dry_run_says_what_a_search_would_train(sweep, tmp_path):
    outcome = sweep(*GRID, "--halving", "--dry-run")
    assert "halving: 2 specs for 4 epochs, then 5 fresh seeds of the best" in outcome.out
    outcome = sweep(*GRID, "--until-decided", "--dry-run")
    assert "2 specs x 3 seeds; runs: 0 exist, 6 to train" in outcome.out
    assert "the first round; those that may be the best take one seed more in each of the next" in outcome.out
    assert not seeds(tmp_path)
