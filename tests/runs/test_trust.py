"""A run is what its record says: everything that uses a result refuses one that isn't."""

import json
import os
import shutil
import signal

import pytest
from helpers.runs import FINGERPRINT, RESULT_OF_RUN, identity, interrupted, reseal, rewrite, write

from cifar_dsl.foundation.errors import NewerRunError, RunError
from cifar_dsl.runs import (
    METRICS,
    PREDICTIONS,
    RECORD,
    RESULT,
    SPEC,
    SUMS,
    WEIGHTS,
    Run,
    failed_runs,
    find_runs,
    open_run,
    partial_path,
    record_failure,
    run_path,
)
from cifar_dsl.runs.catalogue import Status, entries
from cifar_dsl.runs.checkpoints import checkpoints
from cifar_dsl.runs.lock import holder
from cifar_dsl.runs.predictions import read_predictions
from cifar_dsl.runs.pruning import Selection
from cifar_dsl.runs.verification import problems

OTHER = "ffffffffffff"


def found(folder):
    return [problem for entry in entries(folder) for problem in problems(entry)]


# ---- values

WRONG_RESULTS = {
    "accuracy is 2.0": {"accuracy": 2.0},
    "accuracy is -5": {"accuracy": -5},
    "accuracy is nan": {"accuracy": float("nan")},
    "accuracy is '0.9', not a number": {"accuracy": "0.9"},
    "accuracy is True, not a number": {"accuracy": True},
    "the run finished, but accuracy is None": {"accuracy": None},
    "the run diverged, but accuracy is 0.2": {"status": "diverged"},
    "loss is inf": {"loss": float("inf")},
    "loss is -0.5": {"loss": -0.5},
    "loss is too large": {"loss": 10**400},
    "cross_entropy is -1": {"cross_entropy": -1.0},
    "epochs is 0": {"epochs": 0},
    "parameters is 1.5, not an integer": {"parameters": 1.5},
    "time_s is -1": {"time_s": -1},
    "energy_j is nan": {"energy_j": float("nan")},
    "energy_j is -1": {"energy_j": -1},
    "weights_digest is 5, not a text": {"weights_digest": 5},
    "best: accuracy is 1.5": {"best": {"epoch": 1, "validation_accuracy": 0.5, "accuracy": 1.5, "weights_digest": ""}},
    "best.epoch is '1', not an integer": {
        "best": {"epoch": "1", "validation_accuracy": 0.5, "accuracy": 0.5, "weights_digest": ""}
    },
}


@pytest.mark.parametrize(("problem", "values"), WRONG_RESULTS.items(), ids=WRONG_RESULTS)
def test_a_result_that_no_training_has_is_damage(tmp_path, problem, values):
    """Also where the digests fit it."""
    run = write(tmp_path)
    rewrite(run.path / RESULT, lambda fields: fields.update(values))
    with pytest.raises(RunError) as caught:
        run.result()
    assert caught.value.message.startswith(f"{run.path / RESULT} is damaged: {problem}")
    assert str(run.path) in caught.value.help[0]
    (entry,) = entries(tmp_path)
    assert entry.status == Status.DAMAGED
    assert find_runs(tmp_path, FINGERPRINT) == []


WRONG_RECORDS = {
    "seed is '0', not an integer": {"seed": "0"},
    "seed is -1": {"seed": -1},
    "schema is '5', not an integer": {"schema": "5"},
    "schema is 5.0, not an integer": {"schema": 5.0},
    "schema is 0": {"schema": 0},
    "spec.changes is 'wider', not a list": {"changes": "wider"},
    "spec.name is None, not a text": {"name": None},
    "classes[1] is 7, not a text": {"classes": ["cat", 7]},
}


@pytest.mark.parametrize(("problem", "values"), WRONG_RECORDS.items(), ids=WRONG_RECORDS)
def test_a_record_that_no_training_has_is_damage(tmp_path, problem, values):
    run = write(tmp_path)
    rewrite(run.path / RECORD, lambda fields: fields.update(values))
    for read in (run.record, run.result):
        with pytest.raises(RunError) as caught:
            read()
        assert caught.value.message == f"{run.path / RECORD} is damaged: {problem}"


def test_the_result_beside_a_record_of_a_newer_schema_is_not_read(tmp_path):
    run = write(tmp_path)
    rewrite(run.path / RECORD, lambda fields: fields.update(schema=6))
    with pytest.raises(NewerRunError, match="has schema 6"):
        run.result()


@pytest.mark.parametrize("values", [{"test_accuracy": 1.01}, {"test_loss": float("nan")}, {"epoch": "1"}, {"epoch": 0}])
def test_metrics_that_no_epoch_has_are_damage(tmp_path, values):
    run = write(tmp_path)
    rewrite_line = json.loads((run.path / METRICS).read_text()) | values
    (run.path / METRICS).write_text(json.dumps(rewrite_line) + "\n")
    with pytest.raises(RunError, match=rf"{METRICS} is damaged: {next(iter(values))} is "):
        run.metrics()


# ---- files


@pytest.mark.parametrize("name", [SPEC, RECORD, METRICS, RESULT, PREDICTIONS])
def test_a_result_beside_a_changed_file_is_refused(tmp_path, name):
    run = write(tmp_path)
    path = run.path / name
    path.write_bytes(path.read_bytes() if path.exists() else b"predictions")
    reseal(run.path)
    assert run.result() == RESULT_OF_RUN
    path.write_bytes(path.read_bytes() + b"\n")
    with pytest.raises(RunError) as caught:
        run.result()
    assert caught.value.message == f"{path} is not the file that was written"
    assert run.unverified_result() == RESULT_OF_RUN  # the list of runs verifies nothing
    assert find_runs(tmp_path, FINGERPRINT) == []


