"""Folds repeats: equal successive stages become one stage with a count."""

from collections.abc import Sequence

from cifar_dsl.foundation.limits import Work
from cifar_dsl.foundation.records import evolve, field, frozen
from cifar_dsl.ir import Graph
from cifar_dsl.views.pictures.stages import Reader, Stage, merged

_LONGEST = 32  # the maximum number of stages in a repeated row
_MOST_COMPARED = 500_000  # values and stages of rows; beyond it, stages are drawn without folding


def folded(reader: Reader, stages: Sequence[Stage]) -> tuple[Stage, ...]:
    """The stages, where every repeated row of stages is replaced by one, at all levels."""
    return _Folder.of(reader).fold(stages)


@frozen
class _Folder:
    reader: Reader
    graph: Graph
    users: dict[int, list[int]]  # by value: the outputs of the nodes that use it; the graph's output counts as a use
    work: Work = field(factory=lambda: Work(_MOST_COMPARED))

    @classmethod
    def of(cls, reader: Reader) -> "_Folder":
        graph = reader.graph
        users: dict[int, list[int]] = {graph.output: [graph.body.values.stop]}
        for node in graph.nodes:
            for value in node.used_inputs:
                users.setdefault(value, []).append(node.output)
        return cls(reader, graph, users)

    def fold(self, stages: Sequence[Stage]) -> tuple[Stage, ...]:
        done: list[Stage] = []
        at = 0
        while at < len(stages):
            length, count = self._best(stages, at)
            row = [merged(stages[at + i : at + length * count : length]) for i in range(length)]
            row = [evolve(stage, stages=self.fold(stage.stages)) if stage.stages else stage for stage in row]
            if count > 1:
                row = [self._repeated(row, stages[at : at + length * count], count)]
            done += row
            at += length * count
        return tuple(done)

    def _repeated(self, row: list[Stage], whole: Sequence[Stage], count: int) -> Stage:
        key = self.reader.number((count, *(stage.key for stage in row)))
        stop = whole[-1].stop
        if len(row) == 1:
            return evolve(row[0], key=key, stop=stop, count=count)
        return Stage(row[0].path, "", key, row[0].start, stop, tuple(row), count=count)

    def _best(self, stages: Sequence[Stage], at: int) -> tuple[int, int]:
        """Length and count of the repeated row at `at` that covers most stages; the shortest of several."""
        best = (1, 1)
        if self.work.is_used_up:
            return best
        for length in range(1, min(_LONGEST, (len(stages) - at) // 2) + 1):
            is_covered = 2 * length <= best[0] * best[1]  # by a shorter row that covers as much
            if not is_covered and stages[at].key == stages[at + length].key:
                count = self._count(stages, at, length)
                if count > 1 and length * count > best[0] * best[1]:
                    best = (length, count)
        return best

    def _count(self, stages: Sequence[Stage], at: int, length: int) -> int:
        """How often the row of `length` stages repeats, each fed only by the output of the one before."""
        keys = [stage.key for stage in stages[at : at + length]]
        count, exit_value = 1, None
        self.work.done += length
        while [stage.key for stage in stages[at + count * length : at + (count + 1) * length]] == keys:
            before, row = (stages[at + (count + i) * length : at + (count + i + 1) * length] for i in (-1, 0))
            self.work.done += _nodes(row)
            entry = self._entry(row)
            if entry is None or not self._are_alike(before, row) or not self._is_only_way(before, row, entry):
                break
            exit_value = entry
            count += 1
            self.work.done += length
        if exit_value is None:
            return 1
        last = stages[at + (count - 1) * length : at + count * length]
        leaves = exit_value + _nodes(last)
        return count if self._leaves_by(last, leaves) else count - 1

    def _entry(self, row: Sequence[Stage]) -> int | None:
        """The one value that flows into a row."""
        made = range(row[0].start, row[-1].stop)
        entries = {value for node in self.graph.makers(made) for value in node.used_inputs if value < made.start}
        return entries.pop() if len(entries) == 1 else None

    def _are_alike(self, before: Sequence[Stage], row: Sequence[Stage]) -> bool:
        """Whether two rows of equal keys also have equal wiring and input shapes."""
        before_entry, entry = self._entry(before), self._entry(row)
        if before_entry is None or entry is None:
            return False
        if self.graph.shape_of(before_entry) != self.graph.shape_of(entry):
            return False
        offset = _nodes(row)
        makers = (self.graph.makers(range(part[0].start, part[-1].stop)) for part in (before, row))
        return all(
            tuple(entry if value == before_entry else value + offset for value in node.used_inputs) == other.used_inputs
            for node, other in zip(*makers, strict=True)
        )

    def _is_only_way(self, before: Sequence[Stage], row: Sequence[Stage], entry: int) -> bool:
        """Whether `row` alone uses the values of `before`, and only `entry`."""
        users = self.users.get(entry, [])
        is_next = all(user < row[-1].stop for user in users) and before[0].start <= entry
        return is_next and self._leaves_by(before, entry)

    def _leaves_by(self, row: Sequence[Stage], exit_value: int) -> bool:
        """Whether `exit_value` is the only value of `row` that is used outside of it."""
        start, stop = row[0].start, row[-1].stop
        return all(
            value == exit_value or all(user < stop for user in self.users.get(value, []))
            for value in range(start, stop)
        )


def _nodes(row: Sequence[Stage]) -> int:
    return row[-1].stop - row[0].start
