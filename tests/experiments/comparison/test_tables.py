"""Tables show all numbers, and escape everything that a viewer would interpret."""

import csv
import io
import json

import cattrs
import numpy as np
import pytest
from attrs import evolve
from helpers.runs import reread, reseal

from cifar_dsl.experiments.comparison import Comparison, compare
from cifar_dsl.experiments.comparison.report import render_report
from cifar_dsl.experiments.comparison.tables import as_csv, as_json, as_latex, as_markdown, as_text, notes
from cifar_dsl.runs import PREDICTIONS, RESULT, DataRecord
from cifar_dsl.runs.predictions import write_predictions
from cifar_dsl.runs.record_json import to_json

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


def test_the_text_is_this_table_with_findings_and_notes(comparison):
    assert as_text(comparison) == TEXT.strip().splitlines()


TEXT = """
spec   parameters  macs         accuracy               n  difference   95 % interval     p   time
base        1,000   2 k  60.00 ± 14.14 %               2                                    1.0 s
trick       3,000   2 k   80.00 ± 7.07 %  2 + 1 diverged      +20.00  -57.4 to +97.4  0.26  1.0 s
unrun       1,000   2 k           no run               0
wild        1,000   2 k         diverged  0 + 1 diverged

trick: no significant difference from base (-57.4 to +97.4 points); 2 seeds can detect differences of about
  98.8 points or more; if the difference of 20.0 points is real, it takes about 5 more seeds per spec to show
  it; of 3 runs, 1 diverged (the statistics cover the finished runs only)
unrun: no run
wild: no run finished; of 1 run, 1 diverged

data: npz (drawn; 60 + 20 images, digest abababababab)
computed on: a processor
accuracy: on the test images after the last epoch; mean ± sample standard deviation over n seeds
difference: from base, in percentage points; interval and p by Welch's method, corrected for unequal spreads
seeds: the claims hold if their number was chosen beforehand; if runs were added until something showed, use --until-decided, which counts these runs, too
"""  # noqa: E501


def test_csv_holds_every_digit(comparison):
    lines = {line["spec"]: line for line in csv.DictReader(io.StringIO(as_csv(comparison)))}
    for row in comparison.rows:
        line = lines[row.name]
        for owner, names in (
            (row, ("mean", "deviation", "gain_per_parameter", "time_s", "energy_j")),
            (row.effect, ("difference", "p", "p_adjusted", "smallest_p", "superiority", "detectable", "seeds_needed")),
        ):
            for name in names:
                assert (float(line[name]) if line[name] else None) == getattr(owner, name, None)
        ends = (line["simultaneous_low"], line["simultaneous_high"])
        assert (tuple(map(float, ends)) if all(ends) else None) == (row.effect and row.effect.simultaneous)
        assert tuple(map(float, line["accuracies"].split())) == row.accuracies
        assert (int(line["parameters"]), int(line["n"]), int(line["diverged"])) == (
            row.parameters,
            len(row.accuracies),
            row.diverged,
        )
    assert lines["base"]["change"] == ""
    assert lines["trick"]["verdict"] == "unclear"


@pytest.mark.parametrize("sign", "=+-@")
def test_no_cell_of_csv_is_a_formula(entry, sign):
    comparison = compare([entry(f"{sign}cmd|' /C calc'!A0", changes=(f"{sign}HYPERLINK(1)",), accuracies=[0.5])])
    (line,) = csv.DictReader(io.StringIO(as_csv(comparison)))
    assert line["spec"][:1] not in tuple("=+-@")
    assert line["change"][:1] not in tuple("=+-@")


def test_json_holds_everything(comparison):
    assert cattrs.structure(json.loads(as_json(comparison)), Comparison) == comparison


def test_every_line_of_the_markdown_table_has_the_same_cells(comparison):
    lines = as_markdown(comparison).split("\n\n")[0].splitlines()
    assert len(lines) == 2 + len(comparison.rows)
    assert len({line.count(" | ") for line in lines}) == 1
    assert (
        "| trick | head = [512]; batch 7 | 3,000 | 2 k | 80.00 ± 7.07 % | 2 + 1 diverged | "
        "+20.00 | -57.4 to +97.4 | 0.26 | 0.67 (0.11 to 0.97) | +10 | 1.0 s |" in lines[3]
    )


def test_nothing_in_markdown_is_code_html_a_link_or_a_cell(entry):
    comparison = compare([entry("base", accuracies=[0.5], changes=("a | b",), origin=HOSTILE, device=HOSTILE)])
    text = as_markdown(comparison)
    assert r"| a \| b |" in text
    assert len(text.splitlines()) == 3 + 1 + 4
    for wrong in ("\x1b", "\u202e", "<", "`", "]("):
        assert wrong not in text.replace(r"\<", "").replace(r"\`", "")


