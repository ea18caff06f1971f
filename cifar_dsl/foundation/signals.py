"""The signals that ask a process to stop."""

import signal
from collections.abc import Callable
from types import FrameType
from typing import Any

# Ctrl-C; `kill` and schedulers; a terminal that closes; a scheduler's warning before a job's time is over.
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1)


def handle_stop_signals(handler: Callable[[int, FrameType | None], object]) -> dict[int, Any]:
    """Call `handler` when one arrives. Returns the previous handlers. Under nohup, SIGHUP stays ignored."""
    is_nohup = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    numbers = [number for number in STOP_SIGNALS if not (is_nohup and number == signal.SIGHUP)]
    return {number: signal.signal(number, handler) for number in numbers}
