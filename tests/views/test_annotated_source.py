"""Shapes and counts beside the text of a spec."""

import pytest
from helpers.networks import networks
from helpers.specs import text_of, write_specs
from hypothesis import HealthCheck, given, settings

from cifar_dsl.compiler import analyze, analyze_text
from cifar_dsl.views.annotated_source import margin

# Worked out by hand: conv(c, 3) of 3 channels for 4, then of 4 and of 8 for 8 has 112 + 296 + 584 parameters, ...
WHOLE = """\
a  1833fd2d581c

output           parameters    macs | a.arch
------------------------------------+--------------------
                                    | # a comment
                                    | arch a
3x8x8                               | input 3x8x8
                                    | param n = 2
                                    |
                                    | block unit(c) {
                                    |     add {
4x8x8 ... 8x4x4         992  20,736 |         conv(c, 3, pad=1) -> relu
4x8x8 ... 8x4x4         128   2,304 |       | conv(c, 1)
4x8x8 ... 8x4x4                     |     }
                                    | }
                                    |
                                    | model {
4x4x4                   128   7,680 |     unit(4) -> maxpool(2)
8x4x4                   992  15,360 |     repeat n { unit(8) }
4x4x4                    36     512 |     let side = conv(4, 1)
                                    |     for c in [1, 2, 3] {
1x4x4 ... 3x4x4          22     256 |         conv(c, 1)
                                    |     }
4x4x4                   288   4,224 |     basic_block(4)
                                    |     concat {
                                    |         side
4x4x4                               |       | identity
8x4x4                               |     } -> relu
                                    |
                                    |     if n > 5 {
                                    |         tanh
                                    |     }
2 shapes                 16     192 |     for k in [1, 2, 1] { conv(k, 1) }
10                      170     160 |     flatten -> dense(10)
                                    | }
------------------------------------+--------------------
10                    1,652  28,384 | total"""


def beside(lines: list[str], text: str) -> list[str]:
    """The figures beside the one line with this text."""
    (figures,) = [line.partition("|")[0] for line in lines if line.partition("| ")[2].strip() == text]
    return figures.split()


def test_the_whole_text_with_its_margin() -> None:
    text = "\n".join(line.partition("| ")[2] for line in WHOLE.splitlines()[4:-2])
    assert "\n".join(margin(analyze_text(text, "a.arch"))) == WHOLE


def test_a_spec_stands_before_its_bases_and_shows_what_it_changed(tmp_path) -> None:
    base = "param c = 4\nblock unit() { conv(c, 3) }\nmodel { unit -> flatten -> dense(10) }\n"
    path = write_specs(
        tmp_path,
        child='arch child extends "middle.arch"\nparam c = 8\n',
        middle='arch middle extends "base.arch"\nblock unit() { conv(c, 1) }\n',
        base=f"arch base\ninput 3x8x8\n{base}",
    )
    lines = margin(analyze(path))
    heads = [line.partition("| ")[2] for line in lines if line.startswith("output")]
    assert heads == [str(tmp_path / f"{name}.arch") for name in ("child", "middle", "base")]
    assert beside(lines, "param c = 8") == []
    assert beside(lines, "block unit() { conv(c, 1) }") == ["8x8x8", "32", "1,536"]
    assert beside(lines, "block unit() { conv(c, 3) }") == []


def test_overrides_count(tmp_path) -> None:
    path = write_specs(tmp_path, a="arch a\ninput 3x8x8\nparam c = 4\nmodel { conv(c, 1) }\n")
    assert beside(margin(analyze(path, overrides=["c=8"])), "model { conv(c, 1) }") == ["8x8x8", "32", "1,536"]


@pytest.mark.parametrize(
    ("text", "shown"),
    [("\trelu # a\tb", "    relu # a    b"), ("relu # 卷積", "relu # 卷積"), ("relu # \u200b", "relu # \\u200b")],
)
def test_what_else_a_line_may_hold(text: str, shown: str) -> None:
    assert shown in [line.partition("| ")[2] for line in margin(analyze_text(text_of(text)))]


@settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow])
@given(networks())
def test_every_line_of_a_spec_is_there_once(text: str) -> None:
    lines = margin(analyze_text(text))
    assert len(lines) == text.count("\n") + 6
    assert [line.partition("|")[2].strip() for line in lines[4:-2]] == [line.strip() for line in text.splitlines()]


def test_a_list_of_tensors_shows_all_shapes() -> None:
    items = "block both() {\nlet a = conv(4, 1)\n[a, a]\n}"
    text = text_of("let (x, y) = both\nconcat { x | y } -> conv(2, 1)", items)
    assert any(line.startswith("4x8x8, 4x8x8") for line in margin(analyze_text(text)))
