"""Sides of a comparison. Each is a process that serves all rounds, so that rounds can be interleaved.

A script that uses this module accepts `--side NAME`: it then builds the loop of that side and `serve`s rounds.
"""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence

from attrs import define, field
from serving import serve

__all__ = ["Side", "interleaved", "serve"]


@define
class Side:
    """A process that serves rounds. `variables` are added to its environment; None removes one.

    `python` is its interpreter.
    """

    arguments: Sequence[str]
    threads: int | None = None
    variables: Mapping[str, str | None] = {}
    python: str = sys.executable
    _process: "subprocess.Popen[str]" = field(init=False)

    def __attrs_post_init__(self) -> None:
        environment = dict(os.environ)
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        if self.threads is not None:
            environment["OMP_NUM_THREADS"] = str(self.threads)
        for name, value in self.variables.items():
            environment.pop(name, None)
            if value is not None:
                environment[name] = value
        self._process = subprocess.Popen(
            [self.python, *self.arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        self._read("ready")

    @property
    def pid(self) -> int:
        """The number of the process."""
        return self._process.pid

    def round(self) -> float:
        """Run one round and return its seconds."""
        assert self._process.stdin is not None
        self._process.stdin.write("go\n")
        self._process.stdin.flush()
        return float(self._read())

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()

    def _read(self, expected: str | None = None) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line or (expected is not None and line.strip() != expected):
            raise RuntimeError(f"{' '.join(self.arguments)} ended with {self._process.wait()}")
        return line


def interleaved(
    sides: Mapping[str, Side], rounds: int, *, warm_up: int = 1, scale: float = 1.0
) -> dict[str, list[float]]:
    """Run rounds of all sides in turn, then end the processes; the times are in seconds multiplied by `scale`.

    The first `warm_up` rounds don't count, since the first few hundred steps of a process are slower.
    """
    times: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(warm_up + rounds):
        for name, side in sides.items():
            time = scale * side.round()
            if number >= warm_up:
                times[name].append(time)
    for side in sides.values():
        side.close()
    return times
