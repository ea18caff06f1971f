"""No spec can run code or touch a file outside its root."""

import json
import subprocess
import sys
from pathlib import Path

from helpers.hostile import write_hostile

_PROGRAM = Path(__file__).parents[2] / "helpers" / "audited.py"


def events(folder: Path, *arguments: str) -> list[str]:
    """The audit events while the specs of a folder are checked, expanded, drawn, formatted and compared."""
    done = subprocess.run(
        [sys.executable, _PROGRAM, folder, *arguments], capture_output=True, text=True, check=False, cwd=folder
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file() and not path.is_symlink()}


RIGHT = "arch right\ninput 3x8x8\nmodel { flatten -> dense(10) }\n"


def test_hostile_specs_run_nothing_and_open_nothing(tmp_path: Path) -> None:
    assert len(write_hostile(tmp_path)) >= 50
    (tmp_path / "right.arch").write_text(RIGHT, encoding="utf-8")
    before = contents(tmp_path)
    assert events(tmp_path) == []
    assert contents(tmp_path) == before  # and no canary


def test_forbidden_events_are_recorded(tmp_path: Path) -> None:
    seen = {event.partition(" ")[0] for event in events(tmp_path, "--betray")}
    assert {"exec", "os.listdir", "os.system", "open"} <= seen
