"""Equivalent specs of two names are one training, which is never trained twice."""

import multiprocessing
import time

import pytest
from attrs import evolve
from helpers.runs import RESULT_OF_RUN, identity, interrupted, names_below, record, write

from cifar_dsl.foundation.errors import LockedError
from cifar_dsl.runs import RunIdentity, RunWriter, claim, partial_path, place_of, run_path


def training(name="mine", seed=0):
    return evolve(record(name, seed).identity, spec=identity(name))


def test_one_process_claims_a_training_under_all_its_names(tmp_path):
    first = claim(tmp_path, training("mine"))
    first.start(record("mine"), "arch mine\n")
    for name in ("mine", "other"):
        with pytest.raises(LockedError, match=r"mine-0123456789ab/seed-0 is being trained by process \d+ on"):
            claim(tmp_path, training(name))
    claim(tmp_path, training("other", seed=1)).close()
    first.close()
    second = claim(tmp_path, training("other"))
    second.close()
    assert [name for name in names_below(tmp_path) if name.startswith(".")] == []


def test_a_process_without_this_lock_is_respected(tmp_path):
    """One of an earlier version locks the run only."""
    earlier = RunWriter(run_path(tmp_path, identity(), 0))
    earlier.acquire()
    with pytest.raises(LockedError):
        claim(tmp_path, training())
    earlier.close()
    claim(tmp_path, training()).close()


def test_an_interrupted_run_is_continued_under_its_first_name(tmp_path):
    place = run_path(tmp_path, identity("mine"), 0)
    interrupted(place)
    writer = claim(tmp_path, training("other"))
    assert writer.path == place
    assert writer.start(record("other"), "arch other\n")
    assert writer.record.spec.name == "mine"
    writer.close()
    restarted = claim(tmp_path, training("other"), restart=True)
    assert restarted.path == run_path(tmp_path, identity("other"), 0)
    restarted.close()


def test_runs_of_other_data_or_seeds_are_not_continued(tmp_path):
    interrupted(run_path(tmp_path, identity("mine"), 0))
    own = run_path(tmp_path, identity("other"), 0)
    assert place_of(tmp_path, RunIdentity(identity("other"), 0, "cd" * 32)) == own
    assert place_of(tmp_path, training("other", seed=1)) == own.with_name("seed-1")
    partial_path(own).mkdir(parents=True)
    assert place_of(tmp_path, training("other")) == own


def _train_after_waiting(root, waits):
    waits.set()
    writer = claim(root, training("other"), wait=True)
    found = writer.find_complete(training("other"))
    writer.close()
    raise SystemExit(0 if found and found.path == run_path(root, identity("mine"), 0) else 1)


def test_who_waits_for_the_training_of_another_name_gets_its_run(tmp_path):
    writer = claim(tmp_path, training("mine"))
    writer.start(record("mine"), "arch mine\n")
    context = multiprocessing.get_context("fork")
    waits = context.Event()
    other = context.Process(target=_train_after_waiting, args=(tmp_path, waits))
    other.start()
    assert waits.wait(30)
    time.sleep(0.5)
    writer.weights.write_bytes(b"weights")
    writer.commit(RESULT_OF_RUN)
    writer.close()
    other.join(30)
    assert other.exitcode == 0


def test_the_complete_run_of_another_name_is_found(tmp_path):
    run = write(tmp_path, "mine")
    writer = claim(tmp_path, training("other"))
    assert writer.find_complete(training("other")) == run
    assert writer.find_complete(RunIdentity(identity("other"), 0, "cd" * 32)) is None
    writer.close()
