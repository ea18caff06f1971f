"""A run is complete or absent; an interrupted run can be resumed; only one process trains a run."""

import os
import signal
import threading
from pathlib import Path

import pytest
from attrs import evolve
from filelock import FileLock
from helpers.runs import EPOCH, FINGERPRINT, RESULT_OF_RUN, holding, identity, interrupted, names_below, record, write

from cifar_dsl.foundation.errors import RunError
from cifar_dsl.runs import (
    METRICS,
    RECORD,
    RESULT,
    SPEC,
    SUMS,
    WEIGHTS,
    Resumption,
    RunResult,
    RunWriter,
    find_runs,
    open_run,
    partial_path,
    record_failure,
    run_path,
)
from cifar_dsl.runs.checkpoints import checkpoints
from cifar_dsl.runs.places import CHECKPOINTS, lock_path, replaced_path


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return run_path(tmp_path, identity(), 0)


@pytest.fixture
def writer(place):
    """A writer with a started run, in a process that stays alive."""
    made = RunWriter(place)
    made.acquire()
    assert made.start(record(), "arch mine\n") is False
    yield made
    made.close()


def contents(place: Path) -> list[bytes]:
    """The content of the checkpoints that the next process finds."""
    writer = RunWriter(place)
    try:
        writer.acquire()
        assert writer.start(record(), "arch mine\n") is True
        return [content for _, content in writer.saved_checkpoints() if content is not None]
    finally:
        writer.close()


# ---- complete runs


def test_a_run_is_one_folder_of_six_files(tmp_path, place):
    assert write(tmp_path).path == place
    files = [SPEC, RECORD, METRICS, WEIGHTS, RESULT, SUMS]
    assert names_below(place) == sorted(files)
    assert not partial_path(place).exists()


def test_a_written_run_can_be_read(tmp_path):
    run = write(tmp_path)
    assert run.record() == record()
    assert run.result() == RESULT_OF_RUN
    assert run.metrics() == [EPOCH]
    assert run.spec_text == "arch mine\n"
    assert run.weights.read_bytes() == b"weights"


def test_no_run_is_in_its_place_before_it_is_complete(tmp_path, place, writer):
    writer.add_epoch(EPOCH)
    assert not place.exists()
    assert find_runs(tmp_path, FINGERPRINT) == []
    with pytest.raises(RunError, match="is not a run"):
        open_run(place.parent)


def test_an_older_run_stays_until_the_new_one_takes_its_place(tmp_path, place):
    write(tmp_path, spec="arch old\n")
    writer = RunWriter(place)
    writer.acquire()
    writer.start(record(), "arch new\n")
    assert open_run(place).spec_text == "arch old\n"
    writer.commit(RESULT_OF_RUN)
    writer.close()
    assert open_run(place).spec_text == "arch new\n"
    assert [path.name for path in place.parent.iterdir() if path.is_dir()] == ["seed-0"]


def test_a_run_whose_first_epoch_diverged_has_no_metrics_and_no_weights(writer):
    run = writer.commit(RunResult("diverged", None, None, 0, 100, 1000, 2.0, 0.0))
    assert run.metrics() == []
    assert run.result().accuracy is None
    assert not run.weights.exists()


def test_every_epoch_is_on_disk_before_the_next(writer, monkeypatch):
    sizes: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: sizes.append(os.fstat(descriptor).st_size))
    writer.add_epoch(EPOCH)
    writer.add_epoch(EPOCH)
    size = (writer.partial / METRICS).stat().st_size
    assert sizes == [size / 2, size]


@pytest.mark.parametrize("act", ["start", "find", "open", "open above"])
def test_a_run_is_restored_after_an_interrupted_replacement(tmp_path, act):
    run = write(tmp_path, spec="arch old\n")
    run.path.rename(run.path.with_name("seed-0.replaced"))
    if act == "start":
        writer = RunWriter(run.path)
        writer.acquire()
        writer.start(record(), "arch new\n")
        writer.close()
    elif act == "find":
        assert find_runs(tmp_path, FINGERPRINT) == [run]
    else:
        assert open_run(run.path if act == "open" else tmp_path) == run
    assert run.spec_text == "arch old\n"
    assert not run.path.with_name("seed-0.replaced").exists()


# ---- interrupted runs


def test_saved_checkpoints_come_latest_first(place):
    interrupted(place)
    assert contents(place) == [b"state after epoch 3", b"state after epoch 2"]


