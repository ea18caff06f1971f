import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from attrs import frozen

from cifar_dsl.cli import main
from cifar_dsl.experiments.jobs import LocalExecutor


@frozen
class Outcome:
    """The exit code and output of a command."""

    code: int
    out: str
    err: str


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Outcome]:
    """Run a command in an empty folder without downloaded data; bug reports stay below it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CIFAR_DSL_DATA", str(tmp_path / "data"))
    monkeypatch.setattr("platformdirs.user_state_path", lambda *_, **__: tmp_path / "state")  # reports of bugs

    def run(*arguments: object) -> Outcome:
        capsys.readouterr()
        torch = sys.modules.get("torch")
        threads = torch and torch.get_num_threads()
        try:
            code = main([str(argument) for argument in arguments])
        finally:
            if torch:
                torch.set_num_threads(threads)
        captured = capsys.readouterr()
        return Outcome(code, captured.out, captured.err)

    return run


@pytest.fixture
def train(cli, tiny, pictures) -> Callable[..., Outcome]:
    """Run `train` with the tiny spec on the pictures."""
    return lambda *more: cli("train", tiny, "--data", f"npz:{pictures}", "--device", "cpu", *more)


@pytest.fixture
def one_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    """`--jobs 2` starts one process, which takes all jobs: each further one takes seconds, to import torch."""
    monkeypatch.setattr("cifar_dsl.cli.job_plan.LocalExecutor", lambda _, gpus: LocalExecutor(1, gpus))


@pytest.fixture
def wrong(make_spec) -> Path:
    """A spec with one error, in line 3."""
    return make_spec("wrong", "arch wrong\ninput 3x32x32\nmodel { flatten -> dens(10) }\n")
