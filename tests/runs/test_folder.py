"""Complete runs can be found and read; errors name the problem."""

import json
import os
import shutil
from pathlib import Path

import cattrs
import pytest
from helpers.runs import EPOCH, FINGERPRINT, RESULT_OF_RUN, identity, interrupted, record, rewrite, write

from cifar_dsl.experiments.comparison import read_run
from cifar_dsl.foundation.errors import RunError
from cifar_dsl.runs import (
    METRICS,
    RECORD,
    RESULT,
    WEIGHTS,
    Run,
    RunRecord,
    failed_runs,
    find_runs,
    open_run,
    record_failure,
    run_path,
)
from cifar_dsl.runs.record_json import from_json


def test_runs_are_found_by_fingerprint_under_any_name_and_sorted_by_seed(tmp_path):
    for name, seed in (("mine", 10), ("mine", 2), ("another-name", 1)):
        write(tmp_path, name, seed)
    assert [run.record().seed for run in find_runs(tmp_path, FINGERPRINT)] == [1, 2, 10]
    assert find_runs(tmp_path, "ffffffffffff") == []
    assert find_runs(tmp_path / "not there", FINGERPRINT) == []


def test_leftovers_and_folders_with_other_names_are_not_found(tmp_path):
    run = write(tmp_path)
    for name in ("seed-1.partial", "seed-0.replaced", "seed-0.removed", "seed-backup", "seed-0-old"):
        leftover = run.path.with_name(name)
        leftover.mkdir()
        (leftover / RESULT).write_text((run.path / RESULT).read_text())
    assert find_runs(tmp_path, FINGERPRINT) == [run]
    assert open_run(tmp_path) == run
    assert open_run(run.path.with_name("seed-backup")).path.name == "seed-backup"  # who names it means it


def test_a_failed_run_in_a_renamed_folder_is_not_found(tmp_path):
    place = run_path(tmp_path, identity(), 0)
    interrupted(place)
    record_failure(place, record().data.digest, "the disk is full")
    (failed,) = failed_runs(tmp_path, FINGERPRINT)
    shutil.copytree(failed.path, failed.path.with_name("seed-old.partial"))
    assert failed_runs(tmp_path, FINGERPRINT) == [failed]


def test_the_only_run_below_a_folder_can_be_opened_by_the_folder(tmp_path):
    run = write(tmp_path)
    assert open_run(run.path) == open_run(run.path.parent) == open_run(tmp_path) == run


def test_a_folder_with_several_runs_is_refused_with_their_names(tmp_path):
    for seed in range(6):
        write(tmp_path, seed=seed)
    with pytest.raises(RunError, match="holds 6 runs") as caught:
        open_run(tmp_path)
    (advice,) = caught.value.help
    assert str(tmp_path / "mine-0123456789ab" / "seed-0") in advice
    assert advice.endswith(", ...")


@pytest.mark.parametrize("name", ["not-there", "empty", "file"])
def test_a_path_that_is_not_a_run_is_refused(tmp_path, name):
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match=f"{name} is not a run"):
        open_run(tmp_path / name)


# ---- damage


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"name": "mine"}', "\x00"])
@pytest.mark.parametrize(("file", "read"), [(RECORD, Run.record), (RESULT, Run.result)])
def test_damaged_json_is_reported(tmp_path, file, read, text):
    run = write(tmp_path)
    (run.path / file).write_text(text)
    with pytest.raises(RunError, match=f"{file} is damaged"):
        read(run)


def test_bytes_that_are_not_text_are_damage(tmp_path):
    run = write(tmp_path)
    (run.path / RECORD).write_bytes(b"\xff\xfe{}")
    with pytest.raises(RunError, match=f"{RECORD} is damaged"):
        run.record()


@pytest.mark.parametrize("text", ["{}\n", "null\n", "nonsense\n", '{"epoch": 1}\n'])
def test_damaged_metrics_are_reported(tmp_path, text):
    run = write(tmp_path)
    with (run.path / METRICS).open("a") as file:
        file.write(text)
    with pytest.raises(RunError, match=f"{METRICS} is damaged"):
        run.metrics()


@pytest.mark.parametrize(("file", "read"), [(RECORD, Run.record), (RESULT, Run.result), (METRICS, Run.metrics)])
def test_a_missing_file_is_named(tmp_path, file, read):
    run = write(tmp_path)
    (run.path / file).unlink()
    with pytest.raises(RunError, match=f"{file} can't be read"):
        read(run)


def test_results_without_the_digest_of_weights_can_still_be_read(tmp_path):
    run = write(tmp_path)
    rewrite(run.path / RESULT, lambda fields: fields.pop("weights_digest"))
    assert run.result() == RESULT_OF_RUN


def test_records_without_path_and_commit_can_still_be_read(tmp_path):
    run = write(tmp_path)
    fields = json.loads((run.path / RECORD).read_text())
    del fields["data"]["path"], fields["environment"]["commit"]
    (run.path / RECORD).write_text(json.dumps(fields))
    assert run.record() == record()


def test_the_record_is_flat_json_whose_keys_have_an_order(tmp_path):
    text = (write(tmp_path).path / RECORD).read_text()
    fields = json.loads(text)
    first = ["name", "fingerprint", "seed", "lineage", "changes", "overrides"]
    last = ["normalization", "classes", "uses"]
    assert list(fields) == [*first, "data", "environment", "started", "schema", "together", "resumed", *last]
    assert fields["lineage"] == ["mine", "base"]
    assert from_json(text, RunRecord) == record()
    for key in first:
        with pytest.raises((ValueError, cattrs.BaseValidationError)):
            from_json(json.dumps({name: value for name, value in fields.items() if name != key}), RunRecord)


def test_parts_that_runs_share_are_still_checked_in_each(tmp_path):
    """Equal parts of records are made once; 60.0 equals 60, but is no number of images."""
    first, wrong, last = (write(tmp_path, seed=seed) for seed in range(3))
    rewrite(wrong.path / RECORD, lambda fields: fields["data"].update(train_images=60.0))
    assert first.record().data is last.record().data
    with pytest.raises(RunError, match=r"train_images is 60\.0, not an integer"):
        wrong.record()


def test_a_comparison_reads_each_small_file_of_a_run_once(tmp_path, monkeypatch):
    run = write(tmp_path)
    opened: list[str] = []
    original = os.open
    monkeypatch.setattr(os, "open", lambda path, *rest: opened.append(Path(path).name) or original(path, *rest))
    read = read_run(run)
    monkeypatch.undo()
    assert sorted(opened) == sorted({path.name for path in run.path.iterdir()} - {WEIGHTS})
    assert (read.record, read.metrics) == (run.record(), (EPOCH,))