def test_a_run_resumes_with_the_epochs_of_its_checkpoint(place):
    interrupted(place)
    writer = RunWriter(place)
    writer.acquire()
    writer.start(record(), "arch mine\n")
    resumption = Resumption(3, 0, "now", record().environment)
    writer.resume(resumption, [EPOCH, evolve(EPOCH, epoch=2)])
    writer.add_epoch(evolve(EPOCH, epoch=3))
    run = writer.commit(RESULT_OF_RUN)
    writer.close()
    assert [metrics.epoch for metrics in run.metrics()] == [1, 2, 3]
    assert run.record() == evolve(record(), resumed=(resumption,))
    assert names_below(place) == sorted([SPEC, RECORD, METRICS, RESULT, SUMS])


def test_files_outside_a_resumed_run_are_never_written(tmp_path, place):
    """A stranger's run may hold links instead of its files."""
    interrupted(place)
    outside = tmp_path / "outside"
    outside.mkdir()
    for name in (SPEC, RECORD, METRICS, "process.json"):
        inside = partial_path(place) / name
        (outside / name).write_bytes(inside.read_bytes() if inside.exists() else b"")
        inside.unlink(missing_ok=True)
        inside.symlink_to(outside / name)
    before = {path.name: path.read_bytes() for path in outside.iterdir()}
    writer = RunWriter(place)
    try:
        writer.acquire()
        assert writer.start(record(), "arch another\n") is True
        with pytest.raises(RunError, match=r"metrics\.jsonl"):
            writer.add_epoch(EPOCH)
        writer.resume(Resumption(1, 0, "now", record().environment), [EPOCH])
        writer.add_epoch(EPOCH)
    finally:
        writer.close()
    assert {path.name: path.read_bytes() for path in outside.iterdir()} == before


def lead_outside(folder: Path, outside: Path) -> dict[Path, bytes]:
    """Put a link to `outside` in the place of a folder. Returns the files there, which must stay as they are."""
    folder.rename(outside)
    folder.symlink_to(outside, target_is_directory=True)
    return files_below(outside)


def files_below(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    "inside",
    [lambda place: partial_path(place) / CHECKPOINTS, partial_path, lambda place: place.parent],
    ids=["checkpoints", "run", "runs of a spec"],
)
def test_no_folder_outside_is_written_through_a_link_in_the_place_of_one_of_a_run(tmp_path, place, inside):
    interrupted(place)
    folder, outside = inside(place), tmp_path / "outside"
    before = lead_outside(folder, outside)
    with pytest.raises(RunError, match=r"is a link, and a run is written only to folders") as caught:
        RunWriter(place).acquire()
    assert caught.value.message.startswith(str(folder))
    record_failure(place, record().data.digest, "diverged")
    assert files_below(outside) == before
    folder.unlink()
    outside.rename(folder)
    assert len(contents(place)) == 2  # as the advice says


def test_checkpoints_outside_are_not_those_of_a_run(tmp_path, place):
    interrupted(place)
    lead_outside(partial_path(place) / CHECKPOINTS, tmp_path / "outside")
    assert checkpoints(partial_path(place)) == []  # `runs prune --checkpoints` removes old ones


@pytest.mark.parametrize("link", [lambda place: place, replaced_path], ids=["complete", "replaced"])
def test_a_link_in_the_place_of_a_complete_run_is_not_moved(tmp_path, place, link):
    write(tmp_path)
    before = lead_outside(place, tmp_path / "outside")
    if link(place) != place:
        place.rename(link(place))
    with pytest.raises(RunError, match="is a link"):
        RunWriter(place).acquire()
    assert link(place).is_symlink()
    assert files_below(tmp_path / "outside") == before


@pytest.mark.parametrize(
    "other",
    [
        evolve(record(), spec=evolve(identity(), fingerprint="ffffffffffff")),
        evolve(record(), seed=1),
    ],
    ids=["fingerprint", "seed"],
)
def test_a_partial_run_of_another_training_is_removed(place, other):
    interrupted(place)
    writer = RunWriter(place)
    writer.acquire()
    assert writer.start(other, "arch other\n") is False
    assert list(writer.saved_checkpoints()) == []
    assert (writer.partial / SPEC).read_text() == "arch other\n"
    writer.close()


def test_a_partial_run_on_other_data_stays_until_a_restart(place):
    interrupted(place)
    other = evolve(record(), data=evolve(record().data, digest="cd" * 32))
    writer = RunWriter(place)
    writer.acquire()
    with pytest.raises(RunError, match="was trained on other data, also called shapes") as caught:
        writer.start(other, "arch mine\n")
    assert caught.value.reason == f"its data has digest {'ab' * 8}, this is {'cd' * 8}"
    assert len(list(writer.saved_checkpoints())) == 2
    assert writer.start(other, "arch mine\n", restart=True) is False
    assert writer.start(record(), "arch mine\n") is False  # no epoch would be lost
    writer.close()


