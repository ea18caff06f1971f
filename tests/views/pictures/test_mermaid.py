"""Pictures as Mermaid text."""

import json
import re

import pytest
from helpers.networks import networks
from helpers.pictures_of import HOSTILE, picture_of
from helpers.specs import graph_of
from hypothesis import HealthCheck, given, settings

from cifar_dsl.compiler import analyze_text
from cifar_dsl.views.pictures import as_mermaid, draw

RESIDUAL = """\
---
title: "residual: 84 parameters, 5,184 multiply-accumulates"
config: {flowchart: {subGraphTitleMargin: {top: 4, bottom: 28}}}
---
flowchart TD
    n1["input"]:::terminal
    subgraph f1["unit(3)<br/><small>84 parameters</small>"]
        n2@{ shape: f-circ, label: " " }
        class n2 fork
        n3["conv(3, 3, pad=1)<br/><small>84 parameters</small>"]:::conv
        n4["add"]:::join
    end
    class f1 frame
    n5["output"]:::terminal
    n2 --> n3
    n3 --> n4
    n2 --> n4
    n1 ---|"3x8x8"| n2
    n4 -->|"3x8x8"| n5
    classDef conv fill:#cfe2f5,stroke:#3d6fa5,color:#1a1a1a
    classDef join fill:#f6d6d6,stroke:#a84a4a,color:#1a1a1a
    classDef terminal fill:#ffffff,stroke:#ffffff,color:#1a1a1a
    classDef fork fill:#7a7a7a,stroke:#7a7a7a,color:#1a1a1a
    classDef frame fill:#f7f8fa,stroke:#7a7a7a,color:#1a1a1a
"""
LABEL = r'"(?:[A-Za-z0-9_ ()=,.:+/\[\]-]|#[0-9]+;|<br/>|</?small>)*"'
LINES = re.compile(
    rf"(?:subgraph f\d+\[{LABEL}\]|end|class [nf]\d+ \w+|n\d+\[{LABEL}\]:::\w+"
    rf'|n\d+@\{{ shape: f-circ, label: " " \}}|n\d+ --[->](?:\|{LABEL}\|)? n\d+'
    r"|classDef \w+ fill:#\w{6},stroke:#\w{6},color:#\w{6})"
)
# Words that are reserved in Mermaid, even as names.
RESERVED = {"end", "graph", "flowchart", "subgraph", "class", "classDef", "click", "style", "default", "direction"}


def parts(text: str) -> tuple[str, list[str]]:
    """The title, and the lines of the chart."""
    opening, title, _, closing, kind, *lines = text.splitlines()
    assert (opening, closing, kind) == ("---", "---", "flowchart TD")
    return json.loads(title.removeprefix("title: ")), [line.strip() for line in lines]


def test_a_residual_block():
    graph = graph_of("unit(3)", "block unit(c: int) { add { conv(c, 3, pad=1) | identity } }")
    assert as_mermaid(draw(graph, "residual")) == RESIDUAL


@pytest.mark.parametrize("text", [*HOSTILE, "卷積", "a\nb"])
def test_hostile_labels_stay_labels(text):
    title, lines = parts(as_mermaid(picture_of(text)))
    assert title == f"{text}: {text}"
    labels = [part for line in lines for part in re.findall(r'"([^"]*)"', line)]
    read = [
        re.sub(r"#([0-9]+);", lambda match: chr(int(match[1])), label)
        for label in "<br/>".join(labels).replace("<small>", "").replace("</small>", "").split("<br/>")
    ]
    assert read == [text] * 6
    assert all(map(LINES.fullmatch, lines))


def test_underscores_that_would_set_words_in_italics_are_escaped():
    text = as_mermaid(picture_of("global_avgpool _it_"))
    assert '["global_avgpool #95;it#95;"]:::terminal' in text


def test_no_class_has_a_reserved_name():
    _, lines = parts(RESIDUAL)
    classes = {name for line in lines for name in re.findall(r"(?::::|classDef |class \w+ )(\w+)", line)}
    assert classes == {"terminal", "fork", "conv", "join", "frame"}
    from cifar_dsl.views.pictures.families import LOOKS

    assert not (classes | set(LOOKS)) & RESERVED


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(networks())
def test_every_line_is_valid_mermaid(text: str) -> None:
    _, lines = parts(as_mermaid(draw(analyze_text(text).graph, "drawn")))
    assert all(map(LINES.fullmatch, lines))
    assert sum(line.startswith("subgraph") for line in lines) == lines.count("end")
