"""tests/promises/slow/test_inert_output.py for the commands that need torch."""

from helpers.inert import HOSTILE, raw


def test_no_name_that_is_not_there_acts(tmp_path, capsys):
    assert raw(capsys, "evaluate", tmp_path / HOSTILE) == set()
    assert raw(capsys, "data", "download", HOSTILE) == set()
    assert raw(capsys, "data", "list", "--data-dir", tmp_path / HOSTILE) == set()
