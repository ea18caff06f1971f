"""Run `cifar-dsl compare` and `sweep` in child processes: killed at random moments, or on a Ray cluster."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from attrs import frozen

from cifar_dsl.runs import find_runs

SPECS = {
    "small": """\
arch small
input 3x8x8

model {
    conv(8, 3) -> bn -> relu -> dropout(0.3)
    flatten
    dense(10)
}

train {
    data        npz("00")
    epochs      {epochs}
    batch       16
    augment     crop(padding=1) -> flip
    optimizer   adamw(lr=3e-3)
}
""",
    "slower": 'arch slower extends "small.arch"\n\ntrain { optimizer.lr 1e-4 }\n',
}
# Both train the two specs above.
COMMANDS = {"compare": ("compare", "."), "sweep": ("sweep", "small.arch", "--set", "train.optimizer.lr=3e-3,1e-4")}
_VICTIMS = ("group", "worker", "parent")
_TIMEOUT_S = 300


@frozen
class Trial:
    """The results of a killed and of an uninterrupted command.

    `midway` counts the kills during a training, and `retrained` the complete runs that a later attempt trained again.
    """

    kills: int
    midway: int
    retrained: int
    expected: dict[str, object]
    found: dict[str, object]


def killed_comparison(folder: Path, kills: int, seed: int, command: str = "compare", epochs: int = 60) -> Trial:
    """Kill a command of COMMANDS in turn during a training and at a random moment, and let it finish.

    A kill hits all processes, only a worker, or only the parent, in turn. The first comes `epochs` / 60 seconds after a
    checkpoint at the latest, since trainings of few epochs are short.
    """
    _prepare(folder, seed, epochs)
    chance = random.Random(seed)
    begun = time.perf_counter()
    _finish(folder, "whole", command, "--jobs", "2" if kills > 1 else "1")
    duration_s = time.perf_counter() - begun
    midway = 0
    complete: dict[Path, bytes] = {}
    for number in range(kills):
        before = _checkpoints(folder)
        process = _begin(folder, "killed", command)
        if number % 2:
            _wait(process, chance.uniform(0, duration_s))
        else:
            _wait(process, _TIMEOUT_S, lambda before=before: _checkpoints(folder) != before)
            _wait(process, chance.uniform(0, epochs / 60))
        if process.poll() is None:
            _kill(process, _VICTIMS[number % len(_VICTIMS)])
        midway += any(folder.glob("killed/*/*.partial"))
        complete = _complete(folder / "killed") | complete
    _finish(folder, "killed", command)
    now = _complete(folder / "killed")
    retrained = sum(now.get(path) != content for path, content in complete.items())
    return Trial(kills, midway, retrained, _essence(folder, "whole"), _essence(folder, "killed"))


def _wait(process: "subprocess.Popen[bytes]", most_s: float, until: Callable[[], bool] = lambda: False) -> None:
    """Wait at most so long, while the process runs and until something has happened."""
    end = time.perf_counter() + most_s
    while process.poll() is None and time.perf_counter() < end and not until():
        time.sleep(0.01)


def _checkpoints(folder: Path) -> set[Path]:
    """The checkpoints of the killed command, whose names change with every epoch."""
    return set(folder.glob("killed/*/*.partial/checkpoints/*"))


def _kill(process: "subprocess.Popen[bytes]", victim: str) -> None:
    """Kill the process group, its first process, or a worker; return when all have ended."""
    workers = _workers(process.pid)
    if victim == "worker" and workers:
        os.kill(workers[0], signal.SIGKILL)
    elif victim == "parent":
        process.kill()
    else:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(_TIMEOUT_S)


def _workers(parent: int) -> list[int]:
    """The processes that train for a command."""
    listed = subprocess.run(["ps", "-A", "-o", "pid=,ppid=,args="], capture_output=True, text=True, check=True).stdout
    rows = [line.split(None, 2) for line in listed.splitlines()]
    return [int(pid) for pid, above, arguments in rows if int(above) == parent and "spawn_main" in arguments]


def _complete(runs: Path) -> dict[Path, bytes]:
    """The result of each complete run, which also holds how long it took."""
    return {path: path.read_bytes() for path in runs.glob("*/seed-?/result.json")}


def compared_here_and_on_a_cluster(folder: Path) -> tuple[dict[str, object], dict[str, object]]:
    """The results of the same comparison in local processes and on a Ray cluster."""
    _prepare(folder, seed=0)
    _finish(folder, "here")
    _finish(folder, "there", "compare", "--executor", "ray")
    return _essence(folder, "here"), _essence(folder, "there")


def _prepare(folder: Path, seed: int, epochs: int = 60) -> None:
    random_pixels = np.random.default_rng(seed)
    np.savez(
        folder / "pictures.npz",
        x_train=random_pixels.integers(0, 256, (320, 8, 8, 3), np.uint8),
        y_train=np.arange(320) % 10,
        x_test=random_pixels.integers(0, 256, (50, 8, 8, 3), np.uint8),
        y_test=np.arange(50) % 10,
    )
    for name, text in SPECS.items():
        (folder / f"{name}.arch").write_text(text.replace("{epochs}", str(epochs)), encoding="utf-8")


def _begin(folder: Path, name: str, command: str = "compare", *more: str) -> "subprocess.Popen[bytes]":
    arguments = [sys.executable, "-m", "cifar_dsl", *COMMANDS[command], "--data", "npz:pictures.npz"]
    # Workers whose parent was killed stop after a step, and hold their locks until then.
    arguments += ["--seeds", "2", "--device", "cpu", "--threads", "1", "--wait", "--no-chart", "--no-report"]
    arguments += ["--runs", name, "--out", f"{name}-comparison", *(more or ("--jobs", "2"))]
    quiet = subprocess.DEVNULL
    # Its own process group, so that a kill includes the workers.
    return subprocess.Popen(arguments, cwd=folder, stdout=quiet, stderr=quiet, start_new_session=True)


def _finish(folder: Path, name: str, command: str = "compare", *more: str) -> None:
    code = _begin(folder, name, command, *more).wait(_TIMEOUT_S)
    assert code == 0, f"{name}: ended with {code}"


def _essence(folder: Path, name: str) -> dict[str, object]:
    return essence_of_table(folder / name, folder / f"{name}-comparison")


def essence_of_table(runs: Path, out: Path) -> dict[str, object]:
    """A comparison without its times, and the digests of all its weights."""
    compared = json.loads((out / "comparison.json").read_text(encoding="utf-8"))
    weights = {
        f"{row['name']} {run.record().seed}": run.result().weights_digest
        for row in compared["rows"]
        for run in find_runs(runs, row["fingerprint"])
    }
    return {"comparison": _timeless(compared), "weights": weights}


def _timeless(value: object) -> object:
    if isinstance(value, dict):
        return {key: _timeless(inner) for key, inner in value.items() if not key.endswith("_s")}
    return list(map(_timeless, value)) if isinstance(value, list) else value
