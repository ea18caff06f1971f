"""Several trainings on the cores of a CPU: the sum of their images a second, and their memory.

    python bench/processes.py                          # baseline.arch, one process for each core
    python bench/processes.py specs/residual.arch --processes 4

Claims: one process of one thread for each core trains at least as many images a second as one process with all threads,
which is why `compare` runs them so; and processes share the memory of pictures that are mapped from the data folder
(docs/decisions/0110-pictures-are-mapped.md). Exits with 1 if one doesn't hold.

A round is an epoch of `--images` images of each process, at the same time; rounds of the sides are interleaved after
one that doesn't count. The memory is the proportional set size, which divides what processes share among them; it is
left out where the system has no /proc.
"""

import argparse
import statistics
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

from measure import report, verdict
from sides import Side, serve

_SPEC = Path(__file__).parents[1] / "specs" / "baseline.arch"
_BATCH = 64


def main() -> int:
    """Run the benchmark or, with --side, serve one process of a side."""
    from cifar_dsl.analysis import usable_cpus

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("spec", nargs="?", type=Path, default=_SPEC)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--images", type=int, default=20_000)
    parser.add_argument("--processes", type=int, default=usable_cpus())
    parser.add_argument("--side", choices=("mapped", "copied"), help=argparse.SUPPRESS)
    parser.add_argument("--threads", type=int, default=1, help=argparse.SUPPRESS)
    parser.add_argument("--npz", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side:
        _serve(options)
        return 0
    with TemporaryDirectory() as folder:
        path = Path(folder) / "images.npz"
        _write(path, options.images)
        return _compare(options, path)


def _compare(options: argparse.Namespace, path: Path) -> int:
    count = options.processes
    shared = [__file__, str(options.spec), "--npz", str(path)]

    def started(processes: int, threads: int, side: str) -> list[Side]:
        arguments = [*shared, "--side", side, "--threads", str(threads)]
        return [Side(arguments, threads) for _ in range(processes)]

    one, many = f"1 process of {count} threads", f"{count} processes of 1 thread"
    sides = {
        one: started(1, count, "mapped"),
        "1 process of 1 thread": started(1, 1, "mapped"),
        many: started(count, 1, "mapped"),
        f"{many}, copied": started(count, 1, "copied"),
    }
    speeds: dict[str, list[float]] = {name: [] for name in sides}
    with ThreadPoolExecutor(count) as pool:
        for number in range(1 + options.rounds):
            for name, processes in sides.items():
                seconds = list(pool.map(Side.round, processes))
                if number:
                    speeds[name].append(sum(options.images / each for each in seconds))
    report(f"{options.spec.stem}: images a second, in all", speeds, "", reference=one)
    memory = {name: [_memory_bytes(each.pid) for each in sides[name]] for name in (many, f"{many}, copied")}
    for processes in sides.values():
        for process in processes:
            process.close()
    claims = {
        "a process for each core is at least as fast as one with all threads": statistics.median(speeds[many])
        >= statistics.median(speeds[one])
    }
    print()
    if not all(None in sizes for sizes in memory.values()):
        totals = {name: sum(size or 0 for size in sizes) for name, sizes in memory.items()}
        for name, total in totals.items():
            print(f"{name}: {total / 1e6:,.0f} MB of memory in all")
        saved, dataset = totals[f"{many}, copied"] - totals[many], path.stat().st_size
        print(f"saved: {saved / 1e6:,.0f} MB; the images take {dataset / 1e6:,.0f} MB")
        # The file that is mapped is read by processes of other sides, too.
        claims["mapped pictures are in memory once"] = saved >= 0.9 * (count - 1) * dataset
    return verdict(claims)


def _write(path: Path, images: int) -> None:
    import numpy as np
    from loops import random_images

    x, y = random_images(images)
    np.savez(path, x_train=x, y_train=y, x_test=x[:1000], y_test=y[:1000])


def _serve(options: argparse.Namespace) -> None:
    import torch
    from loops import ours

    from cifar_dsl.training.datasets.store import load_npz

    torch.set_num_threads(options.threads)
    data = load_npz(options.npz, is_replaced_whole=options.side == "mapped")
    serve(ours(options.spec, (data.x_train, data.y_train), _BATCH, torch.device("cpu")))


def _memory_bytes(pid: int) -> int | None:
    """The memory of a process in bytes, with its share of what it has in common with others."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith("Pss:"))


if __name__ == "__main__":
    sys.exit(main())
