"""Trainings that are killed at random moments and gone on with: a program of its own, for `reliability.kills`.

It imports everything once and forks a process for each training, so that a kill costs no five seconds. No training may
run in this process itself: torch can't compute gradients in a fork of a process that has.
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
import cifar_dsl.training.session  # so that forks have it
from cifar_dsl.cli import main
from cifar_dsl.runs import open_run
from cifar_dsl.training.datasets import load_dataset
from cifar_dsl.training.engines import EagerEngine
from cifar_dsl.training.images import load_images
from cifar_dsl.training.learner import Learner
from cifar_dsl.training.provenance import commit_of


def begun(place: Place) -> int:
    """A process that trains; what it says goes into files."""
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
    """What it said, when it has ended."""
    _, status = os.waitpid(process, 0)
    said = [(place.folder / name).read_text(encoding="utf-8") for name in ("out", "err")]
    whole = said[0][: said[0].rfind("\n") + 1]
    return Outcome(os.waitstatus_to_exitcode(status), whole, said[1])


def _warm(place: Place) -> None:
    """Import what torch imports late, and ask git once, so that forks spend their time on training."""
    torch.set_num_threads(1)
    commit_of(Path(cifar_dsl.__file__).parent)
    graph, recipe = meaning(SPEC)
    data = load_dataset("npz", path=place.folder / "pictures.npz")
    splits = load_images(recipe, (data.x_train, data.y_train), (data.x_test, data.y_test), CPU)
    Learner(graph, recipe, "small", 0, splits.train, EagerEngine(CPU)).state()


def run(folder: Path, count: int, seed: int) -> dict[str, int]:
    """Kill so many times."""
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
                print(f"epoch {reported} was reported and is lost", file=sys.stderr)
            continue
        assert outcome.code == 0, outcome.err
        found["trainings"] += 1
        if essence(open_run(place.root)) != expected:
            found["different"] += 1
            print(f"other results: {place.root}", file=sys.stderr)
        shutil.rmtree(place.root)
        reported = 0
    return found


if __name__ == "__main__":
    print(json.dumps(run(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))))
