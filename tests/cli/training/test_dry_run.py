"""`cifar-dsl train --dry-run`."""

import re

import pytest
from helpers.specs import text_of

from cifar_dsl.cli import dry_run


@pytest.fixture(autouse=True)
def _no_gpu(monkeypatch):
    monkeypatch.setattr(dry_run, "_has_gpu", lambda: False)
    monkeypatch.setattr(dry_run, "available_bytes", lambda: 10**11)


def test_it_shows_the_memory_of_each_part(cli, tiny, tmp_path):
    outcome = cli("train", tiny, "--dry-run", "--data", "cifar10")
    assert (outcome.code, outcome.err) == (0, "")
    assert "2,682" in outcome.out
    assert re.search(r"^data +cifar10$", outcome.out, re.MULTILINE)
    table = outcome.out.partition("estimated memory to train on a CPU\n")[2].splitlines()
    names = ["weights", "gradients", "optimizer", "activations", "dataset", "fragmentation", "process", "total"]
    assert [re.split("  +", line.strip())[0] for line in table] == names
    assert "  dataset         185 MB  as bytes" in table
    assert [path.name for path in tmp_path.iterdir()] == ["tiny.arch"]


def test_on_a_gpu_neither_the_process_nor_its_heap_counts(cli, tiny, monkeypatch):
    monkeypatch.setattr(dry_run, "_has_gpu", lambda: True)
    for arguments in ((), ("--device", "cuda")):
        outcome = cli("train", tiny, "--dry-run", *arguments)
        assert "estimated memory to train on a GPU" in outcome.out
        assert "process" not in outcome.out
    assert "on a CPU" in cli("train", tiny, "--dry-run", "--device", "cpu").out


def test_a_spec_that_is_not_trained_has_its_network_shown(cli, make_spec):
    outcome = cli("train", make_spec("untrained", text_of("flatten -> dense(10)", size="3x32x32")), "--dry-run")
    assert (outcome.code, outcome.err) == (0, "")
    assert "30,730" in outcome.out
    assert "estimated memory" not in outcome.out


def test_of_a_file_it_shows_the_size_and_the_fingerprint_that_training_has(cli, tiny, pictures):
    outcome = cli("train", tiny, "--dry-run", "--data", f"npz:{pictures}")
    assert outcome.code == 0
    assert f"dataset {(60 + 20) * (3072 + 8) / 1e3:.0f} kB" in " ".join(outcome.out.split())
    assert re.search(r"^data +npz\(digest=", outcome.out, re.MULTILINE)


def test_of_data_that_only_a_file_holds_it_shows_the_rest(cli, tiny):
    outcome = cli("train", tiny, "--dry-run", "--set", 'train.data=npz("0123abcd")')
    assert (outcome.code, outcome.err) == (0, "")
    assert "  dataset " in outcome.out


def test_too_little_memory_is_warned_about_with_a_smaller_batch(cli, tiny, monkeypatch):
    monkeypatch.setattr(dry_run, "available_bytes", lambda: 10**8)
    outcome = cli("train", tiny, "--dry-run")
    assert outcome.code == 0  # it is an estimate
    assert outcome.err.startswith("warning: this machine has only 100 MB of memory available\n")
    assert "= help: use a smaller batch: --set train.batch=8" in outcome.err
    monkeypatch.setattr(dry_run, "available_bytes", lambda: None)
    assert cli("train", tiny, "--dry-run").err == ""


def test_with_measure_it_estimates_the_time_from_real_steps(cli, tiny, tmp_path):
    outcome = cli("train", tiny, "--dry-run", "--measure", "--device", "cpu", "--data", "cifar10", "--epochs", "3")
    assert outcome.code == 0
    table = " ".join(outcome.out.partition("estimated time to train on ")[2].split())
    assert "median of 10 after 3 to warm up" in table
    assert f"{3 * 3125:,} steps and 3 evaluations" in table
    assert [path.name for path in tmp_path.iterdir()] == ["tiny.arch"]  # neither data nor runs


def test_a_small_file_has_fewer_steps_to_measure(cli, tiny, pictures):
    outcome = cli("train", tiny, "--dry-run", "--measure", "--device", "cpu", "--data", f"npz:{pictures}")
    assert "median of 1 after 3 to warm up" in " ".join(outcome.out.split())
    assert "8 steps and 2 evaluations" in " ".join(outcome.out.split())


def test_measure_is_part_of_a_dry_run(cli, tiny):
    outcome = cli("train", tiny, "--measure")
    assert outcome.code == 2
    assert "--measure requires --dry-run" in outcome.err


def test_of_a_comparison_it_lists_the_trainings_and_trains_nothing(cli, tiny, make_spec, tmp_path):
    other = make_spec("other", tiny.read_text().replace("arch tiny", "arch other").replace("epochs     1", "epochs 2"))
    wrong = make_spec("wrong", "arch wrong\n")
    options = ("--dry-run", "--data", "shapes", "--device", "cpu", "--jobs", 1)
    outcome = cli("compare", tiny, other, "--seeds", 3, *options)
    assert (outcome.code, outcome.err) == (0, "")
    assert [line.split()[0] for line in outcome.out.splitlines()[:3]] == ["spec", "tiny", "other"]
    assert "2 specs x 3 seeds; runs: 0 exist, 6 to train, at least " in outcome.out
    assert "1 spec x 3 seeds" in cli("compare", tiny, "--until-decided", *options).out
    outcome = cli("compare", tiny, wrong, *options)
    assert (outcome.code, "1 spec x 1 seed; " in outcome.out) == (1, True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["other.arch", "tiny.arch", "wrong.arch"]
