"""Measure every promise of docs/promises.md at full size.

    python bench/promises.py [NAME ...] [--share 1.0]

Measures the named promises, or all, and prints a line for each: whether it is kept, the measurement, and the time.
Exits with 1 if a promise is broken. --share 0.01 scales the counts to a hundredth: fuzzer inputs, specs for the
formatter, damaged files, killed trainings. To add a promise, add to PROMISES: its name in docs/promises.md, and
a function from the share to a description of the measurement, which raises BrokenError if the promise is broken.
"""

import argparse
import json
import queue
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

_ROOT = Path(__file__).parents[1]
sys.path.append(str(_ROOT / "tests"))

from helpers import reliability, wire  # noqa: E402  # shared with the tests
from helpers.bombs import BOMBS, Bomb  # noqa: E402
from helpers.hostile import write_hostile  # noqa: E402
from measure import hardware  # noqa: E402

_HELPERS = _ROOT / "tests" / "helpers"
_SECOND, _MEMORY = 1.0, 200 * 10**6
_TRIES = 3  # the fastest counts, since other processes only slow a try down


class BrokenError(Exception):
    """A broken promise; the message describes the measurement."""


def main() -> int:
    """Measure the promises."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(PROMISES))
    parser.add_argument("--share", type=float, default=1.0)
    options = parser.parse_args()
    if unknown := set(options.names) - set(PROMISES):
        parser.error(f"unknown promise {', '.join(sorted(unknown))}; choose from {', '.join(PROMISES)}")
    print(f"{hardware()}\n")
    broken = 0
    for name in options.names or PROMISES:
        start = time.perf_counter()
        try:
            status, measured = "kept", PROMISES[name](options.share)
        except BrokenError as error:
            status, measured = "BROKEN", str(error)
            broken += 1
        print(f"{status:6}  {name:<11}  {measured}  ({time.perf_counter() - start:,.0f} s)", flush=True)
    return int(bool(broken))


def _hostile(_share: float) -> str:
    with tempfile.TemporaryDirectory() as folder:
        count = len(write_hostile(Path(folder)))
        done = _run(_HELPERS / "audited.py", folder)
    events = json.loads(done)
    if events:
        raise BrokenError(f"{count} hostile specs, {len(events)} events: {events[0]}")
    return f"{count} hostile specs, 0 events"


def _fuzz(share: float) -> str:
    count = _part(1_000_000, share)
    with tempfile.TemporaryDirectory() as folder:
        return _run(_ROOT / "bench" / "fuzz.py", "--count", count, "--keep", folder).splitlines()[-1]


def _bombs(_share: float) -> str:
    slowest, largest = ("", 0.0), ("", 0)
    for name, bomb in BOMBS.items():
        tries = [_defused(name, bomb) for _ in range(_TRIES)]
        slowest = max(slowest, (name, min(time_s for time_s, _ in tries)), key=lambda pair: pair[1])
        largest = max(largest, (name, max(memory for _, memory in tries)), key=lambda pair: pair[1])
    times, memory = f"{slowest[1]:.2f} s ({slowest[0]})", f"{largest[1] / 1e6:.0f} MB ({largest[0]})"
    measured = f"{len(BOMBS)} refused in at most {times}, best of {_TRIES}, and {memory}"
    if slowest[1] > _SECOND or largest[1] > _MEMORY:
        raise BrokenError(measured)
    return measured


def _defused(name: str, bomb: Bomb) -> tuple[float, int]:
    """The CPU time in seconds and the peak memory in bytes of refusing a bomb."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bomb.arch"
        bomb.put(path)
        override = ["--set", bomb.override] if bomb.override else []
        found = json.loads(_run(_HELPERS / "measured.py", path, *override))
    if found["codes"] != [bomb.code]:
        raise BrokenError(f"{name}: {found['codes']}, not {bomb.code}")
    return found["time_s"], found["memory"]


def _cost(_share: float) -> str:
    return _run(_ROOT / "bench" / "check_cost.py", "--brief")


def _editor(share: float) -> str:
    with tempfile.TemporaryDirectory() as folder:
        try:
            return wire.survive(Path(folder).resolve(), seed=5, count=_part(5_500, share))
        except (AssertionError, OSError, queue.Empty) as error:
            raise BrokenError(f"a server has ended or doesn't answer: {error!r}") from None


