"""A stand-in for the parts of Ray that jobs/ray.py uses, with threads as actors."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any


class _RayError(Exception):
    pass


class _Actor:
    """Runs its calls one after another, in a thread."""

    def __init__(self, made: Any) -> None:
        self._made, self._thread = made, ThreadPoolExecutor(1)

    def __getattr__(self, name: str) -> SimpleNamespace:
        return SimpleNamespace(remote=lambda *given: self._thread.submit(getattr(self._made, name), *given))


def _wait(
    answers: Sequence["Future[Any]"], num_returns: int = 1, timeout: float = 60
) -> tuple[list["Future[Any]"], list["Future[Any]"]]:
    """The first that are ready, in the order of the arguments, as in Ray."""
    end = time.monotonic() + timeout
    while sum(answer.done() for answer in answers) < num_returns and time.monotonic() < end:
        time.sleep(0.005)
    ready = [answer for answer in answers if answer.done()][:num_returns]
    return ready, [answer for answer in answers if answer not in ready]


def _remote(cls: Callable[[], Any]) -> SimpleNamespace:
    return SimpleNamespace(options=lambda **_: SimpleNamespace(remote=lambda: _Actor(cls())))


def ray_here(cpus: int) -> SimpleNamespace:
    """A replacement for the module `ray`, with a cluster of `cpus` CPUs."""
    return SimpleNamespace(
        cluster_resources=lambda: {"CPU": float(cpus)},
        exceptions=SimpleNamespace(RayError=_RayError),
        get=lambda answer: answer.result(),
        kill=lambda _: None,
        put=lambda content: content,
        remote=_remote,
        wait=_wait,
    )
