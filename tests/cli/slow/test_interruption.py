"""Ctrl-C at many moments of a program's life: it ends with 130 and without a traceback."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

# Runs the program as its console script does. Counts audit events, which occur all along in Python, from the moment on
# when `run` has begun, and sends SIGINT at one of them.
PROGRAM = """
import os, signal, sys

moment, script = int(sys.argv[1]), sys.argv[2:]
seen = 0
is_ours = False

def count(event, arguments):
    global seen, is_ours
    if event == "import" and arguments[0] == "cifar_dsl.cli":
        is_ours = True
    if is_ours and event in {"import", "open", "compile", "exec"}:
        seen += 1
        if seen == moment:
            os.kill(os.getpid(), signal.SIGINT)

sys.argv = ["cifar-dsl", *script]
sys.addaudithook(count)
from cifar_dsl.__main__ import run
code = run()
if moment == 0:
    print(f"moments: {seen}", file=sys.stderr)
sys.exit(code)
"""
# Moments, evenly distributed over the life of a program; `doctor` imports torch.
MOMENTS = {"check": 6, "train": 6, "doctor": 3}

TEARDOWN = """
import atexit, os, signal, sys
from cifar_dsl.__main__ import run
if sys.argv[1] == "atexit":
    atexit.register(os.kill, os.getpid(), signal.SIGINT)
sys.argv = ["cifar-dsl", *sys.argv[2:]]
code = run()
os.kill(os.getpid(), signal.SIGINT)
sys.exit(code)
"""


def start(code: str, *arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture
def arguments(request, tiny, tmp_path):
    from_here = {
        "check": ["check", tiny],
        "train": ["train", tiny, "--dry-run"],
        "doctor": ["doctor"],  # imports torch
    }
    return from_here[request.param]


@pytest.mark.parametrize("arguments", MOMENTS, indirect=True)
def test_ctrl_c_ends_with_130_at_every_moment(arguments, tmp_path):
    some = MOMENTS[arguments[0]]
    whole = start(PROGRAM, 0, *arguments, cwd=tmp_path)
    moments = int(whole.stderr.rpartition("moments: ")[2])
    assert moments > 10 * some
    wrong = []
    for number in range(some):
        moment = 1 + number * (moments - 1) // some
        done = start(PROGRAM, moment, *arguments, cwd=tmp_path)
        if done.returncode != 130 or "Traceback" in done.stderr or "this is a bug" in done.stderr:
            wrong.append((moment, done.returncode, done.stderr[-500:]))
    assert wrong == []


@pytest.mark.parametrize("moment", ["end", "atexit"])
@pytest.mark.parametrize("arguments", ["check"], indirect=True)
def test_ctrl_c_while_the_interpreter_shuts_down(arguments, moment, tmp_path):
    done = start(TEARDOWN, moment, *arguments, cwd=tmp_path)
    assert (done.returncode, "Traceback" in done.stderr) == (130, False)
    assert done.stderr.endswith("interrupted\n")


def test_an_ignored_ctrl_c_stays_ignored(tiny, tmp_path):
    code = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)\n" + PROGRAM
    done = start(code, 50, "check", tiny, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")


def test_an_interrupt_that_a_destructor_swallows_is_raised_again(tmp_path):
    code = (
        "import os, signal, sys, time\n"
        "from cifar_dsl.cli import check, main\n"
        "class Slow:\n"
        "    def __del__(self): os.kill(os.getpid(), signal.SIGINT); time.sleep(0)\n"
        "def inspect(*_, **__):\n"
        "    Slow(); time.sleep(20)\n"
        "check.inspect = inspect\n"
        "sys.exit(main(sys.argv[1:]))\n"
    )
    (tmp_path / "a.arch").write_text("")
    done = start(code, "check", "a.arch", cwd=tmp_path)
    assert (done.returncode, done.stderr.strip()) == (130, "interrupted")


def test_an_interrupt_that_becomes_another_error_is_no_bug(tmp_path):
    code = (
        "import os, signal, sys\n"
        "from cifar_dsl.cli import check, main\n"
        "def inspect(*_, **__):\n"
        "    try: os.kill(os.getpid(), signal.SIGINT)\n"
        "    except KeyboardInterrupt: raise ImportError('initialization failed') from None\n"
        "check.inspect = inspect\n"
        "sys.exit(main(sys.argv[1:]))\n"
    )
    (tmp_path / "a.arch").write_text("")
    done = start(code, "check", "a.arch", cwd=tmp_path)
    assert (done.returncode, done.stderr.strip()) == (130, "interrupted")


def test_workers_that_start_are_interrupted_without_a_traceback(make_spec, pictures, tmp_path):
    """Ctrl-C in a terminal reaches all processes, also those that are still importing."""
    spec = make_spec("long", make_spec().read_text().replace("tiny", "long").replace("epochs     2", "epochs 3000"))
    options = ["--data", f"npz:{pictures}", "--device", "cpu", "--seeds", "2", "--jobs", "2", "--runs", tmp_path / "r"]
    command = [sys.executable, "-m", "cifar_dsl", "train", spec, *options]
    process = subprocess.Popen(
        list(map(str, command)), cwd=tmp_path, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    for line in process.stderr:
        if line.startswith("device"):  # the workers start now
            break
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=120)
    assert (process.returncode, "Traceback" in errors) == (130, False), errors
