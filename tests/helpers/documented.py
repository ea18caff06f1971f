"""Runs the code blocks of a page as a reader does, who copies them one after the other.

The substitution, for all pages: 80 + 40 drawings of `shapes` stand for every dataset, each training has one epoch, and
each spec one seed. `prepare` writes the files that pages speak of but don't contain. LEFT_OUT lists the commands that
don't run, with the reason.
"""

import re
import shlex
import shutil
from pathlib import Path

import numpy as np
from PIL import Image

from cifar_dsl.cli.main import main
from cifar_dsl.training.datasets.shapes import shapes

ROOT = Path(__file__).parents[2]
IMAGES, EPOCHS, SEEDS, HELD_OUT = (80, 40), "1", "1", "20"
LEFT_OUT = {
    r"--executor ray|--log (?:mlflow|wandb)": "needs a package that the extra `test` doesn't bring",
    r"data import (?:cifar-10|MNIST)": "needs published files; tests/training/datasets",
    r"--to onnx|import onnxruntime": "takes seconds; test_own_pictures.py exports a network and runs it",
    r"airbench|convnext": "takes minutes; tests/training/slow, tests/importing/slow",
    r"--until-decided": "trains until it is decided; tests/experiments/comparison",
    r"--resume \S+(?:\.partial| --set)": "needs a training that was interrupted, or trains longer; tests/cli/training",
    r"--corruption": "changes images for long; README's block does it",
    r"compare specs/ |sweep specs/baseline": "trains eight specs; README's block does it",
    r"sweep student\.arch": "trains three students; tests/training/test_distillation.py trains them all",
    r"^cifar-dsl --limit|^cifar-dsl playground": "needs a spec beyond the limits, or serves until it is stopped",
}
_LEFT_OUT = re.compile("|".join(LEFT_OUT))
# Lines of Python that need matplotlib or pandas, which tests do without.
_OTHER_PYTHON = re.compile(r"^.*(?:\.plot\(|to_dataframe\().*\n", re.MULTILINE)
_BLOCK = re.compile(r"(<!-- ci: \w+ -->\n)?^```(sh|arch|python)(?: (\w+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_RUN = re.compile(r"runs/(\w+)-[0-9a-f]{12}\b")
_VALUES = {"--epochs": EPOCHS, "--seeds": SEEDS, "--validation": HELD_OUT, "--steps": "20"}
_DRAWINGS = "npz:drawings.npz"
_EPOCHS = {"train", "compare", "sweep"}
_TRAINING = {*_EPOCHS, "lr"}
# What commands need here beside what a page says: nobody answers their questions.
_ADDED = {
    **dict.fromkeys(_EPOCHS, ("--device", "cpu", "--jobs", "1")),
    "lr": ("--device", "cpu", "--steps", "20"),
    "import": ("--yes",),
}
_MODELS = """\
from torch import nn

resnet18 = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(7200, 10))
"""


def blocks(page: str) -> list[tuple[str, str, str]]:
    """The language, the word behind it and the text of each block, but for those that `.ci/run` runs."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return [(language, word or "", code) for ci, language, word, code in _BLOCK.findall(text) if not ci]


def write_images(folder: Path) -> None:
    """The file of images that stands for every dataset."""
    dataset = shapes(*IMAGES)
    arrays = {name: getattr(dataset, name) for name in ("x_train", "y_train", "x_test", "y_test", "classes")}
    np.savez(folder / "drawings.npz", **arrays)


def prepare(folder: Path) -> None:
    """The files that pages speak of: specs, pictures, a module."""
    write_images(folder)
    shutil.copytree(ROOT / "specs", folder / "specs")
    (folder / "mine.arch").write_text("arch mine extends residual\n", encoding="utf-8")
    (folder / "models.py").write_text(_MODELS, encoding="utf-8")
    drawings = np.load(folder / "drawings.npz")
    for split in ("train", "test"):
        for i, (picture, label) in enumerate(zip(drawings[f"x_{split}"], drawings[f"y_{split}"], strict=True)):
            name = f"{drawings['classes'][label]}/{i}.png"
            places = [folder / "photos" / split / name, *([folder / "holidays" / name] if split == "test" else [])]
            for place in places:
                place.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(picture).save(place)
    for name in ("cat.jpg", "cat.png", "dog.png"):
        Image.new("RGB", (48, 40), (90, 60, 30)).save(folder / name)


def write_spec(folder: Path, text: str) -> None:
    """A spec of a page as the file that its first line names."""
    name = re.search(r"^arch (\w+)", text, re.MULTILINE)[1]
    (folder / f"{name}.arch").write_text(text, encoding="utf-8")


def is_left_out(code: str) -> bool:
    """Whether a command or a block of Python doesn't run."""
    return _LEFT_OUT.search(code) is not None


def run_commands(code: str, *, code_expected: int = 0) -> None:
    """Run a block of commands in the current folder."""
    for line in code.splitlines():
        words = shlex.split(line, comments=True)
        if words[:1] == ["cifar-dsl"] and not is_left_out(line):
            expected = 1 if words[1] == "diff" else code_expected  # as of diff: there are differences
            assert main(_substituted(words[1:])) == expected, line


def python_code(code: str) -> str:
    """A block of Python, with its dataset, epochs, seeds and runs substituted."""
    code = re.sub(r'data="[\w:.]+"', 'data="npz:drawings.npz"', _OTHER_PYTHON.sub("", code))
    code = re.sub(r"\b(epochs|seeds)=\d+", r"\1=1", code)
    return _RUN.sub(_trained, code)


def _substituted(words: list[str]) -> list[str]:
    changed = [_word(before, _RUN.sub(_trained, word)) for before, word in zip(["", *words], words, strict=False)]
    changed += _ADDED.get(words[0], ())
    if words[0] in _TRAINING and "--data" not in words:
        changed += ["--data", _DRAWINGS]
    if words[0] in _EPOCHS and "--epochs" not in words:
        changed += ["--set", f"train.epochs={EPOCHS}"]
    return changed


def _word(before: str, word: str) -> str:
    if before == "--data":
        return word if Path(word.removeprefix("npz:")).exists() else _DRAWINGS
    return _VALUES.get(before, word)


def _trained(match: re.Match[str]) -> str:
    """The run of that name here: other data give another fingerprint."""
    (found,) = Path().glob(f"runs/{match[1]}-*")
    return str(found)
