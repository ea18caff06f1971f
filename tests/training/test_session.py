"""Runs from start to end, and the commit in their records."""

import shutil
import subprocess
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from helpers.tolerances import FLOAT64

import cifar_dsl
from cifar_dsl.training import recorder
from cifar_dsl.training.datasets import load_dataset
from cifar_dsl.training.device import choose_device
from cifar_dsl.training.events import CheckpointSaved, EpochEnded
from cifar_dsl.training.provenance import commit_of, this_machine
from cifar_dsl.training.weights import evaluate_run


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A package in a repository of one commit."""
    if not shutil.which("git"):
        pytest.skip("git is not here")
    package = tmp_path / "checkout" / "package"
    package.mkdir(parents=True)
    (package / "code.py").write_text("1\n")
    identity = ("-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false")
    for arguments in (("init", "-q"), ("add", "."), (*identity, "commit", "-q", "-m", "first")):
        subprocess.run(["git", *arguments], cwd=package.parent, check=True)
    return package


def head(package: Path) -> str:
    command = ["git", "rev-parse", "--short", "HEAD"]
    return subprocess.run(command, cwd=package, check=True, capture_output=True, text=True).stdout.strip()


def test_a_checkout_has_a_commit(checkout):
    assert commit_of(checkout) == head(checkout)


def test_changed_files_mark_the_commit_as_dirty(checkout):
    (checkout / "code.py").write_text("2\n")
    assert commit_of(checkout) == f"{head(checkout)}-dirty"


def test_a_package_below_someone_elses_repository_has_no_commit(checkout):
    installed = checkout / "site-packages" / "package"
    installed.mkdir(parents=True)
    assert commit_of(installed) is None


@pytest.mark.parametrize(
    "failure", [FileNotFoundError(), subprocess.TimeoutExpired("git", 1), subprocess.CalledProcessError(128, "git")]
)
def test_no_commit_if_git_fails(tmp_path, monkeypatch, failure):
    def fail(*_: object, **__: object) -> None:
        raise failure

    monkeypatch.setattr(subprocess, "run", fail)
    (tmp_path / ".git").mkdir()
    assert commit_of(tmp_path / "package") is None


def test_the_environment_names_the_commit_of_this_package():
    assert this_machine(choose_device("cpu")).commit == commit_of(Path(cifar_dsl.__file__).parent)


def test_a_run_may_end_within_an_epoch_and_drop_the_last_batch(tiny, pictures, tmp_path):
    overrides = ("train.epochs=1.5", "train.batch=8", "train.drop_last=true")
    run = cifar_dsl.train(tiny, data=f"npz:{pictures}", overrides=overrides, device="cpu", runs=tmp_path / "runs")
    first, second = run.metrics()
    assert (first.epoch, second.epoch) == (1, 2)
    spent_s = first.time_s + second.time_s
    assert run.result().images_per_s * spent_s == pytest.approx(7 * 8 + 4 * 8, **FLOAT64)


def test_averaged_weights_are_saved_and_evaluated(tiny, pictures, tmp_path):
    overrides = ("train.average=swa(start=0)", "train.test_augment=mirror -> shift(1)")
    run = cifar_dsl.train(tiny, data=f"npz:{pictures}", overrides=overrides, device="cpu", runs=tmp_path / "runs")
    measured = evaluate_run(run, load_dataset("npz", path=pictures), choose_device("cpu"))
    assert (measured.loss, measured.accuracy) == (run.result().loss, run.result().accuracy)


def test_the_only_batch_of_an_epoch_can_not_be_dropped(tiny, pictures, tmp_path):
    overrides = ("train.batch=64", "train.drop_last=true")
    with pytest.raises(cifar_dsl.SpecError, match="60 training images"):
        cifar_dsl.train(tiny, data=f"npz:{pictures}", overrides=overrides, device="cpu", runs=tmp_path / "runs")
    assert not list(tmp_path.glob("runs/*"))


@pytest.mark.parametrize(
    ("every", "overrides", "expected"),
    [
        (4, (), [4, 6]),
        (0, (), [6]),
        (0, ("train.epochs=2.5",), [3]),
        (0, ("train.validation=8",), [1, 2, 3, 4, 5, 6]),
    ],
    ids=str,
)
def test_epochs_are_evaluated_as_often_as_requested_with_the_same_result(
    tiny, pictures, tmp_path, every, overrides, expected
):
    def trained(evaluate_every: int) -> cifar_dsl.Run:
        return cifar_dsl.train(
            tiny,
            data=f"npz:{pictures}",
            overrides=("train.epochs=6", *overrides),
            device="cpu",
            runs=tmp_path / str(evaluate_every),
            evaluate_every=evaluate_every,
        )

    run, often = trained(every), trained(1)
    assert [each.epoch for each in run.metrics() if each.test_accuracy is not None] == expected
    for each, other in zip(run.metrics(), often.metrics(), strict=True):
        is_tested = each.epoch in expected
        assert (each.train_loss, each.test_loss) == (other.train_loss, other.test_loss if is_tested else None)
        assert each.test_cross_entropy == (other.test_cross_entropy if is_tested else None)
    assert run.result().accuracy == often.result().accuracy
    assert (run.path / "predictions.npz").read_bytes() == (often.path / "predictions.npz").read_bytes()
    assert run.result().weights_digest == often.result().weights_digest


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, [1, 2, 3, 4, 5, 6]),
        ({"checkpoint_seconds": 1500}, [3, 5, 6]),  # 2,000 seconds after the start and after the first one; the last
        ({"checkpoint_seconds": 1500, "checkpoint_every": 4}, [4, 6]),
        ({"checkpoint_seconds": 1500, "checkpoint_every": 0}, []),
    ],
    ids=str,
)
def test_checkpoints_wait_for_epochs_and_for_seconds(tiny, pictures, tmp_path, monkeypatch, options, expected):
    clock = time.perf_counter() + 100  # later than the start, which has the real one
    monkeypatch.setattr(recorder, "time", SimpleNamespace(perf_counter=lambda: clock))
    saved, done = [], 0

    def listen(event: object) -> None:
        nonlocal clock, done
        match event:
            case CheckpointSaved():
                saved.append(done + 1)
            case EpochEnded():
                clock, done = clock + 1000, done + 1

    cifar_dsl.train(
        tiny,
        data=f"npz:{pictures}",
        overrides=("train.epochs=6",),
        device="cpu",
        runs=tmp_path / "runs",
        listener=listen,
        **options,
    )
    assert saved == expected
