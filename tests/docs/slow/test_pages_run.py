"""The code blocks of README.md, the tutorial, the guides and the reference work as they are printed.

helpers/documented.py states what is substituted, and what is left out. test_own_pictures.py follows another guide.
"""

import csv
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from helpers.documented import LEFT_OUT, ROOT, blocks, is_left_out, prepare, python_code, run_commands, write_spec

README = [(language, code) for language, _, code in blocks("README.md") if language != "arch"]
# Pages whose commands follow each other; each begins in a folder with a run of `residual`.
FOLLOWED = {"docs/own-pictures.md", "docs/tutorial.md", "docs/classroom.md", "docs/promises.md"}  # by other tests
PAGES = sorted(
    page
    for path in (ROOT / "docs").glob("*.md")
    if (page := path.relative_to(ROOT).as_posix()) not in FOLLOWED
    and any(language != "arch" for language, _, _ in blocks(page))
)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what the pages speak of, and the run that most of them use."""
    folder = tmp_path_factory.mktemp("pages")
    prepare(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        run_commands("cifar-dsl train residual\n")
    (run,) = folder.glob("runs/*/seed-0")
    shutil.copy(run / "weights.safetensors", folder / "weights.safetensors")
    return folder


@pytest.fixture
def folder(prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(prepared, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)  # for what a page exports
    return tmp_path


def run_page(folder: Path, page: str) -> None:
    for language, word, code in blocks(page):
        if language == "arch" and word not in {"body", "items", "train"}:
            write_spec(folder, code)
        elif language == "sh":
            run_commands(code)
        elif language == "python" and not is_left_out(code):
            own = dict(np.load("drawings.npz"))  # the arrays that a page calls yours
            exec(compile(python_code(code), page, "exec"), own)


@pytest.mark.parametrize(
    ("language", "code"), [pytest.param(*block, id=block[1].splitlines()[0][:40]) for block in README]
)
def test_each_block_of_the_readme_works_alone(folder: Path, language: str, code: str) -> None:
    shutil.rmtree(folder / "runs")
    (folder / "mine.arch").unlink()
    if language == "sh":
        run_commands(code)
    else:
        exec(compile(python_code(code), "README.md", "exec"), {})


@pytest.mark.parametrize("page", PAGES)
def test_the_blocks_of_a_page_work_in_order(folder: Path, page: str) -> None:
    run_page(folder, page)


def test_the_tutorial_works(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.rmtree(folder / "runs")
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
    shutil.rmtree(folder / "runs")
    (folder / "submissions").mkdir()
    for language, _, code in blocks("docs/classroom.md"):
        if language == "arch":
            write_spec(folder / "submissions", code)
        elif language == "sh":
            run_commands(code)
        else:
            (folder / "submissions/broken.arch").write_text("arch broken\n", encoding="utf-8")
            exec(compile(code, "docs/classroom.md", "exec"), {})
            (folder / "submissions/broken.arch").unlink()
    assert len(list(folder.glob("runs/*/seed-0"))) == 2
    with (folder / "marks.csv").open(encoding="utf-8", newline="") as file:
        marks = [(row["file"], row["errors"], bool(row["mean"])) for row in csv.DictReader(file)]
    assert marks == [("ada.arch", "0", True), ("broken.arch", "1", False), ("task.arch", "0", True)]


@pytest.mark.parametrize("pattern", LEFT_OUT)
def test_what_is_left_out_is_on_a_page(pattern: str) -> None:
    pages = [(ROOT / page).read_text(encoding="utf-8") for page in ("README.md", *PAGES)]
    assert any(re.search(pattern, line) for text in pages for line in text.splitlines())
