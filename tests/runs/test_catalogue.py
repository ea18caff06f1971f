"""A folder of runs is listed with the status of each run."""

import os
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from attrs import evolve
from helpers.runs import FINGERPRINT, RESULT_OF_RUN, holding, identity, interrupted, record, write

from cifar_dsl.foundation import folders
from cifar_dsl.runs import RECORD, RESULT, SPEC, RunResult, RunWriter, partial_path, record_failure, run_path
from cifar_dsl.runs.catalogue import FoundRun, Status, entries

SPEC_TEXT = """\
arch mine
input 3x32x32
model { flatten -> dense(10) }
train {
    data shapes
    epochs 4.5
    batch 16
    optimizer sgd(lr=1e-3)
}
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return run_path(tmp_path, identity(), 0)


def only(folder: Path) -> FoundRun:
    (entry,) = entries(folder)
    return entry


def test_a_complete_run_is_listed_with_its_record_and_result(tmp_path, place):
    write(tmp_path)
    assert only(tmp_path) == FoundRun(place, place, Status.COMPLETE, record(), RESULT_OF_RUN)
    assert (only(tmp_path).name, only(tmp_path).seed, only(tmp_path).state) == ("mine", 0, "complete")


def test_runs_at_any_depth_are_listed_by_path_and_seed(tmp_path):
    for folder, seed in (("b", 1), ("a/deep", 10), ("a/deep", 3)):
        write(tmp_path / folder, seed=seed)
    found = [str(entry.path.relative_to(tmp_path)) for entry in entries(tmp_path)]
    name = f"mine-{FINGERPRINT}"
    assert found == [f"a/deep/{name}/seed-3", f"a/deep/{name}/seed-10", f"b/{name}/seed-1"]


def test_other_folders_and_files_are_not_runs(tmp_path, place):
    for name in ("seed-x", "seed-1.bak", "other", "seed-"):
        (place.parent / name).mkdir(parents=True)
    (place.parent / "seed-2").write_text("a file")
    assert list(entries(tmp_path)) == []


def test_a_diverged_run_has_that_status(place):
    writer = RunWriter(place)
    writer.acquire()
    writer.start(record(), "arch mine\n")
    writer.commit(RunResult("diverged", None, None, 0, 100, 1000, 2.0, 0.0))
    writer.close()
    assert only(place).status is Status.DIVERGED


@pytest.mark.parametrize(
    ("epochs", "text", "state"),
    [
        (0, SPEC_TEXT, "unfinished at epoch 1 of 4.5"),
        (3, SPEC_TEXT, "unfinished at epoch 4 of 4.5"),
        (4, SPEC_TEXT, "unfinished at epoch 5 of 4.5"),
        (5, SPEC_TEXT, "unfinished at epoch 5 of 4.5"),
        (2, "arch of another version", "unfinished at epoch 3"),
        (2, SPEC_TEXT.partition("train")[0], "unfinished at epoch 3"),
    ],
)
def test_an_interrupted_run_has_the_epoch_at_which_it_resumes(place, epochs, text, state):
    interrupted(place, epochs, text)
    entry = only(place.parent)
    assert (entry.status, entry.path, entry.place) == (Status.UNFINISHED, partial_path(place), place)
    assert entry.state == state


def test_a_failed_run_has_a_reason_until_it_resumes(place):
    interrupted(place)
    record_failure(place, record().data.digest, "the disk is full", ("make room there",))
    entry = only(place.parent)
    assert (entry.status, entry.state) == (Status.FAILED, "failed at epoch 4")
    assert (entry.failure.message, entry.failure.help) == ("the disk is full", ("make room there",))
    interrupted(place, 0)
    assert (only(place.parent).status, only(place.parent).failure) == (Status.UNFINISHED, None)


def test_no_failure_is_recorded_for_other_running_or_missing_runs(tmp_path, place):
    record_failure(place, record().data.digest, "nothing is there")
    assert list(tmp_path.iterdir()) == []
    interrupted(place)
    record_failure(place, "cd" * 32, "on other data")
    assert only(place.parent).status is Status.UNFINISHED
    process = holding(place)
    try:
        record_failure(place, record().data.digest, "another process trains it")
    finally:
        process.kill()
        process.communicate()
    assert only(place.parent).status is Status.UNFINISHED


def test_a_damaged_failure_record_is_reported(place):
    interrupted(place)
    (partial_path(place) / "failure.json").write_text("[]")
    assert only(place.parent).status is Status.DAMAGED
    assert "failure.json" in only(place.parent).problem


def test_a_run_in_training_is_running(place):
    process = holding(place)
    try:
        assert only(place.parent).status is Status.RUNNING
    finally:
        process.kill()
        process.communicate()
    assert only(place.parent).status is Status.UNFINISHED


@pytest.mark.parametrize("file", [RECORD, RESULT])
@pytest.mark.parametrize("damage", ["missing", "empty"])
def test_a_run_with_an_unreadable_file_is_damaged(tmp_path, place, file, damage):
    run = write(tmp_path)
    (run.path / file).unlink()
    if damage == "empty":
        (run.path / file).touch()
    entry = only(tmp_path)
    assert entry.status is Status.DAMAGED
    assert file in entry.problem
    assert (entry.name, entry.seed) == ("mine", 0)


def test_a_run_without_its_weights_keeps_its_result(tmp_path, place):
    write(tmp_path).weights.unlink()
    assert only(tmp_path) == FoundRun(place, place, Status.WITHOUT_WEIGHTS, record(), RESULT_OF_RUN)
    assert only(tmp_path).state == "no weights"


def test_a_partial_run_with_a_damaged_record_is_damaged_but_not_one_without(place):
    interrupted(place)
    (partial_path(place) / RECORD).write_text("{")
    assert only(place.parent).status is Status.DAMAGED
    (partial_path(place) / RECORD).unlink()
    assert only(place.parent).status is Status.UNFINISHED


def test_a_replaced_run_is_restored_but_a_removed_one_is_a_leftover(tmp_path, place):
    write(tmp_path)
    place.rename(place.with_name("seed-0.replaced"))
    assert only(tmp_path).status is Status.COMPLETE  # it was put back
    for name in ("seed-0.replaced", "seed-1.removed"):
        place.with_name(name).mkdir()
    assert [entry.status for entry in entries(tmp_path)] == [Status.COMPLETE, *[Status.LEFTOVER] * 2]


@pytest.mark.parametrize("way", ["run", "partial", "inside", "above"])
def test_a_run_can_be_named_by_itself(tmp_path, place, monkeypatch, way):
    interrupted(place)
    write(tmp_path, seed=1)
    if way == "inside":
        monkeypatch.chdir(partial_path(place))
    named = {"run": place, "partial": partial_path(place), "inside": Path()}.get(way, place.parent)
    found = [entry.place.name for entry in entries(named)]
    assert found == (["seed-0", "seed-1"] if way == "above" else ["seed-0"])


def test_size_and_age_are_those_of_its_files(tmp_path):
    run = write(tmp_path)
    (run.path / "more").mkdir()
    (run.path / "more" / "notes").write_bytes(b"x" * 1000)
    entry = only(tmp_path)
    assert entry.size() == sum(path.stat().st_size for path in run.path.rglob("*") if path.is_file())
    yesterday = int(time.time()) - 86400
    for path in run.path.rglob("*"):
        os.utime(path, (yesterday, yesterday))
    assert entry.changed() == datetime.fromtimestamp(yesterday, UTC)


def test_files_that_vanish_during_the_count_are_left_out(place, monkeypatch):
    interrupted(place)
    entry = only(place.parent)
    listed = folders._entries

    def vanishing(folder: str) -> tuple[list[os.DirEntry[str]], list[os.DirEntry[str]]]:
        found = listed(folder)
        (Path(folder) / SPEC).unlink(missing_ok=True)
        return found

    monkeypatch.setattr(folders, "_entries", vanishing)
    assert SPEC not in {path.name for path in entry.files()}
    assert len(entry.files()) > 2
    assert evolve(entry, path=place).size() == 0
