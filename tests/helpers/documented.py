"""Runs the code blocks of a page as a reader does, who copies them one after the other.

The substitution, for all pages: 120 + 60 drawings of `shapes` stand for every dataset, each training has one epoch, and
each spec one seed. Commands that need another machine or another program are left out.
"""

import re
import shlex
from pathlib import Path

import numpy as np

from cifar_dsl.cli.main import main
from cifar_dsl.training.datasets.shapes import shapes

ROOT = Path(__file__).parents[2]
IMAGES, EPOCHS, SEEDS, HELD_OUT = (120, 60), "1", "1", "20"
LEFT_OUT = re.compile(r"--executor ray|--log (?:mlflow|wandb)")
_BLOCK = re.compile(r"(<!-- ci: \w+ -->\n)?^```(sh|arch|python)(?: (\w+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_RUN = re.compile(r"runs/(\w+)-[0-9a-f]{12}/(seed-\d+)")
_VALUES = {"--epochs": EPOCHS, "--seeds": SEEDS, "--validation": HELD_OUT}


def blocks(page: str) -> list[tuple[str, str, str]]:
    """The language, the word behind it and the text of each block, but for those that `.ci/run` runs."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return [(language, word or "", code) for ci, language, word, code in _BLOCK.findall(text) if not ci]


def write_images(folder: Path) -> None:
    """The file of images that stands for every dataset."""
    dataset = shapes(*IMAGES)
    arrays = {name: getattr(dataset, name) for name in ("x_train", "y_train", "x_test", "y_test", "classes")}
    np.savez(folder / "drawings.npz", **arrays)


def write_spec(folder: Path, text: str) -> None:
    """A spec of a page as the file that its first line names."""
    name = re.search(r"^arch (\w+)", text, re.MULTILINE)[1]
    (folder / f"{name}.arch").write_text(text, encoding="utf-8")


def run_commands(code: str, *, code_expected: int = 0) -> None:
    """Run a block of commands in the current folder."""
    for line in code.splitlines():
        words = shlex.split(line, comments=True)
        if words[:1] == ["cifar-dsl"] and not LEFT_OUT.search(line):
            expected = 1 if words[1] == "diff" else code_expected  # as of diff: there are differences
            assert main(_substituted(words[1:])) == expected, line


def python_code(code: str) -> str:
    """A block of Python, with its dataset and epochs substituted."""
    return re.sub(r"epochs=\d+", f"epochs={EPOCHS}", re.sub(r'data="[\w:.]+"', 'data="npz:drawings.npz"', code))


def _substituted(words: list[str]) -> list[str]:
    changed = [_VALUES.get(before, word) for before, word in zip(["", *words], words, strict=False)]
    changed = [_RUN.sub(_trained, word) for word in changed]
    if words[0] in {"train", "compare", "sweep"}:
        changed += ["--device", "cpu", "--jobs", "1"]
        changed += [] if "--data" in words else ["--data", "npz:drawings.npz"]
        changed += [] if "--epochs" in words else ["--set", f"train.epochs={EPOCHS}"]
    return changed


def _trained(match: re.Match[str]) -> str:
    """The run of that name here: other data give another fingerprint."""
    (found,) = Path().glob(f"runs/{match[1]}-*/{match[2]}")
    return str(found)
