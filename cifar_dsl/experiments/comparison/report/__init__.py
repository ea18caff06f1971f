"""The report of a comparison: one self-contained HTML file for screen, print and screen readers."""

import base64
import hashlib
import io
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape
from PIL import Image

from cifar_dsl.compiler import Analysis
from cifar_dsl.experiments.comparison import charts
from cifar_dsl.experiments.comparison.curves import by_epoch
from cifar_dsl.experiments.comparison.effects import POWER
from cifar_dsl.experiments.comparison.efficiency import PRICES
from cifar_dsl.experiments.comparison.images import Changed, Mistake, SpecImages
from cifar_dsl.experiments.comparison.rows import Comparison, Row
from cifar_dsl.experiments.comparison.sentences import p_text, pair_sentences, sentence
from cifar_dsl.experiments.comparison.tables import (
    as_csv,
    as_data,
    as_latex,
    as_markdown,
    full_columns,
    notes,
    omissions,
)
from cifar_dsl.foundation.errors import UserError
from cifar_dsl.foundation.records import field, frozen
from cifar_dsl.foundation.text import percent, points
from cifar_dsl.language.diagnostics.render import visible
from cifar_dsl.language.highlighting import classes_of_source
from cifar_dsl.language.syntax import print_spec
from cifar_dsl.views.difference import as_lines, difference
from cifar_dsl.views.pictures import as_fragment, draw

_HERE = Path(__file__).parent
_MOST_CLASSES = 20  # whose confusion matrix fits on a page
_SHADES = 10  # of a cell of the confusion matrix
_MOST_EPOCHS = 12  # in the table of epochs

Pictures = npt.NDArray[np.uint8]  # (N, H, W, C)


@frozen
class Picture:
    """One test image in the report, with the predictions of the baseline and of a spec."""

    source: str | None
    title: str
    before: str
    after: str


@frozen
class Origin:
    """How a report came about: the command, the date in words, and by fingerprint and seed the link to each run."""

    command: str = ""
    date: str = ""
    runs: Mapping[tuple[str, int], str] = field(factory=dict)


def render_report(
    comparison: Comparison,
    specs: Mapping[str, Analysis] | None = None,
    pictures: Pictures | None = None,
    origin: Origin = Origin(),  # noqa: B008  # frozen
) -> str:
    """The report as HTML.

    `specs` are the analyses by fingerprint; the report shows how they differ. `pictures` are the test images
    (N, H, W, C) in the order of the dataset, with C of 1, 3 or 4; without them, images appear as numbers only.
    """
    sheets = (_HERE.parent / "palette.css", _HERE.parent / "charts.css", _HERE / "report.css")
    style = "\n".join(sheet.read_text(encoding="utf-8") for sheet in sheets)
    script = (_HERE / "report.js").read_text(encoding="utf-8")
    template = _environment().get_template("report.html.j2")
    known = specs or {}
    base = comparison.base_row
    changes = {row.fingerprint: _changes(known, base, row) for row in comparison.rows}
    return template.render(
        comparison=comparison,
        subject=_subject(comparison),
        base=base,
        rows=comparison.rows,
        columns=full_columns(comparison),
        verdict=lambda row: charts.verdict(row, base),
        sentence=lambda row: sentence(row, base),
        pair_sentences=pair_sentences(comparison),
        notes=[*notes(comparison, full_columns(comparison)), *omissions(comparison)],
        power=percent(POWER, 0),
        bars=charts.accuracy_bars(comparison),
        forest=charts.difference_forest(comparison),
        tradeoffs=[chart for price in PRICES if (chart := charts.tradeoff(comparison, price))],
        curves=[c for row in comparison.rows if (c := charts.learning_curve(row, base, comparison.rows))],
        overlay=charts.overlay(comparison),
        epochs=_epochs(comparison),
        class_gains=charts.class_gains,
        mistakes_of=lambda images: [_mistaken(images, each, pictures) for each in images.mistakes],
        examples_of=lambda images: _examples(images, pictures),
        origin=origin,
        drawings={mark: _drawing(known[mark]) for mark in known},
        pictures_of=lambda row, changed: _pictures(row.images, changed, pictures),
        confusion_fits=lambda images: len(images.classes) <= _MOST_CLASSES,
        shade=lambda share: round(share * _SHADES),
        confused=_confused,
        breakable=_breakable,
        changes=changes,
        texts={mark: _coloured(print_spec(known[mark].program.as_spec())) for mark in known},
        points=points,
        p_text=p_text,
        data=as_data(comparison),
        copies={"CSV": as_csv(comparison), "LaTeX": as_latex(comparison), "Markdown": as_markdown(comparison)},
        style=Markup(style),  # noqa: S704  # our own file
        script=Markup(script),  # noqa: S704  # our own file
        style_digest=_digest(style),
        script_digest=_digest(script),
    )


