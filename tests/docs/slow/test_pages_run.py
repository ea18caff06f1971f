"""The code blocks of README.md, the tutorial and the guide for classes work as they are printed.

helpers/documented.py states what is substituted. test_own_pictures.py follows another guide.
"""

import shutil
from pathlib import Path

import pytest
from helpers.documented import ROOT, blocks, python_code, run_commands, write_images, write_spec
from PIL import Image

README = [(language, code) for language, _, code in blocks("README.md") if language != "arch"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write_images(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("language", "code"), [pytest.param(*block, id=block[1].splitlines()[0][:40]) for block in README]
)
def test_each_block_of_the_readme_works_alone(folder: Path, language: str, code: str) -> None:
    (folder / "specs").mkdir()
    for path in (ROOT / "specs").glob("*.arch"):
        shutil.copy(path, folder / "specs")
    Image.new("RGB", (48, 40), (90, 60, 30)).save(folder / "cat.jpg")
    for split in ("train", "test"):
        for kind, colour in (("leaf", (20, 90, 30)), ("stone", (90, 90, 90))):
            (folder / "photos" / split / kind).mkdir(parents=True)
            for i in range(8):
                Image.new("RGB", (40 + i, 40), colour).save(folder / "photos" / split / kind / f"{i}.png")
    if language == "sh":
        run_commands(code)
    else:
        exec(compile(python_code(code), "README.md", "exec"), {})


def test_the_tutorial_works(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for language, word, code in blocks("docs/tutorial.md"):
        if language == "arch":
            write_spec(folder, code)
            continue
        capsys.readouterr()
        run_commands(code, code_expected=1 if word == "fails" else 0)
        if word == "fails":
            assert capsys.readouterr().out.strip() in (ROOT / "docs/tutorial.md").read_text(encoding="utf-8")
    assert (folder / "comparison/report.html").is_file()
    assert len(list(folder.glob("runs/*/seed-0"))) == 3


def test_the_guide_for_classes_works(folder: Path) -> None:
    (folder / "submissions").mkdir()
    for language, _, code in blocks("docs/classroom.md"):
        if language == "arch":
            write_spec(folder / "submissions", code)
        else:
            run_commands(code)
    assert len(list(folder.glob("runs/*/seed-0"))) == 2
