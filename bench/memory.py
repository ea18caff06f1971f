"""The memory estimate of `train --dry-run` against the measured peak.

    python bench/memory.py                      # networks of the zoo and two of the eight specs, on the CPU
    python bench/memory.py --device cuda specs/zoo/resnet18.arch
    python bench/memory.py --roomy              # as on a machine with memory to spare
    python bench/memory.py --process            # the peak of a process that trains a tiny network

Claim: the estimate is within 20 % of the peak, on a CPU where memory is short. Where it isn't, a training keeps the
memory of large tensors too, as with `--roomy` (docs/decisions/0020-freed-memory.md). Each training runs a few steps and
an evaluation in a new process, on as many random images as CIFAR-10 has. On a CPU, the peak is the maximum resident
size of the process, including the interpreter and torch; on a GPU, it is the memory reserved by torch's allocator.
"""

import argparse
import json
import tempfile
from pathlib import Path
from unittest import mock

from measure import child, hardware

_SPECS = Path(__file__).parents[1] / "specs"
_NETWORKS = ("baseline", "residual")
_ZOO = ("vgg11", "resnet18", "mobilenet_v2", "densenet121", "vit_tiny", "googlenet")
_IMAGES = (50_000, 10_000)
_SMALL = """\
arch small
input 3x32x32
model { conv(2, 3, stride=8) -> relu -> flatten -> dense(10) }
train {
    data       shapes
    epochs     1
    batch      2
    optimizer  sgd(lr=0.1, momentum=0.9)
}
"""


def main() -> None:
    """Run the benchmark."""
    specs = [_SPECS / f"{name}.arch" for name in _NETWORKS] + [_SPECS / "zoo" / f"{name}.arch" for name in _ZOO]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("specs", nargs="*", type=Path, default=specs)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--set", action="append", default=[], help="an override, as of `train`")
    parser.add_argument("--roomy", action="store_true", help="on a CPU, keep large tensors, as where there is room")
    parser.add_argument("--process", action="store_true", help="measure a process that trains a tiny network")
    parser.add_argument("--side", type=int, nargs=2, help=argparse.SUPPRESS)  # images per split
    options = parser.parse_args()
    if options.side:
        print(json.dumps(_measured(options)))
        return
    print(f"peak memory of training on {options.device}\n{hardware()}\n", flush=True)
    if options.process:
        with tempfile.TemporaryDirectory() as folder:
            spec = Path(folder) / "small.arch"
            spec.write_text(_SMALL, encoding="utf-8")
            print(f"a process that trains a tiny network: {_side(options, spec, (20, 10))['measured'] / 1e6:,.0f} MB")
        return
    worst = 0.0
    for spec in options.specs:
        found = _side(options, spec, _IMAGES)
        ratio = found["estimate"] / found["measured"]
        worst = max(worst, abs(ratio - 1))
        print(
            f"{spec.stem:<14} batch {found['batch']:<5} estimated {found['estimate'] / 1e6:6,.0f} MB   "
            f"measured {found['measured'] / 1e6:6,.0f} MB   ratio {ratio:.3f}",
            flush=True,
        )
    print(f"\nlargest deviation from the measured peak: {100 * worst:.0f} %")


def _side(options: argparse.Namespace, spec: Path, images: tuple[int, int]) -> dict[str, float]:
    """Measure in a new process."""
    arguments = [__file__, str(spec), "--device", options.device, "--threads", str(options.threads)]
    arguments += ["--steps", str(options.steps), *(f"--set={text}" for text in options.set)]
    arguments += ["--roomy"] * options.roomy
    found: dict[str, float] = json.loads(
        child([*arguments, "--side", *map(str, images)], options.threads).splitlines()[-1]
    )
    return found


def _measured(options: argparse.Namespace) -> dict[str, float]:
    import numpy as np
    import torch

    import cifar_dsl
    from cifar_dsl.analysis import estimate
    from cifar_dsl.training.engines import choose_engine
    from cifar_dsl.training.evaluation import evaluate
    from cifar_dsl.training.images import load_images
    from cifar_dsl.training.learner import Learner

    torch.set_num_threads(options.threads)
    device = torch.device(options.device)
    spec = cifar_dsl.load(options.specs[0], overrides=options.set)
    rng = np.random.default_rng(0)
    shape = (*spec.graph.input.extents[1:], spec.graph.input.extents[0])
    train, test = ((rng.integers(0, 256, (n, *shape), np.uint8), rng.integers(0, 10, n)) for n in options.side)
    splits = load_images(spec.recipe, train, test, device)
    engine = choose_engine("auto", device, spec.recipe).engine
    mock.patch("cifar_dsl.training.malloc_tuning.has_room", return_value=options.roomy).start()
    learner = Learner(spec.graph, spec.recipe, spec.name, 0, splits.train, engine)

    with engine.running():
        learner.begin_epoch()
        for _ in range(options.steps):
            engine.run([learner.prepare()])
    # Two batches need as much memory as all, and take less time on a CPU.
    splits.test.labels, splits.test.pixels = splits.test.labels[:1000], splits.test.pixels[:1000]
    evaluate(learner.module, splits.test, spec.recipe)
    parts = estimate(spec.graph, spec.recipe, sum(options.side), device.type)
    measured = torch.cuda.max_memory_reserved(device) if device.type == "cuda" else _largest_resident_size()
    return {"estimate": parts["total"], "measured": measured, "batch": spec.recipe.batch}


def _largest_resident_size() -> int:
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) * 1024


if __name__ == "__main__":
    main()
