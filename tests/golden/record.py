"""Write what the golden tests expect: `python tests/golden/record.py [--runs] [NAME ...]`, then review the difference.

Without names, all of tests/golden/*.json is written anew. `--runs` trains the recorded runs anew, too; do that only
for a new schema of runs, for the old ones show that runs of earlier versions can still be read.
"""

import contextlib
import io
import json
import os
import resource
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

from observe import GOLDEN, HERE, RECORDED, observe, pictures

from cifar_dsl.cli import main


def record(name: str) -> None:
    """Write down what a golden test is to expect."""
    with tempfile.TemporaryDirectory() as folder:
        data = observe(name, Path(folder))
    (HERE / f"{name}.json").write_text(laid_out(data) + "\n", encoding="utf-8", newline="\n")


def laid_out(data: Any, indent: str = "") -> str:
    """JSON in which what is short stands on one line."""
    text = json.dumps(data, ensure_ascii=False)
    if len(indent + text) <= 110 or not isinstance(data, dict | list):
        return text
    inner = indent + " "
    if isinstance(data, dict):
        parts = [f"{json.dumps(key, ensure_ascii=False)}: {laid_out(value, inner)}" for key, value in data.items()]
        return "{\n" + ",\n".join(inner + part for part in parts) + f"\n{indent}}}"
    if not any(isinstance(item, dict | list) for item in data):
        items = [json.dumps(item, ensure_ascii=False) + "," for item in data]
        lines = [""]
        for item in items:
            full = len(f"{inner}{lines[-1]} {item}") > 110
            lines = [*lines, item] if full and lines[-1] else [*lines[:-1], f"{lines[-1]} {item}".strip()]
        return "[\n" + "\n".join(inner + line for line in lines).removesuffix(",") + f"\n{indent}]"
    return "[\n" + ",\n".join(inner + laid_out(item, inner) for item in data) + f"\n{indent}]"


class Stopping(io.StringIO):
    """Standard output that behaves as Ctrl-C once a text is printed."""

    def __init__(self, at: str) -> None:
        super().__init__()
        self._at = at

    def write(self, text: str) -> int:
        if self._at in text:
            os.kill(os.getpid(), signal.SIGINT)
        return super().write(text)


@contextlib.contextmanager
def largest_file(size: int) -> Iterator[None]:
    """Let no larger file be written, as a full disk would."""
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))


def record_runs() -> None:
    """Train the recorded runs: complete ones, one that diverged, one that was interrupted, one that failed."""
    with tempfile.TemporaryDirectory(prefix="golden-") as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        for spec in RECORDED.glob("*.arch"):
            shutil.copy(spec, folder)
        data = pictures(folder / "pictures.npz")
        stack.enter_context(contextlib.chdir(folder))
        stack.enter_context(mock.patch("platform.platform", return_value="Linux"))  # nobody's machine
        stack.enter_context(mock.patch("socket.gethostname", return_value="machine"))

        def train(spec: str, *options: str, code: int = 0) -> None:
            found = main(["train", f"{spec}.arch", "--data", f"npz:{data}", "--threads", "1", "--json", *options])
            assert found == code, (spec, found)

        train("small", "--seeds", "2", "--jobs", "1")
        train("wide", "--seeds", "2", "--jobs", "1")
        train("steep", code=1)
        with contextlib.redirect_stdout(Stopping('"epoch": 3,')):
            train("long", code=130)
        unheard = io.StringIO()  # for standard output may be a file, too
        with contextlib.redirect_stdout(unheard), contextlib.redirect_stderr(unheard), largest_file(6000):
            train("small", "--seed", "9", code=1)

        for old in RECORDED.iterdir():
            if old.is_dir():
                shutil.rmtree(old)
        shutil.copytree(folder / "runs", RECORDED, dirs_exist_ok=True, ignore=shutil.ignore_patterns("*.lock"))


if __name__ == "__main__":
    names = sys.argv[1:]
    if "--runs" in names:
        names.remove("--runs")
        record_runs()
    for each in names or GOLDEN:
        record(each)
