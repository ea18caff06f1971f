"""Large networks are trained only after confirmation, and allocate nothing before."""

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from cifar_dsl import load
from cifar_dsl.cli import confirmation
from cifar_dsl.foundation import limits
from cifar_dsl.training import session

LIMIT = limits.DEFAULTS.unasked_parameters


def network(parameters: int) -> str:
    """A spec with exactly this number of parameters."""
    narrow = 999
    left = parameters - 3072 * narrow
    width = left * pow(11, -1, narrow + 1) % (narrow + 1)
    wide = (left - 11 * width) // (narrow + 1)
    widths = (narrow, wide, 1, width, 10)
    stages = " -> ".join(f"dense({one}, bias=false)" for one in widths)
    recipe = "train {\n data shapes\n epochs 1\n batch 16\n optimizer sgd(lr=1e-3)\n}\n"
    return f"arch large\ninput 3x32x32\nmodel {{ flatten -> {stages} }}\n{recipe}"


class AllocatedError(Exception):
    """A network was built."""


@pytest.fixture(autouse=True)
def built(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever builds a network is found out: that ends with 101."""

    def build(*_: object, **__: object) -> None:
        raise AllocatedError

    monkeypatch.setattr(session, "Learner", build)
    monkeypatch.setattr("cifar_dsl.training.profiling.Learner", build)


@pytest.fixture
def large(make_spec) -> Path:
    return make_spec("large", network(LIMIT + 1))


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch):
    """Somebody sits at a terminal and gives this answer."""

    def answering(text: str) -> None:
        monkeypatch.setattr(confirmation, "is_terminal", lambda: True)
        monkeypatch.setattr("click.termui.visible_prompt_func", lambda _prompt="": text)

    return answering


@pytest.mark.parametrize(("beyond", "code"), [(-1, 101), (0, 101), (1, 2)])
@pytest.mark.parametrize("command", ["train", "compare"])
def test_networks_are_asked_about_from_the_limit_on(cli, make_spec, pictures, command, beyond, code):
    large = make_spec("large", network(LIMIT + beyond))
    assert load(large).graph.cost.parameters == LIMIT + beyond
    outcome = cli(command, large, "--data", f"npz:{pictures}", "--device", "cpu")
    assert outcome.code == code
    assert ("AllocatedError" in outcome.err) == (code == 101)
    assert ("large has 100,000,001 parameters; training it takes about " in outcome.err) == (code == 2)
    assert ("pass --yes to accept" in outcome.err) == (code == 2)


def test_more_than_the_greatest_limit_is_refused_whoever_agrees(cli, make_spec):
    huge = make_spec("huge", network(limits.DEFAULTS.parameters + 1))
    outcome = cli("train", huge, "--yes", "--data", "shapes")
    assert outcome.code == 1
    assert "a network can have at most 2,000,000,000 parameters" in outcome.err


@pytest.mark.parametrize("before", [(), ("--limit", "UNASKED_PARAMETERS=200_000_000")])
def test_who_agrees_beforehand_is_not_asked(cli, large, pictures, before):
    after = () if before else ("--yes",)
    outcome = cli(*before, "train", large, "--data", f"npz:{pictures}", "--device", "cpu", *after)
    assert outcome.code == 101
    assert "AllocatedError" in outcome.err


@pytest.mark.parametrize("arguments", [("--profile", "trace.json"), ("--data", "npz:pictures.npz")])
def test_every_command_that_trains_asks(cli, large, pictures, arguments):
    outcome = cli("train", large, "--device", "cpu", *arguments)
    assert outcome.code == 2


def test_a_dry_run_asks_nothing(cli, large):
    assert cli("train", large, "--dry-run").code == 0


@pytest.mark.parametrize(("text", "code"), [("y", 101), ("n", 1), ("", 1)])
def test_on_a_terminal_the_answer_counts(cli, large, pictures, answer, text, code, tmp_path):
    answer(text)
    outcome = cli("train", large, "--data", f"npz:{pictures}", "--device", "cpu")
    assert outcome.code == code
    assert ("cancelled" in outcome.err) == (code == 1)
    assert (tmp_path / "runs").exists() == (code == 101)


def test_resuming_a_run_asks_too(cli, large, pictures, tmp_path):
    cli("train", large, "--data", f"npz:{pictures}", "--device", "cpu", "--yes")
    (partial,) = tmp_path.glob("runs/*/seed-0.partial")
    assert cli("train", "--resume", partial, "--device", "cpu").code == 2
    assert cli("train", "--resume", partial, "--device", "cpu", "--yes").code == 101


def test_a_real_terminal_is_asked(large, tmp_path):
    here, there = pty.openpty()
    command = [sys.executable, "-m", "cifar_dsl", "train", large, "--data", "shapes", "--runs", tmp_path / "runs"]
    process = subprocess.Popen(list(map(str, command)), stdin=there, stderr=there, stdout=subprocess.PIPE)
    os.close(there)
    output = b""
    while b"Continue? [y/N]" not in output:
        output += os.read(here, 1000)
    os.write(here, b"n\n")
    assert process.communicate()[0] == b""
    assert process.returncode == 1
    assert not (tmp_path / "runs").exists()
    os.close(here)
