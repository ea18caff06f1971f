"""The unchanged lines at both ends of two versions of a text."""

from cifar_dsl.foundation.records import frozen


@frozen
class Unchanged:
    """The lines at the start and the end that an old and a new text share.

    In the old text, they reach up to `head_end` and from `tail_start` on; the tail is `shift` characters later in the
    new text.
    """

    head_end: int
    tail_start: int
    shift: int

    @classmethod
    def between(cls, old: str, new: str) -> "Unchanged":
        """Compare two texts line by line, from both ends."""
        old_lines, new_lines = old.splitlines(keepends=True), new.splitlines(keepends=True)
        most = min(len(old_lines), len(new_lines))
        head = next((i for i in range(most) if old_lines[i] != new_lines[i]), most)
        tail = next((i for i in range(most - head) if old_lines[-1 - i] != new_lines[-1 - i]), most - head)
        head_end = sum(map(len, old_lines[:head]))
        return cls(head_end, len(old) - sum(map(len, old_lines[len(old_lines) - tail :])), len(new) - len(old))

    def moved(self, start: int, end: int) -> tuple[int, int] | None:
        """The offsets in the new text of a range of the old one; None if the range may have changed."""
        if end <= self.head_end:
            return start, end
        return (start + self.shift, end + self.shift) if start >= self.tail_start else None
