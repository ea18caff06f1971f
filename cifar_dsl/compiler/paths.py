"""Names of stages, which become names of weights (docs/decisions/0001-names-of-stages.md)."""

from cifar_dsl.compiler.module_names import module_name
from cifar_dsl.foundation.records import define, field
from cifar_dsl.language.source import Span


@define
class Place:
    """The stage names of one body. The first `conv` is named `conv`, the next ones `conv2`, `conv3`.

    So adding a stage never renames an earlier stage, nor a stage of another kind.
    """

    path: str
    _taken: set[str] = field(factory=set)
    _counts: dict[str, int] = field(factory=dict)
    _given: dict[str, Span] = field(factory=dict)

    def automatic(self, base: str) -> str:
        """The path of the next unnamed stage of kind `base`."""
        base = module_name(base)
        name, count = base, self._counts.get(base, 1)
        while name in self._taken:
            count += 1
            name = f"{base}_{count}" if base[-1].isdigit() else f"{base}{count}"
        self._counts[base] = count
        return self._take(name)

    def given(self, name: str, span: Span) -> str | None:
        """The path of a stage that the author names at `span`; None if another stage has the name.

        In later rounds of a loop, `span` is the same, and the stages are numbered.
        """
        if self._given.get(name) == span:
            return self.automatic(name)
        if name in self._taken:
            return None
        self._given[name] = span
        return self._take(name)

    def _take(self, name: str) -> str:
        self._taken.add(name)
        return f"{self.path}.{name}" if self.path else name
