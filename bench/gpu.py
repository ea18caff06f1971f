"""All checks and timings that need a GPU, in one run of less than ten minutes.

    python bench/gpu.py --out results                                     # without data and other projects
    python bench/gpu.py --out results --npz cifar10.npz --airbench airbench94_muon.py --kuangliu pytorch-cifar
    python bench/gpu.py --out results --device cpu --quick                # tests the script itself

Claims, as ratios of median wall times in one run; each side is a process, and rounds are interleaved:

    usual loop / ours, baseline.arch                                      at least 20
    eager loop with the data on the GPU / ours, baseline.arch             at least 4
    16 seeds one after another / together, baseline.arch                  at least 6, with equal results for each seed
    first epoch, recording included / eager epoch                         at most 1
    ResNet-18 of kuangliu/pytorch-cifar / ours, an epoch                  at least 4, and 1.5 at equal precision
    airbench94_muon.py / specs/records/airbench94.arch                    at least 0.95, at a mean accuracy of 0.94

It also compares recorded steps with eager ones for every kind of recipe, and the memory estimate with the peak. Files
of other projects are named on the command line and never part of this repository. The result of a section is printed
and written to OUT/gpu.json at once; if a section fails, the others still run.
"""

import argparse
import json
import re
import statistics
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

from measure import hardware
from sides import Side, interleaved, serve

_ROOT = Path(__file__).parents[1]
_BASELINE = _ROOT / "specs" / "baseline.arch"
_RESNET18 = _ROOT / "specs" / "zoo" / "resnet18.arch"
_AIRBENCH94 = _ROOT / "specs" / "records" / "airbench94.arch"
_SIDES = (
    "usual",
    "resident",
    "ours",
    "ours eager",
    "one seed",
    "seeds together",
    "resnet18",
    "resnet18 bf16",
    "kuangliu",
)


def main() -> int:
    """Run all sections or, with --side, serve one side."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("results"))
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seeds", type=int, default=16)
    parser.add_argument("--runs", type=int, default=25, help="runs of airbench94")
    parser.add_argument("--npz", type=Path, help="CIFAR-10 as an .npz file, for accuracies")
    parser.add_argument("--airbench", type=Path, help="path of airbench94_muon.py")
    parser.add_argument("--kuangliu", type=Path, help="a checkout of kuangliu/pytorch-cifar")
    parser.add_argument("--quick", action="store_true", help="a small budget, to test the script itself")
    parser.add_argument("--only", action="append", choices=list(_SECTIONS), help="run only this section; repeatable")
    parser.add_argument("--side", choices=_SIDES, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.quick:
        options.rounds, options.seeds, options.runs = 1, 2, 2
    if options.side:
        serve(_side(options))
        return 0
    options.out.mkdir(parents=True, exist_ok=True)
    found: dict[str, object] = {"hardware": _hardware(options)}
    print(found["hardware"])
    failed = 0
    for name in options.only or _SECTIONS:
        begun = time.perf_counter()
        print(f"\n== {name}", flush=True)
        try:
            found[name] = _SECTIONS[name](options)
        except Exception:  # noqa: BLE001  # the other sections still run
            failed += 1
            found[name] = {"failed": traceback.format_exc()}
            traceback.print_exc()
        print(f"({time.perf_counter() - begun:.0f} s)", flush=True)
        (options.out / "gpu.json").write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    return int(failed > 0)


def _hardware(options: argparse.Namespace) -> str:
    import torch

    gpu = torch.cuda.get_device_name() if options.device == "cuda" else "no GPU"
    return f"{gpu}, CUDA {torch.version.cuda}, cuDNN {torch.backends.cudnn.version()}; {hardware()}"


# ---- sides


def _images(options: argparse.Namespace) -> int:
    return 640 if options.quick else 50_000


def _side(options: argparse.Namespace) -> Callable[[], float]:
    import torch
    from loops import kuangliu, ours, ours_together, resident, usual

    device, images = torch.device(options.device), _images(options)
    match options.side:
        case "usual":
            return usual(_BASELINE, images, 64, device)
        case "resident":
            return resident(_BASELINE, images, 64, device)
        case "ours" | "one seed":
            return ours(_BASELINE, images, 64, device)
        case "ours eager":
            return ours(_BASELINE, images, 64, device, engine="eager")
        case "seeds together":
            return ours_together(_BASELINE, images, 64, device, seeds=options.seeds)
        case "resnet18":
            return ours(_RESNET18, images, 128, device)
        case "resnet18 bf16":
            return ours(_RESNET18, images, 128, device, "train.precision=bf16")
        case _:
            return kuangliu(options.kuangliu, images, 128, device)


def _epochs(options: argparse.Namespace, *names: str) -> dict[str, list[float]]:
    """Seconds per epoch of each side, warm, with interleaved rounds."""
    shared = [__file__, "--device", options.device, "--seeds", str(options.seeds)]
    shared += ["--quick"] * options.quick + (["--kuangliu", str(options.kuangliu)] if options.kuangliu else [])
    sides = {name: Side([*shared, "--side", name]) for name in names}
    times = interleaved(sides, options.rounds, warm_up=2)  # the first epoch is partly eager, the second records
    for name, values in times.items():
        print(f"{name:<16} median {statistics.median(values):8.3f} s  ({min(values):.3f} to {max(values):.3f})")
    return times


def _ratio(times: dict[str, list[float]], slow: str, fast: str, factor: float = 1.0) -> float:
    ratio = factor * statistics.median(times[slow]) / statistics.median(times[fast])
    print(f"{slow} / {fast}: {ratio:.2f}")
    return ratio


# ---- sections


def _loops(options: argparse.Namespace) -> object:
    times = _epochs(options, "usual", "resident", "ours", "ours eager")
    return {
        "times": times,
        "usual / ours": _ratio(times, "usual", "ours"),
        "resident / ours": _ratio(times, "resident", "ours"),
        "ours eager / ours": _ratio(times, "ours eager", "ours"),
    }


def _seeds(options: argparse.Namespace) -> object:
    times = _epochs(options, "one seed", "seeds together")
    return {"times": times, "alone / together": _ratio(times, "one seed", "seeds together", options.seeds)}


def _first_epoch(options: argparse.Namespace) -> object:
    """The first epoch of a new process, recording included, with and without recording."""
    found = {}
    for name in ("ours", "ours eager"):
        shared = [__file__, "--device", options.device, *(["--quick"] * options.quick)]
        side = Side([*shared, "--side", name])
        found[name] = [side.round()]
        side.close()
    return {"times": found, "first recorded epoch / first eager epoch": _ratio(found, "ours", "ours eager")}


def _resnet18(options: argparse.Namespace) -> object:
    if options.kuangliu is None:
        return _skipped("--kuangliu names no checkout")
    times = _epochs(options, "kuangliu", "resnet18", "resnet18 bf16")
    return {
        "times": times,
        "kuangliu / ours": _ratio(times, "kuangliu", "resnet18 bf16"),
        "kuangliu / ours at equal precision": _ratio(times, "kuangliu", "resnet18"),
    }


def _equality(options: argparse.Namespace) -> object:
    """Check that recorded steps compute the same as eager ones, for every kind of recipe."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/training/slow/test_engines.py"]
    command += ["-k", "recorded or device" if options.device == "cuda" else "inputs"]
    done = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, check=False)
    print(done.stdout[-2000:], done.stderr[-2000:])
    if done.returncode:
        raise RuntimeError("recorded steps differ from eager ones")
    return {"summary": done.stdout.strip().splitlines()[-1]}


