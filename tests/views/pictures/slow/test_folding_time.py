"""Folding a picture of many stages takes bounded time, counted in calls of functions."""

from helpers.cost_fuzzing import calls

from cifar_dsl.compiler import analyze_text
from cifar_dsl.ir import Graph
from cifar_dsl.views.pictures import draw


def unused(count: int) -> Graph:
    """The graph of a network with many equal stages that don't follow each other."""
    stages = "".join(f"let v{i} = relu\n" for i in range(count))
    return analyze_text(f"arch a\ninput 3x32x32\nmodel {{\n{stages}global_avgpool\ndense(10)\n}}\n").graph


def test_the_time_of_folding_is_bounded():
    few, many = unused(400), unused(1_600)
    assert calls(lambda: draw(many, "a")) < 6 * calls(lambda: draw(few, "a"))
