"""A run on disk is whole or not there, and says what is wrong with it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from cifar_dsl.runs import (
    METRICS,
    RECORD,
    RESULT,
    SPEC,
    WEIGHTS,
    DataRecord,
    Environment,
    EpochMetrics,
    Run,
    RunError,
    RunRecord,
    RunResult,
    RunWriter,
    find_runs,
    open_run,
    run_path,
)

FINGERPRINT = "0123456789ab"
EPOCH = EpochMetrics(1, 0.1, 2.0, 0.25, 2.1, 0.2, 1.5, 0.5)
RESULT_OF_RUN = RunResult("finished", 0.2, 2.1, 1, 100, 1000, 2.0, 40.0)


def record(name: str = "mine", seed: int = 0) -> RunRecord:
    return RunRecord(
        name=name,
        fingerprint=FINGERPRINT,
        seed=seed,
        lineage=(name, "base"),
        changes=("head = [512]",),
        overrides=(),
        data=DataRecord("shapes", "ab" * 32, "drawn", 60, 20),
        environment=Environment("0", "2", "3", "here", "a processor", "cpu", "a processor", 1),
        started="2025-01-01T00:00:00+00:00",
    )


def write(root: Path, name: str = "mine", seed: int = 0, spec: str = "arch mine\n") -> Run:
    writer = RunWriter(run_path(root, name, FINGERPRINT, seed))
    writer.start(record(name, seed), spec)
    writer.add_epoch(EPOCH)
    writer.weights.write_bytes(b"weights")
    return writer.commit(RESULT_OF_RUN)


def names_below(path: Path) -> list[str]:
    return sorted(str(file.relative_to(path)) for file in path.rglob("*"))


# ---- writing


def test_a_run_is_one_folder_of_five_files(tmp_path):
    run = write(tmp_path)
    assert run.path == tmp_path / "mine-0123456789ab" / "seed-0"
    assert names_below(tmp_path / "mine-0123456789ab") == sorted(
        ["seed-0", *(f"seed-0/{name}" for name in (SPEC, RECORD, METRICS, WEIGHTS, RESULT))]
    )


def test_what_is_written_comes_back(tmp_path):
    run = write(tmp_path)
    assert run.record() == record()
    assert run.result() == RESULT_OF_RUN
    assert run.metrics() == [EPOCH]
    assert run.spec_text == "arch mine\n"
    assert run.weights.read_bytes() == b"weights"


def test_nothing_is_in_the_place_before_the_run_is_complete(tmp_path):
    writer = RunWriter(run_path(tmp_path, "mine", FINGERPRINT, 0))
    writer.start(record(), "arch mine\n")
    writer.add_epoch(EPOCH)
    assert not writer.path.exists()
    assert find_runs(tmp_path, FINGERPRINT) == []
    with pytest.raises(RunError, match="is not a run"):
        open_run(tmp_path / "mine-0123456789ab")


def test_what_an_interrupted_run_left_is_written_over(tmp_path):
    interrupted = RunWriter(run_path(tmp_path, "mine", FINGERPRINT, 0))
    interrupted.start(record(), "arch mine\n")
    for _ in range(3):
        interrupted.add_epoch(EPOCH)
    (interrupted.weights.parent / "rest").write_text("of something")
    run = write(tmp_path)
    assert run.metrics() == [EPOCH]
    assert not (run.path / "rest").exists()
    assert [path.name for path in run.path.parent.iterdir()] == ["seed-0"]


def test_an_older_run_stays_until_the_new_one_takes_its_place(tmp_path):
    write(tmp_path, spec="arch old\n")
    writer = RunWriter(run_path(tmp_path, "mine", FINGERPRINT, 0))
    writer.start(record(), "arch new\n")
    assert open_run(writer.path).spec_text == "arch old\n"
    writer.commit(RESULT_OF_RUN)
    assert open_run(writer.path).spec_text == "arch new\n"
    assert [path.name for path in writer.path.parent.iterdir()] == ["seed-0"]


def test_a_run_whose_first_epoch_diverged_has_no_metrics_and_no_weights(tmp_path):
    writer = RunWriter(run_path(tmp_path, "mine", FINGERPRINT, 0))
    writer.start(record(), "arch mine\n")
    run = writer.commit(RunResult("diverged", None, None, 0, 100, 1000, 2.0, 0.0))
    assert run.metrics() == []
    assert run.result().accuracy is None
    assert not run.weights.exists()


def test_every_epoch_is_on_the_disk_before_the_next(tmp_path, monkeypatch):
    writer = RunWriter(run_path(tmp_path, "mine", FINGERPRINT, 0))
    writer.start(record(), "arch mine\n")
    sizes: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: sizes.append(os.fstat(descriptor).st_size))
    writer.add_epoch(EPOCH)
    writer.add_epoch(EPOCH)
    size = (writer.weights.parent / METRICS).stat().st_size
    assert sizes == [size / 2, size]


# ---- several processes


@pytest.fixture
def process():
    """Another process, which lives until it is killed or the test ends."""
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    yield process
    process.kill()
    process.communicate()


def leave_partial(place: Path, process: int) -> Path:
    """What a process that trains has beside the run's place."""
    folder = place.with_name(f"{place.name}.partial-{process}-0a1b2c3d")
    folder.mkdir(parents=True)
    (folder / METRICS).write_text("of another\n")
    return folder


