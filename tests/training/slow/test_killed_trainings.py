"""Tiny networks trained on real pictures: killed and resumed, they end with the weights of whole runs, bit for bit.

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

HEAD = "flatten -> dense(10)"
EXIT = "let early = global_avgpool -> dense(10) -> exit(0.3)"
TIED = "let f = tied { conv(4, 3, pad=1, bias=false) -> bn -> relu }"
TOKENS = """patches(16, 2) -> class_token -> class_token -> position_embedding -> transformer_layer(2, 16)
    let labelled = token(0) -> dense(10) -> exit"""
# Of each network its stages and settings: chance; then tied blocks, exits, functions of weights, bounded norms, images
# that grow, and teachers. Each kind of whitening, early stopping, weights of classes, and everything else is in two.
NETWORKS = {
    "shaken": (
        f"""unit -> shake {{ unit | unit }} -> add {{ unit -> shake_drop(0.5) | identity }}
    relu -> stochastic_pool(2) -> {HEAD}""",
        "augment flip\n drop_schedule linear\n normalize gcn\n validation 20\n early_stopping loss(3)",
    ),
    "fractal": (
        f"""unit -> mean(drop=0.3, global_share=0.5) {{ unit | unit -> unit }}
    add {{ unit -> drop_block(3, 0.2) | identity }} -> {HEAD}""",
        "augment flip\n drop_schedule cosine\n loss cross_entropy(weights=balanced)\n average lookahead",
    ),
    "three": (
        f"""unit -> mean(drop=0.3, global_share=0.5) {{ unit -> shake_drop(0.3) | unit | unit }}
    shake {{ unit | unit | unit }} -> relu -> stochastic_pool(3, 2) -> {HEAD}""",
        "augment flip\n drop_schedule linear\n loss cross_entropy(weights=balanced)\n perturb sam",
    ),
    "blocks": (
        f"""unit -> mean(drop=0.5) {{ unit | unit }} -> drop_block(2, 0.3)
    add {{ unit -> drop_path(0.5) | identity }} -> {HEAD}""",
        "augment flip\n drop_schedule cosine\n validation 20\n early_stopping accuracy(3)",
    ),
    "tied": (
        f"unit\n {TIED}\n f -> maxpool(2) -> f\n {EXIT}\n dropout(0.2) -> {HEAD}",
        "normalize zca(eps=0.1)\n constrain max_norm(0.5)\n average ema(0.9)",
    ),
    "tied_in_branches": (
        f"unit\n {TIED}\n add {{ f | tanh -> f }} -> global_avgpool -> dense(10, weight=spectral)",
        "normalize gcn\n augment resize([0, 1], [4, 8])\n average lookahead",
    ),
    "standardized": (
        """conv(4, 3, pad=1, weight=standardized, bias=false) -> bn -> relu
    conv(4, 3, weight=scaled) -> relu -> global_avgpool -> dense(10, weight=normalized)""",
        "normalize zca(eps=0.1)\n augment flip -> mixup -> resize([0, 1], [6, 8])\n constrain max_norm(1)",
    ),
    "taught_softly": (
        f"unit\n {EXIT}\n {HEAD}",
        "augment flip -> mixup\n distill soft\n batch 12\n accumulate 2\n perturb sam",
    ),
    "taught_classes": (
        f"""{TOKENS}\n let taught = token(1) -> dense(10) -> exit(learns=teacher)
    mean {{ labelled | taught }} -> exit(0)""",
        "augment flip\n distill hard\n optimizer adamw(lr=1e-3)",
    ),
}
TEACHER = "unit -> global_avgpool -> dense(10)"
SPEC = """
arch {name}
input 3x8x8
block unit() {{ conv(4, 3, pad=1, bias=false) -> bn -> relu }}
model {{
    {model}
}}
train {{
    data       npz("00")
    epochs     2
    {settings}
}}
"""
COMPILER = 99  # the exit code where torch's compiler was imported, which takes longer than a whole training here
DEFAULTS = {"batch": "batch 16", "optimizer": "optimizer sgd(lr=0.05, momentum=0.9)"}


def spec_of(name: str, model: str, settings: str) -> str:
    """The text of a spec; the defaults stand for settings that it doesn't have."""
    more = [line for setting, line in DEFAULTS.items() if setting not in settings]
    return SPEC.format(name=name, model=model, settings="\n    ".join([settings, *more]))


