"""A spec that leaves input and classes to its dataset, from its first training to all that reads its runs."""

import json
import shutil

import pytest

FREE = """\
arch free

model {
    conv(4, 3, stride=4) -> relu
    flatten
    dense(classes)
}

train {
    data       cifar10
    epochs     1
    batch      16
    optimizer  adam(lr=1e-3)
}
"""


@pytest.fixture
def free(make_spec):
    return make_spec("free", FREE)


@pytest.fixture
def gray(make_pictures):
    """28x28 gray pictures of 3 classes."""
    return make_pictures("gray.npz", size=(28, 28, 1), classes=3)


@pytest.fixture
def options(gray):
    return ("--data", f"npz:{gray}", "--device", "cpu", "--threads", 1)


def test_everything_that_reads_a_run_knows_its_numbers(cli, free, options, gray, tmp_path):
    outcome = cli("train", free, *options)
    assert (outcome.code, "accuracy" in outcome.out) == (0, True)
    (run,) = tmp_path.glob("runs/free-*/seed-0")
    text = (run / "spec.arch").read_text()
    assert "input 1x28x28\n" in text
    assert "param classes = 3\n" in text
    fingerprint = run.parent.name.removeprefix("free-")
    assert json.loads(cli("show", run / "spec.arch", "--json").out)["fingerprint"] == fingerprint
    assert cli("check", run / "spec.arch").code == 0
    assert cli("diff", run, free, "--data", f"npz:{gray}").code == 0
    assert "is already trained" in cli("train", run / "spec.arch", *options).err
    assert "same accuracy as after training" in cli("evaluate", run).out
    (tmp_path / "elsewhere").mkdir()
    shutil.move(gray, tmp_path / "elsewhere")
    evaluated = cli("evaluate", run, "--data", "npz:elsewhere/gray.npz")
    assert "same accuracy as after training" in evaluated.out


def test_jobs_in_other_processes_and_comparisons(cli, free, make_spec, options, tmp_path, one_worker):
    make_spec("wide", 'arch wide extends "free.arch"\nmodel { flatten -> dense(8) -> relu -> dense(classes) }\n')
    compared = cli("compare", free, "wide.arch", *options, "--jobs", 2, "--no-chart")
    assert compared.code == 0
    rows = json.loads((tmp_path / "comparison/comparison.json").read_text())["rows"]
    assert {row["name"]: len(row["accuracies"]) for row in rows} == {"free": 1, "wide": 1}
    listed = cli("sweep", free, *options, "--set", "train.batch=16,20", "--dry-run").out
    assert "runs: 1 exist, 1 to train" in listed
    assert "3,187" not in listed


def test_a_dry_run_is_for_the_chosen_dataset(cli, free, options):
    outcome = cli("train", free, *options, "--dry-run")
    assert outcome.code == 0
    assert "1x28x28" in outcome.out


@pytest.mark.parametrize("command", ["train", "compare"])
def test_a_spec_that_does_not_fit_is_refused_with_all_reasons(cli, make_spec, options, command, tmp_path):
    fixed = make_spec("fixed", FREE.replace("model", "input 3x32x32\nmodel").replace("classes", "10"))
    outcome = cli(command, fixed, *options)
    assert outcome.code == 1
    assert "error[E0407]" in outcome.err
    assert "error[E0406]" in outcome.err
    assert not (tmp_path / "runs").exists()


def test_a_batch_that_does_not_fit_the_file_is_reported_by_check(cli, free, gray):
    outcome = cli("check", free, "--data", f"npz:{gray}", "--set", "train.validation=60")
    assert "error[E0403]: `validation` holds out 60 images" in outcome.out


def test_an_own_dataset_in_the_spec_asks_for_its_file(cli, make_spec, options, gray, tmp_path):
    from cifar_dsl.training.datasets import load_dataset

    digest = load_dataset("npz", path=gray).digest[:16]
    own = make_spec("own", FREE.replace("cifar10", f'npz("{digest}")'))
    outcome = cli("train", own, "--device", "cpu")
    assert outcome.code == 1
    assert "help: pass the file: `--data npz:PATH`" in outcome.err
    assert cli("train", own, *options).code == 0
    assert cli("train", make_spec("free", FREE), *options).code == 0
    assert len({path.parent.name.split("-")[1] for path in tmp_path.glob("runs/*/seed-0")}) == 1
