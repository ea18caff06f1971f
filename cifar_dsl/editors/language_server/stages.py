"""The shapes and costs of a spec's stages, indexed by their places in the text."""

from cifar_dsl.compiler import Analysis
from cifar_dsl.foundation.records import define, field
from cifar_dsl.ir.source_map import Line, Visit, visits


@define
class Stages:
    """The visits of a spec's own text by (start, end) offsets, and its lines by number, from 1.

    `calls` has the visits of each block by its name, also for calls in other files.
    """

    analysis: Analysis
    visits: dict[tuple[int, int], list[Visit]] = field(factory=dict, init=False)
    lines: dict[int, Line] = field(factory=dict, init=False)
    calls: dict[str, list[Visit]] = field(factory=dict, init=False)

    def __attrs_post_init__(self) -> None:
        source = self.analysis.source
        for span, visit in visits(self.analysis.graph):
            if visit.block:
                self.calls.setdefault(visit.block, []).append(visit)
            if span.source is source:
                self.visits.setdefault((span.start, span.end), []).append(visit)
                number = source.position(span.end - 1)[0]
                self.lines.setdefault(number, Line()).add(span, visit)
