"""The effect of two choices on CPU training: keeping freed memory, and layers that overwrite their input.

    python bench/cpu_choices.py                                  # baseline.arch and residual.arch
    python bench/cpu_choices.py specs/wider.arch --threads 1

Claim: neither makes a step more than 5 % slower. The sides are the default, the default with freed memory returned to
the system as glibc does (docs/decisions/0020-freed-memory.md), and the default with separate memory for each layer's
output. Each side is a process; rounds are interleaved, as in bench/cpu_training.py. Exits with 1 if the claim doesn't
hold.
"""

import argparse
import statistics
import sys
from pathlib import Path
from unittest import mock

from measure import report, verdict
from sides import Side, interleaved, serve

_SPECS = Path(__file__).parents[1] / "specs"
_WITHOUT = {
    "memory given back": ("cifar_dsl.training.learner.keep_freed_memory", lambda _device: None),
    "nothing overwritten": ("cifar_dsl.training.lowering.torch_module.overwriting", lambda _graph: frozenset()),
}
_BATCH = 64


def main() -> int:
    """Run the benchmark or, with --side, serve one side."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("specs", nargs="*", type=Path, default=[_SPECS / "baseline.arch", _SPECS / "residual.arch"])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--side", choices=("ours", *_WITHOUT), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side:
        _serve(options)
        return 0
    claims: dict[str, bool] = {}
    for spec in options.specs:
        shared = [__file__, str(spec), "--steps", str(options.steps), "--threads", str(options.threads)]
        sides = {name: Side([*shared, "--side", name], options.threads) for name in ("ours", *_WITHOUT)}
        times = interleaved(sides, options.rounds, scale=1000 / options.steps)
        report(f"a step of {spec.name}, batch {_BATCH}, {options.threads} threads", times, "ms", reference="ours")
        print()
        ours = statistics.median(times["ours"])
        for name in _WITHOUT:
            claims[f"{spec.stem}: not 5 % faster with {name}"] = statistics.median(times[name]) >= 0.95 * ours
    return verdict(claims)


def _serve(options: argparse.Namespace) -> None:
    import torch
    from loops import ours

    torch.set_num_threads(options.threads)
    (spec,), images = options.specs, options.steps * _BATCH
    if options.side == "ours":
        serve(ours(spec, images, _BATCH, torch.device("cpu")))
        return
    with mock.patch(*_WITHOUT[options.side]):
        serve(ours(spec, images, _BATCH, torch.device("cpu")))


if __name__ == "__main__":
    sys.exit(main())
