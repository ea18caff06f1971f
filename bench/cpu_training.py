"""Training on a CPU: cifar_dsl against hand-written loops.

    python bench/cpu_training.py                                # baseline.arch and residual.arch
    python bench/cpu_training.py specs/wider.arch --threads 1

Claim: the usual loop takes at least twice as long as ours, and a plain in-memory channels_last loop of the same network
takes at least as long. Each side is a process that serves all rounds; rounds are interleaved, and the median of
`--rounds` counts after one warm-up round, since the first few hundred steps of a process are slower on every side. A
round is an epoch of `--steps` steps on random bytes in CIFAR-10's shape. Exits with 1 if the claim doesn't hold.

Sides:
  ours           `cifar_dsl`: the training loop behind `cifar-dsl train`
  resident       the same network and recipe by hand: tensors in memory, channels_last, Adam
  resident NCHW  the same without channels_last
  usual          torchvision's CIFAR10 + ToTensor + Normalize + DataLoader with 2 workers
"""

import argparse
import statistics
import sys
from pathlib import Path

from measure import report, verdict
from sides import Side, interleaved, serve

_SPECS = Path(__file__).parents[1] / "specs"
_SIDES = ("ours", "resident", "resident NCHW", "usual")
_BATCH = 64


def main() -> int:
    """Run the benchmark or, with --side, serve one side."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("specs", nargs="*", type=Path, default=[_SPECS / "baseline.arch", _SPECS / "residual.arch"])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--side", choices=_SIDES, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side:
        _serve(options)
        return 0
    claims: dict[str, bool] = {}
    for spec in options.specs:
        shared = [__file__, str(spec), "--steps", str(options.steps), "--threads", str(options.threads)]
        sides = {name: Side([*shared, "--side", name], options.threads) for name in _SIDES}
        times = interleaved(sides, options.rounds, scale=1000 / options.steps)
        report(f"a step of {spec.name}, batch {_BATCH}, {options.threads} threads", times, "ms", reference="ours")
        ours, usual, resident = (statistics.median(times[name]) for name in ("ours", "usual", "resident"))
        print(f"\nusual / ours: {usual / ours:.2f}   resident / ours: {resident / ours:.2f}\n")
        claims[f"{spec.stem}: the usual loop takes at least twice as long"] = usual >= 2 * ours
        claims[f"{spec.stem}: a loop by hand takes at least as long"] = resident >= ours
    return verdict(claims)


def _serve(options: argparse.Namespace) -> None:
    import torch
    from loops import ours, resident, usual

    torch.set_num_threads(options.threads)
    (spec,), images, device = options.specs, options.steps * _BATCH, torch.device("cpu")
    match options.side:
        case "ours":
            serve(ours(spec, images, _BATCH, device))
        case "usual":
            serve(usual(spec, images, _BATCH, device))
        case name:
            serve(resident(spec, images, _BATCH, device, channels_last=name == "resident"))


if __name__ == "__main__":
    sys.exit(main())
