"""`cifar-dsl runs`."""

import json
import os
import time
from pathlib import Path

import pytest
from helpers.runs import EPOCH, FINGERPRINT, holding, identity, interrupted, names_below, rewrite, write

from cifar_dsl.cli import confirmation
from cifar_dsl.cli.completion_items import run_items
from cifar_dsl.runs import METRICS, RESULT, WEIGHTS, partial_path, record_failure, run_path
from cifar_dsl.runs.checkpoints import checkpoints


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """A complete run, a damaged one, and one that was interrupted."""
    folder = tmp_path / "runs"
    write(folder)
    (write(folder, seed=1).path / WEIGHTS).write_bytes(b"other")
    interrupted(run_path(folder, identity(), 2))
    return folder


def place(runs: Path, seed: int) -> Path:
    return run_path(runs, identity(), seed)


# ---- list and show


@pytest.mark.parametrize("arguments", [("runs",), ("runs", "list")])
def test_runs_are_listed(cli, runs, arguments):
    outcome = cli(*arguments)
    assert (outcome.code, outcome.err) == (0, "")
    head, *lines = outcome.out.splitlines()
    assert head.split() == ["spec", "seed", "status", "accuracy", "last", "written", "size", "path"]
    first, _, third = (line.split() for line in lines)
    assert first[:4] == ["mine", "0", "complete", "20.00"]
    assert first[-1] == f"runs/mine-{FINGERPRINT}/seed-0"
    assert third[2:6] == ["unfinished", "at", "epoch", "4"]
    assert third[-1] == f"runs/mine-{FINGERPRINT}/seed-2.partial"


def test_runs_of_a_sweep_are_told_apart_by_their_settings(cli, runs):
    run = write(runs, seed=3)
    overrides = ["width=4", 'train.data=npz("0123456789abcdef")']
    rewrite(run.path / "run.json", lambda fields: fields.update(overrides=overrides))
    head, first, *_, last = cli("runs").out.splitlines()
    assert head.split()[-2:] == ["set", "path"]
    assert "width=4, train.data=npz  runs/" in last
    assert "width" not in first


def test_runs_are_listed_as_json(cli, runs):
    first, _, third = json.loads(cli("runs", "list", "--json").out)
    assert first == {
        "spec": "mine",
        "seed": 0,
        "status": "complete",
        "epoch": None,
        "epochs": 1,
        "accuracy": 0.2,
        "failure": None,
        "data": "shapes",
        "started": "2025-01-01T00:00:00+00:00",
        "changed": first["changed"],
        "size": sum(path.stat().st_size for path in place(runs, 0).iterdir()),
        "path": f"runs/mine-{FINGERPRINT}/seed-0",
    }
    assert (third["status"], third["epoch"], third["accuracy"]) == ("unfinished", 4, None)
    assert len(json.loads(cli("runs", "--json").out)) == 3


def test_a_folder_without_runs_is_reported(cli, tmp_path):
    (tmp_path / "empty").mkdir()
    outcome = cli("runs", "list", "--runs", "empty")
    assert (outcome.code, outcome.out, outcome.err) == (0, "", "no runs in empty\n")
    assert json.loads(cli("runs", "list", "--runs", "empty", "--json").out) == []
    outcome = cli("runs", "list", "--runs", "nowhere")
    assert outcome.code == 1
    assert "there is no folder nowhere" in outcome.err


def test_a_run_that_failed_is_shown_with_the_reason_and_can_be_removed(cli, runs):
    partial = partial_path(place(runs, 2))
    record_failure(place(runs, 2), "ab" * 32, "the disk\x1b[2J is full", ("make room there",))
    assert "failed at epoch 4" in cli("runs", "list").out
    assert json.loads(cli("runs", "list", "--json").out)[2]["failure"] == "the disk\x1b[2J is full"
    shown = cli("runs", "show", partial).out
    assert "the disk\\x1b[2J is full" in shown
    assert "make room there" in shown
    cli("runs", "prune", "--unfinished", "--yes")
    assert partial.exists()
    cli("runs", "prune", "--failed", "--yes")
    assert not partial.exists()


def test_a_run_is_shown_with_all_that_is_known_of_it(cli, runs):
    outcome = cli("runs", "show", place(runs, 0))
    assert outcome.code == 0
    lines = [line.split(None, 1) for line in outcome.out.splitlines()]
    facts = dict(lines)
    assert (facts["status"], facts["spec"], facts["changes"]) == ("complete", f"mine  {FINGERPRINT}", "head = [512]")
    assert (facts["accuracy"], facts["parameters"]) == ("20.00 %", "100")
    assert [fact.split()[0] for name, fact in lines if name == "file"] == sorted(names_below(place(runs, 0)))
    shown = json.loads(cli("runs", "show", place(runs, 0), "--json").out)
    assert shown["record"]["environment"]["torch"] == "2"
    assert shown["result"]["accuracy"] == 0.2
    assert shown["files"][WEIGHTS] == len(b"weights")


