"""Real processes on one run: one trains it, the others refuse or wait; signals end them with a checkpoint."""

import json
import os
import pty
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cifar_dsl.runs.catalogue import FoundRun, Status, entries
from cifar_dsl.runs.checkpoints import checkpoints
from cifar_dsl.training.learner import Learner

Process = subprocess.Popen[str]


@pytest.fixture
def arguments(tiny: Path, pictures: Path) -> list[str]:
    """A training that doesn't end by itself."""
    endless = ("--set", "train.epochs=100000", "--device", "cpu", "--threads", "1")
    return ["train", str(tiny), "--data", f"npz:{pictures}", *endless]


@pytest.fixture
def begin(arguments: list[str], tmp_path: Path) -> Iterator[Callable[..., Process]]:
    """Start the training in its own process, and wait until `count` runs have finished an epoch."""
    begun: list[Process] = []

    def begin(*more: str, runs: int = 1) -> Process:
        command = [sys.executable, "-m", "cifar_dsl", *arguments, "--json", *more]
        process = subprocess.Popen(
            command,
            cwd=tmp_path,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        begun.append(process)
        while len(list(tmp_path.glob("runs/*/seed-*.partial/checkpoints/*.safetensors"))) < runs:
            assert process.poll() is None, process.communicate()[1]
            time.sleep(0.05)
        return process

    yield begin
    for process in begun:
        process.kill()
        process.wait()
        assert process.stderr is not None
        process.stderr.close()


def test_two_names_of_one_spec_are_one_training(begin, cli, arguments, tiny, make_spec, tmp_path):
    first = begin()
    twin = make_spec("twin", tiny.read_text().replace("arch tiny", "arch twin"))
    outcome = cli("train", twin, *arguments[2:])
    assert outcome.code == 1
    assert f"is being trained by process {first.pid} on" in outcome.err
    assert len(list(tmp_path.glob("runs/*/seed-0.partial"))) == 1


@pytest.fixture
def stopping(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trainings in this process are stopped in their first step."""
    step = Learner.step

    def stopped(learner: Learner) -> None:
        step(learner)
        signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(Learner, "step", stopped)


def all_runs(tmp_path: Path) -> list[FoundRun]:
    return list(entries(tmp_path / "runs"))


def test_a_second_process_is_refused_or_waits_and_resumes_when_the_first_is_killed(
    cli, begin, arguments, tmp_path, stopping
):
    first = begin()
    assert [entry.status for entry in all_runs(tmp_path)] == [Status.RUNNING]
    refused = cli(*arguments)
    assert (refused.code, refused.out) == (1, "")
    assert f"seed-0 is being trained by process {first.pid} on " in refused.err
    assert "wait for it with --wait, or use another folder with --runs" in refused.err
    assert first.poll() is None
    ended = threading.Event()

    def end() -> None:
        ended.set()
        first.kill()

    timer = threading.Timer(1.5, end)
    timer.start()
    waited = cli(*arguments, "--wait")
    assert ended.is_set()  # the lock is free only afterwards
    timer.join()
    assert waited.code == 143
    assert "resuming " in waited.err
    (entry,) = all_runs(tmp_path)
    assert (entry.status, len(entry.record.resumed)) == (Status.UNFINISHED, 1)


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGUSR1, 128 + signal.SIGUSR1)],
)
def test_a_signal_ends_the_process_with_a_checkpoint(begin, tmp_path, number, code):
    process = begin()
    process.send_signal(number)
    _, output = process.communicate(timeout=120)
    assert process.returncode == code
    assert "stopping after this step" in output
    assert output.endswith("Stopped; progress is saved. Rerun the same command to resume.\n")
    assert "Traceback" not in output
    (entry,) = all_runs(tmp_path)
    assert entry.status is Status.UNFINISHED
    assert checkpoints(entry.path)[0].content() is not None


def test_a_signal_to_all_processes_reaches_every_worker_and_all_leave_checkpoints(begin, tmp_path):
    """Ctrl-C at a terminal; schedulers send other signals in the same way."""
    process = begin("--seeds", "2", "--jobs", "2", runs=4)
    os.killpg(process.pid, signal.SIGINT)
    _, output = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "Traceback" not in output
    found = all_runs(tmp_path)
    assert [entry.state.partition(" at")[0] for entry in found] == ["unfinished"] * 2
    assert all(checkpoints(entry.path)[0].content() is not None for entry in found)


def test_a_terminal_that_closes_ends_the_training_with_a_checkpoint(arguments, tmp_path):
    """Its last words can't be printed any more."""
    process, terminal = pty.fork()
    if process == 0:
        os.chdir(tmp_path)
        os.execv(sys.executable, [sys.executable, "-m", "cifar_dsl", *arguments, "--checkpoint-every", "0"])
    shown = b""
    while b"epoch      2/" not in shown:
        shown += os.read(terminal, 4096)
    os.close(terminal)  # sends SIGHUP
    _, status = os.waitpid(process, 0)
    assert os.waitstatus_to_exitcode(status) == 129
    (entry,) = all_runs(tmp_path)
    assert entry.status is Status.UNFINISHED
    assert checkpoints(entry.path)[0].content() is not None


def test_a_signal_ends_the_waiting_for_another_process(begin, tmp_path):
    first = begin()
    second = begin("--wait", "--seeds", "2", "--jobs", "2")
    assert second.stderr is not None
    while not second.stderr.readline().startswith("device"):
        assert second.poll() is None
    time.sleep(1)  # most likely it waits by now; where it doesn't, it ends in the same way
    second.send_signal(signal.SIGINT)
    _, output = second.communicate(timeout=120)
    assert second.returncode == 130
    assert output.endswith("Stopped; progress is saved. Rerun the same command to resume.\n")
    assert "Traceback" not in output
    assert first.poll() is None


def test_a_reader_that_stops_reading_ends_the_training_with_a_checkpoint_and_without_a_word(arguments, tmp_path):
    command = f"{sys.executable} -m cifar_dsl {shlex.join(arguments)} --json --quiet --checkpoint-every 0 | head -n 1"
    done = subprocess.run(command, shell=True, cwd=tmp_path, capture_output=True, check=False, timeout=120)
    assert json.loads(done.stdout)["event"] == "epoch"
    assert done.stderr == b""
    (entry,) = all_runs(tmp_path)
    assert entry.status is Status.UNFINISHED
    assert checkpoints(entry.path)[0].content() is not None