def test_nothing_in_the_text_acts_on_a_terminal(entry):
    entries = [
        entry("base", accuracies=[0.5], origin=HOSTILE, device=HOSTILE),
        entry(f"x{HOSTILE}\u200b", accuracies=[0.6, 0.7], origin=HOSTILE, changes=(HOSTILE,)),
    ]
    comparison = compare(entries, "base", all_pairs=True)
    for text in ("\n".join(as_text(comparison)), as_markdown(comparison), as_latex(comparison), as_csv(comparison)):
        assert all(line.isprintable() for line in text.splitlines())


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("a*b*", r"a\*b\*"),
        ("_a_", r"\_a\_"),
        ("snake_case", "snake_case"),
        ("~~a~~", r"\~\~a\~\~"),
        ("&lt;b>", r"\&lt;b>"),
        ("http://a.b", r"http\://a.b"),
        ("https://a.b", r"https\://a.b"),
    ],
)
def test_nothing_of_a_name_is_markup_in_markdown(entry, name, shown):
    assert f"| {shown} |" in as_markdown(compare([entry(name, accuracies=[0.5])]))


def test_latex_is_a_table_of_booktabs(comparison):
    lines = [line for line in as_latex(comparison).splitlines() if not line.startswith("%")]
    assert (lines[0], lines[1], lines[-1]) == (r"\begin{tabular}{lrrrrrrrrrr}", r"\toprule", r"\end{tabular}")
    assert lines[2].startswith(r"spec & parameters & macs & accuracy & n & difference & 95 \% interval & p & ")
    assert r"trick & 3,000 & 2 k & 80.00 $\pm$ 7.07 \% & 2 + 1 diverged & +20.00 & -57.4 to +97.4 & 0.26" in lines[5]
    assert len({line.count(" & ") for line in lines if " & " in line}) == 1


def test_nothing_in_latex_is_a_command(entry):
    comparison = compare([entry(r"\input{x}%$&#_^~{", accuracies=[0.5], origin="a\n\\input{y}")])
    table, name = as_latex(comparison), r"\textbackslash{}input\{x\}\%\$\&\#\_\textasciicircum{}\textasciitilde{}\{"
    assert f"\n{name} & " in table
    assert not [line for line in table.splitlines() if line.startswith(r"\input")]


def test_the_mean_cross_entropy_is_a_column_where_all_runs_have_one(entry):
    losses = {"base": (0.5, 0.7), "old": (0.5, None), "lost": (0.25, 0.75)}
    entries = []
    for name, values in losses.items():
        entries.append(entry(name, accuracies=(0.7, 0.8), lineage=(name, "base")))
        for run, value in zip(entries[-1].runs, values, strict=True):
            (run.run.path / RESULT).write_bytes(to_json(evolve(run.result, cross_entropy=value)))
            reseal(run.run.path)
    comparison = compare(list(map(reread, entries)))
    assert [row.cross_entropy for row in comparison.rows] == [0.6, None, 0.5]
    markdown = as_markdown(comparison)
    assert "| cross-entropy |" in markdown
    assert "| 0.6000 |" in markdown
    assert "cross-entropy: of the softmax of the scores on the test images, without label smoothing" in markdown
    assert not any("cross-entropy" in line for line in as_text(comparison))  # which has no such column
    assert [row["cross_entropy"] for row in csv.DictReader(as_csv(comparison).splitlines())] == ["0.6", "", "0.5"]
    assert "cross-entropy" not in as_markdown(compare([entry("alone", accuracies=(0.7, 0.8))]))


def test_claims_from_few_seeds_state_their_assumption(entry):
    few = [entry("base", accuracies=[0.5, 0.51, 0.52]), entry("trick", accuracies=[0.8, 0.81, 0.82])]
    (caution,) = [note for note in notes(compare(few)) if note.startswith("few seeds")]
    assert "can't reach less than p = 0.10 with these seeds" in caution
    more = [entry("base", accuracies=[0.5, 0.51, 0.52, 0.53]), entry("trick", accuracies=[0.8, 0.81, 0.82, 0.83])]
    assert not [note for note in notes(compare(more)) if note.startswith("few seeds")]


def test_the_folder_that_an_earlier_version_recorded_as_the_origin_is_not_shown():
    given = DataRecord("npz", "ab" * 32, "mine/own.npz", 60, 20, path="/home/me/mine/own.npz")
    assert (given.shareable.origin, given.shareable.path) == ("own.npz", None)
    imported = evolve(given, origin="imported from photos/2024")
    assert imported.shareable.origin == "imported from photos/2024"


def test_specs_at_chance_level_are_named_in_the_notes_and_in_json(entry):
    base, lost = entry("base", accuracies=[0.9, 0.9]), entry("lost", accuracies=[0.1, 0.9])
    labels = np.arange(1000) % 10
    for run, predicted in zip([*base.runs, *lost.runs], [labels, labels, np.zeros(1000, int), labels], strict=True):
        write_predictions(
            run.run.path / PREDICTIONS,
            labels=labels,
            predicted=predicted,
            truth_probability=np.zeros(1000),
            classes=[f"class {i}" for i in range(10)],
        )
        reseal(run.run.path)
    base, lost = reread(base), reread(lost)
    comparison = compare([base, lost])
    (note,) = [note for note in notes(comparison) if note.startswith("chance level: ")]
    assert note.startswith("chance level: lost (1 of 2 runs) learned nothing: the predictions are no better than")
    assert note in as_text(comparison)
    assert note in render_report(comparison)
    assert [row["at_chance"] for row in json.loads(as_json(comparison))["rows"]] == [[], [0]]
    assert not [note for note in notes(compare([base])) if note.startswith("chance level")]
