"""`cifar-dsl lr`."""

import json
import os
import shlex
import signal

import pytest
from helpers.permissions import read_only

from cifar_dsl.cli.progress import StepProgress
from cifar_dsl.experiments.range_test import read_curve


@pytest.fixture
def lr(cli, tiny, pictures):
    """Run `lr` with the tiny spec on the pictures."""
    return lambda *more: cli(
        "lr", tiny, "--data", f"npz:{pictures}", "--device", "cpu", "--batch", "2", "--steps", "40", *more
    )


def test_it_prints_a_plot_and_writes_no_run(lr, tmp_path):
    outcome = lr("--plot", "curve.svg")
    assert outcome.code == 0
    assert "learning rate" in outcome.out
    assert "40 steps of 2 images" in outcome.out or "steps of 2 images" in outcome.out
    assert "suggestion" in outcome.out
    assert {path.name for path in tmp_path.iterdir()} == {"tiny.arch", "pictures.npz", "curve.svg"}
    assert (tmp_path / "curve.svg").read_text().startswith("<?xml")


def test_the_next_command_can_be_copied(lr, cli, tiny, pictures, monkeypatch):
    def falling_and_rising(rates, losses, *, ended):
        return read_curve(rates, [2 + abs(i / len(losses) - 0.7) for i in range(len(losses))], ended=ended)

    monkeypatch.setattr("cifar_dsl.experiments.range_test.read_curve", falling_and_rising)
    (line,) = [one for one in lr().out.splitlines() if one.startswith("to use it: ")]
    words = shlex.split(line.removeprefix("to use it: cifar-dsl "))
    assert words[:6] == ["train", str(tiny), "--data", f"npz:{pictures}", "--set", "train.batch=2"]
    assert cli(*words, "--dry-run", "--device", "cpu").code == 0


def test_json_holds_the_curve(lr):
    outcome = lr("--json", "--low", "1e-5", "--high", "1e-3")
    found = json.loads(outcome.out)
    assert len(found["rates"]) == len(found["losses"]) == len(found["smooth"]) == 40
    assert (found["suggestion"] is None) == (found["why_none"] is not None)


def test_ctrl_c_gives_what_there_is(lr, monkeypatch):
    def interrupt(_self, done: int, _total: int) -> None:
        if done == 25:
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(StepProgress, "__call__", interrupt)
    outcome = lr()
    assert outcome.code == 130
    assert "ending the test after this step" in outcome.err
    assert "stopped after 25 of 40 steps" in outcome.out


@pytest.mark.parametrize(
    ("more", "text"),
    [
        (("--low", "1", "--high", "0.1"), "--low must be below --high"),
        (("--plot", "curve.pdf"), "ends in .svg or .png"),
        (("--low", "0"), "--low"),
        (("--steps", "3"), "--steps"),
    ],
)
def test_wrong_options_are_refused(lr, more, text):
    outcome = lr(*more)
    assert outcome.code == 2
    assert text in outcome.err


def test_a_plot_that_can_not_be_written_fails_before_the_test(lr, tmp_path):
    with read_only(tmp_path):
        outcome = lr("--plot", "curve.svg")
    assert outcome.code == 1
    assert "can't write curve.svg" in outcome.err
    assert outcome.out == ""
    assert lr("--plot", "missing/curve.svg").code == 1
