"""The studies: their specs are in order, and the commands of their pages compare them.

The commands run as helpers/documented.py states, with one seed instead of `--until-decided`.
"""

import csv
import re
import shutil
from pathlib import Path

import pytest
from helpers.documented import ROOT, blocks, run_commands, write_images

import cifar_dsl
from cifar_dsl.language.source import Source
from cifar_dsl.language.syntax.formatter import format_text

PAGES = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "studies").glob("*/README.md"))
SPECS = sorted((ROOT / "studies").glob("*/*.arch"))
_UNTIL_DECIDED = re.compile(r" --until-decided --cap \d+ --equivalent-within [\d.]+")


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_a_spec_is_formatted_has_no_warnings_and_is_on_its_page(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert format_text(Source(str(path), text)) == text
    assert list(cifar_dsl.load(path).warnings) == []
    page = (path.parent / "README.md").read_text(encoding="utf-8")
    assert f"`{path.stem}`" in page


@pytest.mark.parametrize("page", PAGES)
def test_the_commands_of_a_study_compare_its_specs(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ((_, _, code),) = [block for block in blocks(page) if block[0] == "sh"]
    shutil.copytree(ROOT / "studies", tmp_path / "studies")
    monkeypatch.chdir(tmp_path)
    write_images(tmp_path)
    found, commands = _UNTIL_DECIDED.subn("", code)[::-1]
    assert found == len(commands.splitlines())
    run_commands(commands)
    tables = list(tmp_path.glob(f"{Path(page).parent}/results/**/comparison.csv"))
    assert len(tables) == found
    rows = [row for table in tables for row in csv.DictReader(table.read_text().splitlines())]
    assert {row["spec"] for row in rows} == {path.stem for path in (ROOT / page).parent.glob("*.arch")}
    assert all(row["mean"] for row in rows)
