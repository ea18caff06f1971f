"""The options and the layout of the test suite, as tests/conftest.py implements them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
IMPORTS_TORCH = """
import subprocess, sys

def test_here():
    import torch

def test_in_another_process():
    subprocess.run([sys.executable, "-c", "import torch"], check=True)

def test_without():
    pass
"""
SKIPS = """
import pytest

def test_expected():
    pytest.skip("needs a CUDA GPU")

def test_unexpected():
    pytest.skip("today is Monday")

@pytest.mark.xfail(strict=True)
def test_known_to_fail():
    assert False
"""
INI = """
[pytest]
markers = slow
addopts = --strict-markers --import-mode=importlib --continue-on-collection-errors --dist=worksteal
"""


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    """A folder of tests with our conftest.py and little else."""
    for name in ("conftest.py", "helpers/no_torch/torch.py"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes((TESTS / name).read_bytes())
    (tmp_path / "pytest.ini").write_text(INI)
    return tmp_path


def run(suite: Path, *arguments: str, **environment: str) -> list[str]:
    """The outcomes of all tests, as in `FAILED test_a.py::test_here`."""
    command = [sys.executable, "-m", "pytest", "-rA", "--tb=no", "-p", "xdist.plugin", *arguments]
    env = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "CIFAR_DSL"))}
    env |= {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"} | environment
    done = subprocess.run(command, cwd=suite, env=env, capture_output=True, text=True, check=False)
    words = ("PASSED", "FAILED", "ERROR", "SKIPPED", "XFAIL")
    outcomes = [line.partition(" - ")[0] for line in done.stdout.splitlines() if line.startswith(words)]
    assert outcomes, done.stdout + done.stderr
    return sorted(outcomes)


def test_the_fast_tests_import_no_torch_in_any_process(suite):
    (suite / "test_a.py").write_text(IMPORTS_TORCH)
    for folder in ("slow", "a/slow", "training", "training/b"):
        (suite / folder).mkdir(parents=True, exist_ok=True)
        (suite / folder / "test_b.py").write_text("import nothing_at_all")
    assert run(suite, "--fast") == [
        "FAILED test_a.py::test_here",
        "FAILED test_a.py::test_in_another_process",
        "PASSED test_a.py::test_without",
    ]


def test_folders_called_slow_are_marked(suite):
    for folder in ("slow", "a/slow/b", "a/slower"):
        (suite / folder).mkdir(parents=True, exist_ok=True)
        (suite / folder / "test_a.py").write_text("def test(): pass")
    assert run(suite, "-m", "slow") == ["PASSED a/slow/b/test_a.py::test", "PASSED slow/test_a.py::test"]
    assert run(suite, "-m", "not slow") == ["PASSED a/slower/test_a.py::test"]


def test_no_single_test_is_marked_slow():
    marked = [path for path in TESTS.rglob("*.py") if "mark.slow" in path.read_text(encoding="utf-8")]
    assert sorted(marked) == [TESTS / "conftest.py", Path(__file__)]


@pytest.mark.parametrize("workers", ["0", "2"])
def test_a_skip_that_nobody_expects_fails(suite, workers):
    (suite / "test_a.py").write_text(SKIPS)
    (suite / "test_whole_module.py").write_text("import pytest\npytest.importorskip('nothing_at_all')")
    assert run(suite, "-n", workers, CIFAR_DSL_TEST_SKIPS="expected") == [
        "ERROR test_whole_module.py",
        "FAILED test_a.py::test_unexpected",
        "SKIPPED [1] test_a.py:5: needs a CUDA GPU",
        "XFAIL test_a.py::test_known_to_fail",
    ]