def test_the_energy_of_a_run_is_shown_where_it_was_measured(cli, runs):
    assert "\nenergy" not in cli("runs", "show", place(runs, 0)).out
    result = place(runs, 0) / RESULT
    result.write_text(json.dumps(json.loads(result.read_text()) | {"energy_j": 1234.0}))
    facts = dict(line.split(None, 1) for line in cli("runs", "show", place(runs, 0)).out.splitlines())
    assert (facts["time"], facts["energy"]) == ("2.0 s, 40 images/s", "1.23 kJ")


def test_the_exits_of_a_network_are_shown(cli, runs):
    exit_ = {"name": "early", "train_loss": 2.25, "train_accuracy": 0.125}
    rewrite(place(runs, 0) / RESULT, lambda fields: fields.update(exits=[exit_ | {"weight": 0.3, "parameters": 12}]))
    line = "exit        early: train loss 2.2500, train accuracy 12.50 %, weight 0.3, 12 parameters\n"
    assert line in cli("runs", "show", place(runs, 0)).out
    metrics = partial_path(place(runs, 2)) / METRICS
    metrics.write_text(json.dumps(json.loads(metrics.read_text().splitlines()[-1]) | {"exits": [exit_]}) + "\n")
    line = "exit        early: train loss 2.2500, train accuracy 12.50 %\n"
    assert line in cli("runs", "show", place(runs, 2)).out


@pytest.mark.parametrize("suffix", ["", ".partial"])
def test_an_interrupted_run_is_shown_by_either_name(cli, runs, suffix):
    outcome = cli("runs", "show", f"{place(runs, 2)}{suffix}")
    assert outcome.code == 0
    assert "unfinished at epoch 4" in outcome.out
    assert f"last epoch  3: train loss {EPOCH.train_loss:.4f}" in outcome.out


def test_a_path_that_is_not_a_single_run_is_an_error(cli, runs):
    outcome = cli("runs", "show", runs)
    assert outcome.code == 1
    assert "contains 3 runs" in outcome.err
    assert "name one of them: " in outcome.err


# ---- verify


def test_damage_is_listed_and_exits_with_1(cli, runs):
    outcome = cli("runs", "verify")
    assert outcome.code == 1
    assert outcome.out.splitlines() == [
        f"complete  {place(Path('runs'), 0)}",
        f"damaged  {place(Path('runs'), 1)}",
        f"  {place(Path('runs'), 1) / WEIGHTS} is not the file that was written",
        f"unfinished at epoch 4  {partial_path(place(Path('runs'), 2))}",
    ]
    assert outcome.err == "3 runs, 1 damaged\n"
    fields = json.loads(cli("runs", "verify", "--json").out)
    assert [len(run["problems"]) for run in fields] == [0, 1, 0]


def test_single_runs_are_verified(cli, runs):
    assert cli("runs", "verify", place(runs, 0), place(runs, 2)).code == 0
    assert cli("runs", "verify", place(runs, 0), place(runs, 1)).code == 1
    (runs / "empty").mkdir()
    for name, expected in (("nothing", "there is no folder nothing"), ("runs/empty", "runs/empty contains no run")):
        outcome = cli("runs", "verify", name)
        assert outcome.code == 1
        assert expected in outcome.err


def test_runs_copied_without_weights_are_listed_and_accepted_if_that_is_meant(cli, runs):
    (place(runs, 0) / WEIGHTS).unlink()
    assert cli("runs").out.splitlines()[1].split()[2:6] == ["no", "weights", "20.00", "%"]
    refused = cli("runs", "verify", place(runs, 0))
    assert refused.code == 1
    assert f"{place(runs, 0)} has no weights: " in refused.out
    assert "--no-weights accepts" in refused.err
    assert cli("runs", "verify", place(runs, 0), "--no-weights").code == 0
    assert cli("runs", "verify", place(runs, 1), "--no-weights").code == 1
    assert str(place(Path("runs"), 0)) not in cli("runs", "prune", "--damaged", "--dry-run").out
    assert str(place(Path("runs"), 0)) in cli("runs", "prune", "--complete", "--dry-run").out


# ---- prune


def test_without_a_choice_nothing_is_removed(cli, runs):
    outcome = cli("runs", "prune", "--yes")
    assert outcome.code == 2
    assert "Choose runs: --unfinished, " in outcome.err


