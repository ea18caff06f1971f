"""Cancellation of a check by another thread, such as that of an editor whose text has changed since."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from cifar_dsl.foundation.records import define


class CancelledError(Exception):
    """A check was cancelled. Raised only inside `cancellable`, whose caller catches it."""


@define(eq=False)
class Cancellation:
    """A request that work ends soon. Any thread may make it; the work looks at it as often as it charges steps."""

    is_requested: bool = False

    def request(self) -> None:
        """Ask the work to end."""
        self.is_requested = True

    def raise_if_requested(self) -> None:
        """Raise CancelledError if the work is to end."""
        if self.is_requested:
            raise CancelledError


_current: ContextVar[Cancellation] = ContextVar("cancellation", default=Cancellation())  # noqa: B039  # never requested


def current() -> Cancellation:
    """The cancellation of the work in this thread; one that is never requested unless it is `cancellable`."""
    return _current.get()


@contextmanager
def cancellable(cancellation: Cancellation) -> Iterator[None]:
    """Let `cancellation` end the work inside, in this thread, with CancelledError."""
    token = _current.set(cancellation)
    try:
        yield
    finally:
        _current.reset(token)