def _memory(options: argparse.Namespace) -> object:
    command = [sys.executable, str(Path(__file__).with_name("memory.py")), "--device", options.device]
    command += [str(_BASELINE), "--threads", "1"] if options.quick else []
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    print(done.stdout)
    return {"output": done.stdout}


def _airbench(options: argparse.Namespace) -> object:
    """Accuracies and times (s) of the record, ours and its author's, for whitening, training and the augmented test."""
    if options.npz is None:
        return _skipped("--npz names no data")
    import numpy as np
    import torch

    import cifar_dsl
    from cifar_dsl.training.engines import choose_engine
    from cifar_dsl.training.evaluation import Evaluator, evaluate_together
    from cifar_dsl.training.images import load_images
    from cifar_dsl.training.learner import Learner

    device = torch.device(options.device)
    spec = cifar_dsl.load(_AIRBENCH94, root=_ROOT / "specs", overrides=["train.epochs=1"] if options.quick else [])
    with np.load(options.npz) as arrays:
        train = arrays["x_train"], arrays["y_train"].astype(np.int64)
        test = arrays["x_test"], arrays["y_test"].astype(np.int64)
    splits = load_images(spec.recipe, train, test, device)
    times, accuracies = [], []
    for seed in range(options.runs + 1):  # the first is a warm-up
        engine = choose_engine("auto", device, spec.graph, spec.recipe).engine
        if device.type == "cuda":
            torch.cuda.synchronize()
        begun = time.perf_counter()
        learner = Learner(spec.graph, spec.recipe, spec.name, seed, splits.train, engine)
        with engine.running():
            while learner.epoch <= learner.plan.epochs_begun:
                learner.begin_epoch()
                for _ in range(learner.plan.steps_in(learner.epoch)):
                    engine.run(learner.prepare(), [learner.step])
                learner.end_epoch()
                learner.advance_epoch()
            (measured,) = evaluate_together([Evaluator(splits.test, spec.recipe, engine)], [learner.evaluated])
        times.append(time.perf_counter() - begun)
        accuracies.append(measured.accuracy)
    times, accuracies = times[1:], accuracies[1:]
    found: dict[str, object] = {"ours": {"times": times, "accuracies": accuracies}}
    print(f"ours: accuracy {statistics.fmean(accuracies):.4f} (n={len(accuracies)}), {statistics.median(times):.3f} s")
    if options.airbench is not None:
        done = subprocess.run([sys.executable, str(options.airbench)], capture_output=True, text=True, check=True)
        rows = re.findall(r"\|\s*eval\s*\|.*?\|\s*([0-9.]+)\s*\|\s*([0-9.]+)\s*\|\s*$", done.stdout, re.MULTILINE)
        found["theirs"] = {"output": done.stdout[-4000:], "rows": rows}
        peer_s = statistics.median(float(row[1]) for row in rows[1:])
        print(f"theirs: {peer_s:.3f} s; theirs / ours: {peer_s / statistics.median(times):.3f}")
    return found


def _skipped(why: str) -> object:
    print(f"skipped: {why}")
    return {"skipped": why}


_SECTIONS: dict[str, Callable[[argparse.Namespace], object]] = {
    "equality": _equality,
    "loops": _loops,
    "seeds": _seeds,
    "first epoch": _first_epoch,
    "resnet18": _resnet18,
    "airbench94": _airbench,
    "memory": _memory,
}

if __name__ == "__main__":
    sys.exit(main())