def _subject(comparison: Comparison) -> str:
    others = len(comparison.rows) - 1
    return f"{others} spec{'s' * (others != 1)} against {comparison.baseline}" if others else comparison.baseline


def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(_HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_inert,
    )


def _inert(value: object) -> object:
    """Escape control characters in every text of the template; autoescape does the rest."""
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _breakable(text: str) -> Markup:
    """A name or a change that may wrap after an underscore, but not within an arrow."""
    inside = escape(visible(text)).replace("_", Markup("_<wbr>"))
    return inside.replace(escape("->"), Markup('<span class="nowrap">-&gt;</span>'))


def _digest(content: str) -> str:
    """The hash by which the page's security policy allows its only script or style."""
    return "sha256-" + base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()


def _changes(specs: Mapping[str, Analysis], base: Row, row: Row) -> list[str]:
    if row is base or row.fingerprint not in specs or base.fingerprint not in specs:
        return []
    return as_lines(difference(specs[base.fingerprint], specs[row.fingerprint]))


def _confused(images: SpecImages) -> list[tuple[str, str, float]]:
    """The ten most common confusions: true class, predicted class, share."""
    confusions = [
        (images.classes[i], images.classes[j], share)
        for i, shares in enumerate(images.confusion)
        for j, share in enumerate(shares)
        if i != j and share
    ]
    return sorted(confusions, key=lambda item: -item[2])[:10]


def _pictures(images: SpecImages, changed: Iterable[Changed], pictures: Pictures | None) -> list[Picture]:
    shown = []
    for each in changed:
        label, before, after = (images.classes[i] for i in (each.label, each.said_before, each.said_after))
        shown.append(Picture(_source(pictures, each.index), f"{label} (image {each.index})", before, after))
    return shown


def _mistaken(images: SpecImages, mistake: Mistake, pictures: Pictures | None) -> Picture:
    label, said = images.classes[mistake.label], images.classes[mistake.said]
    return Picture(_source(pictures, mistake.index), f"{label} (image {mistake.index})", "", said)


def _examples(images: SpecImages, pictures: Pictures | None) -> dict[tuple[int, int], str]:
    """By true and predicted class, the image that stands for the confusion."""
    found = {}
    for each in images.examples:
        if source := _source(pictures, each.index):
            found[each.label, each.said] = source
    return found


def _epochs(comparison: Comparison) -> list[tuple[int, list[float | None]]]:
    """The mean test accuracy of each spec after some epochs, among them the first and the last."""
    means = [dict(by_epoch(row.curve.mean, row.curve.first)) for row in comparison.rows]
    numbers = sorted(set().union(*means))
    count = min(_MOST_EPOCHS, len(numbers))
    chosen = [numbers[round(i * (len(numbers) - 1) / max(1, count - 1))] for i in range(count)]
    return [(epoch, [mean.get(epoch) for mean in means]) for epoch in dict.fromkeys(chosen)]


def _drawing(analysis: Analysis) -> Markup | None:
    """The picture of a network; None if it is too large."""
    try:
        drawn = as_fragment(draw(analysis.graph, analysis.program.name.text))
    except UserError:
        return None
    return Markup(visible(drawn))  # noqa: S704  # ElementTree wrote it


def _coloured(text: str) -> list[Markup]:
    """The lines of a spec as HTML, with a class for each kind of word."""
    return [Markup(line) for line in classes_of_source(text).splitlines()]  # noqa: S704  # Pygments escaped it


def _source(pictures: Pictures | None, index: int) -> str | None:
    return _png(pictures[index]) if pictures is not None and index < len(pictures) else None


def _png(pixels: Pictures) -> str:
    """One image (H, W, C) as a data URL."""
    buffer = io.BytesIO()
    Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels).save(buffer, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
