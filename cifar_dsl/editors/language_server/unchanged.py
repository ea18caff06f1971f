"""What two versions of a text have in common."""

from cifar_dsl.foundation.records import frozen


@frozen
class Unchanged:
    """The lines of an old text that stand in a new one: those up to `before` and from `behind` on.

    In the new text, the latter stand `shift` characters further on.
    """

    before: int
    behind: int
    shift: int

    @classmethod
    def between(cls, old: str, new: str) -> "Unchanged":
        """Compare two texts."""
        old_lines, new_lines = old.splitlines(keepends=True), new.splitlines(keepends=True)
        most = min(len(old_lines), len(new_lines))
        first = next((i for i in range(most) if old_lines[i] != new_lines[i]), most)
        last = next((i for i in range(most - first) if old_lines[-1 - i] != new_lines[-1 - i]), most - first)
        before = sum(map(len, old_lines[:first]))
        return cls(before, len(old) - sum(map(len, old_lines[len(old_lines) - last :])), len(new) - len(old))

    def now(self, start: int, end: int) -> tuple[int, int] | None:
        """Where a stretch of the old text stands in the new one."""
        if end <= self.before:
            return start, end
        return (start + self.shift, end + self.shift) if start >= self.behind else None
