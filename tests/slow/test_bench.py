"""Every benchmark starts, and bench/all.py runs it."""

import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

BENCH = Path(__file__).parents[2] / "bench"
SHARED = {
    "airbench_by_hand",
    "all",
    "gpu_parts",
    "gpu_record",
    "keras_side",
    "loops",
    "measure",
    "serving",
    "sides",
    "simulated",
}
SEPARATE = {"distillation", "fuzz", "playground"}  # bench/all.py explains why
SCRIPTS = sorted(path.stem for path in BENCH.glob("*.py") if path.stem not in SHARED)


# Asks each for help in a fork of a process that has imported what most of them import, and that some take seconds to
# import. A fork ends without tidying torch up, which takes a second.
HELPS = """
import os, runpy, sys, traceback
import torch, torchvision, scipy.optimize, cifar_dsl.api
for script in sys.argv[1:]:
    process = os.fork()
    if process == 0:
        sys.path.insert(0, os.path.dirname(script))
        sys.argv = [script, "--help"]
        code = 1
        try:
            runpy.run_path(script, run_name="__main__")
        except SystemExit as exit:
            code = exit.code or 0
        except BaseException:
            traceback.print_exc()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code if isinstance(code, int) else 1)
    if os.waitpid(process, 0)[1]:
        sys.exit(f"{script} has failed")
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_each_has_help_that_shows_its_command() -> None:
    names = [*SCRIPTS, "all"]
    names.remove("record_accuracies")  # its only argument is a number
    command = [sys.executable, "-c", HELPS, *(str(BENCH / f"{name}.py") for name in names)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert [name for name in names if f"python bench/{name}.py" not in done.stdout] == []


def test_all_runs_every_other_benchmark(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(BENCH)
    known = {one.name for one in runpy.run_path(str(BENCH / "all.py"))["_BENCHMARKS"]}
    assert known | SEPARATE == set(SCRIPTS)
