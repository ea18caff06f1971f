"""Exports every shipped spec as PyTorch source, torch.export and ONNX, and writes how much the scores differ.

    python bench/exports.py [--to FORMAT] [NAME ...]    # updates docs/results/exports.md

Takes the specs in the order of their work, and writes the page after each export, so that an interruption loses one
export at most. With names, exports these specs only. The page keeps the other rows if they were measured with the same
versions; otherwise it lists them as not measured.
"""

import argparse
import re
import textwrap
import time
from importlib.metadata import version
from pathlib import Path

import torch

from cifar_dsl.compiler import Analysis, analyze
from cifar_dsl.export import files
from cifar_dsl.export.source.module import pytorch_source
from cifar_dsl.export.subject import Subject
from cifar_dsl.export.verification import check_source, fill_with_statistics
from cifar_dsl.foundation.errors import UserError
from cifar_dsl.foundation.resources import shipped_specs, specs_directory

PAGE = Path(__file__).parents[1] / "docs" / "results" / "exports.md"
FORMATS = ("pytorch", "pt2", "onnx")
HEAD = """# Exports of the shipped specs

The largest difference of the scores of each export from those of the network, as [export.md](../export.md#the-check)
describes it: for batches of 7 and 1 images, with statistics that have seen data. `pytorch` and `pt2` must be 0. `onnx`
is a share of the largest score: at most 1e-5, or twice the rounding error of torch itself if larger. `lines` counts
those of the printed file. Seconds are CPU time of one core for an export with its check, without the import of torch;
they were measured on a busy machine, and tell the order only.

`python bench/exports.py` writes this page ({versions}).

{told}

| spec | lines | pytorch | s | pt2 | s | onnx | s |
| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |
"""
_MARKED = "An asterisk marks what was measured before the last change of the printer, with the same version of torch."
_WIDTH = 120  # of lines of the page
COLUMNS = ("lines", "pytorch", "pytorch_s", "pt2", "pt2_s", "onnx", "onnx_s")
Row = dict[str, str]


def measured(subject: Subject, form: str) -> Row:
    """The cells of one export."""
    start = time.process_time()
    cells: Row = {}
    try:
        if form == "pytorch":
            text = pytorch_source(subject.analysis)
            cells["lines"] = str(len(text.splitlines()))
            module = subject.module()
            fill_with_statistics(module, subject.image)
            cells[form] = f"{check_source(text, module, subject.image).difference:.2g}"
        else:
            comparison = (files.pt2 if form == "pt2" else files.onnx)(subject).comparison
            assert comparison is not None
            cells[form] = f"{comparison.difference:.2g}" if form == "pt2" else f"{comparison.relative:.1e}"
    except UserError as error:
        cells[form] = error.message
    return cells | {f"{form}_s": f"{time.process_time() - start:.1f}"}


def rows_of(page: str, versions: str) -> dict[str, Row]:
    """The cells of a page by spec and column; none if it was measured with other versions."""
    if f"({versions})" not in page:
        return {}
    lines = (line for line in page.splitlines() if re.match(r"\| \w+ \|", line) and not line.startswith("| spec "))
    cells = ([cell.strip() for cell in line.strip("|").split("|")] for line in lines)
    return {name: {column: text for column, text in zip(COLUMNS, row, strict=True) if text} for name, *row in cells}


def page_of(rows: dict[str, Row], names: list[str], versions: str) -> str:
    """The page: a line for each spec with a measurement, in the order of `names`."""
    cells = {name: [rows[name].get(column, "") for column in COLUMNS] for name in names if name in rows}
    lines = [f"| {name} | {' | '.join(row)} |" for name, row in cells.items()]
    missing = [
        f"{form} of {', '.join(absent)}"
        for form in FORMATS
        if (absent := [name for name in names if form not in rows.get(name, {})])
    ]
    told = [f"Not measured: {'; '.join(missing)}." if missing else f"It has all {len(names)} specs."]
    if any("*" in text for row in cells.values() for text in row):
        told.append(_MARKED)
    paragraph = textwrap.fill(" ".join(told), _WIDTH, break_on_hyphens=False)
    return HEAD.format(versions=versions, told=paragraph) + "\n".join(lines) + "\n"


def main() -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="specs to export; by default all")
    parser.add_argument("--to", choices=FORMATS, help="format to export to; by default all")
    parser.add_argument("--missing", action="store_true", help="measure only what the page doesn't have")
    options = parser.parse_args()
    torch.set_num_threads(1)
    versions = ", ".join(f"{name} {version(name)}" for name in ("torch", "onnx", "onnxruntime"))
    specs = shipped_specs()
    rows = rows_of(PAGE.read_text(encoding="utf-8"), versions)
    chosen = [name for name in specs if not options.names or name in options.names]
    analyses = {name: analyze(specs[name], specs_directory()) for name in chosen}
    for name in sorted(chosen, key=lambda one: _work(analyses[one])):
        for form in [options.to] if options.to else FORMATS:
            row = rows.setdefault(name, {})
            if options.missing and form in row:
                continue
            row |= measured(Subject(analyses[name]), form)
            print(name, row, flush=True)
            PAGE.write_text(page_of(rows, [*specs], versions), encoding="utf-8")


def _work(analysis: Analysis) -> int:
    return analysis.graph.cost.macs


if __name__ == "__main__":
    main()
