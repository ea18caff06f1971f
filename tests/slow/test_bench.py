"""Every benchmark starts, and bench/all.py runs it."""

import runpy
import subprocess
import sys
from pathlib import Path

import pytest

BENCH = Path(__file__).parents[2] / "bench"
SHARED = {"airbench_by_hand", "all", "gpu_parts", "gpu_record", "loops", "measure", "sides", "simulated"}
SEPARATE = {"distillation", "fuzz", "playground"}  # bench/all.py explains why
SCRIPTS = sorted(path.stem for path in BENCH.glob("*.py") if path.stem not in SHARED)


@pytest.mark.parametrize("name", [*SCRIPTS, "all"])
def test_each_has_help_that_shows_its_command(name: str) -> None:
    if name == "record_accuracies":
        pytest.skip("its only argument is a number")
    command = [sys.executable, str(BENCH / f"{name}.py"), "--help"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert f"python bench/{name}.py" in done.stdout


def test_all_runs_every_other_benchmark(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(BENCH)
    known = {one.name for one in runpy.run_path(str(BENCH / "all.py"))["_BENCHMARKS"]}
    assert known | SEPARATE == set(SCRIPTS)
