"""The parts of bench/gpu.py, most valuable first. Each runs in a process of its own.

    python bench/gpu_parts.py --list
    python bench/gpu_parts.py smoke --record gpu.jsonl [--device cpu] [--quick]

smoke       the machine; what is missing; a training whose steps are recorded
equality    eager and recorded steps end with the same weights for three seeds, alone and side by side, resumed, and
            where fp16 skips steps; two eager trainings show how much any two differ
airbench    specs/records/airbench94.arch against a loop by hand, in turn: cold (the first run of a process) and warm
loops       an epoch of baseline.arch: the usual loop, a tuned usual one, images on the GPU, ours, ours eagerly
seeds       seeds of baseline.arch, one after another and side by side
memory      the estimate against the peak
resnet18    an epoch of the zoo's ResNet-18: the usual loop (that of kuangliu/pytorch-cifar, if named), ours, in bf16
choices     an epoch of airbench94.arch or baseline.arch with what makes it fast, and with each choice reversed
compiled    `torch.compile` against eager steps: equal results, and the time of an epoch
"""

import argparse
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

from gpu_record import Record

if TYPE_CHECKING:
    import torch

    from cifar_dsl.training.images import Splits
    from cifar_dsl.training.learner import Learner

_SPECS = Path(__file__).parents[1] / "specs"
_BASELINE, _RESIDUAL = _SPECS / "baseline.arch", _SPECS / "residual.arch"
_RESNET18, _AIRBENCH94 = _SPECS / "zoo" / "resnet18.arch", _SPECS / "records" / "airbench94.arch"
_PACKAGES: tuple[str, ...] = (
    "torch",
    "torchvision",
    "numpy",
    "attrs",
    "cattrs",
    "click",
    "filelock",
    "jinja2",
    "lark",
    "PIL",
    "platformdirs",
)
_PACKAGES += ("rich", "safetensors", "scipy")
_TOGETHER = 16  # seeds
_SIDES: tuple[str, ...] = ("usual", "usual, tuned", "resident", "ours", "ours, eager", "ours, compiled")
_SIDES += ("seeds together", "resnet18", "resnet18 in bf16", "resnet18 usual")
_CHOICES: tuple[str, ...] = ("airbench", "muon one by one", "draws in steps", "cudnn timed", "half weights", "fused")
_CHOICES += ("baseline", "baseline, activation first", "baseline, cudnn timed")
_SIDES += _CHOICES


