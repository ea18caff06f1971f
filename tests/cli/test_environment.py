"""Commands where a user has no home folder, or where standard output can't be written: messages, never a bug."""

import pwd
import subprocess
import sys
from pathlib import Path

import pytest

from cifar_dsl.foundation.errors import UserError
from cifar_dsl.foundation.user_folders import expanded, home_folder, user_folder

FULL = Path("/dev/full")

needs_full = pytest.mark.skipif(not FULL.exists(), reason="needs /dev/full")

AS_NOBODY = """
import os, pwd, sys
from cifar_dsl.__main__ import run

def getpwuid(user):
    raise KeyError(f"getpwuid(): uid not found: {user}")

pwd.getpwuid = getpwuid
for name in ("HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME", "CIFAR_DSL_DATA"):
    os.environ.pop(name, None)
sys.exit(run())
"""


def run(code_or_module: list[str], *arguments: object, **more: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *code_or_module, *map(str, arguments)]
    more = {"stdout": subprocess.PIPE} | more
    return subprocess.run(command, stderr=subprocess.PIPE, text=True, timeout=120, check=False, **more)


@pytest.fixture
def homeless(monkeypatch):
    """A user without HOME and without an entry in the password file."""

    def getpwuid(user: int) -> None:
        raise KeyError(user)

    for name in ("HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME", "CIFAR_DSL_DATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", getpwuid)


def test_a_user_without_a_home_folder_has_no_folders(homeless, tmp_path):
    assert home_folder() is None
    assert user_folder("cache") is None
    assert user_folder("state") is None
    with pytest.raises(UserError, match=r"~/x\.npz names a home folder that doesn't exist"):
        expanded("~/x.npz")
    assert expanded("x.npz") == Path("x.npz")


def test_a_home_folder_of_nobody():
    with pytest.raises(UserError, match=r"~nosuch_user/x\.npz names a home folder"):
        expanded("~nosuch_user/x.npz")


@pytest.mark.parametrize(
    "arguments",
    [["check"], ["show"], ["fmt", "--check"], ["diff", "baseline"], ["train", "--dry-run"]],
    ids=lambda arguments: arguments[0],
)
def test_commands_need_no_home_folder(arguments, tiny, tmp_path):
    done = run(["-c", AS_NOBODY], *arguments, tiny, cwd=tmp_path)
    assert done.returncode in ({1} if arguments[0] == "diff" else {0}), done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "~").exists()


@needs_full
@pytest.mark.parametrize(
    "arguments", [["check"], ["show", "--json"], ["explain"], ["--version"], ["-h"], ["runs", "-h"]]
)
def test_a_full_standard_output_is_an_error_and_no_bug(arguments, tiny, tmp_path):
    specs = [tiny] if arguments[0] in {"check", "show"} else []
    with FULL.open("w") as full:
        done = run(["-m", "cifar_dsl"], *arguments, *specs, stdout=full, cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("error: can't write to standard output: No space left on device\n  = help: free ")
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr


@needs_full
def test_a_full_standard_error_changes_nothing(tiny, wrong, tmp_path):
    with FULL.open("w") as full:
        command = [sys.executable, "-m", "cifar_dsl", "check", tiny, wrong]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=full, text=True, check=False)
    assert done.returncode == 1
    assert f"{tiny}: ok" in done.stdout


def test_closed_streams_are_no_bug(tiny, wrong):
    for streams in (">&-", "2>&-", ">&- 2>&-"):
        command = f"'{sys.executable}' -m cifar_dsl check '{tiny}' '{wrong}' {streams}"
        done = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)
        assert done.returncode == 1
        assert "Traceback" not in done.stderr
