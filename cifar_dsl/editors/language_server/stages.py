"""The stages of a spec's own text, found by their places."""

from attrs import define, field

from cifar_dsl.compiler import Analysis
from cifar_dsl.ir.source_map import Line, Visit, visits


@define
class Stages:
    """The stages of a spec's own text: visits by start and end of the place, and lines by their numbers, from 1.

    `calls` holds the visits of blocks by the names of these, also those that other files say.
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
                self.lines.setdefault(number, Line()).take(span, visit)
