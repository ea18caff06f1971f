"""Any input ends in a model or in located diagnostics; `bench/fuzz.py` tries far more of them."""

from pathlib import Path

import pytest
from helpers.fuzzing import CORPUS, Fuzzer, Input

from cifar_dsl.compiler.lints import inspection
from cifar_dsl.language.diagnostics import SpecError


@pytest.mark.parametrize("path", sorted(CORPUS.glob("*.arch")), ids=lambda path: path.stem)
def test_former_failures_stay_fixed(fuzzer: Fuzzer, path: Path) -> None:
    failure = fuzzer.find(Input.load(path))
    assert failure is None, str(failure)


def test_a_failure_is_found_and_minimized(fuzzer: Fuzzer, monkeypatch: pytest.MonkeyPatch) -> None:
    def examine(path: Path, *_: object) -> None:
        if "dense" in path.read_text():
            raise ZeroDivisionError
        raise SpecError([])

    monkeypatch.setattr(inspection, "examine", examine)
    given = Input(b"arch a\ninput 3x8x8\nmodel {\n    flatten -> dense(10)\n}\n", ("a=1", "b=2"))
    failure = fuzzer.find(given)
    assert failure
    assert failure.place.startswith("ZeroDivisionError")
    assert fuzzer.smallest(failure).input == Input(b"dense")


def test_the_same_number_gives_the_same_input(fuzzer: Fuzzer) -> None:
    assert fuzzer.input(3, 14) == fuzzer.input(3, 14)
    assert len({fuzzer.input(0, number) for number in range(50)}) > 40


def test_a_corpus_keeps_inputs_as_they_are(tmp_path: Path) -> None:
    given = Input(b"\xff\x00arch", ("a=\udcff", "b=é"))
    given.save(tmp_path / "a.arch")
    assert Input.load(tmp_path / "a.arch") == given
