"""A program that measures the check of a spec and prints JSON.

    python measured.py [SPEC [--set OVERRIDE]]

The output has the codes of its diagnostics, the CPU time of the check in seconds, the steps that it charged, and the
peak memory of the whole process in bytes. A small spec is checked first, so that the parser's tables are loaded.

Without a spec, it reads lines of JSON, a list of the spec and of overrides in each. It measures each in a fork of its
own and prints a line for it: only the `status`, if that process doesn't end as it should within _TIMEOUT_S.
"""

import json
import os
import resource
import signal
import sys
import time
from pathlib import Path

from charged import charged_work

from cifar_dsl.compiler.lints import inspect
from cifar_dsl.foundation.resources import specs_directory

_TIMEOUT_S = 120


def main() -> None:
    """Measure one check, or those that are asked for until standard input ends."""
    inspect(specs_directory() / "residual.arch")
    if sys.argv[1:]:
        path, *overrides = sys.argv[1:]
        _measure(path, *overrides[1:])
        return
    for line in sys.stdin:
        process = os.fork()
        if process == 0:
            signal.alarm(_TIMEOUT_S)
            os.close(sys.stdin.fileno())
            _measure(*json.loads(line))
            os._exit(0)
        status = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
        if status:
            print(json.dumps({"status": status}), flush=True)


def _measure(path: str, *overrides: str) -> None:
    start = time.process_time()
    with charged_work() as works:
        inspection = inspect(Path(path), overrides=overrides)
    time_s = time.process_time() - start
    steps = sum(work.done for work in works)
    codes = sorted({one.code for one in inspection.diagnostics})
    print(json.dumps({"codes": codes, "time_s": time_s, "steps": steps, "memory": _largest_memory()}), flush=True)


def _largest_memory() -> int:
    status = Path("/proc/self/status")
    if status.exists():  # on Linux, `ru_maxrss` includes the parent process
        (line,) = [line for line in status.read_text(encoding="utf-8").splitlines() if line.startswith("VmHWM")]
        return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


if __name__ == "__main__":
    main()
