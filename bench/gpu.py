"""What only a GPU can show, in one call on a bare machine: `--limit` seconds, the most valuable parts first.

    python bench/gpu.py --out results                                     # on random images
    python bench/gpu.py --out results --wheels wheels                     # with packages that the machine lacks
    python bench/gpu.py --out results --npz piece1.npz piece2.npz         # CIFAR-10, in one piece or several
    python bench/gpu.py --out results --only smoke --only equality
    python bench/gpu.py --summarize results                               # of the lines that are there
    python bench/gpu.py --out results --device cpu --quick                # tries the script itself

Each part is a process with a time-out of its own; if it hangs or crashes, the next ones still run. Each measurement is
a line of OUT/gpu.jsonl, on disk as soon as it is there, and OUT/summary.txt is at most a second older than the last
line. So a kill at any moment loses nothing else. bench/gpu_parts.py has the parts, and says what each claims.

The machine needs Python 3.11 or later and torch. cifar_dsl needn't be installed; what else it needs can be carried as a
folder of wheels, which are unpacked below OUT: `pip download --no-deps --only-binary=:all: --python-version 3.12
-d wheels lark ...`. The part `smoke` names what is missing.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import time
import tomllib
import zipfile
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Any

from gpu_record import LINES, Record, summary

_ROOT = Path(__file__).parents[1]
_PARTS = Path(__file__).with_name("gpu_parts.py")
_RESERVE_S = 3.0  # to end a part and write the summary
_POLL_S = 0.2


def main() -> int:
    """Run the parts, and return 1 if one failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("results"))
    parser.add_argument("--limit", type=float, default=480, help="seconds for everything")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--npz", type=Path, nargs="+", default=[], help="CIFAR-10 as .npz files, for accuracies")
    parser.add_argument("--kuangliu", type=Path, help="a checkout of kuangliu/pytorch-cifar")
    parser.add_argument("--wheels", type=Path, help="a folder of wheels")
    parser.add_argument("--only", action="append", help="run only this part; repeatable")
    parser.add_argument("--quick", action="store_true", help="a small budget, to try the script itself")
    parser.add_argument(
        "--summarize", type=Path, metavar="OUT", help="print the summary of a folder, and measure nothing"
    )
    parser.add_argument("--parts", type=Path, default=_PARTS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.summarize:
        print(summary(options.summarize / LINES), end="")
        return 0
    options.out.mkdir(parents=True, exist_ok=True)
    return _Run(options).all_parts()


class _Run:
    """One call: its clock, its record, and the part that is running."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._options = options
        self._end = time.monotonic() + options.limit
        self._record = Record(options.out / LINES)
        self._child: subprocess.Popen[bytes] | None = None
        self._size = -1
        self._stopped_by: int | None = None

    def all_parts(self) -> int:
        """Run each part while there is time."""
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._stop)
        self._record.line("call", limit_s=self._options.limit, arguments=sys.argv[1:], python=sys.version.split()[0])
        environment = self._environment()
        failed = 0
        for part in self._declared(environment):
            if self._stopped_by is not None:
                break
            failed += self._run(part, environment) != "done"
        self._summarize()
        print((self._options.out / "summary.txt").read_text(encoding="utf-8"), end="", flush=True)
        return 128 + self._stopped_by if self._stopped_by is not None else int(failed > 0)

    def _environment(self) -> dict[str, str]:
        """The environment of parts, where this checkout and the packages of wheels can be imported."""
        packages = self._options.out / "packages"
        for wheel in sorted(self._options.wheels.glob("*.whl")) if self._options.wheels else ():
            with zipfile.ZipFile(wheel) as archive:
                archive.extractall(packages)
        # The package asks for its own version, which only an installation has.
        project = tomllib.loads((_ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        installed = packages / f"cifar_dsl-{project['version']}.dist-info"
        installed.mkdir(parents=True, exist_ok=True)
        metadata = f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
        (installed / "METADATA").write_text(metadata, encoding="utf-8")
        paths = [str(_ROOT), str(packages.absolute()), os.environ.get("PYTHONPATH", "")]
        return os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths)), "PYTHONUNBUFFERED": "1"}

    def _declared(self, environment: dict[str, str]) -> list[dict[str, Any]]:
        """Name, time-out and least time of each part, as its script prints them."""
        done = subprocess.run(
            [sys.executable, str(self._options.parts), "--list"],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        parts: list[dict[str, Any]] = json.loads(done.stdout)
        return [part for part in parts if not self._options.only or part["name"] in self._options.only]

    def _run(self, part: dict[str, Any], environment: dict[str, str]) -> str:
        name, left_s = part["name"], self._end - time.monotonic() - _RESERVE_S
        if left_s < part["least_s"]:
            return self._ended(
                name, f"skipped: it takes {part['least_s']:.0f} s, and {max(0, left_s):.0f} s are left", 0
            )
        limit_s = min(part["limit_s"], left_s)
        begun = time.monotonic()
        options = self._options
        command = [sys.executable, str(options.parts), name, "--record", str(options.out / LINES)]
        command += ["--device", options.device, *(["--quick"] if options.quick else [])]
        command += ["--kuangliu", str(options.kuangliu)] if options.kuangliu else []
        command += ["--npz", *map(str, options.npz)] if options.npz else []
        with (options.out / f"{name}.log").open("wb") as log:
            self._child = subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)
            while self._child.poll() is None and time.monotonic() - begun < limit_s and self._stopped_by is None:
                time.sleep(_POLL_S)
                self._summarize()
            code = self._child.poll()
            self._kill()
        passed_s = time.monotonic() - begun
        if code is None:
            why = "stopped" if self._stopped_by is not None else f"timed out after {limit_s:.0f} s"
            return self._ended(name, why, passed_s)
        if code:
            text = (options.out / f"{name}.log").read_text(encoding="utf-8", errors="replace").strip()
            return self._ended(name, f"failed with {code}: {text.splitlines()[-1] if text else 'no output'}", passed_s)
        return self._ended(name, "done", passed_s)

    def _ended(self, name: str, outcome: str, time_s: float) -> str:
        self._record.line("part", part=name, outcome=outcome, time_s=round(time_s, 2))
        self._summarize()
        print(f"{name}: {outcome} ({time_s:.1f} s)", flush=True)
        return outcome

    def _kill(self) -> None:
        """End the part, and every process that it started."""
        assert self._child
        with suppress(ProcessLookupError):
            os.killpg(self._child.pid, signal.SIGKILL)
        self._child.wait()

    def _stop(self, number: int, _frame: FrameType | None) -> None:
        self._stopped_by = number

    def _summarize(self) -> None:
        """Write the summary again if there are new lines."""
        lines = self._options.out / LINES
        if lines.stat().st_size != self._size:
            self._size = lines.stat().st_size
            temporary = self._options.out / "summary.tmp"
            temporary.write_text(summary(lines), encoding="utf-8")
            temporary.replace(self._options.out / "summary.txt")


if __name__ == "__main__":
    sys.exit(main())
