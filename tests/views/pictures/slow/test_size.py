"""Pictures whose layout would take minutes are refused; DOT and Mermaid are always written."""

from functools import cache

import pytest

from cifar_dsl.compiler import analyze, analyze_text
from cifar_dsl.foundation.errors import UserError
from cifar_dsl.foundation.resources import shipped_specs
from cifar_dsl.ir import Graph
from cifar_dsl.views.pictures import as_dot, as_mermaid, as_png, as_svg, draw

HEAD, END = "arch a\ninput 3x32x32\nmodel {\n", "global_avgpool\ndense(10)\n}\n"


@cache
def skips(count: int) -> Graph:
    """The graph of a network in which one join uses every tensor."""
    stages = "".join(f"conv(3, 1)\nlet t{i} = identity\n" for i in range(count))
    joined = " | ".join(f"t{i}" for i in range(count))
    return analyze_text(f"{HEAD}{stages}add {{ {joined} }}\n{END}").graph


@pytest.mark.parametrize("make", [as_svg, as_png])
@pytest.mark.parametrize("count", [300, 1_500])
def test_a_picture_with_long_arrows_is_refused_at_once(make, count):
    with pytest.raises(UserError, match="too large to arrange") as caught:
        make(draw(skips(count), "a"))
    assert any(".dot" in line for line in caught.value.help)


def test_its_dot_and_mermaid_are_written():
    picture = draw(skips(300), "a")
    assert as_dot(picture).count("->") >= 300
    assert as_mermaid(picture).count("-->") >= 300


def test_the_length_of_arrows_counts_rows():
    picture = draw(skips(3), "a", depth=0)  # input, 3 convolutions, add, pool, dense, output
    assert picture.length_of_arrows == 3 + (1 + 2 + 3) + 3


def test_no_shipped_spec_is_refused():
    specs = shipped_specs()
    assert len(specs) > 50
    for name, path in specs.items():
        assert draw(analyze(path).graph, name).length_of_arrows < 3_000, name
