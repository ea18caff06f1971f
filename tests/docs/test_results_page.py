"""Tables of docs/results/README.md, against the figures beside it."""

import json

from helpers.documented import ROOT

from cifar_dsl.foundation.text import accuracy_in_percent

RESULTS = ROOT / "docs" / "results"


def test_the_table_of_what_is_decided_has_the_figures_of_the_comparison():
    recorded = json.loads((RESULTS / "eight-specs" / "until-decided" / "comparison.json").read_text(encoding="utf-8"))
    _, _, section = (
        (RESULTS / "README.md").read_text(encoding="utf-8").partition("### A comparison until it is decided")
    )
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines() if line[:2] == "| "]
    shown = {name: cells for name, *cells in lines[2:]}
    assert shown.keys() == {row["name"] for row in recorded["rows"]}
    for row in recorded["rows"]:
        accuracy, count, difference, interval, verdict, _ = shown[row["name"]]
        assert accuracy == accuracy_in_percent(row["mean"], row["deviation"])
        assert int(count) == len(row["accuracies"])
        if effect := row["effect"]:
            low, high = (100 * bound for bound in effect["simultaneous"])
            assert float(difference) == round(100 * effect["difference"], 2)
            assert interval == f"{low:+.1f} to {high:+.1f}"
            assert verdict == effect["verdict"]
