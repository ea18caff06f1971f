"""Output escapes every control and bidirectional character from a spec, a file name or the command line."""

import csv
import io
import unicodedata
from pathlib import Path

import pytest
from helpers.inert import CONTROLS, HOSTILE, raw

from cifar_dsl.experiments.comparison import ComparedSpec, compare
from cifar_dsl.experiments.comparison.tables import as_csv
from cifar_dsl.runs import SpecIdentity

RIGHT = "arch right\ninput 3x32x32\nmodel { flatten -> dense(10) }\n"
WRONG = "arch wrong\ninput 3x32x32\nmodel { flatten -> dens(10) }\n"
FORMATS = "full", "concise", "github", "json", "sarif"


def test_the_list_of_control_characters_is_complete() -> None:
    controls = {c for c in map(chr, range(0x110000)) if unicodedata.category(c) in {"Cc", "Zl", "Zp"}}
    turning = {c for c in map(chr, range(0x110000)) if unicodedata.bidirectional(c) in {
        "LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}}  # fmt: skip
    assert controls | turning | set("\u061c\u200e\u200f") == set(CONTROLS)


def commands(path: Path) -> list[list[object]]:
    return [
        *(["check", "--format", style, path] for style in FORMATS),
        ["show", path],
        ["show", "--expand", path],
        ["show", "--resolved", path],
        ["show", "--json", path],
        ["diff", path, "baseline"],
        ["diff", "baseline", path],
        ["diff", "--json", path, "baseline"],
        ["train", path, "--dry-run"],
    ]


@pytest.mark.parametrize("place", ["# {}", 'param p = "{}"', "param p{} = 1", "conv{}", "# allow: {}"])
def test_characters_of_a_spec_are_escaped(place: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a.arch"
    for character in CONTROLS:
        path.write_bytes((RIGHT + place.format(character) + "\n").encode())
        for command in (*commands(path)[:5], ["show", path]):
            found = raw(capsys, *command)
            assert found == set(), (character, command)


@pytest.mark.parametrize("text", [RIGHT, WRONG, "arch a extends baseline\nparam x = 1\n"])
def test_file_names_are_escaped(text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / HOSTILE
    folder.mkdir()
    path = folder / f"{HOSTILE}.arch"
    path.write_text(text, encoding="utf-8")
    for command in commands(path):
        assert raw(capsys, *command) == set(), command
    assert raw(capsys, "check", folder) == set()


def test_names_of_missing_things_are_escaped(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / f"{HOSTILE}.arch").write_text(RIGHT, encoding="utf-8")
    near = tmp_path / f"{HOSTILE}x.arch"
    assert raw(capsys, "check", near) == set()
    assert raw(capsys, "show", near) == set()
    assert raw(capsys, HOSTILE) == set()
    assert raw(capsys, "check", f"--{HOSTILE}", near) == set()
    assert raw(capsys, "explain", HOSTILE) == set()
    assert raw(capsys, "reference", HOSTILE) == set()
    (tmp_path / "own.arch").write_text(f'arch own extends "{HOSTILE[0]}.arch"\n', encoding="utf-8")
    assert raw(capsys, "check", tmp_path / "own.arch") == set()


@pytest.mark.parametrize("override", ["{}", "{}=1", "head={}", 'head="{}"', "train.{}=1", "train.data={}"])
def test_overrides_are_escaped(override: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for style in FORMATS:
        text = override.format(HOSTILE)
        assert raw(capsys, "check", "--set", text, "--format", style, *_baseline(tmp_path)) == set()


def _baseline(folder: Path) -> list[Path]:
    path = folder / "a.arch"
    path.write_text("arch a extends baseline\n", encoding="utf-8")
    return [path]


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t=", "\r=", "\x00="])
def test_no_cell_of_a_csv_is_a_formula(start: str) -> None:
    formula = f'{start}cmd|" /C calc"!A0'
    spec = SpecIdentity(formula, "0123456789ab", (formula,), (formula, HOSTILE), ())
    entry = ComparedSpec(formula, spec, 1000, 2000, ())
    text = as_csv(compare([entry], formula))
    assert set(text.replace("\n", "")) & set(CONTROLS) == set()
    (line,) = csv.DictReader(io.StringIO(text))
    assert line["spec"][0] in "'\\"
    assert line["change"][0] in "'\\"
