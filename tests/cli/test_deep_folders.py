"""Folders nested deeper than Python's stack, given on the command line."""

from pathlib import Path

import pytest

from cifar_dsl.foundation.folders import make_folder
from cifar_dsl.runs import find_runs


@pytest.mark.parametrize("arguments", [("check", "d"), ("fmt", "d"), ("check", "d/**")])
def test_specs_are_searched_at_any_depth(cli, deep, arguments):
    make_folder(deep)
    outcome = cli(*arguments)
    assert (outcome.code, "Traceback" in outcome.err) == (2, False)


def test_runs_are_searched_at_any_depth(cli, deep):
    make_folder(deep)
    assert cli("runs", "--runs", "d").code == 0
    assert find_runs(Path(), "0" * 12) == []