def test_matching_runs_are_listed_and_kept_without_confirmation(cli, runs):
    before = names_below(runs)
    shown = cli("runs", "prune", "--unfinished", "--dry-run")
    assert (shown.code, shown.err) == (0, "")
    assert len(shown.out.splitlines()) == 2
    assert "seed-2.partial" in shown.out
    refused = cli("runs", "prune", "--unfinished")
    assert (refused.code, refused.out) == (2, shown.out)
    assert "pass --yes to accept" in refused.err
    assert names_below(runs) == before
    agreed = cli("runs", "prune", "--unfinished", "--yes")
    assert (agreed.code, agreed.out) == (0, shown.out)
    assert sorted(path.name for path in place(runs, 0).parent.iterdir() if path.is_dir()) == ["seed-0", "seed-1"]


@pytest.mark.parametrize(("answer", "code"), [("y", 0), ("n", 1)])
def test_on_a_terminal_it_asks(cli, runs, monkeypatch, answer, code):
    monkeypatch.setattr(confirmation, "is_terminal", lambda: True)
    monkeypatch.setattr("click.termui.visible_prompt_func", lambda _prompt="": answer)
    outcome = cli("runs", "prune", "--damaged")
    assert outcome.code == code
    assert "permanently removes" in outcome.err
    assert place(runs, 1).exists() == bool(code)
    assert place(runs, 0).exists()


def test_several_choices_and_patterns_are_one(cli, runs):
    write(runs, "other")
    cli("runs", "prune", "--unfinished", "--damaged", "--complete", "--spec", "min*", "--yes")
    assert [path.name for path in runs.iterdir()] == [f"other-{FINGERPRINT}"]


def test_only_old_runs_are_removed(cli, runs):
    old = time.time() - 3 * 86400
    for path in place(runs, 0).iterdir():
        os.utime(path, (old, old))
    assert "nothing to remove" in cli("runs", "prune", "--complete", "--older-than", "4d", "--yes").err
    assert cli("runs", "prune", "--complete", "--older-than", "70h", "--yes").code == 0
    assert not place(runs, 0).exists()
    assert place(runs, 1).exists()


@pytest.mark.parametrize("age", ["", "4", "d", "-1d", "1.5d", "4m", "999999w", "٣d"])
def test_an_age_that_is_none_is_wrong_usage(cli, runs, age):
    outcome = cli("runs", "prune", "--complete", "--older-than", age)
    assert outcome.code == 2
    assert "is not an age such as 12h, 30d or 4w" in outcome.err


def test_superseded_checkpoints_are_removed(cli, runs):
    outcome = cli("runs", "prune", "--checkpoints", "--yes")
    assert outcome.code == 0
    assert "1 of its checkpoints" in outcome.out
    assert [one.epoch for one in checkpoints(partial_path(place(runs, 2)))] == [4]


def test_a_run_that_begins_while_somebody_thinks_stays(cli, runs, monkeypatch):
    processes = []

    def think(_prompt: str = "") -> str:
        processes.append(holding(place(runs, 2)))
        return "y"

    monkeypatch.setattr(confirmation, "is_terminal", lambda: True)
    monkeypatch.setattr("click.termui.visible_prompt_func", think)
    try:
        outcome = cli("runs", "prune", "--unfinished", "--damaged")
        assert outcome.code == 1
        assert f"is being trained by process {processes[0].pid}" in outcome.err
        assert "; not removed" in outcome.err
        assert partial_path(place(runs, 2)).exists()
        assert not place(runs, 1).exists()
        assert "running at epoch 4" in cli("runs").out
    finally:
        processes[0].kill()
        processes[0].communicate()


# ---- names


def test_names_of_runs_act_on_no_terminal(cli, runs):
    hostile = "a\x1b[2J\u202e"
    write(runs, hostile)
    for arguments in (
        ("list",),
        ("show", f"runs/{hostile}-{FINGERPRINT}/seed-0"),
        ("verify",),
        ("prune", "--complete"),
    ):
        outcome = cli("runs", *arguments)
        assert not {"\x1b", "\u202e"} & set(outcome.out + outcome.err)


def test_a_shell_completes_runs(runs, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    name = f"runs/mine-{FINGERPRINT}"
    everything = [f"{name}/seed-0", f"{name}/seed-1", f"{name}/seed-2.partial"]
    for typed in ("", "ru", "runs/", "runs/mi", f"{name}/", f"{name}/seed-"):
        assert [item.value for item in run_items(typed)] == everything, typed
    assert [item.value for item in run_items(f"{name}/seed-2")] == everything[2:]
    assert [(item.value, item.type) for item in run_items("spe")] == [("spe", "dir")]
