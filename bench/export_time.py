"""`cifar-dsl export` of ResNet-18 against the start of a process that does nothing.

    python bench/export_time.py

Claims: beyond the start of cifar_dsl, which reads no spec, printing the network as PyTorch source takes at most 0.12 of
the time of importing torch; the whole command that writes a checked ONNX file takes at most 3 times as long as that
import. Printing needs no torch; its check does, and has no claim. Each measurement is the CPU time
of a new process with one thread; rounds are interleaved, and the least of `--rounds` counts, since other processes only
add to it. Needs the extra `onnx`. Exits with 1 if a claim doesn't hold.
"""

import argparse
import resource
import sys
import tempfile
from pathlib import Path

from measure import child, interleaved, report, verdict

_SPEC = str(Path(__file__).parents[1] / "specs" / "zoo" / "resnet18.arch")


def main() -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    cli = ("-m", "cifar_dsl")
    with tempfile.TemporaryDirectory() as folder:
        export = (*cli, "export", _SPEC, "-o")
        source, onnx = str(Path(folder, "resnet18.py")), str(Path(folder, "resnet18.onnx"))
        sides = {
            "start": lambda: cpu_time_s(*cli, "--version"),
            "printed": lambda: cpu_time_s(*export, source, "--to", "pytorch", "--no-verify"),
            "import torch": lambda: cpu_time_s("-c", "import torch"),
            "printed and checked": lambda: cpu_time_s(*export, source, "--to", "pytorch"),
            "ONNX, checked": lambda: cpu_time_s(*export, onnx, "--to", "onnx"),
        }
        for run in sides.values():
            run()  # not measured: fills the file cache
        times = interleaved(sides, options.rounds)
    report("CPU time of an export of ResNet-18", times, "s", reference="start")
    least = {name: min(values) for name, values in times.items()}
    printing, torch_s = least["printed"] - least["start"], least["import torch"]
    print(f"\nbeyond the start: printed {printing:.2f} s; beyond the import of torch:", end=" ")
    print(", ".join(f"{name} {least[name] - torch_s:.2f} s" for name in ("printed and checked", "ONNX, checked")))
    return verdict(
        {
            "printing takes at most 0.12 of the import of torch": printing <= 0.12 * torch_s,
            "a checked ONNX file takes at most 3 times as long": least["ONNX, checked"] <= 3 * torch_s,
        }
    )


def cpu_time_s(*arguments: str) -> float:
    """The CPU time of a new Python process with `arguments`, and of its threads, in seconds."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    child([*arguments], threads=1)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    sys.exit(main())
