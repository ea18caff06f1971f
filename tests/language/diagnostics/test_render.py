import json

import pytest
from helpers.specs import errors_of, text_of

from cifar_dsl.language.diagnostics import (
    Diagnostic,
    Label,
    nearest,
    render_concise,
    render_full,
    render_json,
)
from cifar_dsl.language.source import Source, Span


def found(text: str, marked: str, name: str = "a.arch") -> Diagnostic:
    start = text.index(marked)
    return Diagnostic("E0201", "message", Label(Span(Source(name, text), start, start + len(marked)), "label"))


def excerpt(diagnostic: Diagnostic) -> list[str]:
    return [line[4:] for line in render_full(diagnostic).splitlines() if line[:4] in {"1 | ", "  | "}]


def test_concise_is_one_line_with_the_place() -> None:
    (diagnostic,) = errors_of(text_of("cnov(8, 3)"))
    assert render_concise(diagnostic) == "<text>:5:1: E0201 unknown layer or block `cnov`"


def test_json_counts_lines_and_columns_from_one() -> None:
    (data,) = json.loads(render_json(errors_of(text_of("add { identity | conv(8, 1) }"))))
    assert data["code"] == "E0308"
    assert data["title"] == "branches don't fit"
    assert data["labels"][0] == {
        "file": "<text>",
        "line": 5,
        "column": 18,
        "end_line": 5,
        "end_column": 28,
        "text": "this branch outputs 8x8x8",
        "primary": True,
    }
    assert [label["primary"] for label in data["labels"]] == [True, False]


def test_the_underline_is_aligned_after_tabs() -> None:
    line, under = excerpt(found("\tconv(8) \tcnov", "cnov"))
    assert "\t" not in line
    assert under.index("^") == line.index("cnov")


def test_wide_characters_take_two_columns() -> None:
    line, under = excerpt(found("# 卷積 cnov", "cnov"))
    assert under.index("^") == line.index("cnov") + 2


def test_combining_characters_take_no_column() -> None:
    line, under = excerpt(found("# e\u0301 cnov", "cnov"))
    assert under.index("^") == line.index("cnov") - 1


@pytest.mark.parametrize("character", ["\x1b", "\x07", "\u202e", "\u200b", "\u2028", "\x9b"])
def test_text_of_a_spec_never_controls_the_terminal(character: str) -> None:
    text = f"conv{character}cnov"
    diagnostic = found(text, "cnov", name=f"a{character}.arch")
    assert character not in render_full(diagnostic)
    assert character not in render_concise(diagnostic)


def test_a_span_of_several_lines_is_underlined_to_the_end_of_its_first() -> None:
    line, under = excerpt(found("add {\n a\n}", "add {\n a\n}"))
    assert (line, under) == ("add {", "^^^^^ label")


def test_a_long_line_is_cut_around_the_place() -> None:
    line, under = excerpt(found("x" * 5000 + " cnov " + "y" * 5000, "cnov"))
    assert len(line) < 200
    assert under.index("^") == line.index("cnov")


def test_labels_in_two_files_get_two_excerpts() -> None:
    first, second = found("aaa", "aaa", "a.arch"), found("bbb", "bbb", "b.arch")
    assert second.label
    text = render_full(Diagnostic("E0201", "message", first.label, secondary=(second.label,)))
    assert " --> a.arch:1:1" in text
    assert " ::: b.arch:1:1" in text


def test_a_diagnostic_needs_a_known_code() -> None:
    with pytest.raises(AssertionError):
        Diagnostic("E9999", "message", None)


def test_the_number_of_diagnostics_is_limited() -> None:
    assert len(errors_of(text_of("\n".join(f"layer{i}x" for i in range(50))))) == 20


@pytest.mark.parametrize(
    ("name", "known", "expected"),
    [
        ("cnov", ["conv", "bn"], "conv"),
        ("Conv", ["conv"], "conv"),
        ("conv", ["conv"], None),
        ("transformer", ["conv", "bn"], None),
        ("ReLU", ["relu", "elu"], "relu"),
        ("den", ["dense", "dense_layer"], "dense"),
        ("den", ["dense", "denoise"], None),
        ("de", ["dense"], None),
        ("glavg", ["global_avgpool", "global_maxpool"], "global_avgpool"),
    ],
)
def test_nearest(name: str, known: list[str], expected: str | None) -> None:
    assert nearest(name, known) == expected


def test_an_abbreviation_may_be_that_of_another_name_for_it() -> None:
    assert nearest("batchn", ["bn", "relu"], [("BatchNorm2d", "bn")]) == "bn"
    assert nearest("res", ["residual_shortcut"], [("ResBlock", "basic_block")]) is None
