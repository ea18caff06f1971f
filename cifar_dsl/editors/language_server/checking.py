"""Reads and checks open documents in threads; newer text cancels both."""

import asyncio
import logging
from collections.abc import Callable, Iterable
from concurrent.futures import Executor, ThreadPoolExecutor
from functools import partial
from pathlib import Path

from lsprotocol import types

from cifar_dsl.editors.language_server.documents import Documents
from cifar_dsl.editors.language_server.threads import in_thread
from cifar_dsl.foundation.cancellation import Cancellation, CancelledError
from cifar_dsl.foundation.records import define, field

_logger = logging.getLogger(__name__)


@define(eq=False)
class _Reading:
    """The parsing of a text, on which all requests for it wait."""

    text: str
    cancellation: Cancellation
    task: asyncio.Task[None]


@define(eq=False)
class _Check:
    """A running check, and the files that it depends on, as far as they are known."""

    path: Path
    files: frozenset[Path]
    cancellation: Cancellation = field(factory=Cancellation)


@define(eq=False)
class Checker:
    """Checks the documents that changed and those that extend them, one after the other, in a thread of its own.

    All methods are called on the event loop, and so is `publish`; `check` is called in the thread. `finished` is called
    when nothing is left to check, with whether it includes documents that extend a changed one. `readers` has the
    threads that parse.
    """

    documents: Documents
    readers: Executor
    check: Callable[[Documents, Path], list[types.Diagnostic]]
    publish: Callable[[Path, list[types.Diagnostic]], None]
    finished: Callable[[bool], None]
    _thread: Executor = field(factory=partial(ThreadPoolExecutor, 1, "check"), init=False)
    _waiting: dict[Path, None] = field(factory=dict, init=False)  # a queue without duplicates
    _changed: dict[Path, None] = field(factory=dict, init=False)  # files whose dependents aren't queued yet
    _others_changed: bool = field(default=False, init=False)
    _running: _Check | None = field(default=None, init=False)
    _readings: dict[Path, _Reading] = field(factory=dict, init=False)
    _timer: asyncio.TimerHandle | None = field(default=None, init=False)
    _task: asyncio.Task[None] | None = field(default=None, init=False)
    _progress: asyncio.Event = field(factory=asyncio.Event, init=False)  # set, and replaced, after each step

    # ---- changes

    def changed(self, paths: Iterable[Path], *, after_s: float) -> None:
        """Check files, and the open files that extend them, after `after_s` seconds without another change."""
        for path in paths:
            if self._running is not None and path in self._running.files:
                self._running.cancellation.request()
            reading = self._readings.get(path)
            if reading is not None and reading.text is not self.documents.open.get(path):
                reading.cancellation.request()
                del self._readings[path]
            self._waiting[path] = self._changed[path] = None
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(after_s, self._start)

    def _start(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._work())

    # ---- requests

    async def read(self, path: Path) -> None:
        """Wait until the latest text of an open document has been parsed."""
        while (text := self.documents.open.get(path)) is not None:
            reading = self._readings.get(path)
            if reading is None or reading.text is not text:
                cancellation = Cancellation()
                task = asyncio.create_task(self._read(path, cancellation))
                reading = self._readings[path] = _Reading(text, cancellation, task)
            await asyncio.shield(reading.task)
            if not reading.cancellation.is_requested:
                return

    async def _read(self, path: Path, cancellation: Cancellation) -> None:
        documents = self.documents.snapshot(checks=False)
        try:
            await in_thread(self.readers, lambda: documents.tree(path), cancellation)
        except CancelledError:
            pass
        except Exception:  # a bug of ours, which the request or the check reports
            _logger.exception("Reading %s failed", path)

    async def wait(self, path: Path, patience_s: float) -> bool:
        """Check a document now, and wait for it; whether it is checked after `patience_s` seconds."""
        if self._is_pending(path) and self._timer is not None:
            self._start()
        try:
            async with asyncio.timeout(patience_s):
                while self._is_pending(path):
                    await self._progress.wait()
        except TimeoutError:
            return False
        return True

    def _is_pending(self, path: Path) -> bool:
        return path in self._waiting or (self._running is not None and self._running.path == path)

    # ---- work

    async def _work(self) -> None:
        """Check what is queued, until a change has to be waited for."""
        while self._timer is None and (self._waiting or self._changed):
            try:
                await (self._check_next() if self._waiting else self._queue_dependents())
            except Exception:
                _logger.exception("Checking failed")
            self._progress.set()
            self._progress = asyncio.Event()
        if not self._waiting and not self._changed:
            others_changed, self._others_changed = self._others_changed, False
            self.finished(others_changed)

    async def _check_next(self) -> None:
        path = next(iter(self._waiting))
        del self._waiting[path]
        if path not in self.documents.open:
            return
        running = self._running = _Check(path, frozenset([path]))
        try:
            await self.read(path)
            documents = self.documents.snapshot(checks=True)
            found = await in_thread(self._thread, partial(self._run, documents, running), running.cancellation)
        except CancelledError:  # by a change, which has queued the document again
            return
        finally:
            self._running = None
        if not running.cancellation.is_requested:
            self.publish(path, found)

    def _run(self, documents: Documents, running: _Check) -> list[types.Diagnostic]:
        running.files |= frozenset(documents.bases(running.path))
        return self.check(documents, running.path)

    async def _queue_dependents(self) -> None:
        changed, self._changed = self._changed, {}
        for path in tuple(self.documents.open):
            await self.read(path)
        documents = self.documents.snapshot(checks=False)
        dependents = partial(_dependents, documents, tuple(changed))
        found = await in_thread(self._thread, dependents)
        self._waiting |= dict.fromkeys(found)
        self._others_changed |= bool(found)


def _dependents(documents: Documents, changed: Iterable[Path]) -> list[Path]:
    return [other for path in changed for other in documents.dependents(path)]
