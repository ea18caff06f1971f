"""Printed source is typed. mypy keeps what it learns of torch, most of its work, with what it knows of the package."""

import shutil
import subprocess
from pathlib import Path

from cifar_dsl.compiler import analyze
from cifar_dsl.export.source.module import pytorch_source
from cifar_dsl.foundation.resources import shipped_specs, specs_directory

ROOT = Path(__file__).parents[3]


def source_of(name: str, *, train: bool = False) -> str:
    return "# mypy: allow-untyped-calls\n" + pytorch_source(
        analyze(shipped_specs()[name], specs_directory()), train=train
    )


def test_types(tmp_path: Path) -> None:
    for name in ("resnet18", "vit_tiny", "res2net50", "shake_shake26_2x32d"):
        (tmp_path / f"{name}.py").write_text(source_of(name), encoding="utf-8")
    for name in ("resnet18", "preact_resnet18"):
        (tmp_path / f"{name}_script.py").write_text(source_of(name, train=True), encoding="utf-8")
    mypy = shutil.which("mypy")
    assert mypy
    done = subprocess.run([mypy, *tmp_path.glob("*.py")], check=False, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stdout
