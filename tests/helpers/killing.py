"""A program for `reliability.kills`: trainings that are killed at random moments and resumed.

It imports everything once and forks a process per training, which saves about five seconds per kill. No training may
run in this process: torch can't compute gradients in a fork of a process that has computed some.
"""

import json
import os
import random
import shutil
import signal
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import torch
from helpers.reliability import SPEC, Outcome, Place, essence
from helpers.training import CPU, meaning

import cifar_dsl.cli.jobs
import cifar_dsl.cli.train
import cifar_dsl.training.session  # imported before the forks
from cifar_dsl.cli import main
from cifar_dsl.runs import open_run
from cifar_dsl.training.datasets import load_dataset
from cifar_dsl.training.engines import EagerEngine
from cifar_dsl.training.images import load_images
from cifar_dsl.training.learner import Learner
from cifar_dsl.training.provenance import commit_of


def begun(place: Place) -> int:
    """Fork a process that trains, with its output in files; return its id."""
    process = os.fork()
    if process:
        return process
    try:
        for descriptor, name in ((1, "out"), (2, "err")):
            file = os.open(place.folder / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(file, descriptor)
        os._exit(main(place.arguments))
    finally:
        os._exit(99)


def ended(place: Place, process: int) -> Outcome:
    """Wait for a process and return its output."""
    _, status = os.waitpid(process, 0)
    out, err = ((place.folder / name).read_text(encoding="utf-8") for name in ("out", "err"))
    whole_lines = out[: out.rfind("\n") + 1]
    return Outcome(os.waitstatus_to_exitcode(status), whole_lines, err)


def _warm(place: Place) -> None:
    """Trigger lazy imports of torch and one call of git, so that forks spend their time on training."""
    torch.set_num_threads(1)
    commit_of(Path(cifar_dsl.__file__).parent)
    graph, recipe = meaning(SPEC)
    data = load_dataset("npz", path=place.folder / "pictures.npz")
    splits = load_images(recipe, (data.x_train, data.y_train), (data.x_test, data.y_test), CPU)
    Learner(graph, recipe, "small", 0, splits.train, EagerEngine(CPU)).state()


def run(folder: Path, count: int, seed: int) -> dict[str, int]:
    """Kill `count` times; return the counts of kills, trainings and failures."""
    chance = random.Random(seed)
    place = Place(folder)
    _warm(place)
    expected_place = place.of("killed-none")
    start = time.perf_counter()
    outcome = ended(expected_place, begun(expected_place))
    duration_s = time.perf_counter() - start
    assert outcome.code == 0, outcome.err
    expected = essence(open_run(expected_place.root))
    found = dict.fromkeys(("kills", "midway", "lost", "different", "trainings"), 0)
    place = place.of("killed")
    reported = 0
    while found["kills"] < count or place.root.exists():
        process = begun(place)
        if found["kills"] < count:
            time.sleep(chance.uniform(0, duration_s))
            os.kill(process, signal.SIGKILL)
            found["kills"] += 1
        outcome = ended(place, process)
        reported = max(reported, outcome.epochs)
        if outcome.code == -signal.SIGKILL:
            found["midway"] += 1
            if place.kept_epochs() < reported:
                found["lost"] += 1
                print(f"epoch {reported} was reported but is lost", file=sys.stderr)
            continue
        assert outcome.code == 0, outcome.err
        found["trainings"] += 1
        if essence(open_run(place.root)) != expected:
            found["different"] += 1
            print(f"different results: {place.root}", file=sys.stderr)
        shutil.rmtree(place.root)
        reported = 0
    return found


if __name__ == "__main__":
    print(json.dumps(run(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))))
