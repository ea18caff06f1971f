"""Selected runs are removed as a whole; running and changed runs stay."""

import os
import shutil
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from helpers.runs import FINGERPRINT, holding, identity, interrupted, names_below, record, write

from cifar_dsl.foundation.errors import LockedError, RunError
from cifar_dsl.runs import METRICS, WEIGHTS, RunWriter, partial_path, record_failure, run_path
from cifar_dsl.runs.catalogue import Status, entries
from cifar_dsl.runs.checkpoints import checkpoints
from cifar_dsl.runs.places import removed_path
from cifar_dsl.runs.pruning import Removal, Selection

ALL = frozenset(Status) - {Status.RUNNING, Status.NEWER}


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return run_path(tmp_path, identity(), 0)


def chosen(folder: Path, *statuses: Status, **more: object) -> list[Removal]:
    return list(Selection(frozenset(statuses), **more).removals(entries(folder)))


def only(folder: Path, *statuses: Status, **more: object) -> Removal:
    (removal,) = chosen(folder, *statuses, **more)
    return removal


def test_each_status_can_be_selected_by_itself(tmp_path, place):
    write(tmp_path, seed=0)
    (write(tmp_path, seed=1).path / METRICS).write_text("damaged")
    interrupted(place.with_name("seed-0"))
    interrupted(place.with_name("seed-4"))
    record_failure(place.with_name("seed-4"), record().data.digest, "the disk is full")
    place.with_name("seed-3.removed").mkdir()
    write(tmp_path, seed=5).weights.unlink()
    found = {status: [one.entry.path.name for one in chosen(tmp_path, status)] for status in ALL}
    assert found == {
        Status.COMPLETE: ["seed-0", "seed-1"],
        Status.WITHOUT_WEIGHTS: ["seed-5"],  # and none of --damaged: its result counts
        Status.DIVERGED: [],
        Status.DAMAGED: ["seed-1"],
        Status.UNFINISHED: ["seed-0.partial"],
        Status.FAILED: ["seed-4.partial"],
        Status.LEFTOVER: ["seed-3.removed"],
    }


def test_a_removed_run_leaves_nothing(tmp_path, place):
    write(tmp_path, seed=1)
    interrupted(place)
    for removal in chosen(tmp_path, Status.UNFINISHED):
        removal.remove()
    assert [path.name for path in place.parent.iterdir() if path.is_dir()] == ["seed-1"]
    for removal in chosen(tmp_path, Status.COMPLETE):
        removal.remove()
    assert names_below(tmp_path) == []


def test_only_runs_of_the_named_specs(tmp_path):
    for name in ("wide", "wider", "other"):
        write(tmp_path, name)

    def names(*specs: str) -> list[str]:
        return [one.entry.name for one in chosen(tmp_path, Status.COMPLETE, specs=specs)]

    assert names("wide") == ["wide"]
    assert names("wide*") == ["wide", "wider"]
    assert names("other", f"wider-{FINGERPRINT}") == ["other", "wider"]
    assert names("not") == []


def test_only_runs_that_are_old_enough(tmp_path):
    run = write(tmp_path)
    write(tmp_path, seed=1)
    old = time.time() - 10 * 86400
    for path in run.path.iterdir():
        os.utime(path, (old, old))

    def seeds(days: float) -> list[int]:
        before = datetime.now(UTC) - timedelta(days=days)
        return [one.entry.seed for one in chosen(tmp_path, Status.COMPLETE, before=before)]

    assert (seeds(11), seeds(9), seeds(-1)) == ([], [0], [0, 1])


@pytest.mark.parametrize("damaged", [False, True])
def test_all_checkpoints_except_the_one_to_resume_from(tmp_path, place, damaged):
    interrupted(place)
    newest, older = checkpoints(partial_path(place))
    if damaged:
        newest.path.write_bytes(b"damaged")
    removal = only(tmp_path, superseded=True)
    goes, stays = (newest, older) if damaged else (older, newest)
    assert removal.size() == goes.path.stat().st_size
    removal.remove()
    assert checkpoints(partial_path(place)) == [stays]
    assert chosen(tmp_path, superseded=True) == []


def test_without_an_intact_checkpoint_none_is_superseded(tmp_path, place):
    interrupted(place)
    for one in checkpoints(partial_path(place)):
        one.path.write_bytes(b"damaged")
    assert chosen(tmp_path, superseded=True) == []


