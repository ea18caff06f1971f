"""Tables say the figures, and nothing in them acts on what shows them."""

import csv
import io
import json

import cattrs
import pytest

from cifar_dsl.compare import Comparison, compare
from cifar_dsl.compare.tables import as_csv, as_json, as_markdown, as_text

HOSTILE = "\x1b[2J\u202e|`<script>alert(1)</script>![x](http://x.test)\n| new row |"


@pytest.fixture
def comparison(entry) -> Comparison:
    return compare(
        [
            entry("base", accuracies=[0.5, 0.7]),
            entry("trick", parameters=3000, accuracies=[0.75, 0.85, None], changes=("head = [512]", "batch 7")),
            entry("unrun", changes=("epochs 3",)),
            entry("wild", accuracies=[None]),
        ],
        "base",
    )


def test_the_text_is_this_table(comparison):
    assert as_text(comparison) == [
        "spec   change                 parameters  macs         accuracy               n  difference"
        "  points/1k parameters   time",
        "base   -                           1,000   2 k  0.6000 ± 0.1414               2     +0.0000"
        "                        1.0 s",
        "trick  head = [512]; batch 7       3,000   2 k  0.8000 ± 0.0707  2 + 1 diverged     +0.2000"
        "                   +10  1.0 s",
        "unrun  epochs 3                    1,000   2 k           no run               0",
        "wild   -                           1,000   2 k         diverged  0 + 1 diverged",
        "",
        "data: npz (drawn; 60 + 20 images, digest abababababab)",
        "computed on: a processor",
        "accuracy: on the test images after the last epoch, mean ± sample standard deviation over n seeds",
        "difference: from base; points/1k parameters: percentage points for 1,000 added parameters",
    ]


def test_csv_holds_every_digit(comparison):
    lines = {line["spec"]: line for line in csv.DictReader(io.StringIO(as_csv(comparison)))}
    for row in comparison.rows:
        line = lines[row.name]
        for name in ("mean", "deviation", "difference", "gain_per_parameter", "time_s"):
            assert (float(line[name]) if line[name] else None) == getattr(row, name)
        assert tuple(map(float, line["accuracies"].split())) == row.accuracies
        assert (int(line["parameters"]), int(line["n"]), int(line["diverged"])) == (
            row.parameters,
            len(row.accuracies),
            row.diverged,
        )
    assert lines["base"]["change"] == ""


@pytest.mark.parametrize("sign", "=+-@")
def test_no_cell_of_csv_is_a_formula(entry, sign):
    comparison = compare([entry(f"{sign}cmd|' /C calc'!A0", changes=(f"{sign}HYPERLINK(1)",), accuracies=[0.5])])
    (_, *lines) = csv.reader(io.StringIO(as_csv(comparison)))
    assert not [cell for line in lines for cell in line if cell[:1] in tuple("=+-@")]


def test_json_holds_everything(comparison):
    assert cattrs.structure(json.loads(as_json(comparison)), Comparison) == comparison


def test_every_line_of_the_markdown_table_has_the_same_cells(comparison):
    lines = as_markdown(comparison).split("\n\n")[0].splitlines()
    assert len(lines) == 2 + len(comparison.rows)
    assert len({line.count(" | ") for line in lines}) == 1
    assert (
        "| trick | head = [512]; batch 7 | 3,000 | 2 k | 0.8000 ± 0.0707 | 2 + 1 diverged | +0.2000 | +10 |" in lines[3]
    )


def test_nothing_in_markdown_is_code_html_a_link_or_a_cell(entry):
    comparison = compare([entry("base", accuracies=[0.5], changes=("a | b",), origin=HOSTILE, device=HOSTILE)])
    text = as_markdown(comparison)
    assert r"| a \| b |" in text
    assert len(text.splitlines()) == 3 + 1 + 4
    for wrong in ("\x1b", "\u202e", "<", "`", "]("):
        assert wrong not in text.replace(r"\<", "").replace(r"\`", "")


def test_nothing_in_the_text_acts_on_a_terminal(entry):
    comparison = compare([entry("base", accuracies=[0.5], origin=HOSTILE, device=HOSTILE)])
    assert all(line.isprintable() for line in as_text(comparison))
