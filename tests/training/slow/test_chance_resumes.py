"""Tiny networks with chance, trained on real pictures: killed and resumed, they end with the weights of whole runs.

Each mechanism is in two networks. A process that has computed gradients can't fork one that does, so this file is also
the program that forks all trainings.
"""

import json
import os
import signal
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import numpy as np
import pytest
import torch
from helpers.pictures import real_pictures
from helpers.training import CPU, meaning, terminated_after

from cifar_dsl.cli import main
from cifar_dsl.runs import open_run
from cifar_dsl.training.engines import EagerEngine
from cifar_dsl.training.images import load_images
from cifar_dsl.training.learner import Learner

MODELS = {
    "shaken": "shake { unit | unit } -> add { unit -> shake_drop(0.5) | identity } -> relu -> stochastic_pool(2)",
    "fractal": """mean(drop=0.3, global_share=0.5) { unit | unit -> unit }
    add { unit -> drop_block(3, 0.2) | identity }""",
    "three": """mean(drop=0.3, global_share=0.5) { unit -> shake_drop(0.3) | unit | unit }
    shake { unit | unit | unit } -> relu -> stochastic_pool(3, 2)""",
    "blocks": "mean(drop=0.5) { unit | unit } -> drop_block(2, 0.3) -> add { unit -> drop_path(0.5) | identity }",
}
SPEC = """
arch {name}
input 3x32x32
block unit() {{ conv(4, 3, pad=1, bias=false) -> bn -> relu }}
model {{
    avgpool(4) -> unit
    {model}
    flatten -> dense(10)
}}
train {{
    data           npz("00")
    augment        flip
    epochs         2
    batch          16
    optimizer      sgd(lr=0.05, momentum=0.9)
    drop_schedule  {schedule}
}}
"""


def forked(arguments: list[str], *, is_killed: bool = False) -> int:
    """Train in another process, which may be killed amid the second epoch; return its exit code."""
    process = os.fork()
    if process == 0:
        is_last = lambda learner: (learner.epoch, learner.steps_done) == (2, 1)  # noqa: E731
        with terminated_after(is_last, signal.SIGKILL) if is_killed else nullcontext():
            os._exit(main(arguments))
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def warm(spec: str) -> None:
    """Import and load what trainings need, once for all processes."""
    torch.set_num_threads(1)
    graph, recipe = meaning(spec)
    splits = load_images(recipe, *[(np.zeros((20, 32, 32, 3), np.uint8), np.arange(20) % 10)] * 2, CPU)
    with torch.no_grad():
        Learner(graph, recipe, "warm", 0, splits.train, EagerEngine(CPU)).module(torch.zeros(16, 3, 32, 32))


def train_all(folder: Path) -> None:
    """Train each network whole, and killed and resumed."""
    specs = {}
    for number, (name, model) in enumerate(MODELS.items()):
        specs[name] = SPEC.format(name=name, model=model, schedule=("linear", "cosine")[number % 2])
        (folder / f"{name}.arch").write_text(specs[name], encoding="utf-8")
    warm(specs["shaken"])
    options = ["--data", f"npz:{folder / 'pictures.npz'}", "--device", "cpu", "--threads", "1", "--quiet"]
    found = {}
    for name in specs:
        roots = [folder / f"{name}-{runs}" for runs in ("whole", "killed")]
        whole, killed = (["train", str(folder / f"{name}.arch"), *options, "--runs", str(root)] for root in roots)
        codes = [forked(whole), forked(killed, is_killed=True), forked(killed)]
        digests = [open_run(root).result().weights_digest for root in roots]
        found[name] = {"codes": codes, "digests": digests}
    print(json.dumps(found))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_what_was_drawn_survives_a_kill(tmp_path: Path) -> None:
    few = {name: array[: 48 if name.endswith("train") else 10] for name, array in real_pictures().items()}
    np.savez(tmp_path / "pictures.npz", **few)
    program = subprocess.run(
        [sys.executable, __file__, str(tmp_path)], capture_output=True, text=True, check=False, timeout=600
    )
    assert program.returncode == 0, program.stderr
    found = json.loads(program.stdout.splitlines()[-1])
    assert found.keys() == MODELS.keys()
    for name, one in found.items():
        assert one["codes"] == [0, -signal.SIGKILL, 0], name
        assert one["digests"][0] == one["digests"][1], name


if __name__ == "__main__":
    train_all(Path(sys.argv[1]))