def test_a_running_run_is_never_selected_or_removed(tmp_path, place):
    write(tmp_path)
    (complete,) = chosen(tmp_path, Status.COMPLETE)
    interrupted(place)
    found = chosen(tmp_path, Status.UNFINISHED)
    process = holding(place)
    try:
        assert chosen(tmp_path, *(ALL - {Status.COMPLETE}), superseded=True) == []
        for removal in (complete, *found):
            with pytest.raises(RunError, match=f"is being trained by process {process.pid}"):
                removal.remove()
        assert place.is_dir()
        assert partial_path(place).is_dir()
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("change", ["resumed", "completed", "gone", "replaced"])
def test_a_run_that_changed_since_its_selection_stays(tmp_path, place, change):
    interrupted(place)
    removal = only(tmp_path, Status.UNFINISHED)
    if change == "resumed":
        interrupted(place, 4)
    elif change == "replaced":
        shutil.rmtree(partial_path(place))
        interrupted(place, 1)
    elif change == "completed":
        partial_path(place).rename(place)
    else:
        shutil.rmtree(partial_path(place))
    before = names_below(tmp_path)
    with pytest.raises(RunError, match="has changed in the meantime"):
        removal.remove()
    assert set(before) - set(names_below(tmp_path)) <= {f"mine-{FINGERPRINT}", f"mine-{FINGERPRINT}/seed-0.lock"}


def test_an_interrupted_removal_leaves_no_half_run_and_can_be_finished(tmp_path, place, monkeypatch):
    write(tmp_path)

    def broken(path: Path, **_: object) -> None:
        (path / WEIGHTS).unlink()
        raise KeyboardInterrupt

    monkeypatch.setattr(shutil, "rmtree", broken)
    with pytest.raises(KeyboardInterrupt):
        only(tmp_path, Status.COMPLETE).remove()
    monkeypatch.undo()
    assert [entry.status for entry in entries(tmp_path)] == [Status.LEFTOVER]
    assert removed_path(place).exists()
    assert not place.exists()
    only(tmp_path, Status.LEFTOVER).remove()
    assert names_below(tmp_path) == []


def test_a_leftover_is_no_obstacle_to_removing_its_successor(tmp_path, place):
    write(tmp_path)
    removed_path(place).mkdir()
    (removed_path(place) / "old").touch()
    only(tmp_path, Status.COMPLETE).remove()
    assert names_below(tmp_path) == []


def test_a_run_that_can_not_be_removed_is_reported(tmp_path, monkeypatch):
    write(tmp_path)

    def fail(path: Path, *_: object) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "rename", fail)
    with pytest.raises(RunError, match="seed-0 can't be removed: Permission denied"):
        only(tmp_path, Status.COMPLETE).remove()


def test_a_link_is_not_followed(tmp_path, place):
    elsewhere = write(tmp_path / "elsewhere").path
    place.parent.mkdir(parents=True)
    place.symlink_to(elsewhere)
    (removal,) = (one for one in chosen(tmp_path, Status.COMPLETE) if one.entry.path == place)
    with pytest.raises(RunError, match="is a link"):
        removal.remove()
    assert place.is_symlink()
    assert (elsewhere / WEIGHTS).exists()


def test_waiting_for_the_lock_of_a_removed_run_gives_a_valid_lock(tmp_path, place, monkeypatch):
    """The lock file is removed with the run and its folder; later, another file has its name."""
    interrupted(place)
    waiting = RunWriter(place)
    taken = threading.Event()

    def take() -> None:
        waiting.acquire(wait=True)
        taken.set()

    thread = threading.Thread(target=take, daemon=True)
    rmtree = shutil.rmtree

    def remove(path: Path, **_: object) -> None:
        thread.start()
        assert not taken.wait(1)
        rmtree(path)

    monkeypatch.setattr(shutil, "rmtree", remove)
    only(tmp_path, Status.UNFINISHED).remove()
    monkeypatch.undo()
    assert taken.wait(60)
    other = RunWriter(place)
    with pytest.raises(LockedError):
        other.acquire()
    assert waiting.start(record(), "arch mine\n") is False
    waiting.close()
    other.acquire()
    other.close()
