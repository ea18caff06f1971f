"""The effect of each choice that makes training on a CPU faster.

    python bench/cpu_choices.py                                  # baseline.arch and residual.arch
    python bench/cpu_choices.py specs/wider.arch --threads 1

Claim: none makes a step more than 5 % slower. Each side is a process; rounds are interleaved, as in
bench/cpu_training.py, and the best round is printed too. Exits with 1 if the claim doesn't hold.

Sides:
  ours                    the default
  memory given back       freed memory goes back to the system, as glibc does (docs/decisions/0020-freed-memory.md)
  large tensors back      that of tensors of 32 MB and more does
  nothing overwritten     each layer's output has memory of its own
  activation first        activations run before the max pooling that follows them
  biases by oneDNN        a convolution's backward pass computes the gradient of the bias too (as always on AVX-512)
  pixel by pixel          images are normalised three numbers at a time

`--cpu-time` compares the CPU time of the processes, which other processes on the machine affect less; use it with
`--threads 1`.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from unittest import mock

from measure import report, verdict
from sides import Side, interleaved, serve

_SPECS = Path(__file__).parents[1] / "specs"
_SIDES = (
    "ours",
    "memory given back",
    "large tensors back",
    "nothing overwritten",
    "activation first",
    "biases by oneDNN",
    "pixel by pixel",
)


def main() -> int:
    """Run the benchmark or, with --side, serve one side."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("specs", nargs="*", type=Path, default=[_SPECS / "baseline.arch", _SPECS / "residual.arch"])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--precision", choices=("fp32", "bf16"), default="fp32")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--cpu-time", action="store_true")
    parser.add_argument("--side", choices=_SIDES, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side:
        _serve(options)
        return 0
    claims: dict[str, bool] = {}
    for spec in options.specs:
        shared = [__file__, str(spec), "--steps", str(options.steps), "--threads", str(options.threads)]
        shared += ["--batch", str(options.batch), "--precision", options.precision]
        shared += ["--cpu-time"] * options.cpu_time
        sides = {name: Side([*shared, "--side", name], options.threads) for name in _SIDES}
        times = interleaved(sides, options.rounds, scale=1000 / options.steps)
        report(
            f"a step of {spec.name} in {options.precision}, batch {options.batch}, {options.threads} threads",
            times,
            "ms",
            reference="ours",
        )
        print()
        ours = statistics.median(times["ours"])
        for name in _SIDES[1:]:
            claims[f"{spec.stem}: not 5 % faster with {name}"] = statistics.median(times[name]) >= 0.95 * ours
    return verdict(claims)


def _serve(options: argparse.Namespace) -> None:
    import torch
    from loops import ours

    torch.set_num_threads(options.threads)
    (spec,), images = options.specs, options.steps * options.batch
    with _without(options.side):
        run = ours(spec, images, options.batch, torch.device("cpu"), f"train.precision={options.precision}")
        serve(partial(_cpu_time, run) if options.cpu_time else run)


def _without(side: str) -> AbstractContextManager[object]:
    """The context in which training does without the choice of a side."""
    from torch.nn import Conv2d

    from cifar_dsl.training.images import Images, normalized
    from cifar_dsl.training.lowering.training_modules import SummedBiasConv2d

    match side:
        case "memory given back":
            return mock.patch("cifar_dsl.training.learner.keep_freed_memory", return_value=None)
        case "large tensors back":
            return mock.patch("cifar_dsl.training.malloc_tuning.has_room", return_value=False)
        case "nothing overwritten":
            return mock.patch("cifar_dsl.analysis.wiring.overwriting", return_value=frozenset())
        case "activation first":
            return mock.patch("cifar_dsl.training.lowering.torch_module.pooled_first", return_value={})
        case "biases by oneDNN":
            return mock.patch.object(SummedBiasConv2d, "forward", Conv2d.forward)
        case "pixel by pixel":
            plain = lambda images, values: normalized(values, images.scale, images.offset)  # noqa: E731
            return mock.patch.object(Images, "normalized", plain)
    return nullcontext()


def _cpu_time(run: Callable[[], float]) -> float:
    """The CPU time of a round, in seconds, of all threads together."""
    start = time.process_time()
    run()
    return time.process_time() - start


if __name__ == "__main__":
    sys.exit(main())
