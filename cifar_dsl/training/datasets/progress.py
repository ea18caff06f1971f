"""How a long piece of work says how far it is."""

from typing import Protocol


class Progress(Protocol):
    """Called again and again with what is done, out of how much if that is known, and of what.

    Downloads count bytes, imports count pictures.
    """

    def __call__(self, done: int, total: int | None, what: str) -> None:
        """Takes note that `done` of `total` is done."""
