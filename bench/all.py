"""Run every benchmark in this folder that needs no files of other projects.

    python bench/all.py [--out results] [--quick] [--only NAME ...]

The output of each is printed and saved to OUT/<name>.txt. --quick runs each with a small budget, to check that it
works; its figures mean nothing. A benchmark whose claim doesn't hold exits with 1; then this script exits with 1 too,
after running the rest. With a GPU, bench/gpu.py runs as well, except for its comparisons with other projects. Run
timings on an otherwise idle machine.

Not included: bench/distillation.py, which downloads CIFAR-10; bench/playground.py, which needs the built page and a
browser; and bench/fuzz.py and bench/formatter.py at full size, which bench/promises.py runs.
"""

import argparse
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from attrs import frozen
from measure import hardware

_HERE = Path(__file__).parent


@frozen
class Benchmark:
    """A script in this folder. With its `quick` arguments it takes at most a minute."""

    name: str
    quick: tuple[str, ...] = ()
    full: tuple[str, ...] = ()
    needs_gpu: bool = False


_BENCHMARKS = (
    Benchmark("check_time", ("--rounds", "1")),
    Benchmark("originals", ("mobilenet_v3_small",)),
    Benchmark("check_scaling", ("--rounds", "1")),
    Benchmark("check_cost", ("--tries", "1", "unused blocks", "named skips")),
    Benchmark("cost_fuzz", ("--count", "20")),
    Benchmark("cpu_training", ("--rounds", "1", "--steps", "2")),
    Benchmark("airbench", ("--rounds", "1", "--steps", "1", "--batch", "100")),
    Benchmark("cpu_choices", ("--rounds", "1", "--steps", "2")),
    Benchmark("cpu_floor", ("--rounds", "1", "--steps", "2")),
    Benchmark("processes", ("--rounds", "1", "--images", "640")),
    Benchmark("augmentation", ("--rounds", "1")),
    Benchmark("waiting", ("--rounds", "1", "--steps", "2")),
    Benchmark("exports", ("lenet",)),
    Benchmark("export_time", ("--rounds", "1")),
    Benchmark("imports", ("squeezenet1_1",)),
    Benchmark("memory", ("--steps", "1", "specs/baseline.arch")),
    Benchmark("language_server", ("--requests", "8")),
    Benchmark("mistakes"),
    Benchmark("formatter", ("--count", "20")),
    Benchmark("false_claims", ("--count", "20", "--n", "3")),
    Benchmark("many_runs", ("--rounds", "1", "--specs", "3", "--runs", "40")),
    Benchmark("record_accuracies", ("0",), ("70",)),
    Benchmark("promises", ("--share", "0.001")),
    Benchmark("mutation", ("--help",)),  # an hour at its shortest
    Benchmark("pretended_gpu", ("--only", "planted")),
    Benchmark("gpu", ("--quick", "--device", "cpu"), needs_gpu=True),
)


def main() -> int:
    """Run the benchmarks and report which claims hold."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("results"))
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", nargs="+", choices=[one.name for one in _BENCHMARKS], default=[])
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    wanted = [one for one in _BENCHMARKS if one.name in options.only] if options.only else list(_available())
    print(f"{hardware()}\n", flush=True)
    codes: dict[str, int] = {}
    for one in wanted:
        arguments = one.quick if options.quick else one.full
        print(f"== python bench/{one.name}.py {' '.join(arguments)}".rstrip(), flush=True)
        start = time.perf_counter()
        codes[one.name] = _run([sys.executable, str(_HERE / f"{one.name}.py"), *arguments], options.out / one.name)
        print(f"-- {time.perf_counter() - start:.0f} s, exit {codes[one.name]}\n", flush=True)
    failed = [name for name, code in codes.items() if code]
    print(
        f"{len(codes) - len(failed)} of {len(codes)} benchmarks confirm their claims"
        + "".join(f"\n  not: {n}" for n in failed)
    )
    return int(bool(failed))


def _available() -> Sequence[Benchmark]:
    import torch

    return [one for one in _BENCHMARKS if torch.cuda.is_available() or not one.needs_gpu]


def _run(command: list[str], out: Path) -> int:
    """Run a command, print its output as it arrives, and save it to a file."""
    with out.with_suffix(".txt").open("w", encoding="utf-8") as file:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=_HERE.parent)
        assert process.stdout is not None
        for line in process.stdout:
            print(line, end="", flush=True)
            file.write(line)
        return process.wait()


if __name__ == "__main__":
    sys.exit(main())
