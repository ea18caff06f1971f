"""`cifar-dsl fmt`."""

import io
import os
import shutil
import subprocess
import sys

import pytest

from cifar_dsl.foundation import limits
from cifar_dsl.foundation.resources import specs_directory

UGLY = "arch   ugly\ninput 3x8x8  # small\nmodel { flatten->dense(10) }\n"
TIDY = "arch ugly\ninput 3x8x8                         # small\nmodel { flatten -> dense(10) }\n"


@pytest.fixture
def ugly(make_spec):
    return make_spec("ugly", UGLY)


@pytest.fixture
def stdin(monkeypatch):
    """Put a text into standard input."""

    def put(content: bytes) -> None:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))

    return put


def test_a_file_is_rewritten_and_named(cli, ugly):
    ugly.chmod(0o640)
    outcome = cli("fmt", ugly)
    assert (outcome.code, outcome.out, outcome.err) == (0, f"{ugly}\n", "1 of 1 spec reformatted\n")
    assert ugly.read_text() == TIDY
    assert ugly.stat().st_mode & 0o777 == 0o640
    assert [path.name for path in ugly.parent.iterdir()] == ["ugly.arch"]


def test_a_canonical_file_is_left_alone(cli, make_spec):
    tidy = make_spec("tidy", TIDY)
    os.utime(tidy, (1, 1))
    outcome = cli("fmt", tidy)
    assert (outcome.code, outcome.out, outcome.err) == (0, "", "0 of 1 spec reformatted\n")
    assert tidy.stat().st_mtime == 1


def test_folders_globs_and_files_each_once(cli, ugly, make_spec, tmp_path):
    make_spec("tidy", TIDY)
    outcome = cli("fmt", tmp_path, tmp_path / "*.arch", ugly)
    assert (outcome.out, outcome.err) == (f"{ugly}\n", "1 of 2 specs reformatted\n")


def test_check_lists_changes_and_writes_nothing(cli, ugly, make_spec):
    tidy = make_spec("tidy", TIDY)
    outcome = cli("fmt", "--check", ugly, tidy)
    assert (outcome.code, outcome.out, outcome.err) == (1, f"{ugly}\n", "1 of 2 specs would be reformatted\n")
    assert ugly.read_text() == UGLY
    assert cli("fmt", "--check", tidy).code == 0


needs_patch = pytest.mark.skipif(not shutil.which("patch"), reason="patch is not installed")


@needs_patch
def test_diff_is_a_patch(cli, ugly, make_spec, tmp_path):
    tidy = make_spec("tidy", TIDY)
    outcome = cli("fmt", "--diff", ugly, tidy)
    assert outcome.code == 1
    assert outcome.out.splitlines()[:5] == [
        f"--- {ugly}",
        f"+++ {ugly}",
        "@@ -1,3 +1,3 @@",
        "-arch   ugly",
        "-input 3x8x8  # small",
    ]
    assert ugly.read_text() == UGLY
    subprocess.run(["patch", "-s", ugly], input=outcome.out, text=True, check=True, cwd=tmp_path)
    assert ugly.read_text() == TIDY
    outcome = cli("fmt", "--diff", ugly, tidy)
    assert (outcome.code, outcome.out) == (0, "")


@needs_patch
def test_diff_of_a_file_without_a_last_line_end(cli, make_spec, tmp_path):
    bare = make_spec("bare", TIDY.rstrip())
    outcome = cli("fmt", "--diff", bare)
    assert "\n\\ No newline at end of file\n" in outcome.out
    subprocess.run(["patch", "-s", bare], input=outcome.out, text=True, check=True, cwd=tmp_path)
    assert bare.read_text() == TIDY


def test_a_file_that_does_not_parse_is_reported_and_kept_and_the_others_are_formatted(cli, make_spec, ugly):
    broken = make_spec("broken", "arch  broken\nmodel { conv(8 }\n")
    outcome = cli("fmt", broken, ugly)
    assert (outcome.code, outcome.out) == (1, f"{ugly}\n")
    assert f"--> {broken}:2:13" in outcome.err
    assert broken.read_text() == "arch  broken\nmodel { conv(8 }\n"
    assert ugly.read_text() == TIDY


