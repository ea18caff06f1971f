"""Folders nested deeper than Python's stack."""

import sys
from pathlib import Path

import pytest

from cifar_dsl.foundation.folders import files_below, make_folder, remove_folder, walk


def test_folders_are_made_and_walked_at_any_depth(deep):
    make_folder(deep)
    make_folder(deep)
    (deep / "file").touch()
    found = list(walk(Path("d")))
    assert len(found) == len(deep.parts)
    assert found[-1] == (deep, [], ["file"])
    assert found[0] == (Path("d"), ["d"], [])


def test_removing_deep_folders_works_or_is_refused(deep):
    make_folder(deep)
    if sys.version_info >= (3, 13):  # shutil.rmtree doesn't recurse any more
        remove_folder(Path("d"))
        assert not Path("d").exists()
        return
    with pytest.raises(OSError, match="it holds folders that are nested too deep: 'd'"):
        remove_folder(Path("d"))
    remove_folder(Path("d"), ignore_errors=True)
    assert deep.exists()


def test_no_folder_is_made_below_a_file(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(FileExistsError):
        make_folder(tmp_path / "file")
    with pytest.raises(NotADirectoryError):
        make_folder(tmp_path / "file" / "a" / "b")


def test_the_caller_chooses_the_subfolders_and_links_are_not_followed(tmp_path):
    for name in ("a/x", "b/y", "c"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "a" / "link").symlink_to(tmp_path / "b", target_is_directory=True)
    (tmp_path / "gone").symlink_to(tmp_path / "nothing")
    seen = []
    for place, subfolders, files in walk(tmp_path):
        subfolders[:] = sorted(set(subfolders) - {"b"})
        seen.append((place.relative_to(tmp_path).as_posix(), subfolders, files))
    assert seen == [(".", ["a", "c"], ["gone"]), ("a", ["link", "x"], []), ("a/x", [], []), ("c", [], [])]


def test_files_have_their_status_at_any_depth_and_links_their_own(deep, tmp_path):
    make_folder(deep)
    (deep / "deep").write_bytes(b"1234")
    (tmp_path / "d" / "big").write_bytes(b"12345678")
    (tmp_path / "d" / "link").symlink_to("big")
    (tmp_path / "d" / "folder").symlink_to(tmp_path, target_is_directory=True)
    found = {Path(path): status.st_size for path, status in files_below(Path("d"))}
    assert found == {deep / "deep": 4, Path("d/big"): 8, Path("d/link"): 3}
    assert list(files_below(Path("nothing"))) == []


def test_a_folder_that_does_not_exist_is_reported(tmp_path):
    errors: list[OSError] = []
    assert list(walk(tmp_path / "nothing", errors.append)) == []
    assert [error.filename for error in errors] == [str(tmp_path / "nothing")]
