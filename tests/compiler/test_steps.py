"""A check that has used up its steps: the message names the loop, and its remedy works."""

from pathlib import Path

import pytest

from cifar_dsl.compiler import analyze_text
from cifar_dsl.compiler.lints import inspect
from cifar_dsl.foundation import limits
from cifar_dsl.language.diagnostics import SpecError


@pytest.mark.parametrize(
    ("before", "stages"),
    [
        ("param x = [1, 2, 3]\n", "repeat 300000 { let k = sum(x) }"),
        ('block b(x) { }\nparam x = "aaaaaaaaaaaaaaaaaaaaaaaa"\n', "repeat 60000 { b(x) }"),
        ("", "repeat 700 { repeat 700 { repeat 700 { } } }"),
        ("param n = 90000\nblock b() { if 1 == 2 { relu } }\n", "repeat n { b }"),
    ],
)
def test_the_message_names_the_loop(tmp_path: Path, before: str, stages: str) -> None:
    path = tmp_path / "loop.arch"
    path.write_text(f"arch a\ninput 3x8x8\n{before}model {{\n{stages}\n}}\n", encoding="utf-8")
    with limits.raising(steps=50_000):
        (found,) = inspect(path).diagnostics
    assert found.code == "E0211"
    assert found.message == "a check can take at most 50,000 steps"
    assert any(label.text == "in this loop" for label in (found.label, *found.secondary) if label)
    assert "--limit STEPS=" in found.help[-1]


def test_the_remedy_of_the_message_works(tmp_path: Path) -> None:
    path = tmp_path / "loop.arch"
    path.write_text("arch a\ninput 3x8x8\nmodel { repeat 900 { } }\n", encoding="utf-8")
    with limits.raising(steps=1_000):
        assert {one.code for one in inspect(path).diagnostics} == {"E0211"}
    with limits.raising(steps=3_000):
        assert inspect(path).found


def test_an_error_before_the_limit_is_shown_alone(tmp_path: Path) -> None:
    path = tmp_path / "error.arch"
    path.write_text("arch a\ninput 3x8x8\nparam p = 1 + x\nmodel { repeat 999999 { } }\n", encoding="utf-8")
    assert [one.code for one in inspect(path).diagnostics] == ["E0202"]


@pytest.mark.parametrize("call", ["conv(8, 3, pad=1)", "conv(8, kernel=3x3, pad=same, bias=false)", "relu"])
def test_equal_calls_are_one_layer_and_take_equal_steps(call: str) -> None:
    def least(count: int) -> int:
        """The steps that a network with so many calls takes."""
        stages = f"{call}\n" * count
        text = f"arch a\ninput 8x8x8\nmodel {{\n{stages}}}\n"
        allowed, forbidden = 100_000, 0
        while allowed - forbidden > 1:
            steps = (allowed + forbidden) // 2
            try:
                with limits.raising(steps=steps):
                    graph = analyze_text(text).graph
            except SpecError:
                forbidden = steps
            else:
                allowed = steps
                assert len({id(node.operation) for node in graph.nodes}) == 1
        return allowed

    two, three, four = map(least, (2, 3, 4))
    assert three - two == four - three


def test_equal_numbers_of_other_types_are_other_calls() -> None:
    graph = analyze_text("arch a\ninput 8x8x8\nmodel { dropout(0) -> dropout(0.0) -> dropout(0.5) }\n").graph
    assert [node.operation.arguments()["p"] for node in graph.nodes] == [0, 0, 0.5]
    with pytest.raises(SpecError) as found:
        analyze_text("arch a\ninput 8x8x8\nmodel { conv(8, 1, bias=true) -> conv(8, 1, bias=1) }\n")
    assert [one.code for one in found.value.diagnostics] == ["E0304"]