def test_the_weights_are_not_read_for_a_result(tmp_path):
    run = write(tmp_path)
    run.weights.write_bytes(b"other")
    assert run.result() == RESULT_OF_RUN
    assert found(tmp_path) == [f"{run.weights} is not the file that was written"]


def test_a_result_without_its_digests_is_refused(tmp_path):
    run = write(tmp_path)
    (run.path / SUMS).unlink()
    with pytest.raises(RunError, match=f"{SUMS} can't be read"):
        run.result()


# ---- places


def test_a_run_in_the_place_of_another_spec_is_not_found_there(tmp_path):
    run = write(tmp_path)
    moved = tmp_path / f"other-{OTHER}" / "seed-0"
    moved.parent.mkdir()
    run.path.rename(moved)
    assert find_runs(tmp_path, OTHER) == find_runs(tmp_path, FINGERPRINT) == []
    assert found(tmp_path) == [f"{moved} holds another run: mine with fingerprint {FINGERPRINT} and seed 0"]
    moved.rename(run.path)
    assert (find_runs(tmp_path, FINGERPRINT), found(tmp_path)) == ([run], [])


def test_a_run_copied_to_another_seed_is_not_found_there(tmp_path):
    run = write(tmp_path)
    copied = run.path.with_name("seed-1")
    shutil.copytree(run.path, copied)
    assert find_runs(tmp_path, FINGERPRINT) == [run]
    (problem,) = found(tmp_path)
    assert problem == f"{copied} holds another run: mine with fingerprint {FINGERPRINT} and seed 0"


def test_runs_of_one_fingerprint_may_have_any_name_and_lie_deeper(tmp_path):
    run = write(tmp_path)
    deeper = tmp_path / f"renamed-{FINGERPRINT}" / "of-last-week" / "seed-0"
    shutil.copytree(run.path, deeper)
    assert [each.path for each in find_runs(tmp_path, FINGERPRINT)] == [run.path, deeper]
    shutil.copytree(run.path, tmp_path / f"other-{OTHER}" / "of-last-week" / "seed-0")
    assert find_runs(tmp_path, OTHER) == []
    assert len(found(tmp_path)) == 1


def test_a_copy_opened_by_its_path_may_lie_anywhere(tmp_path):
    run = write(tmp_path / "runs")
    for copy in (tmp_path / "best", tmp_path / "kept" / "seed-7", tmp_path / f"other-{OTHER}" / "seed-0"):
        shutil.copytree(run.path, copy)
        assert open_run(copy).result() == RESULT_OF_RUN
    assert found(tmp_path / "kept") == []


def test_a_misplaced_run_is_not_pruned_as_damaged(tmp_path):
    run = write(tmp_path)
    run.path.rename(run.path.with_name("seed-1"))
    assert len(found(tmp_path)) == 1
    assert list(Selection(frozenset({Status.DAMAGED})).removals(entries(tmp_path))) == []


def test_a_failed_run_in_the_place_of_another_spec_is_not_found_there(tmp_path):
    place = run_path(tmp_path, identity(), 0)
    interrupted(place)
    record_failure(place, "ab" * 32, "the disk is full")
    (failed,) = failed_runs(tmp_path, FINGERPRINT)
    moved = tmp_path / f"other-{OTHER}" / "seed-0.partial"
    shutil.copytree(failed.path, moved)
    assert failed_runs(tmp_path, OTHER) == []
    assert found(moved.parent) == [
        f"{moved.with_suffix('')} holds another run: mine with fingerprint {FINGERPRINT} and seed 0"
    ]


# ---- regular files


def in_time(act):
    """What `act` raises; fails after some seconds of waiting, which a FIFO without a writer makes endless."""

    def too_long(*_):
        raise AssertionError("it waits")

    before = signal.signal(signal.SIGALRM, too_long)
    signal.alarm(5)
    try:
        with pytest.raises(RunError) as caught:
            act()
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
    return caught.value.message


ODD = {
    "fifo": os.mkfifo,
    "folder": os.mkdir,
    "device": lambda path: path.symlink_to("/dev/zero"),
    "huge": lambda path: path.touch() or os.truncate(path, 1 << 40),
}


@pytest.mark.parametrize("make", ODD.values(), ids=ODD)
@pytest.mark.parametrize("name", [SPEC, RECORD, METRICS, RESULT, PREDICTIONS, SUMS])
def test_a_file_that_is_none_or_is_huge_is_refused_at_once(tmp_path, name, make):
    run = write(tmp_path)
    (run.path / PREDICTIONS).write_bytes(b"predictions")
    reseal(run.path)
    (run.path / name).unlink()
    make(run.path / name)
    refusal = f"{run.path / name} can't be read: it is "
    assert in_time(run.result).startswith(refusal)
    (problem, *_) = found(tmp_path)
    assert problem.startswith(refusal)
    readers = {
        SPEC: lambda: run.spec_text,
        METRICS: run.metrics,
        PREDICTIONS: lambda: read_predictions(run.path / PREDICTIONS),
    }
    if reader := readers.get(name):
        assert in_time(reader).startswith(refusal)


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_weights_checkpoints_and_holders_that_are_no_files_block_nothing(tmp_path, make):
    run = write(tmp_path)
    run.weights.unlink()
    make(run.path / WEIGHTS)
    assert found(tmp_path) == [f"{run.weights} is damaged"]
    place = run_path(tmp_path, identity(), 1)
    interrupted(place)
    newest = checkpoints(partial_path(place))[0]
    for path in (newest.path, partial_path(place) / "process.json"):
        path.unlink()
        make(path)
    assert newest.content() is None
    assert holder(place) == "another process"
    assert Run(partial_path(place)).record().seed == 1
