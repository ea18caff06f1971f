"""`--fast N`: a first try on a part of the images, which is another training everywhere."""

import json

import numpy as np
import pytest

from cifar_dsl import api
from cifar_dsl.runs import open_run


@pytest.fixture
def fast(train):
    return lambda *more: train("--epochs", "1", "--fast", "20", *more)


def run_of(tmp_path, count: int = 1):
    runs = sorted((tmp_path / "runs").glob("*/seed-?"))
    assert len(runs) == count
    return open_run(runs[0])


def test_it_is_marked_in_output_record_and_list(fast, cli, tmp_path):
    outcome = fast()
    assert outcome.code == 0
    assert "a first try on 20 of 60 images" in outcome.err
    assert "tiny on npz (20 of 60 images), seed 0" in outcome.out
    data = run_of(tmp_path).record().data
    assert (data.train_images, data.of_train_images, data.title) == (20, 60, "npz (20 of 60 images)")
    assert "fast: npz (20 of 60 images)" in cli("runs").out
    (listed,) = json.loads(cli("runs", "--json").out)
    assert listed["of_train_images"] == 60


def test_a_whole_dataset_has_no_such_key(train, tmp_path):
    assert train("--epochs", "1").code == 0
    assert "of_train_images" not in (run_of(tmp_path).path / "run.json").read_text()


def test_a_full_training_is_not_trained_already_and_the_other_way_round(fast, train, tmp_path):
    assert fast().code == 0
    outcome = train("--epochs", "1")
    assert "already trained" not in outcome.err
    assert "(20 of 60 images)" not in outcome.out
    run_of(tmp_path, 2)
    assert "already trained" in fast().err
    assert "already trained" not in train("--epochs", "1", "--fast", "30").err


def test_a_comparison_never_pools_both(fast, train, cli, tiny, pictures, tmp_path):
    assert fast().code == 0
    compare = ("compare", tiny, "--data", f"npz:{pictures}", "--epochs", "1", "--no-train", "--no-report", "--no-chart")
    assert "no runs" in (full := cli(*compare)).out + full.err
    assert train("--epochs", "1").code == 0
    for more, images in (((), 60), (("--fast", "20"), 20)):
        outcome = cli(*compare, *more)
        assert outcome.code == 0
        found = json.loads((tmp_path / "comparison" / "comparison.json").read_text())
        assert found["data"]["train_images"] == images
        assert len(found["rows"][0]["accuracies"]) == 1
        assert ("(20 of 60 images)" in outcome.out) == bool(more)


def test_it_is_evaluated_on_its_own_test_images(fast, cli, pictures, tmp_path):
    assert fast().code == 0
    run = run_of(tmp_path)
    for more in ((), ("--data", f"npz:{pictures}")):
        assert "same accuracy as after training" in cli("evaluate", run.path, *more).out + cli("evaluate", run.path).err


def test_more_images_than_there_are_is_an_error(train):
    outcome = train("--fast", "60")
    assert outcome.code == 1
    assert "leave out --fast" in outcome.err


def test_other_processes_train_on_the_same_images(fast, tmp_path, one_worker):
    assert fast("--seeds", "2", "--jobs", "2").code == 0
    run_of(tmp_path, 2)


def test_a_part_has_an_equal_share_of_each_class(pictures):
    whole = api.data(f"npz:{pictures}")
    part = whole.part(20)
    assert np.bincount(part.y_train).tolist() == [2] * 10
    assert part.digest == whole.part(20).digest != whole.digest
    assert whole.part(0) is whole
    assert len(part.y_test) == len(whole.y_test)  # at most 1,000 test images are kept in any case


def test_the_memory_of_a_dry_run_is_that_of_the_part(cli, tiny):
    outcome = cli("train", tiny, "--dry-run", "--fast", "2000", "--data", "cifar10")
    assert f"dataset {3000 * (3072 + 8) / 1e6:.3g} MB" in " ".join(outcome.out.split())