def test_restart_removes_the_partial_run_of_this_training(place):
    interrupted(place)
    writer = RunWriter(place)
    writer.acquire()
    assert writer.start(record(), "arch mine\n", restart=True) is False
    assert list(writer.saved_checkpoints()) == []
    writer.close()


@pytest.mark.parametrize("text", ["", "{", "[]", "\x00"])
def test_a_partial_run_with_a_damaged_record_starts_over(place, text):
    interrupted(place)
    (partial_path(place) / RECORD).write_text(text)
    writer = RunWriter(place)
    writer.acquire()
    assert writer.start(record(), "arch mine\n") is False
    writer.close()


def test_only_the_latest_checkpoints_are_kept(place):
    writer = RunWriter(place, keep=3)
    writer.acquire()
    writer.start(record(), "arch mine\n")
    for epoch in range(1, 8):
        writer.add_checkpoint(epoch, 0, b"state")
    writer.add_checkpoint(7, 120, b"state")
    writer.close()
    assert [(one.epoch, one.steps_done) for one in checkpoints(partial_path(place))] == [(7, 120), (7, 0), (6, 0)]


def test_the_newer_of_two_checkpoints_of_one_step_stays(place, writer):
    writer.add_checkpoint(1, 0, b"before")
    writer.add_checkpoint(2, 0, b"state")
    writer.add_checkpoint(2, 0, b"other state")
    assert [content for _, content in writer.saved_checkpoints()] == [b"other state", b"before"]


def test_leftovers_of_a_crashed_replacement_are_no_obstacle(tmp_path, place):
    write(tmp_path, spec="arch old\n")
    replaced = place.with_name("seed-0.replaced")
    replaced.mkdir()
    (replaced / "file").touch()
    write(tmp_path, spec="arch new\n")
    assert open_run(place).spec_text == "arch new\n"
    assert not replaced.exists()


@pytest.mark.parametrize("keep", [1, 2])
def test_unusable_checkpoints_of_later_steps_are_removed(place, keep):
    interrupted(place)
    for one in checkpoints(partial_path(place)):
        one.path.write_bytes(b"damaged")
    writer = RunWriter(place, keep)
    writer.acquire()
    writer.start(record(), "arch mine\n")  # without a checkpoint to resume from
    for epoch in (2, 3):
        writer.add_checkpoint(epoch, 0, b"new state %d" % epoch)
        assert next(writer.saved_checkpoints())[1] == b"new state %d" % epoch
    writer.close()


def test_temporary_files_of_a_killed_process_are_removed(place):
    interrupted(place)
    halves = [partial_path(place) / name for name in ("run.json.tmp", f"{CHECKPOINTS}/epoch.safetensors.tmp")]
    for half in halves:
        half.write_bytes(b"half")
    assert contents(place) == [b"state after epoch 3", b"state after epoch 2"]
    assert not any(half.exists() for half in halves)


@pytest.mark.parametrize("damage", ["flip", "truncate", "empty", "swap"])
def test_a_damaged_checkpoint_is_skipped(place, damage):
    interrupted(place)
    newest, older = (one.path for one in checkpoints(partial_path(place)))
    content = bytearray(newest.read_bytes())
    if damage == "flip":
        content[5] ^= 1
    newest.write_bytes({"truncate": content[:-1], "empty": b"", "swap": older.read_bytes()}.get(damage, bytes(content)))
    assert contents(place) == [b"state after epoch 2"]


@pytest.mark.parametrize("failing", ["write", "fsync", "replace"])
def test_earlier_checkpoints_stay_if_a_new_one_can_not_be_written(place, writer, monkeypatch, failing):
    for epoch in (1, 2):
        writer.add_checkpoint(epoch, 0, b"state %d" % epoch)

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    if failing == "fsync":
        monkeypatch.setattr(os, "fsync", full)
    elif failing == "replace":
        monkeypatch.setattr(Path, "replace", full)
    else:
        monkeypatch.setattr(Path, "open", full)
    with pytest.raises(RunError, match="No space left") as caught:
        writer.add_checkpoint(3, 0, b"state 3")
    assert "free some space, then rerun the command" in caught.value.help[0]
    monkeypatch.undo()
    assert [content for _, content in writer.saved_checkpoints()] == [b"state 2", b"state 1"]
    assert [path.suffix for path in (writer.partial / CHECKPOINTS).iterdir()] == [".safetensors"] * 2


