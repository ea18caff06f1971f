"""`cifar-dsl compare --until-decided`."""

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from helpers.documented import ROOT

from cifar_dsl.experiments.comparison.plan import next_seeds

BETTER = 'arch better extends "tiny.arch"\n\ntrain { epochs 3 }\n'


@pytest.fixture
def compare(cli, make_spec, tiny, pictures):
    make_spec("better", BETTER)
    data = f"npz:{pictures}"

    def run(*more: object):
        return cli("compare", tiny.parent, "--data", data, "--device", "cpu", "--until-decided", "--no-report", *more)

    return run


def decisions(folder, out="comparison"):
    found = json.loads((folder / out / "comparison.json").read_text())
    return [
        (
            row["name"],
            row["seeds"],
            row["accuracies"],
            (row["effect"] or {}).get("verdict"),
            (row["effect"] or {}).get("simultaneous"),
        )
        for row in found["rows"]
    ]


def runs(folder) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.glob("runs/*/seed-?")}


def test_resumed_with_some_runs_lost_and_in_processes_it_comes_to_the_same_decisions(compare, tmp_path):
    outcome = compare("--cap", 4, "--jobs", 1)
    assert outcome.code == 0
    (plan,) = tmp_path.glob("runs/plans/*.json")
    declared = json.loads(plan.read_text())
    assert (declared["cap"], declared["baseline"]["name"], declared["baseline"]["seeds"]) == (4, "tiny", [])
    assert f"until decided: plan {plan.stem}" in outcome.out
    first, trained = decisions(tmp_path), runs(tmp_path)
    assert len(trained) in {6, 8}
    assert first[1][3] in {"better", "worse", "open", "given up", "undecided"}

    again = compare("--cap", 4, "--jobs", 1)
    assert "declared now" not in again.err
    assert "to train" not in again.err  # nothing is open
    assert decisions(tmp_path) == first

    # As if it had been killed in its first round: the same command goes on.
    for path in sorted(trained)[1:3]:
        shutil.rmtree(tmp_path / path)
    assert compare("--cap", 4, "--jobs", 2).code == 0
    assert (decisions(tmp_path), runs(tmp_path)) == (first, trained)


def test_it_goes_on_from_the_small_files_of_runs(compare, cli, tmp_path):
    """The command of docs/runs.md copies them; one run is missing, and another one was being trained."""
    compare("--cap", 4, "--jobs", 1)
    first, trained = decisions(tmp_path), sorted(runs(tmp_path))
    (command,) = re.findall(r"^mkdir -p kept\n.*$", (ROOT / "docs/runs.md").read_text(), re.MULTILINE)
    subprocess.run(["sh", "-c", command], cwd=tmp_path, check=True)
    kept = [tmp_path / "kept" / Path(path).relative_to("runs") for path in trained]
    assert {path.name for run in kept for path in run.iterdir()} == {
        *("SHA256SUMS", "metrics.jsonl", "predictions.npz", "result.json", "run.json", "spec.arch")
    }
    shutil.rmtree(kept[0])
    for name in ("result.json", "SHA256SUMS"):
        (kept[-1] / name).unlink()
    kept[-1].rename(kept[-1].with_name(f"{kept[-1].name}.partial"))
    outcome = compare("--cap", 4, "--jobs", 1, "--runs", "kept")
    assert outcome.code == 0
    assert "declared now" not in outcome.err
    assert decisions(tmp_path) == first
    assert all(path.is_dir() for path in kept)
    assert cli("runs", "verify", "--runs", "kept", "--no-weights").code == 0


def test_killed_and_in_two_processes_at_once_it_comes_to_the_same_decisions(compare, tmp_path, tiny, pictures):
    assert compare("--cap", 4, "--jobs", 1).code == 0
    undisturbed = decisions(tmp_path)
    command = [sys.executable, "-m", "cifar_dsl", "compare", str(tiny.parent), "--data", f"npz:{pictures}"]
    command += ["--device", "cpu", "--until-decided", "--no-report", "--cap", "4", "--jobs", "1", "--yes"]

    def started(name: str, out: str = "comparison") -> subprocess.Popen[bytes]:
        (tmp_path / name).mkdir(exist_ok=True)
        quiet = subprocess.DEVNULL
        return subprocess.Popen([*command, "--out", out], cwd=tmp_path / name, stdout=quiet, stderr=quiet)

    # Killed after its second run at the earliest. The same command goes on, beside another one in the same folder: each
    # waits for the runs that the other trains.
    process = started("there")
    while len(runs(tmp_path / "there")) < 2 and process.poll() is None:
        time.sleep(0.01)
    process.kill()
    process.wait()
    processes = [started("there"), started("there", "other")]
    assert [process.wait() for process in processes] == [0, 0]
    assert decisions(tmp_path / "there") == decisions(tmp_path / "there", "other") == undisturbed


@pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="Ray is not installed")
def test_on_a_ray_cluster_it_comes_to_the_same_decisions(compare, tmp_path, tiny, pictures):
    assert compare("--cap", 4, "--jobs", 1, "--threads", 1).code == 0
    command = [sys.executable, "-m", "cifar_dsl", "compare", str(tiny.parent), "--data", f"npz:{pictures}"]
    command += ["--device", "cpu", "--until-decided", "--no-report", "--cap", "4", "--yes", "--executor", "ray"]
    (tmp_path / "cluster").mkdir()
    variables = os.environ | {"RAY_USAGE_STATS_ENABLED": "0"}
    done = subprocess.run(command, cwd=tmp_path / "cluster", env=variables, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "on a Ray cluster" in done.stderr
    assert decisions(tmp_path / "cluster") == decisions(tmp_path)
    assert runs(tmp_path / "cluster") == runs(tmp_path)


def test_another_cap_is_a_new_plan_which_is_said(compare, tmp_path):
    compare("--cap", 4, "--jobs", 1)
    outcome = compare("--cap", 5, "--jobs", 1, "--quiet")
    assert "this is a new plan, beside 1 other with this baseline and data" in " ".join(outcome.err.split())
    old, new = sorted(
        (json.loads(path.read_text()) for path in tmp_path.glob("runs/plans/*.json")), key=lambda plan: plan["cap"]
    )
    assert (old["baseline"]["seeds"], new["baseline"]["seeds"][:3]) == ([], [0, 1, 2])


def test_without_training_it_says_what_is_decided_so_far(compare, tmp_path):
    """Stopped in its first round: some specs have too few runs for an interval."""
    compare("--cap", 4, "--jobs", 1)
    removed = sorted(runs(tmp_path))[-2:]
    for path in removed:
        shutil.rmtree(tmp_path / path)
    left = runs(tmp_path)
    (plan,) = tmp_path.glob("runs/plans/*.json")
    outcome = compare("--cap", 4, "--no-train")
    assert (outcome.code, runs(tmp_path)) == (0, left)
    assert f"until decided: plan {plan.stem}" in outcome.out
    assert "to train" not in outcome.err
    assert len(decisions(tmp_path)) == 2
    other = compare("--cap", 5, "--no-train")
    assert (other.code, "leave out --no-train" in other.err) == (1, True)
    assert list(tmp_path.glob("runs/plans/*.json")) == [plan]


def test_a_changed_plan_is_refused(compare, tmp_path):
    compare("--cap", 4, "--jobs", 1)
    (path,) = tmp_path.glob("runs/plans/*.json")
    path.write_text(path.read_text().replace('"cap": 4', '"cap": 5'))
    outcome = compare("--cap", 4, "--jobs", 1)
    assert outcome.code == 1
    assert "was changed" in outcome.err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--seeds", 3), "--seeds can't be combined with --until-decided"),
        (("--no-train",), "has no plan to compare these specs until it is decided"),
        (("--pairs",), "--pairs can't be combined"),
        (("--equivalent-within", 200), "can't be equivalent within 200 points"),
    ],
)
def test_options_that_do_not_go_together_are_refused(compare, tmp_path, options, message):
    outcome = compare(*options)
    assert outcome.code != 0
    assert message in " ".join(outcome.err.split())
    assert not list(tmp_path.glob("runs/plans/*"))


def test_cap_alone_is_refused(cli, tiny):
    outcome = cli("compare", tiny, "--cap", 5)
    assert outcome.code == 2
    assert "--cap requires --until-decided" in outcome.err


def test_the_next_seeds_are_the_smallest_missing_ones():
    assert next_seeds((0, 2, 5), 3) == [1, 3, 4]
    assert next_seeds((), 0) == []