def _formatter(share: float) -> str:
    from helpers.networks import networks, specs
    from hypothesis import HealthCheck, Phase, given, settings

    from cifar_dsl.compiler import analyze_text
    from cifar_dsl.language.source import Source
    from cifar_dsl.language.syntax.formatter import format_text

    count = 0

    @settings(
        max_examples=_part(100_000, share),
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(networks() | specs())
    def check(text: str) -> None:
        nonlocal count
        count += 1
        formatted = format_text(Source("drawn", text))
        assert format_text(Source("drawn", formatted)) == formatted
        assert analyze_text(formatted).fingerprint == analyze_text(text).fingerprint

    try:
        check()
    except AssertionError as error:
        raise BrokenError(f"after {count:,} specs: {error}") from error
    return f"{count:,} generated specs: same fingerprint, second pass changes nothing"


def _killed(command: str, kills: int) -> Callable[[float], str]:
    """The promise that a killed command, rerun, produces the same table."""

    def measure(share: float) -> str:
        from helpers.comparisons import killed_comparison

        with tempfile.TemporaryDirectory() as folder:
            trial = killed_comparison(Path(folder), max(1, round(kills * share)), seed=0, command=command)
        measured = (
            f"{trial.kills} SIGKILLs of a `{command}`, its worker or all its processes, {trial.midway} in training"
        )
        if trial.found != trial.expected or trial.retrained:
            raise BrokenError(f"{measured}: different table or weights, or {trial.retrained} runs trained twice")
        return f"{measured}: the same table and weights, no complete run trained twice"

    return measure


def _cluster(_share: float) -> str:
    from helpers.comparisons import compared_here_and_on_a_cluster

    with tempfile.TemporaryDirectory() as folder:
        here, there = compared_here_and_on_a_cluster(Path(folder))
    if here != there:
        raise BrokenError("different table or weights")
    return "a comparison on a Ray cluster: the same table and weights as in local processes"


def _tests(*tests: str) -> Callable[[float], str]:
    """A promise measured by tests, always in full; `tests` are arguments of pytest."""

    def measure(_share: float) -> str:
        command = [sys.executable, "-m", "pytest", "-q", "--full", *tests]
        done = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, check=False)
        last = done.stdout.strip().splitlines()[-1]
        if done.returncode:
            raise BrokenError(last)
        return f"{re.sub(' in .*', '', last)} of {' '.join(tests)}"

    return measure


def _trials(trial: Callable[[reliability.Place, float], reliability.Figure]) -> Callable[[float], str]:
    """A promise measured by training a small network in a temporary folder."""

    def measure(share: float) -> str:
        with tempfile.TemporaryDirectory() as folder:
            figure = trial(reliability.Place.made(Path(folder)), share)
        if figure.broken:
            raise BrokenError(str(figure))
        return str(figure)

    return measure


def _part(count: int, share: float) -> int:
    return max(1, int(count * share))


def _run(program: Path, *arguments: object) -> str:
    done = subprocess.run(
        [sys.executable, program, *map(str, arguments)], capture_output=True, text=True, check=False, cwd=_ROOT
    )
    if done.returncode:
        raise BrokenError((done.stdout + done.stderr).strip()[-2000:])
    return done.stdout.strip()


PROMISES: dict[str, Callable[[float], str]] = {
    "hostile": _hostile,
    "fuzz": _fuzz,
    "limits": _tests("tests/promises/slow/test_limits.py"),
    "bombs": _bombs,
    "cost": _cost,
    "editor": _editor,
    "formatter": _formatter,
    "extends": _tests("tests/promises/test_extends_stays_inside.py"),
    "inert": _tests("tests/promises/slow/test_inert_output.py"),
    "data": _tests("tests/training/datasets"),
    "changing": _tests("tests/cli/training/test_changing_data.py"),
    "clock": _tests("tests/cli/training/test_clock.py", "tests/training/test_energy.py"),
    "readonly": _tests("tests/cli/test_read_only_folders.py", "tests/cli/training/test_read_only_folders.py"),
    "bugs": _tests("tests/cli/test_bugs.py"),
    "checkpoints": _trials(lambda place, share: reliability.damaged_checkpoints(place, _part(1000, share))),
    "weights": _trials(lambda place, share: reliability.damaged_weights(place, _part(1000, share))),
    "kills": _trials(lambda place, share: reliability.kills(place, _part(200, share))),
    "disks": _trials(lambda place, share: reliability.disk_failures(place, every=round(1 / share))),
    "full": _trials(lambda place, share: reliability.full_disks(place, every=round(1 / share))),
    "comparisons": _killed("compare", 5),
    "sweeps": _killed("sweep", 20),
    "cluster": _cluster,
    "seeds": _trials(lambda place, share: reliability.repetitions(place, max(2, _part(20, share)))),
    "runs": _tests("tests/runs", "tests/cli/test_runs.py"),
    "processes": _tests("tests/cli/slow/test_processes.py"),
    "memory": _tests("tests/training/slow/test_reliability.py", "-k", "memory"),
    "asking": _tests("tests/cli/training/slow/test_confirmation.py"),
    "resumptions": _trials(lambda place, _share: reliability.resumptions(place)),
}

if __name__ == "__main__":
    sys.exit(main())
