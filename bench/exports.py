"""Exports every shipped spec as PyTorch source, torch.export and ONNX, and writes how much the scores differ.

    python bench/exports.py [NAME ...]    # all: about half an hour; updates docs/results/exports.md

With names, measures these specs only. The page is updated after each, and keeps the rows of the others.
"""

import argparse
import time
from collections.abc import Set
from pathlib import Path

import torch
from measure import rows_of

from cifar_dsl.compiler import analyze
from cifar_dsl.export import files
from cifar_dsl.export.source.module import pytorch_source
from cifar_dsl.export.subject import Subject
from cifar_dsl.export.verification import check_source, fill_with_statistics
from cifar_dsl.foundation.errors import UserError
from cifar_dsl.foundation.resources import shipped_specs, specs_directory

PAGE = Path(__file__).parents[1] / "docs" / "results" / "exports.md"
HEAD = """# Exports of the shipped specs

The largest difference of the scores of each export from those of the network, as [export.md](../export.md#the-check)
describes it: for batches of 7 and 1 images, with statistics that have seen data. `pytorch` and `pt2` must be 0. `onnx`
is a share of the largest score: at most 1e-5, or twice the rounding error of torch itself if larger. `lines` counts
those of the printed file. Seconds are CPU time of one core for an export with its check, without the import of torch.

`python bench/exports.py` writes this page (torch {torch}).{missing}

| spec | lines | pytorch | pt2 | onnx | seconds (pytorch, pt2, onnx) |
| --- | ---: | ---: | ---: | ---: | --- |
"""


def row(name: str, path: Path) -> str:
    """The line of the table for one spec."""
    subject = Subject(analyze(path, specs_directory()))
    cells, seconds, lines = [], [], 0
    for form in ("pytorch", "pt2", "onnx"):
        start = time.process_time()
        try:
            if form == "pytorch":
                text = pytorch_source(subject.analysis)
                lines = len(text.splitlines())
                module = subject.module()
                fill_with_statistics(module, subject.image)
                cells.append(f"{check_source(text, module, subject.image).difference:.2g}")
            else:
                comparison = (files.pt2 if form == "pt2" else files.onnx)(subject).comparison
                assert comparison is not None
                cells.append(f"{comparison.difference:.2g}" if form == "pt2" else f"{comparison.relative:.1e}")
        except UserError as error:
            cells.append(error.message)
        seconds.append(f"{time.process_time() - start:.1f}")
    return f"| {name} | {lines} | {' | '.join(cells)} | {', '.join(seconds)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="specs to export; by default all")
    chosen = parser.parse_args().names
    torch.set_num_threads(1)
    specs = shipped_specs()
    rows = rows_of(PAGE.read_text(encoding="utf-8"))
    for name, path in specs.items():
        if chosen and name not in chosen:
            continue
        rows[name] = row(name, path)
        print(rows[name], flush=True)
        known = [rows[each] for each in specs if each in rows]
        head = HEAD.format(torch=torch.__version__, missing=missing(specs.keys() - rows.keys()))
        PAGE.write_text(head + "\n".join(known) + "\n", encoding="utf-8")


def missing(names: Set[str]) -> str:
    """A sentence about the specs that aren't measured yet."""
    return f" Not measured yet: {', '.join(sorted(names))}." if names else ""


if __name__ == "__main__":
    main()
