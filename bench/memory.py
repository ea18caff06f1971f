"""The memory that `train --dry-run` says a training will take, against what it takes.

    python bench/memory.py                      # five networks of the zoo, on the CPU
    python bench/memory.py --device cuda specs/zoo/resnet18.arch

Claim: the estimate is within 20 % of the peak. Each training runs a few steps in a process of its own, on random bytes
of CIFAR-10's shape and number. On a CPU the peak is the largest resident size of the process, so the interpreter and
torch count; on a GPU it is what torch's allocator has reserved.
"""

import argparse
import json
from pathlib import Path

from measure import child, hardware

_SPECS = Path(__file__).parents[1] / "specs"
_ZOO = ("vgg11", "resnet18", "mobilenet_v2", "densenet121", "vit_tiny")
_STEPS = 4
_IMAGES = (50_000, 10_000)


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("specs", nargs="*", type=Path, default=[_SPECS / "zoo" / f"{name}.arch" for name in _ZOO])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--set", action="append", default=[], help="an override, as of `train`")
    parser.add_argument("--side", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side:
        print(json.dumps(_measured(options)))
        return
    print(f"peak memory of training on {options.device}\n{hardware()}\n")
    worst = 0.0
    for spec in options.specs:
        sets = [f"--set={text}" for text in options.set]
        arguments = [__file__, str(spec), "--side", "--device", options.device, "--threads", str(options.threads)]
        found = json.loads(child([*arguments, *sets], options.threads).splitlines()[-1])
        ratio = found["estimate"] / found["measured"]
        worst = max(worst, abs(ratio - 1))
        print(
            f"{spec.stem:<20} batch {found['batch']:<5} estimated {found['estimate'] / 1e6:8,.0f} MB   "
            f"measured {found['measured'] / 1e6:8,.0f} MB   ratio {ratio:.3f}"
        )
    print(f"\nfurthest from the measured peak: {100 * worst:.0f} %")


def _measured(options: argparse.Namespace) -> dict[str, float]:
    import resource

    import numpy as np
    import torch

    import cifar_dsl
    from cifar_dsl.memory import estimate
    from cifar_dsl.training.engines import choose_engine
    from cifar_dsl.training.evaluation import evaluate
    from cifar_dsl.training.images import load_images
    from cifar_dsl.training.learner import Learner

    torch.set_num_threads(options.threads)
    device = torch.device(options.device)
    spec = cifar_dsl.load(options.specs[0], overrides=options.set)
    rng = np.random.default_rng(0)
    shape = (*spec.graph.input.extents[1:], spec.graph.input.extents[0])
    train, test = ((rng.integers(0, 256, (n, *shape), np.uint8), rng.integers(0, 10, n)) for n in _IMAGES)
    splits = load_images(spec.recipe, train, test, device)
    engine = choose_engine("auto", device, spec.graph, spec.recipe).engine
    learner = Learner(spec.graph, spec.recipe, spec.name, 0, splits.train, engine)
    with engine.running():
        learner.begin_epoch()
        for _ in range(_STEPS):
            engine.run(learner.prepare(), [learner.step])
    evaluate(learner.module, splits.test, spec.recipe) if device.type == "cuda" else None
    if device.type == "cuda":
        measured = torch.cuda.max_memory_reserved(device)
    else:
        measured = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    parts = estimate(spec.graph, spec.recipe)
    return {"estimate": parts["together"], "measured": measured, "batch": spec.recipe.batch, **parts}


if __name__ == "__main__":
    main()
