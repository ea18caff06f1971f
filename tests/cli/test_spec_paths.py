"""Specs named as folders: what is searched, and what is left out."""

import os
from pathlib import Path

import pytest


@pytest.fixture
def tree(tiny):
    """A folder with specs in it and in its subfolders."""
    folder = tiny.parent / "study"
    for name in ("s10", "s2", "zoo/z1", "zoo/deep/z2", ".hidden/h", "runs/tiny-0123456789ab/seed-0/spec"):
        path = folder / f"{name}.arch"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(tiny.read_text())
    (folder / "runs/tiny-0123456789ab/seed-0/run.json").write_text("{}")
    return folder


FOUND = ["s2.arch", "s10.arch", "zoo/deep/z2.arch", "zoo/z1.arch"]


def test_check_descends(cli, tree):
    outcome = cli("check", tree)
    assert (outcome.code, outcome.err) == (0, "")
    assert [line.partition(":")[0] for line in outcome.out.splitlines()] == [str(tree / name) for name in FOUND]


def test_fmt_descends_but_never_into_a_run(cli, tree):
    ugly = "arch   ugly\ninput 3x32x32\nmodel {flatten->dense(10)}\n"
    for path in tree.rglob("*.arch"):
        path.write_text(ugly)
    outcome = cli("fmt", tree)
    assert outcome.code == 0
    assert outcome.out.splitlines() == [str(tree / name) for name in FOUND]
    kept = {path.relative_to(tree).as_posix() for path in tree.rglob("*.arch") if path.read_text() == ugly}
    assert kept == {".hidden/h.arch", "runs/tiny-0123456789ab/seed-0/spec.arch"}


def test_a_spec_in_a_subfolder_can_extend_one_above(cli, tree):
    (tree / "zoo/z1.arch").write_text('arch z1 extends "../s2.arch"\n')
    assert cli("check", tree).code == 0
    assert cli("check", tree / "zoo").code == 1  # the root is the folder that was named


def test_a_glob_names_folders_too(cli, tree):
    assert len(cli("check", f"{tree}/*").out.splitlines()) == 4
    assert cli("check", f"{tree}/s*.arch").out.count("ok") == 2


@pytest.fixture
def locked(tree, monkeypatch):
    """A subfolder that can't be read: not even by root, whom permissions don't stop."""
    scandir = os.scandir

    def scan(path):
        if Path(path).name == "zoo":
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", scan)
    return tree / "zoo"


@pytest.mark.parametrize("command", [("check",), ("fmt", "--check")])
def test_an_unreadable_folder_is_reported_and_the_rest_is_done(cli, tree, locked, command):
    outcome = cli(*command, tree)
    assert outcome.code == 1
    assert f"error: {locked}: Permission denied\n" in outcome.err
    assert "There is no spec" not in outcome.err
    assert "s10" in outcome.out or command[0] == "fmt"


def test_an_unreadable_folder_alone(cli, locked):
    outcome = cli("check", locked)
    assert (outcome.code, outcome.out, outcome.err) == (1, "", f"error: {locked}: Permission denied\n")
