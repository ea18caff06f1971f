"""The effect of threads that spin briefly while they wait, and then sleep, on training with several CPU threads.

    python bench/waiting.py                      # baseline.arch and residual.arch, on an idle machine and on a busy one
    python bench/waiting.py specs/wider.arch --threads 4

Claims: it makes a step at most 3 % slower on an idle machine, and faster while another process computes on each core.
The sides are the default of `training` (`analysis.spin_briefly`), that of OpenMP, which spins, and sleeping at once.
Each side is a process; rounds are interleaved, as in bench/cpu_training.py. Run it on an otherwise idle machine. Exits
with 1 if a claim doesn't hold.
"""

import argparse
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from measure import report, verdict
from sides import Side, interleaved, serve

_SPECS = Path(__file__).parents[1] / "specs"
_BATCH = 64
# The OpenMP runtime reads these when torch is imported.
_SIDES = {
    "brief": {"OMP_WAIT_POLICY": None, "GOMP_SPINCOUNT": None},  # set by `spin_briefly`
    "spinning": {"OMP_WAIT_POLICY": None, "GOMP_SPINCOUNT": "300000"},  # libgomp's default where no policy is set
    "sleeping": {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": None},
}


def main() -> int:
    """Run the benchmark or, with --side, serve one side."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("specs", nargs="*", type=Path, default=[_SPECS / "baseline.arch", _SPECS / "residual.arch"])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--side", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side:
        _serve(options)
        return 0
    claims: dict[str, bool] = {}
    for spec in options.specs:
        for load in ("idle", "busy"):
            with _busy(os.cpu_count() or 1 if load == "busy" else 0):
                arguments = [__file__, str(spec), "--side", "--steps", str(options.steps)]
                arguments += ["--threads", str(options.threads)]
                sides = {name: Side(arguments, options.threads, variables) for name, variables in _SIDES.items()}
                times = interleaved(sides, options.rounds, scale=1000 / options.steps)
            title = f"a step of {spec.name}, batch {_BATCH}, {options.threads} threads, {load} machine"
            report(title, times, "ms", reference="spinning")
            print()
            brief, spinning = (statistics.median(times[name]) for name in ("brief", "spinning"))
            if load == "idle":
                claims[f"{spec.stem}: at most 3 % slower on an idle machine"] = brief <= 1.03 * spinning
            else:
                claims[f"{spec.stem}: faster on a busy machine"] = brief < spinning
    return verdict(claims)


@contextmanager
def _busy(processes: int) -> Iterator[None]:
    """Meanwhile, this many other processes compute without a pause."""
    running = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(processes)]
    try:
        yield
    finally:
        for process in running:
            process.kill()
            process.wait()


def _serve(options: argparse.Namespace) -> None:
    from cifar_dsl.analysis import spin_briefly

    spin_briefly()  # unless the side has set something else; before torch is imported, as in `training`

    import torch
    from loops import ours

    torch.set_num_threads(options.threads)
    (spec,) = options.specs
    serve(ours(spec, options.steps * _BATCH, _BATCH, torch.device("cpu")))


if __name__ == "__main__":
    sys.exit(main())
