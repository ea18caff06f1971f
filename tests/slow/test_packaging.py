"""The wheel is complete: it works without the checkout."""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]

MINE = """\
arch mine extends baseline

param head = [512]
"""


def python(*arguments: object, cwd: Path, path: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run Python with `path` first on the module path, and without the current folder."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    if path:
        environment["PYTHONPATH"] = str(path)
    command = [sys.executable, "-P", *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the installed wheel."""
    folder = tmp_path_factory.mktemp("wheel")
    isolation = ["--no-isolation"] if find_spec("hatchling") else []
    built = python("-m", "build", "--wheel", *isolation, "--outdir", folder, CHECKOUT, cwd=folder)
    assert built.returncode == 0, built.stdout + built.stderr
    (wheel,) = folder.glob("*.whl")
    options = ["--no-deps", "--no-index", "--disable-pip-version-check", "--target", folder / "site"]
    done = python("-m", "pip", "install", *options, wheel, cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder / "site"


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """A folder with only a spec that extends a shipped one."""
    (tmp_path / "mine.arch").write_text(MINE, encoding="utf-8")
    return tmp_path


def test_the_installed_copy_is_the_one_that_runs(installed, elsewhere):
    code = (
        "import cifar_dsl, cifar_dsl.foundation.resources as r; "
        "print(cifar_dsl.__file__, r.grammar_path(), r.specs_directory(), sep='\\n')"
    )
    done = python("-c", code, cwd=elsewhere, path=installed)
    assert done.returncode == 0, done.stderr
    places = [Path(line) for line in done.stdout.splitlines()]
    assert all(place.is_relative_to(installed) and place.exists() for place in places)
    shipped = {path.name for path in places[2].glob("*.arch")}
    assert shipped == {path.name for path in (CHECKOUT / "specs").glob("*.arch")}
    assert places[1].read_bytes() == (CHECKOUT / "grammar" / "arch.lark").read_bytes()


def test_it_brings_one_package(installed):
    """A second one, such as `website`, would be importable under that name wherever the wheel is installed."""
    assert [path.name for path in installed.iterdir() if (path / "__init__.py").exists()] == ["cifar_dsl"]


def test_a_spec_that_extends_a_shipped_one_is_checked(installed, elsewhere):
    done = python("-m", "cifar_dsl", "check", "mine.arch", cwd=elsewhere, path=installed)
    assert (done.returncode, done.stderr) == (0, "")
    assert "586,250 parameters" in done.stdout
    assert str(CHECKOUT) not in done.stdout


def test_an_error_in_a_spec_is_explained(installed, elsewhere):
    (elsewhere / "mine.arch").write_text("arch mine\ninput 3x32x32\nmodel { flatten -> dens(10) }\n")
    done = python("-m", "cifar_dsl", "check", "mine.arch", cwd=elsewhere, path=installed)
    assert done.returncode == 1
    assert "mine.arch:3:20" in done.stdout


def test_it_is_compiled_to_a_module(installed, elsewhere):
    code = (
        "import torch, cifar_dsl; module = cifar_dsl.load('mine.arch').build(); "
        "print(sum(p.numel() for p in module.parameters()), tuple(module(torch.zeros(2, 3, 32, 32)).shape))"
    )
    done = python("-c", code, cwd=elsewhere, path=installed)
    assert (done.returncode, done.stdout) == (0, "586250 (2, 10)\n"), done.stderr


def test_the_package_ships_its_types(installed):
    assert (installed / "cifar_dsl" / "py.typed").exists()
    assert not (installed / "tests").exists()
