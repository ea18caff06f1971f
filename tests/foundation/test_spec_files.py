"""Which folders are searched for specs, and in which order."""

from pathlib import Path

import pytest

from cifar_dsl.foundation.spec_files import RUN_RECORD, spec_folders
from cifar_dsl.foundation.text import natural_order


@pytest.fixture
def write(tmp_path):
    def write(*names: str) -> Path:
        for name in names:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text("")
        return tmp_path

    return write


def found(folder: Path) -> list[str]:
    return [path.relative_to(folder).as_posix() for _, files in spec_folders(folder) for path in files]


def test_subfolders_are_searched_in_natural_order(write):
    folder = write("s10/a.arch", "s2/a.arch", "s2/deep/a.arch", "b10.arch", "b9.arch", "notes.txt")
    assert found(folder) == ["b9.arch", "b10.arch", "s2/a.arch", "s2/deep/a.arch", "s10/a.arch"]


@pytest.mark.parametrize(
    "names",
    [
        (".hidden/a.arch", ".hidden/deep/a.arch"),
        ("env/pyvenv.cfg", "env/lib/a.arch"),
        ("env/conda-meta/history", "env/lib/a.arch"),
        ("node_modules/package/a.arch",),
        (f"runs/a-0123456789ab/seed-0/{RUN_RECORD}", "runs/a-0123456789ab/seed-0/spec.arch"),
        (f"runs/a-0123456789ab/seed-0.partial/{RUN_RECORD}", "runs/a-0123456789ab/seed-0.partial/spec.arch"),
        (f"copied/{RUN_RECORD}", "copied/spec.arch"),
    ],
    ids=lambda names: names[0].partition("/")[0],
)
def test_folders_of_others_are_left_out(write, names):
    assert found(write("own.arch", *names)) == ["own.arch"]


def test_the_folder_itself_is_always_searched(write):
    folder = write(f".hidden/{RUN_RECORD}", ".hidden/spec.arch") / ".hidden"
    assert found(folder) == ["spec.arch"]


def test_links_to_folders_are_not_followed(write):
    folder = write("deep/a.arch")
    (folder / "deep" / "loop").symlink_to(folder)
    (folder / "again").symlink_to(folder / "deep")
    assert found(folder) == ["deep/a.arch"]


@pytest.mark.parametrize(
    "ordered",
    [
        ["s2.arch", "s10.arch"],
        ["s2/z.arch", "s10/a.arch"],
        ["2.arch", "10.arch", "a.arch"],
        ["s.arch", "s2.arch"],
        ["s02.arch", "s2.arch"],
        ["s2b10", "s2b11", "s10b1"],
        ["resnet18", "resnet101"],
    ],
)
def test_natural_order(ordered):
    backwards = ordered[::-1]
    assert sorted(backwards, key=natural_order) == ordered