@pytest.mark.skipif(os.name != "posix", reason="processes are asked for by a signal")
def test_a_run_that_another_process_is_writing_is_refused(tmp_path, process):
    place = run_path(tmp_path, "mine", FINGERPRINT, 0)
    other = leave_partial(place, process.pid)
    with pytest.raises(RunError, match=f"seed-0 is being trained by process {process.pid} already") as caught:
        RunWriter(place).start(record(), "arch mine\n")
    assert caught.value.help[0] == "wait for it, or use another --runs"
    assert list(place.parent.iterdir()) == [other]
    assert (other / METRICS).read_text() == "of another\n"
    assert write(tmp_path, seed=1).metrics() == [EPOCH]


@pytest.mark.skipif(os.name != "posix", reason="processes are asked for by a signal")
def test_what_a_dead_process_left_is_removed(tmp_path, process):
    place = run_path(tmp_path, "mine", FINGERPRINT, 0)
    leave_partial(place, process.pid)
    process.kill()
    process.wait()
    write(tmp_path)
    assert list(place.parent.iterdir()) == [place]


def test_where_processes_cannot_be_asked_for_their_folders_are_left(tmp_path, monkeypatch):
    monkeypatch.setattr("cifar_dsl.runs._lives", lambda _process: None)
    place = run_path(tmp_path, "mine", FINGERPRINT, 0)
    other = leave_partial(place, os.getpid() + 1)
    write(tmp_path)
    assert sorted(place.parent.iterdir()) == [place, other]


def test_two_writers_never_share_a_folder(tmp_path):
    place = run_path(tmp_path, "mine", FINGERPRINT, 0)
    assert RunWriter(place).weights.parent != RunWriter(place).weights.parent


@pytest.mark.parametrize("act", ["start", "find", "open", "open above"])
def test_a_run_whose_replacing_was_broken_off_is_put_back(tmp_path, act):
    run = write(tmp_path, spec="arch old\n")
    run.path.rename(run.path.with_name("seed-0.replaced"))
    if act == "start":
        RunWriter(run.path).start(record(), "arch new\n")
    elif act == "find":
        assert find_runs(tmp_path, FINGERPRINT) == [run]
    else:
        assert open_run(run.path if act == "open" else tmp_path) == run
    assert run.spec_text == "arch old\n"
    assert not run.path.with_name("seed-0.replaced").exists()


@pytest.mark.skipif(os.name != "posix", reason="processes are asked for by a signal")
def test_a_run_that_is_just_being_replaced_is_left_to_its_writer(tmp_path, process):
    run = write(tmp_path)
    run.path.rename(run.path.with_name("seed-0.replaced"))
    leave_partial(run.path, process.pid)
    assert find_runs(tmp_path, FINGERPRINT) == []
    assert not run.path.exists()


# ---- finding


def test_runs_are_found_by_fingerprint_whatever_their_name_and_sorted_by_seed(tmp_path):
    for name, seed in (("mine", 10), ("mine", 2), ("another-name", 1)):
        write(tmp_path, name, seed)
    assert [run.record().seed for run in find_runs(tmp_path, FINGERPRINT)] == [1, 2, 10]
    assert find_runs(tmp_path, "ffffffffffff") == []
    assert find_runs(tmp_path / "not there", FINGERPRINT) == []


def test_leftovers_are_not_found(tmp_path):
    run = write(tmp_path)
    for name in ("seed-1.partial-1-ab", "seed-0.replaced"):
        leftover = run.path.with_name(name)
        leftover.mkdir()
        (leftover / RESULT).write_text((run.path / RESULT).read_text())
    assert find_runs(tmp_path, FINGERPRINT) == [run]


def test_the_only_run_below_a_folder_can_be_opened_by_the_folder(tmp_path):
    run = write(tmp_path)
    assert open_run(run.path) == open_run(run.path.parent) == open_run(tmp_path) == run


def test_a_folder_of_several_runs_is_refused_with_their_names(tmp_path):
    for seed in range(6):
        write(tmp_path, seed=seed)
    with pytest.raises(RunError, match="holds 6 runs") as caught:
        open_run(tmp_path)
    (advice,) = caught.value.help
    assert str(tmp_path / "mine-0123456789ab" / "seed-0") in advice
    assert advice.endswith(", ...")


@pytest.mark.parametrize("name", ["not-there", "empty", "file"])
def test_what_is_no_run_is_refused(tmp_path, name):
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match=f"{name} is not a run"):
        open_run(tmp_path / name)


# ---- damage


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"name": "mine"}', "\x00"])
@pytest.mark.parametrize(("file", "read"), [(RECORD, Run.record), (RESULT, Run.result)])
def test_damaged_json_is_said_to_be_damaged(tmp_path, file, read, text):
    run = write(tmp_path)
    (run.path / file).write_text(text)
    with pytest.raises(RunError, match=f"{file} is damaged"):
        read(run)


def test_bytes_that_are_no_text_are_damage(tmp_path):
    run = write(tmp_path)
    (run.path / RECORD).write_bytes(b"\xff\xfe{}")
    with pytest.raises(RunError, match=f"{RECORD} is damaged"):
        run.record()


@pytest.mark.parametrize("text", ["{}\n", "null\n", "nonsense\n", '{"epoch": 1}\n'])
def test_damaged_metrics_are_said_to_be_damaged(tmp_path, text):
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
    fields = json.loads((run.path / RESULT).read_text())
    del fields["weights_digest"]
    (run.path / RESULT).write_text(json.dumps(fields))
    assert run.result() == RESULT_OF_RUN


def test_records_without_path_and_commit_can_still_be_read(tmp_path):
    run = write(tmp_path)
    fields = json.loads((run.path / RECORD).read_text())
    del fields["data"]["path"], fields["environment"]["commit"]
    (run.path / RECORD).write_text(json.dumps(fields))
    assert run.record() == record()
