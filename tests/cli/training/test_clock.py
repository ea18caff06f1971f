"""Training while the clock of the machine runs backwards and jumps: only recorded times are wrong."""

import itertools
import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from helpers.runs import write
from helpers.tolerances import FLOAT64
from helpers.training import terminated_after

from cifar_dsl.foundation.errors import LockedError
from cifar_dsl.runs import catalogue, failures, open_run
from cifar_dsl.runs.catalogue import entries
from cifar_dsl.runs.lock import RunLock
from cifar_dsl.training import session

START = datetime(2030, 1, 1, tzinfo=UTC)


@pytest.fixture
def backwards(monkeypatch):
    """Every look at the clock sees an hour earlier than the last; every tenth jumps a year ahead and back."""

    def readings() -> Iterator[float]:
        for look in itertools.count(1):
            yield (START - look * timedelta(hours=1) + (look % 10 == 0) * timedelta(days=365)).timestamp()

    seconds, dates = readings(), readings()  # apart: other threads may look at the first

    class Clock(datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime.fromtimestamp(next(dates), tz)

    monkeypatch.setattr(time, "time", lambda: next(seconds))
    monkeypatch.setattr(session, "datetime", SimpleNamespace(datetime=Clock, UTC=UTC))
    for module in (failures, catalogue):
        monkeypatch.setattr(module, "datetime", Clock)


def test_durations_speed_and_order_do_not_depend_on_the_clock(train, cli, tmp_path, backwards):
    with terminated_after(lambda learner: learner.epoch == 2):
        assert train("--seed", 1).code == 143
    assert train("--seeds", 3, "--jobs", 1).code == 0
    runs = [open_run(path) for path in sorted(tmp_path.glob("runs/*/seed-?"))]
    for run in runs:
        result, metrics = run.result(), run.metrics()
        assert all(epoch.time_s > 0 and epoch.evaluation_time_s > 0 for epoch in metrics)
        trained_s = sum(epoch.time_s for epoch in metrics)
        assert trained_s <= result.time_s
        assert result.images_per_s == pytest.approx(60 * 2 / trained_s, **FLOAT64)
        assert result.energy_j is None or result.energy_j >= 0
    record = runs[1].record()
    assert record.resumed[0].when < record.started  # only information
    assert [entry.seed for entry in entries(tmp_path / "runs")] == [0, 1, 2]
    assert cli("runs", "verify").code == cli("runs", "show", runs[1].path).code == 0
    assert "runs: 3 exist, 0 to train" in train("--seeds", 3, "--jobs", 1).err


def test_a_lock_is_waited_for_on_a_clock_of_its_own(tmp_path, backwards):
    place = tmp_path / "runs" / "mine-0123456789ab" / "seed-0"
    held, second = RunLock(place), RunLock(place)
    held.acquire()
    begun = time.perf_counter()
    with pytest.raises(LockedError):
        second.acquire()
    assert time.perf_counter() - begun < 60
    held.release()
    second.acquire()
    second.release()


@pytest.mark.parametrize(("changed_s", "year"), [(1e13, 9999), (-1e12, 2), (0, 1970)])
def test_files_of_any_time_are_listed(cli, tmp_path, monkeypatch, changed_s, year):
    write(tmp_path / "runs")
    status = SimpleNamespace(st_mtime=changed_s, st_size=1)
    monkeypatch.setattr(catalogue, "files_below", lambda _: [("run.json", status)])
    assert f"{year}-" in cli("runs", "list", "--json").out.partition('"changed": "')[2][:8].lstrip("0")
    assert f"{year}-" in cli("runs").out


@pytest.mark.parametrize(("age", "is_removed"), [(timedelta(days=-365), False), (timedelta(days=2), True)])
def test_runs_from_the_future_are_not_old(cli, tmp_path, age, is_removed):
    run = write(tmp_path / "runs")
    changed_s = (datetime.now(UTC) - age).timestamp()
    for path in run.path.iterdir():
        os.utime(path, (changed_s, changed_s))
    assert cli("runs", "prune", "--complete", "--older-than", "1d", "--yes").code == 0
    assert run.path.exists() is not is_removed
