"""The benchmarks stay runnable, and bench/all.py knows them."""

import runpy
import subprocess
import sys
from pathlib import Path

import pytest

BENCH = Path(__file__).parents[1] / "bench"
SHARED = {"all", "loops", "measure", "sides"}
BY_THEMSELVES = {"fuzz", "record_accuracies", "zoo_equality"}  # bench/all.py says why
SCRIPTS = sorted(path.stem for path in BENCH.glob("*.py") if path.stem not in SHARED)


@pytest.mark.parametrize("name", [*SCRIPTS, "all"])
def test_each_says_what_it_claims_and_takes_arguments(name: str) -> None:
    if name == "record_accuracies":
        pytest.skip("takes a number")
    command = [sys.executable, str(BENCH / f"{name}.py"), "--help"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert f"python bench/{name}.py" in done.stdout


def test_one_script_runs_them_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(BENCH)
    known = {one.name for one in runpy.run_path(str(BENCH / "all.py"))["_BENCHMARKS"]}
    assert known | BY_THEMSELVES == set(SCRIPTS)
