"""The promises about training and runs, with a few trials each; bench/promises.py makes more."""

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from helpers import reliability
from helpers.reliability import SPEC, STEPS, Place, essence

from cifar_dsl.runs import open_partial, open_run
from cifar_dsl.runs.checkpoints import checkpoints
from cifar_dsl.training.learner import Learner
from cifar_dsl.training.recorder import Recorder


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place.made(tmp_path)


def test_a_damaged_checkpoint_is_detected(place):
    assert reliability.damaged_checkpoints(place, 40).broken == 0


def test_damaged_weights_are_detected(place):
    assert reliability.damaged_weights(place, 40).broken == 0


def test_one_seed_gives_one_result(place):
    assert reliability.repetitions(place, 3).broken == 0


# ---- resuming


def test_a_damaged_checkpoint_is_reported_and_an_earlier_one_used(place):
    place.of("whole").train()
    place.train_until(3 * STEPS + 1)
    newest = checkpoints(place.partial)[0].path
    newest.write_bytes(b"damaged")
    outcome = place.train()
    assert outcome.code == 0
    assert f"{newest.name} is damaged; using an earlier checkpoint" in outcome.err
    assert "resuming small seed 0 at epoch 4\n" in outcome.err
    assert essence(open_run(place.root)) == essence(open_run(place.of("whole").root))


@pytest.mark.parametrize("content", [b"", b"{}", b"\x02\0\0\0\0\0\0\0{}", b"\x04\0\0\0\0\0\0\0null", b"\xff" * 8])
def test_an_intact_but_invalid_checkpoint_is_skipped(place, content):
    place.train_until(1)
    for one in checkpoints(place.partial):
        one.path.unlink()
    digest = hashlib.sha256(content).hexdigest()
    (place.partial / "checkpoints" / f"epoch-000003-step-000000000-{digest}.safetensors").write_bytes(content)
    outcome = place.train()
    assert outcome.code == 0
    assert "can't be used (" in outcome.err
    assert "resuming small seed 0 at epoch 1\n" in outcome.err


def test_resuming_on_another_machine_is_recorded_with_a_warning(place):
    place.train_until(STEPS + 1)
    outcome = place.train("--threads", "2")
    assert outcome.code == 0
    assert "the result may differ in its last digits" in outcome.err
    assert "threads 1, then 2" in outcome.err
    record = open_run(place.root).record()
    assert (record.environment.threads, record.resumed[0].environment.threads) == (1, 2)


def test_resuming_restores_the_best_weights_of_the_checkpoint(place, monkeypatch):
    """Not of a later epoch that a killed process had evaluated."""
    place.of("whole").train()
    best = open_run(place.of("whole").root).result().best

    def killed(recorder: Recorder) -> None:
        if recorder.learner.epoch > best.epoch:
            raise KeyboardInterrupt
        write(recorder)

    write = Recorder.save_checkpoint
    monkeypatch.setattr(Recorder, "save_checkpoint", killed)
    place.train()
    monkeypatch.undo()
    place.train_until(1)  # of the best epoch
    place.train()
    run = open_run(place.root)
    assert essence(run) == essence(open_run(place.of("whole").root))
    assert hashlib.sha256((run.path / "best.safetensors").read_bytes()).hexdigest() == best.weights_digest


# ---- what goes wrong within a step


def in_step(monkeypatch: pytest.MonkeyPatch, number: int, act: object) -> list[int]:
    """Call `act` with the learner before a step, counted from 1. Returns the list of started steps."""
    begun: list[int] = []
    take = Learner.step

    def step(learner: Learner) -> None:
        begun.append(len(begun) + 1)
        if len(begun) == number:
            act(learner)
        take(learner)

    monkeypatch.setattr(Learner, "step", step)
    return begun


def test_a_nan_loss_ends_training_in_that_step_and_touches_no_checkpoint(place, monkeypatch):
    def spoil(learner: Learner) -> None:
        with torch.no_grad():
            learner.module.get_parameter("dense.weight").fill_(float("nan"))

    kept: list[tuple[int, int, bool]] = []
    commit = Recorder.commit

    def look(recorder: Recorder) -> object:
        kept.extend((one.epoch, one.steps_done, one.content() is not None) for one in checkpoints(place.partial))
        return commit(recorder)

    monkeypatch.setattr(Recorder, "commit", look)
    steps = in_step(monkeypatch, 2 * STEPS + 2, spoil)
    outcome = place.train()
    assert outcome.code == 1
    assert len(steps) == 2 * STEPS + 2
    assert kept == [(3, 0, True), (2, 0, True)]
    run = open_run(place.root)
    assert (run.result().status, run.result().accuracy, len(run.metrics())) == ("diverged", None, 2)
    assert not (run.path / "best.safetensors").exists()


# The second is torch's message after a request for 4 PB of CPU memory.
CPU_MEMORY = """[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to \
allocate 4000000000000000 bytes. Error code 12 (Cannot allocate memory)"""


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB.\nmore"),
        RuntimeError(CPU_MEMORY),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        MemoryError(),
    ],
    ids=["gpu", "cpu", "library", "python"],
)
def test_an_out_of_memory_error_gives_advice_and_keeps_the_batch(place, monkeypatch, error):
    def fail(_: Learner) -> None:
        raise error

    in_step(monkeypatch, STEPS + 2, fail)
    outcome = place.train()
    monkeypatch.undo()
    assert outcome.code == 1
    assert "the device has too little memory" in outcome.err
    assert "--set train.batch=8" in outcome.err
    assert "Traceback" not in outcome.err
    assert place.train().code == 0
    run = open_run(place.root)
    assert "batch 16" in " ".join(run.spec_text.split())
    assert run.record().resumed[0].epoch == 2


LITTLE_MEMORY = """
import resource, sys
from pathlib import Path
import torch
from cifar_dsl.cli import main
import cifar_dsl.cli.train, cifar_dsl.training.session
pages = int(Path("/proc/self/statm").read_text().split()[0])
more = pages * resource.getpagesize() + 400 * 1000**2
resource.setrlimit(resource.RLIMIT_AS, (more, more))
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs /proc/self/statm, the memory in use")
def test_a_process_with_too_little_memory_reports_it(place):
    """The weights of the widened network take 350 MB, and so do gradients and each moment."""
    spec = place.folder / "small.arch"
    spec.write_text(SPEC.replace("dense(10)", "dense(2_500_000) -> dense(10)"))
    command = [sys.executable, "-c", LITTLE_MEMORY, *place.arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    assert "the device has too little memory for this training, which takes about " in done.stderr
    assert "--set train.batch=8" in done.stderr
    assert "Traceback" not in done.stderr
    assert not open_partial(place.partial).metrics()


def test_other_runtime_errors_are_bugs(place, monkeypatch):
    def fail(_: Learner) -> None:
        raise RuntimeError("shapes do not match")

    in_step(monkeypatch, 1, fail)
    outcome = place.train()
    assert outcome.code == 101
    assert "Traceback" in outcome.err
    assert "this is a bug in cifar-dsl" in outcome.err
