"""Small inputs that expand to something huge are refused before anything is allocated."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from helpers.bombs import BOMBS, LARGEST, costly

_PROGRAM = Path(__file__).parents[2] / "helpers" / "measured.py"
_MEMORY = 200 * 10**6
_REFUSED_S = 5  # the promise is 1 s on an idle machine: see bench/promises.py
_LARGEST_S = 30


Measured = Callable[..., tuple[set[str], float, int]]
pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


@pytest.fixture(scope="module")
def measured() -> Iterator[Measured]:
    """The codes of the errors, the CPU time in seconds and the peak memory in bytes, in a process of its own."""
    with subprocess.Popen(
        [sys.executable, _PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as program:
        assert program.stdin
        assert program.stdout

        def measure(path: Path, *overrides: str) -> tuple[set[str], float, int]:
            print(json.dumps([str(path), *overrides]), file=program.stdin, flush=True)
            found = json.loads(program.stdout.readline())
            assert "codes" in found, found
            return set(found["codes"]), found["time_s"], found["memory"]

        yield measure
        program.stdin.close()


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_within_time_and_memory(tmp_path: Path, measured: Measured, name: str) -> None:
    bomb = BOMBS[name]
    path = tmp_path / "bomb.arch"
    bomb.put(path)
    codes, time_s, memory = measured(path, *filter(None, [bomb.override]))
    assert codes == {bomb.code}
    assert memory < _MEMORY
    assert time_s < _REFUSED_S


def test_costly_texts_stay_within_time_and_memory(tmp_path: Path, measured: Measured, full: bool) -> None:
    """All of them with --full, else those whose texts and networks keep most, and what takes no steps."""
    texts = costly()
    kept = ["a list in the text of every call", "a text in the text of every call", "missing arguments", "named skips"]
    kept += ["spaces before a mistake", "arguments behind spaces"]
    for name in texts if full else kept:
        path = tmp_path / "costly.arch"
        path.write_text(texts[name], encoding="utf-8")
        _, time_s, memory = measured(path)
        assert memory < _MEMORY, name
        assert time_s < _LARGEST_S, name


def test_the_largest_files_stay_within_time_and_memory(tmp_path: Path, measured: Measured, full: bool) -> None:
    """All of them with --full, else one that is right, and one of each kind of mistake."""
    kept = ["right", "names that nobody knows", "a mistake in every line", "letters that are none", "bars"]
    for name in LARGEST if full else kept:
        text, expected = LARGEST[name]
        path = tmp_path / "largest.arch"
        path.write_text(text, encoding="utf-8")
        codes, time_s, memory = measured(path)
        assert codes == expected, name
        assert memory < 2 * _MEMORY, name
        assert time_s < _LARGEST_S, name
