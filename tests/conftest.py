"""Options and fixtures that all tests share."""

import os
import re
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from hypothesis.internal.conjecture import providers

HERE = Path(__file__).parent
# A folder of this name holds tests that take long: they start processes, train or compile often, or draw many examples.
SLOW = "slow"
# Folders (and single files) whose tests need torch. `pytest --fast` runs the others.
NEEDS_TORCH = (
    "cli/training",
    "editors/test_notebook.py",
    "experiments",
    "export",
    "golden",
    "inference",
    "test_api.py",
    "test_results.py",
    "training",
    "zoo",
)
# Tests of rooms and rules that few changes concern: `pytest --fast` leaves them out, too, to take a minute at most.
CONCERN_FEW = (
    "docs",
    "editors",
    "fuzz",
    "language/test_highlighting.py",
    "promises",
    "test_architecture.py",
    "test_tolerances.py",
    "views",
)

# Each worker of `pytest -n` has a core: more threads of torch would only wait for each other.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ["OMP_NUM_THREADS"] = "1"

# nohup ignores SIGHUP, and a training that is started with it ignored leaves it so.
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)

# Every run draws the same examples, so a failure belongs to the change that caused it. `--hypothesis-profile=explore`
# draws new ones.
settings.register_profile("repeat", derandomize=True, deadline=None)
settings.register_profile("explore", derandomize=False, deadline=None)
settings.load_profile("repeat")
# Hypothesis also draws constants that it finds in the modules loaded so far. Which ones are loaded depends on the tests
# that ran before in the same process, so the same examples need an empty pool.
if hasattr(providers, "_get_local_constants"):
    providers._get_local_constants = lambda: providers._local_constants  # an empty one

# What is skipped with the extra `test` installed, on some system or other. With CIFAR_DSL_TEST_SKIPS=expected, as in
# `.ci/run`, any other skip fails: a test that never runs protects nothing.
EXPECTED_SKIPS = re.compile(
    "this build of torch has no CUDA|"
    "needs a CUDA GPU|Ray is not installed|could not import '(mlflow|wandb|zensical)'"
    "|lark's strict mode compares terminals with it|Chromium|other C libraries|how much memory is in use"
    "|the playground isn't built|no (Neovim|Emacs|Emacs with eglot|Vim) on the PATH|no vim-lsp in|no LaTeX with TikZ"
)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--fast",
        action="store_true",
        help="Run the tests that concern most changes and need no torch. Importing torch is an error.",
    )
    parser.addoption(
        "--update-golden",
        action="store_true",
        help="Rewrite the expected messages of tests/language/diagnostics; review the difference.",
    )
    parser.addoption(
        "--full",
        action="store_true",
        help="Hold promises to the full figures of docs/promises.md, which takes hours.",
    )


def pytest_configure(config: pytest.Config) -> None:
    if config.option.update_golden and config.getoption("numprocesses", None):
        raise pytest.UsageError("--update-golden writes files that all tests of a module share; leave out -n")
    if config.option.fast:
        refusing = str(HERE / "helpers" / "no_torch")  # its torch.py raises an error
        sys.path.insert(0, refusing)
        os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (refusing, os.environ.get("PYTHONPATH"))))


def is_slow(path: Path) -> bool:
    return SLOW in path.relative_to(HERE).parts


def is_fast(path: Path) -> bool:
    return not is_slow(path) and not any(path.is_relative_to(HERE / place) for place in NEEDS_TORCH + CONCERN_FEW)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    if config.option.fast and not is_fast(collection_path):
        return True
    # `-m slow` and `-m "not slow"` select whole files. Importing the others, to leave out their tests, takes seconds.
    selected = {"slow": True, "not slow": False}.get(config.option.markexpr)
    if selected is not None and collection_path.suffix == ".py" and is_slow(collection_path) is not selected:
        return True
    return None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if is_slow(item.path):
            item.add_marker(pytest.mark.slow)
        # Names of tests are the same in every process, as workers of pytest-xdist need them.
        if " at 0x" in item.nodeid:
            raise pytest.UsageError(f"{item.nodeid}: give the parameter an id, this one is an address in memory")


def refuse_unexpected_skip(report: pytest.TestReport | pytest.CollectReport) -> None:
    """With CIFAR_DSL_TEST_SKIPS=expected, a skip that EXPECTED_SKIPS doesn't list is a failure."""
    is_strict = os.environ.get("CIFAR_DSL_TEST_SKIPS") == "expected"
    if is_strict and report.skipped and not hasattr(report, "wasxfail"):
        _, _, reason = report.longrepr
        if not EXPECTED_SKIPS.search(reason):
            report.outcome = "failed"
            report.longrepr = (
                f"{report.nodeid}: {reason}. If the skip is meant, add it to EXPECTED_SKIPS in {__file__}."
            )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]):
    report = yield
    refuse_unexpected_skip(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector: pytest.Collector):
    """Whole modules are skipped when they are collected."""
    report = yield
    refuse_unexpected_skip(report)
    return report


@pytest.fixture
def full(request: pytest.FixtureRequest) -> bool:
    """Whether promises are held to their full figures."""
    return bool(request.config.getoption("--full"))


TINY = """\
arch tiny

input 3x32x32

model {
    conv(4, 3, stride=4) -> relu
    flatten
    dense(10)
}

train {
    data       shapes
    epochs     2
    batch      16
    optimizer  adam(lr=1e-3)
}
"""


@pytest.fixture(autouse=True)
def seeded() -> None:
    """No test depends on chance: torch's generators start alike in each."""
    if torch := sys.modules.get("torch"):
        torch.default_generator.manual_seed(0)  # torch.manual_seed takes a millisecond, to note the stack for each GPU
        if torch.cuda.is_initialized():
            torch.cuda.manual_seed_all(0)


@pytest.fixture
def make_spec(tmp_path: Path) -> Callable[..., Path]:
    """Write a spec, a network that trains in a moment unless `text` says otherwise."""

    def make(name: str = "tiny", text: str = TINY) -> Path:
        path = tmp_path / f"{name}.arch"
        path.write_text(text, encoding="utf-8")
        return path

    return make


@pytest.fixture
def tiny(make_spec: Callable[..., Path]) -> Path:
    """A spec that trains in a moment."""
    return make_spec()


@pytest.fixture
def make_pictures(tmp_path: Path) -> Callable[..., Path]:
    """Write a file of 60 + 20 random pictures of a size (H, W, C)."""

    def make(
        name: str = "pictures.npz",
        seed: int = 0,
        size: tuple[int, int, int] = (32, 32, 3),
        classes: int = 10,
        **more: np.ndarray,
    ) -> Path:
        random = np.random.default_rng(seed)
        arrays = {
            "x_train": random.integers(0, 256, (60, *size), np.uint8),
            "y_train": np.arange(60) % classes,
            "x_test": random.integers(0, 256, (20, *size), np.uint8),
            "y_test": np.arange(20) % classes,
        }
        np.savez(tmp_path / name, **(arrays | more))
        return tmp_path / name

    return make


@pytest.fixture
def pictures(make_pictures: Callable[..., Path]) -> Path:
    """A file of 60 + 20 random pictures."""
    return make_pictures()


@pytest.fixture
def deep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The path of folders nested deeper than Python's stack, which don't exist; absolute, it would be too long."""
    monkeypatch.chdir(tmp_path)
    path = Path(*["d"] * (sys.getrecursionlimit() + 200))
    yield path
    for folder in (path, *path.parents[:-1]):  # pytest couldn't remove them
        with suppress(FileNotFoundError):
            shutil.rmtree(folder)
