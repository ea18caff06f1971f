"""Training on a CPU: cifar_dsl against hand-written loops.

    python bench/cpu_training.py                                # baseline.arch and residual.arch
    python bench/cpu_training.py specs/wider.arch --threads 1
    python bench/cpu_training.py --precision bf16 --peer-python ~/keras/bin/python

Claims: the usual loop takes at least twice as long as ours, and a plain in-memory channels_last loop of the same
network at least as long. Keras with TensorFlow takes 1.25 times as long on `baseline` and 1.5 times on `residual`, best
round against best round; in bf16, 1.6 times on both. It is left out, with a note, if `--peer-python` doesn't have it.

Each side is a process that serves all rounds; rounds are interleaved, and the median of `--rounds` counts after one
warm-up round, since the first few hundred steps of a process are slower on every side. A round is an epoch of `--steps`
steps on random bytes in CIFAR-10's shape. Exits with 1 if a claim doesn't hold.

Sides:
  ours           `cifar_dsl`: the training loop behind `cifar-dsl train`
  resident       the same network and recipe by hand: tensors in memory, channels_last, Adam
  resident NCHW  the same without channels_last
  usual          torchvision's CIFAR10 + ToTensor + Normalize + DataLoader with 2 workers; in float32 only
  Keras          Keras with TensorFlow: `fit` on arrays in memory; baseline.arch and residual.arch only
  Keras, 25      the same with 25 steps per execution
"""

import argparse
import statistics
import subprocess
import sys
from pathlib import Path

from measure import report, verdict
from sides import Side, interleaved, serve

_SPECS = Path(__file__).parents[1] / "specs"
_SIDES = ("ours", "resident", "resident NCHW", "usual")
_KERAS = {"Keras": [], "Keras, 25": ["--together"]}
# How many times our best round those of Keras take, by spec and precision.
_GOALS = {
    ("baseline", "fp32"): 1.25,
    ("residual", "fp32"): 1.5,
    ("baseline", "bf16"): 1.6,
    ("residual", "bf16"): 1.6,
}
_BATCH = 64


def main() -> int:
    """Run the benchmark or, with --side, serve one side."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("specs", nargs="*", type=Path, default=[_SPECS / "baseline.arch", _SPECS / "residual.arch"])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--precision", choices=("fp32", "bf16"), default="fp32")
    parser.add_argument("--peer-python", default=sys.executable, help="a Python with keras and tensorflow")
    parser.add_argument("--side", choices=_SIDES, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side:
        _serve(options)
        return 0
    claims: dict[str, bool] = {}
    has_keras = _has_keras(options.peer_python)
    if not has_keras:
        print(f"no peer: {options.peer_python} has no keras or tensorflow (`--peer-python` names another Python)\n")
    for spec in options.specs:
        sides = _sides(spec, options)
        if has_keras and (spec.stem, options.precision) in _GOALS:
            sides |= _keras_sides(spec.stem, options)
        times = interleaved(sides, options.rounds, scale=1000 / options.steps)
        title = f"a step of {spec.name} in {options.precision}, batch {_BATCH}, {options.threads} threads"
        report(title, times, "ms", reference="ours")
        medians = {name: statistics.median(values) / statistics.median(times["ours"]) for name, values in times.items()}
        best = {name: min(values) / min(times["ours"]) for name, values in times.items()}
        for kind, ratios in (("median", medians), ("best", best)):
            print(f"\n{kind}: ", "   ".join(f"{name} / ours: {ratios[name]:.2f}" for name in ratios if name != "ours"))
        print()
        if "usual" in times:
            claims[f"{spec.stem}: the usual loop takes at least twice as long"] = medians["usual"] >= 2
        claims[f"{spec.stem}: a loop by hand takes at least as long"] = medians["resident"] >= 1
        if "Keras" in times:
            goal = _GOALS[spec.stem, options.precision]
            is_reached = min(best[name] for name in _KERAS) >= goal
            claims[f"{spec.stem}: Keras takes at least {goal} times as long in its best round"] = is_reached
    return verdict(claims)


def _sides(spec: Path, options: argparse.Namespace) -> dict[str, Side]:
    shared = [__file__, str(spec), "--steps", str(options.steps), "--threads", str(options.threads)]
    shared += ["--precision", options.precision]
    names = [name for name in _SIDES if options.precision == "fp32" or name != "usual"]
    return {name: Side([*shared, "--side", name], options.threads) for name in names}


def _keras_sides(network: str, options: argparse.Namespace) -> dict[str, Side]:
    shared = [str(Path(__file__).with_name("keras_side.py")), network, "--steps", str(options.steps)]
    shared += ["--batch", str(_BATCH), "--threads", str(options.threads), "--precision", options.precision]
    return {
        name: Side([*shared, *more], options.threads, {"PYTHONPATH": None}, options.peer_python)
        for name, more in _KERAS.items()
    }


def _has_keras(python: str) -> bool:
    """Whether a Python finds Keras and TensorFlow."""
    code = "from importlib.util import find_spec as find; raise SystemExit(not (find('keras') and find('tensorflow')))"
    return subprocess.run([python, "-c", code], check=False).returncode == 0


def _serve(options: argparse.Namespace) -> None:
    import torch
    from loops import ours, resident, usual

    torch.set_num_threads(options.threads)
    (spec,), images, device = options.specs, options.steps * _BATCH, torch.device("cpu")
    match options.side:
        case "ours":
            serve(ours(spec, images, _BATCH, device, f"train.precision={options.precision}"))
        case "usual":
            serve(usual(spec, images, _BATCH, device))
        case name:
            half = torch.bfloat16 if options.precision == "bf16" else None
            serve(resident(spec, images, _BATCH, device, channels_last=name == "resident", half=half))


if __name__ == "__main__":
    sys.exit(main())
