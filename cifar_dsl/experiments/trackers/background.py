"""A thread that runs calls one after another, so that a slow tracker doesn't delay training."""

import queue
import threading
from collections.abc import Callable

from cifar_dsl.foundation.records import define, field

Call = Callable[[], object]


@define(eq=False)
class Background:
    """Runs calls in the order in which they are added. They must not raise."""

    _calls: "queue.SimpleQueue[Call | None]" = field(factory=queue.SimpleQueue, init=False)
    _thread: threading.Thread | None = field(default=None, init=False)
    _added: int = field(default=0, init=False)
    _done: int = field(default=0, init=False)
    _changed: threading.Condition = field(factory=threading.Condition, init=False)

    def add(self, call: Call) -> None:
        """Add a call. Returns at once."""
        if self._thread is None:  # a daemon: a call that never returns doesn't keep the process alive
            self._thread = threading.Thread(target=self._run, daemon=True)
            self._thread.start()
        self._added += 1
        self._calls.put(call)

    def wait(self, patience_s: float) -> bool:
        """Wait for all calls; give up, and return False, if one of them takes longer than `patience_s`."""
        with self._changed:
            while self._done < self._added:
                if not self._changed.wait(patience_s):
                    return False
        return True

    def close(self) -> None:
        """End the thread after the calls that have been added."""
        if self._thread is not None:
            self._calls.put(None)

    def _run(self) -> None:
        while (call := self._calls.get()) is not None:
            call()
            with self._changed:
                self._done += 1
                self._changed.notify_all()
