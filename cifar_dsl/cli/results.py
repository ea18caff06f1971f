"""Output of `cifar-dsl compare`: the terminal, tables, charts, the report."""

import os
import re
import shlex
from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import click

from cifar_dsl.cli.opening import open_in_browser
from cifar_dsl.cli.output import note, print_result, writing
from cifar_dsl.foundation.errors import UserError
from cifar_dsl.foundation.extras import install_command
from cifar_dsl.foundation.user_folders import expanded
from cifar_dsl.training.options import CompareOptions

if TYPE_CHECKING:
    from cifar_dsl.api import Spec
    from cifar_dsl.experiments.comparison import Comparison
    from cifar_dsl.experiments.comparison.report import Origin, Pictures


_FOLDERS = re.compile(r"(?<![^=:,])~?/(?:[^/]+/)*(?=[^/])")  # of an absolute path


def show(comparison: "Comparison") -> None:
    """Print the table and its findings on stdout."""
    from cifar_dsl.experiments.comparison.tables import as_text

    for line in as_text(comparison):
        print_result(line)


def prepare(out: Path) -> None:
    """Create the folder for results. Raises UserError if it can't be created, or holds no more files."""
    from cifar_dsl.foundation.atomic import check_writable
    from cifar_dsl.foundation.folders import make_folder

    with writing_to(out):
        make_folder(out)
        check_writable(out)


def write(comparison: "Comparison", specs: "Sequence[Spec]", options: CompareOptions) -> None:
    """Write tables, charts and report to `options.out`. Raises UserError if they can't be written.

    Deletes files that it doesn't write, such as the report with --no-report: they are of an earlier comparison.
    """
    from cifar_dsl.experiments.comparison.tables import as_csv, as_json, as_latex, as_markdown
    from cifar_dsl.foundation.atomic import write_atomically

    out = options.out
    prepare(out)
    with writing_to(out):
        for suffix, text in (("md", as_markdown), ("csv", as_csv), ("json", as_json), ("tex", as_latex)):
            write_atomically(out / f"comparison.{suffix}", text(comparison).encode(), follow=True)
        report = out / "report.html"
        if not options.no_report:
            from cifar_dsl.experiments.comparison.report import render_report

            analyses = {spec.fingerprint: spec.analysis for spec in specs}
            pictures = _pictures(comparison, options.data, options.data_dir)
            origin = _origin(comparison, options.runs, out)
            write_atomically(report, render_report(comparison, analyses, pictures, origin).encode(), follow=True)
        else:
            report.unlink(missing_ok=True)
        has_chart = not options.no_chart and any(row.mean is not None for row in comparison.rows)
        _write_chart(comparison if has_chart else None, out)
    note(f"written to {out}/comparison.*" + (f" and {report}" if not options.no_report else ""))
    if options.open_report:
        open_in_browser(report)


def _origin(comparison: "Comparison", runs: Path, out: Path) -> "Origin":
    """The command that is running, today's date, and links to the runs from a page in `out`."""
    from cifar_dsl.experiments.comparison.report import Origin
    from cifar_dsl.runs import runs_in_place
    from cifar_dsl.runs.places import seed_of

    links = {}
    for row in comparison.rows:
        for run in runs_in_place(runs, row.fingerprint):
            links[row.fingerprint, seed_of(run.path.name)] = quote(os.path.relpath(run.path, out)) + "/"
    now = datetime.now(UTC)
    return Origin(_command(), f"{now.day} {now:%B %Y}, {now:%H:%M} UTC", links)


def _command() -> str:
    """The command line that is running, without folders of this machine: of an absolute path only the last part."""
    context = click.get_current_context(silent=True)
    if context is None or not isinstance(context.obj, list):
        return ""
    return f"cifar-dsl {shlex.join(_FOLDERS.sub('', word) for word in context.obj)}"


def _write_chart(comparison: "Comparison | None", out: Path) -> None:
    """Write comparison.svg and, if resvg-py is installed, comparison.png; delete those that it doesn't write."""
    from cifar_dsl.experiments.comparison.figure import figure, figure_scale
    from cifar_dsl.foundation.atomic import write_atomically
    from cifar_dsl.views.png import svg_to_png

    svg_path, png_path = out / "comparison.svg", out / "comparison.png"
    png = None
    if comparison is None:
        svg_path.unlink(missing_ok=True)
    else:
        svg = figure(comparison)
        write_atomically(svg_path, svg.encode(), follow=True)
        scale = figure_scale(comparison)
        try:
            png = svg_to_png(svg, scale) if scale else None
            problem = "the chart is too tall"
        except ImportError:
            problem = f"PNG needs resvg-py ({install_command('pictures')})"
        if png is None:
            note(f"{png_path} not written: {problem}")
    if png is None:
        png_path.unlink(missing_ok=True)
    else:
        write_atomically(png_path, png, follow=True)


def writing_to(out: Path) -> AbstractContextManager[None]:
    """Turn an OSError into a UserError that says what to do."""
    return writing(out, "choose another folder with --out; --no-train compares the existing runs")


def _pictures(comparison: "Comparison", data: str | None, data_dir: Path | None) -> "Pictures | None":
    """The test images (N, H, W, C) for the report; None if the dataset isn't on this machine: nothing is downloaded.

    An array file is read from the path in `data`, else from the path that the runs recorded.
    """
    from cifar_dsl.training.datasets import load_dataset
    from cifar_dsl.training.datasets.load import cache_path

    used = comparison.data
    if used is None or not any(row.images for row in comparison.rows):
        return None
    path = None
    try:
        if used.name == "npz":
            location = data.removeprefix("npz:") if data and data.startswith("npz:") else used.path
            path = expanded(location) if location else None
        if not (used.name == "shapes" or (path or cache_path(used.name, data_dir)).is_file()):
            return None
        dataset = load_dataset(used.name, path=path, data_dir=data_dir).part(used.subset)
    except (UserError, OSError, RuntimeError, ValueError):  # an untrusted record may name any path
        return None
    return dataset.x_test if dataset.digest == used.digest else None
