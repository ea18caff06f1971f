"""Signals that ask to stop: a command ends at once, a training at the next step, with a checkpoint."""

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from cifar_dsl.cli.output import note_text
from cifar_dsl.foundation.records import define, field
from cifar_dsl.foundation.signals import handle_stop_signals

_AGAIN_S = 0.05  # until an interrupt is raised again that a destructor swallowed


@define
class Interruption:
    """Whether Ctrl-C has been pressed. An import or a library may turn the KeyboardInterrupt into another error."""

    happened: bool = field(default=False, init=False)

    @contextmanager
    def raised(self) -> Iterator[None]:
        """Let Ctrl-C raise KeyboardInterrupt, and record it. Does nothing in a thread, or if Ctrl-C is ignored."""
        if threading.current_thread() is not threading.main_thread() or not _handles_sigint():
            yield
            return
        previous, report = signal.signal(signal.SIGINT, self._raise), sys.unraisablehook
        sys.unraisablehook = self._raise_again(report)
        try:
            yield
        finally:
            sys.unraisablehook = report
            signal.signal(signal.SIGINT, previous)

    def _raise(self, _number: int, _frame: FrameType | None) -> None:
        self.happened = True
        raise KeyboardInterrupt

    def _raise_again(
        self, report: Callable[["sys.UnraisableHookArgs"], object]
    ) -> Callable[["sys.UnraisableHookArgs"], object]:
        """A hook for errors that can't be raised, as in a destructor: it raises an interrupt once more, later."""

        def hook(error: "sys.UnraisableHookArgs") -> None:
            if not issubclass(error.exc_type, KeyboardInterrupt):
                report(error)
                return
            main = threading.main_thread().ident
            again = threading.Timer(_AGAIN_S, signal.pthread_kill, (main, signal.SIGINT))
            again.daemon = True
            again.start()

        return hook


@contextmanager
def ending() -> Iterator[None]:
    """Let Ctrl-C end the process at once: for a command that has nothing to keep, and a thread that waits for input."""
    if threading.current_thread() is not threading.main_thread() or not _handles_sigint():
        yield
        return
    previous = signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)


def _handles_sigint() -> bool:
    return callable(signal.getsignal(signal.SIGINT))


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
def stoppable(message: str = "stopping after this step") -> Iterator[Stop]:
    """Turn `STOP_SIGNALS` into a request to stop, which `message` confirms; the next Ctrl-C raises KeyboardInterrupt.

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
            note_text(f"\n{message}; press Ctrl-C again to stop at once")

    previous = handle_stop_signals(request_stop)
    try:
        yield stop
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
