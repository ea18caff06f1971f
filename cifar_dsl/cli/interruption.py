"""Signals that ask to stop: training ends at the next step, with a checkpoint; a second Ctrl-C ends it at once."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from attrs import define, field

from cifar_dsl.cli.output import note
from cifar_dsl.foundation.signals import handle_stop_signals


@define
class Stop:
    """Whether a signal has requested a stop, and which one."""

    signal: int | None = field(default=None, init=False)

    def wanted(self) -> bool:
        """Whether a stop is requested."""
        return self.signal is not None

    @property
    def exit_code(self) -> int:
        """The exit code of a program that a signal ends: 130 for Ctrl-C, 143 for SIGTERM, 129 for SIGHUP."""
        return 128 + (self.signal or signal.SIGINT)


@contextmanager
def stoppable() -> Iterator[Stop]:
    """Turn `STOP_SIGNALS` into a request to stop. A Ctrl-C after that raises KeyboardInterrupt.

    Schedulers send several signals to one job; only Ctrl-C says that somebody doesn't want to wait for the checkpoint.
    """
    stop = Stop()

    def request_stop(number: int, _frame: FrameType | None) -> None:
        if stop.wanted():
            if number == signal.SIGINT:
                raise KeyboardInterrupt
            return
        stop.signal = number
        # RuntimeError: the signal interrupted the output of another line. OSError: the terminal is gone.
        with suppress(RuntimeError, OSError):
            note("\nstopping after this step; press Ctrl-C again to stop at once")

    previous = handle_stop_signals(request_stop)
    try:
        yield stop
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
