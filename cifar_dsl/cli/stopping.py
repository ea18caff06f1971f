"""Ctrl-C and SIGTERM: training ends at the next step, with a checkpoint; a second Ctrl-C ends it at once."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from attrs import define, field

from cifar_dsl.cli.output import note


@define
class Stop:
    """Whether somebody has asked to stop, by which signal."""

    signal: int | None = field(default=None, init=False)

    def wanted(self) -> bool:
        """Whether to stop."""
        return self.signal is not None

    @property
    def exit_code(self) -> int:
        """What a program that a signal ends gives back: 130 for Ctrl-C, 143 for SIGTERM."""
        return 128 + (self.signal or signal.SIGINT)


@contextmanager
def stoppable() -> Iterator[Stop]:
    """While a training runs, signals ask it to stop."""
    stop = Stop()

    def ask(number: int, _frame: FrameType | None) -> None:
        if stop.wanted():
            raise KeyboardInterrupt
        stop.signal = number
        with suppress(RuntimeError):  # the signal has come in the midst of another line
            note("\nstopping after this step; once more stops at once")

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