@pytest.mark.parametrize(
    "act",
    [
        lambda writer: writer.start(record(), "arch mine\n", restart=True),
        lambda writer: writer.resume(Resumption(3, 0, "now", record().environment), [EPOCH]),
        lambda writer: writer.add_checkpoint(1, 0, b"state"),
        lambda writer: writer.add_epoch(EPOCH),
        lambda writer: writer.commit(RESULT_OF_RUN),
    ],
    ids=["start", "resume", "checkpoint", "epoch", "commit"],
)
def test_a_disk_error_without_a_file_name_names_the_file_to_write(writer, monkeypatch, act):
    def fail(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(RunError) as caught:
        act(writer)
    assert str(writer.partial) in caught.value.message


def test_only_a_run_of_the_same_training_counts_as_complete(tmp_path, place):
    writer = RunWriter(place)
    assert writer.find_complete(record().identity) is None
    write(tmp_path)
    assert writer.find_complete(record().identity) is not None
    other = evolve(record(), data=evolve(record().data, digest="cd" * 32))
    assert writer.find_complete(other.identity) is None
    (place / RESULT).unlink()
    assert writer.find_complete(record().identity) is None
    (place / RECORD).write_text("{")
    assert writer.find_complete(record().identity) is None


@pytest.mark.parametrize("older", [False, True])
@pytest.mark.parametrize("moment", [1, 2, 3])
def test_a_run_interrupted_while_it_moves_to_its_place_is_completed(tmp_path, place, monkeypatch, older, moment):
    if older:
        write(tmp_path, spec="arch old\n")
    interrupted(place)
    writer = RunWriter(place)
    writer.acquire()
    writer.start(record(), "arch mine\n")
    writer.weights.write_bytes(b"weights")
    rename, renamed = Path.rename, []

    def broken(path: Path, target: Path) -> Path:
        renamed.append(path)
        if len(renamed) == moment:
            raise KeyboardInterrupt
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", broken)
    if moment > 1 + older:
        writer.commit(RESULT_OF_RUN)
    else:
        with pytest.raises(KeyboardInterrupt):
            writer.commit(RESULT_OF_RUN)
    writer.close()
    monkeypatch.undo()
    next_writer = RunWriter(place)
    next_writer.acquire()
    run = next_writer.find_complete(record().identity)
    next_writer.close()
    assert run is not None
    assert (run.spec_text, run.result()) == ("arch mine\n", RESULT_OF_RUN)
    assert [path.name for path in place.parent.iterdir() if path.is_dir()] == ["seed-0"]


def test_checking_the_lock_of_a_run_blocks_no_training(place, monkeypatch):
    lock_path(place).parent.mkdir(parents=True)
    look = FileLock(lock_path(place), thread_local=False)
    look.acquire()
    threading.Timer(0.1, look.release).start()
    writer = RunWriter(place)
    writer.acquire()
    writer.close()


# ---- several processes


def test_a_run_that_another_process_trains_is_refused_with_its_name(place):
    process = holding(place)
    try:
        with pytest.raises(RunError, match=f"seed-0 is being trained by process {process.pid} on ") as caught:
            RunWriter(place).acquire()
        assert "--wait" in caught.value.help[0]
        assert partial_path(place).exists()
    finally:
        process.kill()
        process.communicate()


def test_the_lock_of_a_process_that_was_killed_is_free(place):
    process = holding(place)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    writer = RunWriter(place)
    writer.acquire()
    assert writer.start(record(), "arch mine\n") is True
    writer.close()


def test_a_waiting_process_starts_when_the_other_ends(place):
    process = holding(place)
    ended = threading.Event()

    def end() -> None:
        ended.set()
        process.kill()

    timer = threading.Timer(0.5, end)
    timer.start()
    writer = RunWriter(place)
    writer.acquire(wait=True)
    assert ended.is_set()  # the lock is free only afterwards
    timer.join()
    assert writer.start(record(), "arch mine\n") is True
    writer.close()
    process.communicate()


def test_other_seeds_can_train_meanwhile(tmp_path, place):
    process = holding(place)
    try:
        assert write(tmp_path, seed=1).metrics() == [EPOCH]
    finally:
        process.kill()
        process.communicate()


def test_a_run_in_replacement_is_left_to_its_writer(tmp_path, place):
    run = write(tmp_path)
    process = holding(place)
    try:
        run.path.rename(run.path.with_name("seed-0.replaced"))
        assert find_runs(tmp_path, FINGERPRINT) == []
        assert not run.path.exists()
    finally:
        process.kill()
        process.communicate()
