"""Ctrl-C and SIGTERM: training ends at the next step, with a checkpoint; a second Ctrl-C ends it at once."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from attrs import define, field

from cifar_dsl.cli.output import note


@define
class Stop:
    """Whether a signal has requested a stop, and which one."""

    signal: int | None = field(default=None, init=False)

    def wanted(self) -> bool:
        """Whether a stop is requested."""
        return self.signal is not None

    @property
    def exit_code(self) -> int:
        """The exit code of a program that a signal ends: 130 for Ctrl-C, 143 for SIGTERM."""
        return 128 + (self.signal or signal.SIGINT)


@contextmanager
def stoppable() -> Iterator[Stop]:
    """Turn SIGINT and SIGTERM into a request to stop; the second one raises KeyboardInterrupt."""
    stop = Stop()

    def request_stop(number: int, _frame: FrameType | None) -> None:
        if stop.wanted():
            raise KeyboardInterrupt
        stop.signal = number
        with suppress(RuntimeError):  # the signal interrupted the output of another line
            note("\nstopping after this step; press Ctrl-C again to stop at once")

    previous = {number: signal.signal(number, request_stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