class _Part:
    """What a part is given: options, device, and the record that it fills."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.name: str = options.part
        self._record = Record(options.record)

    @property
    def device(self) -> "torch.device":
        import torch

        return torch.device(self.options.device, 0) if self.options.device == "cuda" else torch.device("cpu")

    def size(self, full: int, quick: int) -> int:
        """A number of images, steps or seeds."""
        return quick if self.options.quick else full

    def measured(self, name: str, value: float, unit: str = "s") -> None:
        self._record.line("measured", part=self.name, name=name, value=value, unit=unit)

    def check(self, claim: str, found: object, *, holds: bool) -> None:
        self._record.line("check", part=self.name, claim=claim, found=found, holds=bool(holds))

    def note(self, text: str) -> None:
        self._record.line("note", part=self.name, text=text)

    def machine(self, text: str) -> None:
        self._record.line("machine", part=self.name, machine=text)

    def arrays(self, images: int) -> tuple[Any, Any]:
        """Training and test images with labels: CIFAR-10 from its pieces, or random ones."""
        import numpy as np

        if not self.options.npz:
            from loops import random_images

            return random_images(images), random_images(max(500, images // 5))
        pieces = [np.load(path) for path in self.options.npz]
        names = ("x_train", "y_train", "x_test", "y_test")
        whole = {name: np.concatenate([piece[name] for piece in pieces if name in piece]) for name in names}
        train = whole["x_train"], whole["y_train"].astype(np.int64)
        return train, (whole["x_test"], whole["y_test"].astype(np.int64))


# ---- smoke


def _smoke(part: _Part) -> None:
    from importlib.util import find_spec

    import torch

    missing = [name for name in _PACKAGES if find_spec({"attrs": "attr"}.get(name, name)) is None]
    if missing:
        part.note(f"missing packages: {', '.join(missing)}; carry their wheels with --wheels")
    name = "CPU" if part.device.type == "cpu" else torch.cuda.get_device_name(part.device)
    part.machine(f"{name}, torch {torch.__version__}, CUDA {torch.version.cuda}, Python {sys.version.split()[0]}")
    begun = time.perf_counter()
    (one,) = _trained(part, _BASELINE, "auto", (0,), epochs=3)
    part.measured("three short epochs, all included", time.perf_counter() - begun)
    engine: Any = one.engine
    if part.device.type == "cuda":
        part.check("steps are recorded", engine.recordings, holds=engine.recordings > 0)
    from cifar_dsl.training.device import peak_macs_per_s

    for precision in ("fp32", "bf16"):
        part.measured(f"matrix product in {precision}", 2 * peak_macs_per_s(part.device, precision) / 1e12, "TFLOP/s")


def _splits(part: _Part, path: Path, overrides: Sequence[str], images: int) -> tuple[Any, "Splits"]:
    import cifar_dsl
    from cifar_dsl.training.images import load_images

    spec = cifar_dsl.load(path, root=_SPECS, overrides=overrides)
    assert spec.recipe is not None
    train, test = part.arrays(images)
    return spec, load_images(spec.recipe, (train[0][:images], train[1][:images]), test, part.device)


def _trained(
    part: _Part,
    path: Path,
    engine: str,
    seeds: Sequence[int],
    *overrides: str,
    epochs: int = 2,
    images: int | None = None,
    interrupted: bool = False,
) -> list["Learner"]:
    """Learners after some epochs of few images with an engine; if `interrupted`, from checkpoints in the last epoch."""
    from cifar_dsl.foundation.errors import StoppedError
    from cifar_dsl.training.engines import choose_engine
    from cifar_dsl.training.learner import Learner
    from cifar_dsl.training.loop import Callbacks, fit

    count = part.size(2_000, 200) if images is None else images
    spec, splits = _splits(part, path, [f"train.epochs={epochs}", *overrides], count)

    def made() -> list[Learner]:
        chosen = choose_engine(engine, part.device, spec.recipe, part.note).engine
        return [Learner(spec.graph, spec.recipe, spec.name, seed, splits.train, chosen) for seed in seeds]

    learners = made()
    if interrupted:
        kept: list[dict[str, Any]] = []
        at: list[tuple[int, int]] = []

        def keep(learner: Learner) -> None:
            kept.append({name: tensor.cpu().clone() for name, tensor in learner.state().items()})
            at.append((learner.epoch, learner.steps_done))

        try:
            stops = Callbacks(
                wants_stop=lambda: (learners[0].epoch, learners[0].steps_done) >= (epochs, 1), on_stop=keep
            )
            fit(learners, splits, stops)
        except StoppedError:
            pass
        learners = made()
        for learner, state, (epoch, steps) in zip(learners, kept, at, strict=True):
            learner.restore(state, epoch, steps)
    fit(learners, splits, Callbacks())
    return learners


def _distance(one: "Learner", other: "Learner") -> float:
    """The distance of two networks, relative to the length of all weights."""
    import torch

    def flat(learner: "Learner") -> "torch.Tensor":
        return torch.cat([weight.detach().double().flatten() for weight in learner.module.parameters()])

    first, second = flat(one), flat(other)
    return float((first - second).norm() / first.norm())


# ---- equality


def _equality(part: _Part) -> None:
    seeds = (0, 1, 2)
    eager = _trained(part, _RESIDUAL, "eager", seeds)
    again = _trained(part, _RESIDUAL, "eager", seeds[:1])
    spread = _distance(eager[0], again[0])
    part.check("two eager trainings are about equal", spread, holds=spread < 1e-2)
    most = max(10 * spread, 1e-5)
    engine = "graph" if part.device.type == "cuda" else "eager"
    for name, learners in {
        "three seeds side by side": _trained(part, _RESIDUAL, engine, seeds),
        "one seed alone": _trained(part, _RESIDUAL, engine, seeds[:1]),
        "a resumed training": _trained(part, _RESIDUAL, engine, seeds[:1], interrupted=True),
    }.items():
        distances = [_distance(one, other) for one, other in zip(eager, learners, strict=False)]
        part.check(f"recorded steps equal eager ones: {name}", max(distances), holds=max(distances) <= most)
    # A loss this large overflows float16 until its scale has fallen, so the first steps are skipped.
    overflow = ("train.precision=fp16", "train.loss=cross_entropy(reduction=sum)")
    skipped = [_trained(part, _BASELINE, name, (0,), *overflow)[0] for name in ("eager", engine)]
    factors = [float(one.state()["scale.factor"]) for one in skipped]
    part.check("fp16 skips the same steps", factors, holds=factors[0] == factors[1])
    distance = _distance(*skipped)
    part.check("fp16 is about equal", distance, holds=distance < 0.05)


# ---- speed


def _airbench(part: _Part) -> None:
    from airbench_by_hand import run as by_hand

    from cifar_dsl.training.device import synchronize
    from cifar_dsl.training.engines import choose_engine
    from cifar_dsl.training.evaluation import Evaluator, evaluate_together
    from cifar_dsl.training.learner import Learner

    images, epochs = part.size(50_000, 2_000), part.size(8, 1)
    spec, splits = _splits(part, _AIRBENCH94, [f"train.epochs={epochs}"], images)

    def ours(seed: int) -> float:
        engine = choose_engine("auto", part.device, spec.recipe, part.note).engine
        learner = Learner(spec.graph, spec.recipe, spec.name, seed, splits.train, engine)
        with engine.running():
            while learner.epoch <= learner.plan.epochs_begun:
                learner.begin_epoch()
                for _ in range(learner.plan.steps_in(learner.epoch)):
                    engine.run([learner.prepare()])
                learner.end_epoch()
                learner.advance_epoch()
            (measured,) = evaluate_together([Evaluator(splits.test, spec.recipe, engine)], [learner.evaluated])
        return measured.accuracy

    def hand(seed: int) -> float:
        return by_hand(splits, seed, epochs=epochs)

    for number in range(part.size(6, 2)):  # alternating; the first of each is cold
        for name, run in {"ours": ours, "by hand": hand}.items():
            synchronize(part.device)
            begun = time.perf_counter()
            accuracy = run(number)
            synchronize(part.device)
            part.measured(f"{name}, {'warm' if number else 'cold'}", time.perf_counter() - begun)
            if part.options.npz:
                part.measured(f"{name}: accuracy", accuracy, "")


def _loops(part: _Part) -> None:
    _compare(part, {name: name for name in ("ours", "ours, eager", "resident", "usual, tuned", "usual")})


def _resnet18(part: _Part) -> None:
    _compare(part, {"resnet18 in bf16": "ours in bf16", "resnet18": "ours", "resnet18 usual": "usual"})


def _seeds(part: _Part) -> None:
    count = part.size(_TOGETHER, 2)
    _compare(part, {"ours": "one after another", "seeds together": "together"}, {"ours": count})
    engine = "graph" if part.device.type == "cuda" else "eager"
    beside = _trained(part, _BASELINE, engine, range(count))
    alone, again = (_trained(part, _BASELINE, engine, (count - 1,)) for _ in range(2))
    distance, spread = _distance(beside[-1], alone[0]), _distance(alone[0], again[0])
    part.check("a seed is the same alone and beside others", distance, holds=distance <= max(10 * spread, 1e-5))


def _choices(part: _Part) -> None:
    from cifar_dsl.training.lowering.fused_modules import why_not_fused

    reason = "too slow for a trial" if part.options.quick else why_not_fused(part.device)
    if reason:
        part.note(f"batch norm and activations aren't fused: {reason}")
    _compare(part, {name: name for name in _CHOICES if name != "fused" or not reason})


def _chosen(part: _Part) -> Callable[[], float]:
    """An epoch with what is chosen, or with one choice reversed."""
    import torch
    from loops import ours

    from cifar_dsl.training import muon
    from cifar_dsl.training.draws import DrawTable
    from cifar_dsl.training.lowering import torch_module

    match part.options.side:
        case "muon one by one":
            mock.patch.object(muon, "_TOGETHER", 0).start()
        case "draws in steps":
            mock.patch.object(DrawTable, "row", return_value=None).start()
        case "baseline, activation first":
            mock.patch.object(torch_module, "pooled_first", return_value={}).start()
        case "cudnn timed" | "baseline, cudnn timed":
            torch.backends.cudnn.benchmark = True
    if part.options.side.startswith("baseline"):
        return ours(_BASELINE, part.size(50_000, 32), part.size(64, 16), part.device)
    # A CPU may have no instructions for bfloat16.
    precision = ("train.precision=fp32",) if part.options.quick else ()
    if part.options.side == "half weights":
        precision = ("train.weight_precision=half",)
    engine = "fused" if part.options.side == "fused" else "auto"
    return ours(_AIRBENCH94, part.size(50_000, 8), part.size(2000, 8), part.device, *precision, engine=engine)


def _compiled(part: _Part) -> None:
    eager, compiled = (_trained(part, _BASELINE, name, (0,)) for name in ("eager", "compile"))
    distance = _distance(eager[0], compiled[0])
    part.check("compiled steps equal eager ones", distance, holds=distance < 1e-2)
    _compare(part, {name: name for name in ("ours", "ours, eager", "ours, compiled")})


def _compare(part: _Part, sides: dict[str, str], factors: dict[str, int] | None = None) -> None:
    """Measure epochs of sides in turn, each a process; the first epoch counts by itself, and the second doesn't.

    Times are multiplied by the factors of their sides.
    """
    from sides import Side

    shared = [__file__, part.name, "--record", str(part.options.record), "--device", part.options.device]
    shared += ["--quick"] if part.options.quick else []
    shared += ["--kuangliu", str(part.options.kuangliu)] if part.options.kuangliu else []
    running = {shown: Side([*shared, "--side", name]) for name, shown in sides.items()}
    scales = {shown: (factors or {}).get(name, 1) for name, shown in sides.items()}
    for number in range(part.size(5, 3)):
        for shown, side in running.items():
            epoch_s = scales[shown] * side.round()
            if number != 1:  # the second records
                part.measured(shown if number else f"{shown}: first epoch", epoch_s)
    for side in running.values():
        side.close()


def _side(part: _Part) -> Callable[[], float]:
    """The loop of one side: seconds of an epoch."""
    from loops import kuangliu, ours, ours_together, resident, usual

    if part.options.side in _CHOICES:
        return _chosen(part)
    device, images, large = part.device, part.size(50_000, 640), part.size(50_000, 48)
    batch = part.size(128, 16)  # of the large network; the usual loop needs two batches
    match part.options.side:
        case "usual":
            return usual(_BASELINE, images, 64, device)
        case "usual, tuned":
            return usual(_BASELINE, images, 64, device, tuned=True)
        case "resident":
            return resident(_BASELINE, images, 64, device)
        case "ours":
            return ours(_BASELINE, images, 64, device)
        case "ours, eager":
            return ours(_BASELINE, images, 64, device, engine="eager")
        case "ours, compiled":
            return ours(_BASELINE, images, 64, device, engine="compile")
        case "seeds together":
            return ours_together(_BASELINE, images, 64, device, seeds=part.size(_TOGETHER, 2))
        case "resnet18":
            return ours(_RESNET18, large, batch, device)
        case "resnet18 in bf16":
            return ours(_RESNET18, large, batch, device, "train.precision=bf16")
        case _ if part.options.kuangliu:
            return kuangliu(part.options.kuangliu, large, batch, device)
        case _:
            return usual(_RESNET18, large, batch, device)


def _memory(part: _Part) -> None:
    import torch

    from cifar_dsl.analysis import estimate

    if part.device.type != "cuda":
        part.note("only the memory of a GPU is measured here; bench/memory.py measures that of a CPU")
        return
    images = part.size(20_000, 500)
    for path, seeds in ((_BASELINE, 1), (_BASELINE, 4), (_RESIDUAL, 1), (_RESNET18, 1)):
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        learners = _trained(part, path, "auto", range(seeds), images=images)
        spec, splits = learners[0], learners[0].images
        measured = torch.cuda.max_memory_reserved()
        stored = len(splits) + max(500, images // 5)
        estimated = estimate(spec.graph, spec.recipe, stored, "cuda", seeds=seeds)["total"]
        del learners, spec, splits
        claim = f"{path.stem} with {seeds} seeds: the estimate is within 20 % of the peak"
        part.check(claim, f"{estimated / 1e6:.0f} of {measured / 1e6:.0f} MB", holds=0.8 < estimated / measured < 1.2)


# ---- the script


def _end_with(parent: int) -> None:
    """End this process and those that it started once its parent is gone; run by a thread."""
    while os.getppid() == parent:
        time.sleep(1)
    os.killpg(os.getpgid(0), signal.SIGKILL)


# Name, function, its time-out, and the time without which it isn't begun, in seconds.
_PARTS: tuple[tuple[str, Callable[[_Part], None], float, float], ...] = (
    ("smoke", _smoke, 60, 20),
    ("equality", _equality, 90, 20),
    ("airbench", _airbench, 100, 30),
    ("loops", _loops, 100, 40),
    ("seeds", _seeds, 60, 20),
    ("memory", _memory, 45, 15),
    ("resnet18", _resnet18, 90, 40),
    ("choices", _choices, 150, 60),
    ("compiled", _compiled, 90, 40),
)


def main() -> int:
    """Run one part, list all, or serve one side."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", nargs="?", choices=[name for name, *_ in _PARTS])
    parser.add_argument("--list", action="store_true", help="print names and times as JSON")
    parser.add_argument("--record", type=Path, default=Path("gpu.jsonl"))
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--npz", type=Path, nargs="+", default=[])
    parser.add_argument("--kuangliu", type=Path)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--side", choices=_SIDES, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.list or options.part is None:
        print(json.dumps([{"name": name, "limit_s": limit, "least_s": least} for name, _, limit, least in _PARTS]))
        return 0
    if os.getpgid(0) == os.getpid():  # started by bench/gpu.py
        threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    part = _Part(options)
    if options.side:
        from sides import serve

        serve(_side(part))
        return 0
    next(run for name, run, *_ in _PARTS if name == options.part)(part)
    return 0


if __name__ == "__main__":
    sys.exit(main())
