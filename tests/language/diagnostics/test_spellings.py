"""Spellings of PyTorch, Keras, timm, Hydra and notes: each gets one message, and following its help works.

`spellings.txt` has sections for stages of a model (the input is 3x32x32), settings of `train`, and whole specs. An
entry is a spelling, the code and the beginning of the help, and the text that follows the help; `\\n` is a line end,
`(nothing)` an empty text.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from cifar_dsl.compiler.lints import fixed, inspect
from cifar_dsl.language.diagnostics import Diagnostic

FILE = Path(__file__).with_name("spellings.txt")
SETTINGS = {"data": "cifar10", "epochs": "100", "batch": "8", "optimizer": "adam(1e-3)"}
STEPS = 5  # of advice, to the end of which every spelling is valid
HERE = Path("test.arch")


class Entry(NamedTuple):
    kind: str
    spelling: str
    code: str
    help: str
    corrected: str

    def spec(self, text: str) -> str:
        """The whole spec; the settings that neither the spelling nor its correction has are added."""
        if self.kind == "stages":
            return f"arch test\ninput 3x32x32\nmodel {{\n{text}\n}}\n"
        if self.kind == "specs":
            return f"{text}\n"
        own = {word for part in (self.spelling, self.corrected) for word in re.findall(r"^\w+", part, re.MULTILINE)}
        default = "".join(f"{name} {value}\n" for name, value in SETTINGS.items() if name not in own)
        return f"arch test\ninput 3x32x32\nmodel {{ flatten -> dense(10) }}\ntrain {{\n{default}{text}\n}}\n"


def entries() -> Iterator[Entry]:
    kind = ""
    for block in FILE.read_text(encoding="utf-8").strip().split("\n\n"):
        if block.startswith("## "):
            kind = block.removeprefix("## ")
            continue
        spelling, advice, corrected = (line.strip().replace("\\n", "\n") for line in block.split("\n"))
        code, _, help_text = advice.partition(" ")
        yield Entry(kind, spelling, code, help_text, "" if corrected == "(nothing)" else corrected)


ENTRIES = list(entries())


def checked(text: str) -> tuple[bool, tuple[Diagnostic, ...]]:
    """Whether a spec is valid, and its diagnostics."""
    inspection = inspect(HERE, texts={HERE.resolve(): text})
    return inspection.found is not None, inspection.diagnostics


def compact(text: str) -> list[str]:
    """The lines of a text without indents, empty lines and surplus spaces."""
    return [" ".join(line.split()) for line in text.splitlines() if line.strip()]


@pytest.fixture(autouse=True)
def in_an_empty_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.spelling.replace("\n", ";"))
def test_one_message_whose_help_works(entry: Entry) -> None:
    text = entry.spec(entry.spelling)
    is_valid, found = checked(text)
    assert not is_valid
    assert [one.code for one in found] == [entry.code], [one.message for one in found]
    (diagnostic,) = found
    assert diagnostic.help[0].startswith(entry.help)
    assert diagnostic.label
    corrected = entry.spec(entry.corrected)
    if diagnostic.fixes:
        assert compact(fixed(diagnostic.label.span.source, found, also_unsafe=True)) == compact(corrected)
    assert_gets_on(diagnostic, corrected)


def assert_gets_on(diagnostic: Diagnostic, text: str) -> None:
    """Follow the advice of a diagnostic, which leads to `text`, and then all other advice, to a valid spec."""
    seen = {diagnostic.label.span.source.text} if diagnostic.label else set()
    for _ in range(STEPS):
        assert text not in seen, f"the advice goes round in circles at {diagnostic.message}"
        seen.add(text)
        is_valid, found = checked(text)
        if is_valid:
            return
        assert all(one.fixes for one in found), [(one.message, one.help) for one in found]
        label = found[0].label
        assert label
        text = fixed(label.span.source, found, also_unsafe=True)
    pytest.fail(f"no valid spec after {STEPS} steps: {text}")


def test_the_corpus_is_large_and_has_no_repeats() -> None:
    assert len(ENTRIES) >= 150
    assert len({(entry.kind, entry.spelling) for entry in ENTRIES}) == len(ENTRIES)


def test_a_text_full_of_habits_has_one_message_for_each() -> None:
    text = (
        "arch resnet-18\ninput: (3, 32, 32)\nc = 16\ndef unit(int c):\n    nn.Conv2d(c, 3, padding=1)\n"
        "    nn.ReLU()\nmodel:\n    unit(c)\n    MaxPool2d(2);  // halve\n    Flatten()\n    Linear(10)\n"
        "train:\n    data: CIFAR10\n    epochs = 10\n    batch_size: 128\n    optimizer: SGD\n    lr: .1\n"
    )
    is_valid, found = checked(text)
    assert not is_valid
    assert all(one.fixes for one in found)
    for _ in range(10):  # rounds of `check --fix`
        label = found[0].label
        assert label
        text = fixed(label.span.source, found, also_unsafe=True)
        is_valid, found = checked(text)
        if is_valid:
            break
    assert is_valid, (text, [one.message for one in found])


def test_habits_behind_a_long_text_have_the_messages_of_a_short_one() -> None:
    """A rewritten text is read on from a place before its change."""
    habits = "arch a\ninput 3x32x32\nmodel {\n%srelu;\nadd(relu, bn)\nx := identity\nif x == 1 && true:\n    relu\n}\n"
    _, short = checked(habits % "")
    _, long = checked(habits % ("add { relu | conv(3, 3, pad=1) }\n" * 100))
    assert len(short) > 3
    assert [(one.code, one.message, one.help) for one in long] == [(one.code, one.message, one.help) for one in short]