def test_a_spec_that_parses_is_formatted_even_with_errors(cli, make_spec):
    wrong = make_spec("wrong", "arch wrong\nmodel{dens(10)}\n")
    assert cli("fmt", wrong).code == 0
    assert wrong.read_text() == "arch wrong\nmodel { dens(10) }\n"


def test_a_library_is_laid_out_too(cli, make_spec):
    library = make_spec("library", "library a\nblock  u(c:int){conv(c)}\n")
    assert cli("fmt", library).code == 0
    assert library.read_text() == "library a\nblock u(c: int) { conv(c) }\n"


def test_standard_input_goes_to_standard_output(cli, stdin):
    stdin(UGLY.encode())
    outcome = cli("fmt", "-")
    assert (outcome.code, outcome.out, outcome.err) == (0, TIDY, "")
    stdin(UGLY.encode())
    outcome = cli("fmt", "-", "--check")
    assert (outcome.code, outcome.out) == (1, "<stdin>\n")
    stdin(UGLY.encode())
    assert cli("fmt", "-", "--diff").out.startswith("--- <stdin>\n+++ <stdin>\n@@ ")
    stdin(b"arch a\nmodel {")
    outcome = cli("fmt", "-")
    assert (outcome.code, outcome.out) == (1, "")
    assert "--> <stdin>:2:7" in outcome.err


def test_standard_input_beside_files(cli, stdin, ugly):
    stdin(TIDY.encode())
    outcome = cli("fmt", ugly, "-")
    assert (outcome.code, outcome.out) == (0, f"{TIDY}{ugly}\n")


@pytest.mark.parametrize("content", [b"arch a\xff\n", b"# " + b"x" * limits.DEFAULTS.file_bytes + b"\narch a\n"])
def test_standard_input_is_read_like_a_file(cli, stdin, tmp_path, content):
    stdin(content)
    assert cli("fmt", "-").code == 1
    (tmp_path / "a.arch").write_bytes(content)
    assert cli("fmt", "a.arch").code == 1
    assert (tmp_path / "a.arch").read_bytes() == content


def test_a_file_that_would_become_too_large_stays(cli, ugly):
    with limits.raising(file_bytes=len(UGLY) + 1):
        outcome = cli("fmt", ugly)
    assert (outcome.code, outcome.out) == (1, "")
    assert "error[E0104]" in outcome.err
    assert ugly.read_text() == UGLY


def test_line_ends_of_windows_are_no_difference_and_stay(cli, tmp_path):
    path = tmp_path / "a.arch"
    path.write_bytes(TIDY.replace("\n", "\r\n").encode())
    assert cli("fmt", "--check", path).code == 0
    path.write_bytes(b"\xef\xbb\xbf" + UGLY.replace("\n", "\r\n").encode())
    assert cli("fmt", path).code == 0
    assert path.read_bytes() == b"\xef\xbb\xbf" + TIDY.replace("\n", "\r\n").encode()


def test_the_target_of_a_link_is_rewritten(cli, ugly, tmp_path):
    link = tmp_path / "link.arch"
    link.symlink_to(ugly)
    assert cli("fmt", link).code == 0
    assert link.is_symlink()
    assert ugly.read_text() == TIDY


def test_a_disk_that_is_full_leaves_the_file_as_it_was(cli, ugly, make_spec, monkeypatch):
    other = make_spec("zzz", UGLY)

    def fail(path, content, **_):
        if path == ugly:
            raise OSError(28, "No space left on device", str(path))
        path.write_bytes(content)

    monkeypatch.setattr("cifar_dsl.cli.fmt.write_atomically", fail)
    outcome = cli("fmt", ugly, other)
    assert outcome.code == 1
    assert f"error: can't write {ugly}: No space left on device\n" in outcome.err
    assert (ugly.read_text(), other.read_text()) == (UGLY, TIDY)


def test_wrong_usage_ends_with_2(cli):
    assert cli("fmt").code == 2
    assert "There is no file missing.arch." in cli("fmt", "missing.arch").err


def test_shipped_specs_are_in_order(cli):
    specs = specs_directory()
    outcome = cli("fmt", "--check", specs, specs / "*" / "*.arch")
    assert (outcome.code, outcome.out) == (0, "")
