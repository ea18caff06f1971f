"""A training whose standard output is on a full disk."""

import subprocess
import sys
from pathlib import Path

import pytest

FULL = Path("/dev/full")


@pytest.mark.skipif(not FULL.exists(), reason="needs /dev/full")
def test_training_on_a_full_standard_output_saves_the_run(tiny, pictures, tmp_path):
    command = [sys.executable, "-m", "cifar_dsl", "train", tiny, "--data", f"npz:{pictures}", "--device", "cpu"]
    with FULL.open("w") as full:
        done = subprocess.run(command, cwd=tmp_path, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1
    assert "error: can't write to standard output: No space left on device\n" in done.stderr
    assert "this is a bug" not in done.stderr
    assert len(list(tmp_path.glob("runs/*/seed-0"))) == 1
