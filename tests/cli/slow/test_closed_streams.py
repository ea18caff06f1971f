"""Standard streams that are closed, as after `2>&-`."""

import subprocess
import sys
from pathlib import Path

import pytest


def run(streams: str, *command: str | Path, folder: Path) -> subprocess.CompletedProcess[str]:
    line = ["sh", "-c", f'exec "$@" {streams}', "sh", sys.executable, *command]
    return subprocess.run(line, cwd=folder, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)


def test_no_file_takes_the_number_of_a_closed_stream(tmp_path):
    """What a library prints there would damage it."""
    script = tmp_path / "script.py"
    script.write_text(
        "import sys\n"
        "from cifar_dsl.__main__ import run\n"
        "sys.argv[1:] = ['--version']\n"
        "run()\n"
        "print(open('script.py').fileno() > 2)\n"
    )
    done = run("<&- 2>&-", script, folder=tmp_path)
    assert (done.returncode, done.stdout.splitlines()[1:]) == (0, ["True"])


@pytest.mark.parametrize("streams", ["<&- 2>&-", ">&-"])
def test_a_training_needs_no_stream(tiny, pictures, tmp_path, streams):
    done = run(
        streams, "-m", "cifar_dsl", "train", tiny, "--data", f"npz:{pictures}", "--device", "cpu", folder=tmp_path
    )
    assert (done.returncode, "Traceback" in done.stderr) == (0, False)
    assert len(list(tmp_path.glob("runs/*/seed-0"))) == 1
