"""Every benchmark of this folder that needs no peer's files, one after another.

    python bench/all.py [--out results] [--quick] [--only NAME ...]

What each prints is shown and kept in OUT/<name>.txt. --quick runs each with a small budget, to see that it works; its
figures mean nothing. A benchmark whose claim doesn't hold exits with 1, and so does this, after all have run. Where
there is a GPU, bench/gpu.py runs too, for what needs no peers. Timings want a machine that does nothing else.

Not among them: bench/zoo_equality.py, which needs a peer's checkout, bench/record_accuracies.py, which writes the
record that bench/false_claims.py reads, and bench/fuzz.py and bench/formatter.py at a budget of their own, which
bench/promises.py runs.
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
    """A script of this folder, and the arguments with which it takes a minute at most."""

    name: str
    quick: tuple[str, ...] = ()
    full: tuple[str, ...] = ()
    needs_gpu: bool = False


_BENCHMARKS = (
    Benchmark("check_time", ("--rounds", "1")),
    Benchmark("check_scaling", ("--rounds", "1")),
    Benchmark("cpu_training", ("--rounds", "1", "--steps", "2")),
    Benchmark("cpu_choices", ("--rounds", "1", "--steps", "2")),
    Benchmark("memory", ("--steps", "1", "specs/baseline.arch")),
    Benchmark("language_server", ("--requests", "8")),
    Benchmark("mistakes"),
    Benchmark("formatter", ("--count", "20")),
    Benchmark("false_claims", ("--count", "20", "--n", "3")),
    Benchmark("promises", ("--share", "0.001")),
    Benchmark("mutation", ("--help",)),  # an hour at its shortest
    Benchmark("gpu", ("--quick", "--device", "cpu"), needs_gpu=True),
)


def main() -> int:
    """Run them, and say which claims hold."""
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
        f"{len(codes) - len(failed)} of {len(codes)} benchmarks hold their claims"
        + "".join(f"\n  not: {n}" for n in failed)
    )
    return int(bool(failed))


def _available() -> Sequence[Benchmark]:
    import torch

    return [one for one in _BENCHMARKS if torch.cuda.is_available() or not one.needs_gpu]


def _run(command: list[str], kept: Path) -> int:
    """Run, showing what is printed as it comes, and keep it too."""
    with kept.with_suffix(".txt").open("w", encoding="utf-8") as file:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=_HERE.parent)
        assert process.stdout is not None
        for line in process.stdout:
            print(line, end="", flush=True)
            file.write(line)
        return process.wait()


if __name__ == "__main__":
    sys.exit(main())