def forked(arguments: list[str], *, is_killed: bool = False) -> int:
    """Train in another process, which may be killed amid the second epoch; return its exit code."""
    process = os.fork()
    if process == 0:
        is_last = lambda learner: (learner.epoch, learner.steps_done) == (2, 1)  # noqa: E731
        with terminated_after(is_last, signal.SIGKILL) if is_killed else nullcontext():
            code = main(arguments)
            os._exit(COMPILER if "torch._dynamo" in sys.modules else code)
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def warm(spec: str) -> None:
    """Import and load what trainings need, once for all processes."""
    torch.set_num_threads(1)
    graph, recipe = meaning(spec)
    splits = load_images(recipe, *[(np.zeros((20, 8, 8, 3), np.uint8), np.arange(20) % 10)] * 2, CPU)
    with torch.no_grad():
        Learner(graph, recipe, "warm", 0, splits.train, EagerEngine(CPU)).module(torch.zeros(16, 3, 8, 8))


def train_all(folder: Path) -> None:
    """Train each network whole, and killed and resumed."""
    specs = {name: spec_of(name, *parts) for name, parts in NETWORKS.items()}
    specs["teacher"] = spec_of("teacher", TEACHER, "")
    for name, text in specs.items():
        (folder / f"{name}.arch").write_text(text, encoding="utf-8")
    warm(specs["shaken"])
    options = ["--data", f"npz:{folder / 'pictures.npz'}", "--device", "cpu", "--threads", "1", "--quiet"]
    assert forked(["train", str(folder / "teacher.arch"), *options, "--runs", str(folder / "taught")]) == 0
    teacher = ["--teacher", str(open_run(folder / "taught").path)]
    found = {}
    for name, (_, settings) in NETWORKS.items():
        roots = [folder / f"{name}-{runs}" for runs in ("whole", "killed")]
        more = [*options, *teacher * ("distill" in settings)]
        whole, killed = (["train", str(folder / f"{name}.arch"), *more, "--runs", str(root)] for root in roots)
        codes = [forked(whole), forked(killed, is_killed=True), forked(killed)]
        results = [open_run(root).result() for root in roots]
        found[name] = {
            "codes": codes,
            "digests": [result.weights_digest for result in results],
            "exits": [[one.train_loss for one in result.exits] for result in results],
        }
    print(json.dumps(found))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_killed_training_resumes_to_the_same_weights(tmp_path: Path) -> None:
    few = {name: array[: 48 if name.endswith("train") else 10] for name, array in real_pictures().items()}
    few |= {name: np.ascontiguousarray(array[:, ::4, ::4]) for name, array in few.items() if name.startswith("x")}
    np.savez(tmp_path / "pictures.npz", **few)
    program = subprocess.run(
        [sys.executable, __file__, str(tmp_path)], capture_output=True, text=True, check=False, timeout=600
    )
    assert program.returncode == 0, program.stderr
    found = json.loads(program.stdout.splitlines()[-1])
    assert found.keys() == NETWORKS.keys()
    for name, one in found.items():
        assert one["codes"] == [0, -signal.SIGKILL, 0], name
        assert one["digests"][0] == one["digests"][1], name
        assert one["exits"][0] == one["exits"][1], name
        assert bool(one["exits"][0]) == ("exit" in NETWORKS[name][0]), name


if __name__ == "__main__":
    train_all(Path(sys.argv[1]))
