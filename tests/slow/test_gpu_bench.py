"""bench/gpu.py with pretended parts, which hang, crash, or find no time, and with kills in the middle."""

import fcntl
import os
import signal
import subprocess
import sys
import time
import zipfile
from contextlib import suppress
from pathlib import Path

import pytest

BENCH = Path(__file__).parents[2] / "bench"
sys.path.append(str(BENCH))

from gpu_record import LINES, read  # noqa: E402  # of the script that is tested

# A part measures as the real ones do, on a clock of its own; packages of a wheel can be imported.
PARTS = f"""
import fcntl, json, os, sys, time
sys.path.insert(0, {str(BENCH)!r})
from gpu_record import Record

if "--list" in sys.argv:
    print(json.dumps([
        dict(name="smoke", limit_s=60, least_s=1),
        dict(name="hangs", limit_s=1, least_s=0),
        dict(name="crashes", limit_s=60, least_s=0),
        dict(name="loops", limit_s=60, least_s=0),
        dict(name="long", limit_s=9000, least_s=9000),
        dict(name="waits", limit_s=600, least_s=0),
    ]))
    sys.exit()
name = sys.argv[1]
record = Record(sys.argv[sys.argv.index("--record") + 1])
record.line("machine", part=name, machine="a pretended GPU", process=os.getpid())
held = open(os.path.dirname(record._path) + "/held", "w")
fcntl.flock(held, fcntl.LOCK_SH)  # until this process and its children have ended
if name == "smoke":
    import carried
    from importlib.metadata import distributions
    packages = os.path.dirname(carried.__file__)
    places = [str(one._path) for one in distributions(name="cifar-dsl")]  # where its version is
    assert any(place.startswith(packages) for place in places), places
    record.line("measured", part=name, name="carried", value=carried.NUMBER, unit="")
elif name == "hangs":
    record.line("measured", part=name, name="before", value=1.0, unit="s")
    if os.fork() == 0:
        time.sleep(600)  # a process that it started, such as a worker of a loader
    time.sleep(600)
elif name == "crashes":
    raise RuntimeError("CUDA error: an illegal memory access was encountered")
elif name == "loops":
    record.line("check", part=name, claim="a loop equals another", found=0.25, holds=False)
    for usual, ours in ((40.0, 1.0), (44.0, 1.1), (90.0, 0.9)):
        record.line("measured", part=name, name="usual", value=usual, unit="s")
        record.line("measured", part=name, name="ours", value=ours, unit="s")
else:
    record.line("measured", part=name, name="before", value=2.0, unit="s")
    time.sleep(600)
"""


@pytest.fixture
def bench(tmp_path: Path):
    """Start the script with some parts."""
    (tmp_path / "wheels").mkdir()
    (tmp_path / "parts.py").write_text(PARTS)
    with zipfile.ZipFile(tmp_path / "wheels" / "carried-1-py3-none-any.whl", "w") as wheel:
        wheel.writestr("carried.py", "NUMBER = 42")
    started: list[subprocess.Popen[str]] = []

    def start(*only: str) -> subprocess.Popen[str]:
        command = [sys.executable, str(BENCH / "gpu.py"), "--parts", str(tmp_path / "parts.py")]
        command += ["--out", str(tmp_path / "out"), "--wheels", str(tmp_path / "wheels")]
        for name in only:
            command += ["--only", name]
        started.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True))
        return started[-1]

    yield start
    lines = rows(tmp_path / "out")
    for row in lines:
        if row["kind"] == "machine":
            with suppress(ProcessLookupError):
                os.killpg(int(str(row["process"])), signal.SIGKILL)
    for process in started:
        process.kill()
        process.wait()
        assert process.stdout
        process.stdout.close()


def rows(out: Path) -> list[dict[str, object]]:
    return read(out / LINES)


def wait_for(out: Path, text: str) -> None:
    """Wait until a file of the folder has a text."""
    while not (out / "summary.txt").exists() or text not in (out / "summary.txt").read_text():
        time.sleep(0.05)


def is_alive(out: Path) -> bool:
    """Whether a part, or a process that it started, is there."""
    with (out / "held").open() as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def test_parts_that_hang_or_crash_cost_only_themselves(bench, tmp_path):
    process = bench("smoke", "hangs", "crashes", "loops", "long")
    shown, _ = process.communicate()
    assert process.returncode == 1
    out = tmp_path / "out"
    outcomes = {row["part"]: row["outcome"] for row in rows(out) if row["kind"] == "part"}
    assert outcomes == {
        "smoke": "done",
        "hangs": "timed out after 1 s",
        "crashes": "failed with 1: RuntimeError: CUDA error: an illegal memory access was encountered",
        "loops": "done",
        "long": outcomes["long"],
    }
    assert str(outcomes["long"]).startswith("skipped: it takes 9000 s, and 4")
    assert not is_alive(out)
    summary = (out / "summary.txt").read_text()
    assert shown.endswith(summary)
    assert "a pretended GPU" in summary
    assert "smoke: carried: median 42" in summary
    assert "hangs: before: median 1 s" in summary
    assert "DOES NOT HOLD: loops: a loop equals another (0.25)" in summary
    assert "ratio: loops: usual / ours = 44.000; goal 20: reached" in summary


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 128 + signal.SIGTERM), (signal.SIGKILL, -signal.SIGKILL)]
)
def test_a_kill_in_the_middle_keeps_every_line_and_the_summary(bench, tmp_path, number, code):
    out = tmp_path / "out"
    process = bench("loops", "waits")
    wait_for(out, "waits: before: median 2 s")
    process.send_signal(number)
    assert process.wait() == code
    summary = (out / "summary.txt").read_text()
    for line in ("part loops: done", "ratio: loops: usual / ours = 44.000", "waits: before: median 2 s"):
        assert line in summary
    with (out / "gpu.jsonl").open("a") as lines:
        lines.write('{"kind": "measured", "part": "cut o')
    command = [sys.executable, str(BENCH / "gpu.py"), "--summarize", str(out)]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == summary
    if number == signal.SIGTERM:
        assert "part waits: stopped" in summary
        assert not is_alive(out)
