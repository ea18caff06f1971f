"""Shapes and costs of stages, compared with the margin of `show`."""

from pathlib import Path

from helpers.specs import text_of

from cifar_dsl.compiler import analyze, analyze_text
from cifar_dsl.editors.language_server.stages import Stages
from cifar_dsl.foundation.resources import specs_directory
from cifar_dsl.ir.source_map import shapes_text
from cifar_dsl.views.annotated_source import margin

SPECS = specs_directory()
SHIPPED = sorted([*SPECS.glob("*.arch"), *(SPECS / "zoo").glob("*.arch"), *(SPECS / "records").glob("*.arch")])


def test_lines_are_those_of_the_margin(full: bool) -> None:
    """Of every shipped spec with --full, else of one of three."""
    for path in SHIPPED[:: 1 if full else 3]:
        check_margin(path)


def check_margin(path: Path) -> None:
    analysis = analyze(path, SPECS)
    stages = Stages(analysis)
    texts = analysis.source.text.rstrip("\n").split("\n")
    _, _, _, _, *shown = margin(analysis)  # the name, a blank line, the heads of columns, a rule
    for number, (text, row) in enumerate(zip(texts, shown, strict=False), start=1):
        if not stages.lines or text.split()[:1] in (["input"], ["data"]):
            continue  # the margin begins with a base, and shows the input, or the dataset that decides it
        cells = [cell.strip() for cell in row.split(" |")[0].split("  ") if cell.strip()]
        line = stages.lines.get(number)
        cost = analysis.graph.cost_of(line.values if line else ())
        figures = [f"{count:,}" for count in (cost.parameters, cost.macs) if count]
        assert cells == ([shapes_text(line.shapes), *figures] if line else []), (path, text)


def test_costs_of_all_lines_are_those_of_the_network() -> None:
    analysis = analyze_text(text_of("repeat 2 { unit(8) -> relu }\nflatten\ndense(10)", "block unit(c) { conv(c, 1) }"))
    stages = Stages(analysis)
    on_lines = {value for line in stages.lines.values() for value in line.values}
    assert analysis.graph.cost_of(on_lines).parameters == analysis.graph.cost.parameters
    (call,) = [visits for place, visits in stages.visits.items() if visits[0].block]
    assert [visit.path for visit in call] == ["unit", "unit2"]
    assert [list(map(str, visit.outputs)) for visit in call] == [["8x8x8"], ["8x8x8"]]
    assert stages.calls == {"unit": call}


def test_a_join_has_the_shapes_of_its_branches() -> None:
    stages = Stages(analyze_text(text_of("add { conv(3, 1) | relu }")))
    (join,) = [visit for visits in stages.visits.values() for visit in visits if visit.has_bodies]
    assert len(join.values) == 3
    assert [line.values for line in stages.lines.values()] == [{1, 2}]
