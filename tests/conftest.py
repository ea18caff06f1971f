"""Options and fixtures that all tests share."""

import os
import re
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

# What a full installation of the extra `test` still lacks. With CIFAR_DSL_TEST_SKIPS=expected, as in `.ci/run`, any
# other skip fails: a test that never runs protects nothing.
EXPECTED_SKIPS = re.compile(
    "needs a CUDA GPU|Ray is not installed|could not import '(mlflow|wandb)'|takes a number"
    "|lark's strict mode compares terminals with it|Chromium"
)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]):
    report = yield
    is_strict = os.environ.get("CIFAR_DSL_TEST_SKIPS") == "expected"
    if is_strict and report.skipped and not hasattr(report, "wasxfail"):
        _, _, reason = report.longrepr
        if not EXPECTED_SKIPS.search(reason):
            report.outcome = "failed"
            report.longrepr = f"{item.nodeid}: {reason}. If the skip is meant, add it to EXPECTED_SKIPS in {__file__}."
    return report


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden",
        action="store_true",
        help="Write the expected renderings of tests/language/diagnostics/cases anew; review the difference.",
    )
    parser.addoption(
        "--full",
        action="store_true",
        help="Hold promises to the full figures of docs/promises.md, which takes hours.",
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Names of tests are the same in every process, as workers of pytest-xdist need them."""
    for item in items:
        if " at 0x" in item.nodeid:
            raise pytest.UsageError(f"{item.nodeid}: give the parameter an id, this one is an address in memory")


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
        torch.manual_seed(0)


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
    """Write a file of 60 + 20 random pictures."""

    def make(name: str = "pictures.npz", seed: int = 0, **more: np.ndarray) -> Path:
        random = np.random.default_rng(seed)
        arrays = {
            "x_train": random.integers(0, 256, (60, 32, 32, 3), np.uint8),
            "y_train": np.arange(60) % 10,
            "x_test": random.integers(0, 256, (20, 32, 32, 3), np.uint8),
            "y_test": np.arange(20) % 10,
        }
        np.savez(tmp_path / name, **arrays, **more)
        return tmp_path / name

    return make


@pytest.fixture
def pictures(make_pictures: Callable[..., Path]) -> Path:
    """A file of 60 + 20 random pictures."""
    return make_pictures()
