"""A program that measures the check of a spec and prints JSON.

    python measured.py SPEC [--set OVERRIDE]

The output has the codes of its diagnostics, the CPU time of the check in seconds, the steps that it charged, and the
peak memory of the whole process in bytes. A small spec is checked first, so that the parser's tables are loaded.
"""

import json
import resource
import sys
import time
from pathlib import Path

from charged import charged_work

from cifar_dsl.compiler.lints import inspect
from cifar_dsl.foundation.resources import specs_directory


def main() -> None:
    """Measure the check and print the result."""
    inspect(specs_directory() / "residual.arch")
    path, *overrides = sys.argv[1:]
    start = time.process_time()
    with charged_work() as works:
        inspection = inspect(Path(path), overrides=overrides[1:])
    time_s = time.process_time() - start
    steps = sum(work.done for work in works)
    codes = sorted({one.code for one in inspection.diagnostics})
    print(json.dumps({"codes": codes, "time_s": time_s, "steps": steps, "memory": _largest_memory()}))


def _largest_memory() -> int:
    status = Path("/proc/self/status")
    if status.exists():  # on Linux, `ru_maxrss` includes the parent process
        (line,) = [line for line in status.read_text(encoding="utf-8").splitlines() if line.startswith("VmHWM")]
        return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


if __name__ == "__main__":
    main()
