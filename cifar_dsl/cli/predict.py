"""`cifar-dsl predict`: the classes of pictures."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click
import numpy as np
import numpy.typing as npt

from cifar_dsl.cli import arguments
from cifar_dsl.cli.click_options import GroupedCommand
from cifar_dsl.cli.main import EXIT_WRONG
from cifar_dsl.cli.output import counted, note, print_error, print_json, print_result, writing
from cifar_dsl.foundation.atomic import check_place, check_writable, write_atomically
from cifar_dsl.foundation.errors import DataError
from cifar_dsl.foundation.folders import make_folder
from cifar_dsl.foundation.records import frozen
from cifar_dsl.foundation.text import columns, percent
from cifar_dsl.language.diagnostics.render import visible
from cifar_dsl.runs import open_run

if TYPE_CHECKING:
    from cifar_dsl.inference.prediction import Prediction
    from cifar_dsl.inference.predictor import Predictor

_ELSEWHERE = "choose another place"


@frozen(eq=False)
class _Predicted:
    """A picture's file, the network's input, and the prediction."""

    path: Path
    pixels: npt.NDArray[np.uint8]
    prediction: "Prediction"


@click.command(
    name="predict",
    cls=GroupedCommand,
    examples=(
        "cifar-dsl predict runs/mine-0123456789ab/seed-0 cat.jpg",
        "cifar-dsl predict runs/mine-0123456789ab/seed-0 pictures/ --html sheet.html",
    ),
)
@arguments.run
@click.argument("pictures", metavar="PICTURE...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--top", type=click.IntRange(min=1), default=3, show_default=True, help="How many classes to list.")
@click.option("--stretch", is_flag=True, help="Stretch pictures to the network's input instead of cropping them.")
@click.option(
    "--explain",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="FOLDER",
    help="Write pictures of where the network looked (Grad-CAM) to FOLDER.",
)
@click.option(
    "--html",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write a sheet with the pictures, their classes, and where the network looked.",
)
@arguments.weights
@click.option("--json", "as_json", is_flag=True, help="Print the predictions as JSON.")
def command(
    run: Path,
    pictures: tuple[Path, ...],
    top: int,
    stretch: bool,
    explain: Path | None,
    html: Path | None,
    weights: Literal["last", "best"],
    as_json: bool,
) -> int:
    """Predict the classes of each PICTURE with the network of RUN. A folder stands for all pictures in and below it.

    Pictures are turned upright as their EXIF data says, laid on white where they are transparent, cropped around the
    centre, and resized. Exits with 1 if a picture can't be read; the others are still predicted.
    """
    from cifar_dsl.inference.predictor import predictor_of

    opened = open_run(run)
    if explain is not None:
        with writing(explain, _ELSEWHERE):
            check_writable(explain)
    if html is not None:
        with writing(html, _ELSEWHERE):
            check_place(html)
    predictor = predictor_of(opened, crop=not stretch, weights=weights)
    paths, errors = _files(pictures)
    predicted: list[_Predicted] = []
    for outcome in predictor.predict_files(paths):
        if isinstance(outcome, DataError):
            errors.append(outcome)
        else:
            predicted.append(_Predicted(*outcome))
    for error in errors:
        print_error(error)
    if as_json:
        print_json(
            {
                "run": str(opened.path),
                "predictions": [_fields(each, top) for each in predicted],
                "errors": [error.message for error in errors],
            },
            indent=2,
        )
    else:
        for line in columns([_row(each, top) for each in predicted]):
            print_result(line)
        if predicted:
            note(f"each picture was {predictor.preparation}")
    if predicted and (explain or html):
        _illustrate(predictor, predicted, explain, html, top, [error.message for error in errors])
    if errors and len(paths) + len(errors) > 1:
        note(f"{counted(len(predicted), 'picture')} predicted, {counted(len(errors), 'error')}")
    return EXIT_WRONG if errors else 0


def _files(pictures: Sequence[Path]) -> tuple[list[Path], list[DataError]]:
    """The files that the arguments name, each once, and the errors of folders without pictures."""
    from cifar_dsl.training.datasets.folder import pictures_below

    found: dict[Path, None] = {}
    errors = []
    for path in pictures:
        try:
            found.update(dict.fromkeys(pictures_below(path) if path.is_dir() else [path]))
        except DataError as error:
            errors.append(error)
    return list(found), errors


def _fields(predicted: _Predicted, top: int) -> dict[str, object]:
    classes = [{"name": name, "probability": probability} for name, probability in predicted.prediction.top(top)]
    return {"picture": str(predicted.path), "classes": classes}


def _row(predicted: _Predicted, top: int) -> list[str]:
    shown = [f"{name} {percent(probability)}" for name, probability in predicted.prediction.top(top)]
    return [visible(cell) for cell in (str(predicted.path), *shown)]


def _illustrate(
    predictor: "Predictor",
    predicted: Sequence[_Predicted],
    folder: Path | None,
    html: Path | None,
    top: int,
    errors: Sequence[str],
) -> None:
    """Write the pictures of where the network looked, and the sheet. Raises UserError."""
    from cifar_dsl.inference.sheet import Card, as_html, as_png

    cards, without = [], 0
    names = _distinct_names([each.path for each in predicted])
    for each, name in zip(predicted, names, strict=True):
        label = each.prediction.classes.index(each.prediction.name)
        heat = predictor.explain(each.pixels, label)
        explained = None if heat is None else as_png(each.pixels, heat)
        without += explained is None
        plain = as_png(each.pixels)
        cards.append(Card(tuple(filter(None, (plain, explained))), str(each.path), each.prediction.top(top)))
        if folder is not None and explained is not None:
            with writing(folder / name, _ELSEWHERE):
                make_folder(folder)
                write_atomically(folder / name, explained)
    if without:
        note(f"no map for {counted(without, 'picture')}: the score depends on no layer with several places")
    if folder is not None and without < len(predicted):
        note(f"maps written to {folder}")
    if html is not None:
        notes = (
            f"Each picture was {predictor.preparation}.",
            "Orange: where the network looked for the most probable class (Grad-CAM).",
        )
        with writing(html, _ELSEWHERE):
            write_atomically(html, as_html("Predictions", notes, cards, errors), follow=True)
        note(f"sheet written to {html}")


def _distinct_names(paths: Sequence[Path]) -> list[str]:
    """A name for the map of each file: `cat.png`, and `cat-2.png` for the next file called cat."""
    used: set[str] = set()
    names = []
    for path in paths:
        number = 1
        while (name := f"{path.stem}{f'-{number}' if number > 1 else ''}.png") in used:
            number += 1
        used.add(name)
        names.append(name)
    return names
