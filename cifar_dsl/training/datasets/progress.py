"""The progress callback of downloads and imports."""

from typing import Protocol


class Progress(Protocol):
    """A callback for the progress of a download, in bytes, or an import, in pictures."""

    def __call__(self, done: int, total: int | None, what: str) -> None:
        """Report that `done` of `total` (None: unknown) is done. `what` names the work: a URL, or "pictures"."""
