"""Runs and comparisons in Python, as a notebook uses them."""

import sys
import warnings
from functools import partial
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
from PIL import Image

import cifar_dsl
from cifar_dsl.api import progress
from cifar_dsl.runs.predictions import read_predictions


@pytest.fixture
def options(pictures, tmp_path) -> dict:
    return {"data": f"npz:{pictures}", "device": "cpu", "threads": 1, "runs": tmp_path / "runs"}


@pytest.fixture
def run(tiny, options) -> cifar_dsl.Run:
    return cifar_dsl.load(tiny).train(seed=3, **options)


@pytest.fixture
def library(monkeypatch):
    """Put modules in place of packages that needn't be installed; None: not installed."""

    def put(**members):
        for name, contents in members.items():
            module = ModuleType(name) if contents is not None else None
            if module:
                vars(module).update(contents, __path__=[])
            monkeypatch.setitem(sys.modules, name.replace("__", "."), module)

    return put


def test_a_spec_is_trained_for_a_number_of_epochs(tiny, options) -> None:
    run = cifar_dsl.load(tiny).train(epochs=1, seed=2, **options)
    assert isinstance(run, cifar_dsl.Run)
    assert (run.result().epochs, run.record().seed) == (1, 2)
    assert run.record().spec.overrides[0] == "train.epochs=1"
    assert run == cifar_dsl.train(tiny, seed=2, overrides=["train.epochs=1"], **options)
    assert run.accuracy == run.result().accuracy
    assert cifar_dsl.Run(str(run.path)) == run
    with pytest.raises(cifar_dsl.RunError, match="can't be read"):
        cifar_dsl.Run("nothing").accuracy  # noqa: B018


def test_warnings_name_the_line_that_trains(make_spec, tiny, options) -> None:
    still = cifar_dsl.load(make_spec("still", tiny.read_text().replace("lr=1e-3", "lr=1e-30")))
    compare = partial(cifar_dsl.compare, {"still": still})
    for train in (still.train, partial(cifar_dsl.train, still), compare):
        with pytest.warns(UserWarning, match="tiny seed 0 is at chance level") as caught:
            train(**options)
        assert {Path(each.filename).name for each in caught} == {Path(__file__).name}


def test_warnings_about_data_name_the_line_that_reads_it(tiny, make_pictures, options, tmp_path) -> None:
    """Each time: Python shows a warning once for each line, and a line of the package is that of all callers."""
    dark = {name: np.ones((count, 32, 32, 3), np.uint8) for name, count in (("x_train", 60), ("x_test", 20))}
    data = f"npz:{make_pictures('dark.npz', **dark)}"  # which has no names of classes either
    names = np.array([f"class {i}" for i in range(10)])
    np.savez(tmp_path / "named.npz", **np.load(make_pictures()), classes=names)
    keywords = options | {"data": data}
    spec, run = cifar_dsl.load(tiny), cifar_dsl.train(tiny, **options | {"data": f"npz:{tmp_path / 'named.npz'}"})
    reading = {
        "data": partial(cifar_dsl.data, data),
        "load": partial(cifar_dsl.load, tiny, data=data),
        "train": partial(cifar_dsl.train, tiny, **keywords),
        "train, complete": partial(cifar_dsl.train, spec, **keywords),
        "Spec.train": partial(spec.train, **keywords),
        "compare": partial(cifar_dsl.compare, [tiny], **keywords),
        "Run.evaluate": partial(run.evaluate, data),
        "Run.mistakes": partial(run.mistakes, data=data),
        "Run.corruptions": partial(run.corruptions, ["fog"], data=data),
    }
    lines = {}
    for name, read in reading.items():
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            read()
        lines[name] = {Path(each.filename).name for each in caught if issubclass(each.category, UserWarning)}
    assert lines == {name: {Path(__file__).name} for name in reading}


def test_the_history_is_that_of_the_run(run, library) -> None:
    history = run.history
    assert list(history) == run.metrics()
    assert (history[-1].epoch, len(history), len(history[:1])) == (2, 2, 1)
    assert history._repr_html_().count("<tr>") == 3
    shown = []
    panels = [
        SimpleNamespace(
            plot=lambda x, y, label: shown.append((label, x, y)),
            set_xlabel=lambda _: None,
            set_ylabel=shown.append,
            legend=lambda: None,
        )
        for _ in range(2)
    ]
    figure = SimpleNamespace(suptitle=lambda _: None)
    library(matplotlib={}, matplotlib__pyplot={"subplots": lambda *_, **__: (figure, panels)})
    assert history.plot() is panels
    training, test = ([getattr(epoch, f"{split}_loss") for epoch in history] for split in ("train", "test"))
    assert shown[:3] == [("training", [1, 2], training), ("test", [1, 2], test), "loss"]
    library(pandas={"DataFrame": list})
    assert [row["test_accuracy"] for row in history.to_dataframe()] == [epoch.test_accuracy for epoch in history]


def test_a_missing_extra_is_named(run, library) -> None:
    library(pandas=None, matplotlib=None, matplotlib__pyplot=None)
    uses = (
        run.history.plot,
        run.history.to_dataframe,
        run.confusion().to_dataframe,
        cifar_dsl.compare([run]).to_dataframe,
    )
    for use, package in zip(uses, ("matplotlib", "pandas", "pandas", "pandas"), strict=True):
        with pytest.raises(cifar_dsl.UserError, match=f"needs {package}, which is not installed") as caught:
            use()
        assert caught.value.help == ("install the extra: pip install 'cifar-dsl[notebook]'",)


def test_predictions_confusions_and_mistakes_agree(run, pictures) -> None:
    saved = read_predictions(run.path / "predictions.npz")
    confusion, evaluation = run.confusion(), run.evaluate(device="cpu")
    assert confusion.counts.tolist() == evaluation.confusion().counts.tolist() == saved.confusion().counts.tolist()
    assert evaluation.accuracy == run.accuracy
    assert "background: rgb" in confusion._repr_html_()
    images = cifar_dsl.data(f"npz:{pictures}").x_test
    assert [each.name for each in run.predict(images)] == [saved.classes[label] for label in saved.predicted]
    mistakes = run.mistakes(5)
    assert [each.label != each.prediction.name for each in mistakes] == [True] * 5
    assert run.predict([mistakes[0].image])[0].name == mistakes[0].prediction.name


def test_pictures_of_every_kind_are_predicted(run, tmp_path) -> None:
    pixels = np.random.RandomState(0).randint(0, 256, (40, 40, 3), np.uint8)
    path = tmp_path / "a.png"
    Image.fromarray(pixels).save(path)
    (expected,) = run.predict([path])
    for pictures in (path, str(path), Image.fromarray(pixels), [pixels], pixels[None]):
        (found,) = run.predict(pictures)
        assert found.probabilities == expected.probabilities
    with pytest.raises(cifar_dsl.DataError, match="there is no file"):
        run.predict(["nothing.png"])
    with pytest.raises(cifar_dsl.UserError, match="a picture is float64"):
        run.predict(np.zeros((1, 32, 32, 3)))


def test_corruptions_and_weights_are_checked(run) -> None:
    assert [len(found) for found in run.corruptions("contrast", device="cpu").values()] == [5]
    with pytest.raises(cifar_dsl.UserError, match="there is no corruption `frost`"):
        run.corruptions(["frost"])
    with pytest.raises(cifar_dsl.UserError, match="weights is 'first', but must be 'last' or 'best'"):
        run.evaluate(weights="first")
    with pytest.raises(cifar_dsl.RunError, match="held out no images"):
        run.predict([np.zeros((32, 32, 3), np.uint8)], weights="best")
    with pytest.raises(cifar_dsl.RunError, match="held out no images"):
        run.evaluate(weights="best")


def test_specs_and_runs_are_compared(tiny, options, run, library) -> None:
    spec = cifar_dsl.load(tiny)
    small = cifar_dsl.load(tiny, overrides=["train.batch=20"])
    compared = cifar_dsl.compare([tiny, small], seeds=2, **options)
    assert [row.name.split()[0] for row in compared.figures.rows] == ["tiny", "tiny"]
    assert [row.seeds for row in compared.figures.rows] == [(0, 1, 3), (0, 1)]
    assert "train.batch=20" in str(compared)
    named = cifar_dsl.compare({"small": small, "plain": spec}, baseline="plain", **options)
    assert [row.name for row in named.figures.rows] == ["plain", "small"]
    assert named.figures.rows[0].mean == compared.figures.rows[0].mean
    html = named._repr_html_()
    assert [html.count(f"<{tag}>") for tag in ("table", "tr", "pre", "tfoot")] == [1, 3, 0, 0]
    assert ">small</td>" in html
    assert "<li>small: " in html
    again = cifar_dsl.compare([run, cifar_dsl.train(tiny, **options)])
    assert [row.seeds for row in again.figures.rows] == [(3, 0)]
    library(pandas={"DataFrame": lambda rows: SimpleNamespace(set_index=lambda _: rows)})
    rows = compared.to_dataframe()
    assert [row["accuracy"] for row in rows] == [row.mean for row in compared.figures.rows]
    assert rows[0]["difference"] is None
    assert rows[1]["difference"] == rows[1]["accuracy"] - rows[0]["accuracy"]
    for wrong in ([], "tiny", run):
        with pytest.raises(cifar_dsl.UserError, match="compare"):
            cifar_dsl.compare(wrong)


def test_errors_are_shown_in_a_notebook_without_a_traceback(make_spec) -> None:
    with pytest.raises(cifar_dsl.SpecError) as spec_error:
        cifar_dsl.load(make_spec(text="arch wrong\ninput 3x32x32\nmodel { flatten -> dens(10) }\n"))
    lines = spec_error.value._render_traceback_()
    assert lines[0].startswith("SpecError: error[E")
    assert not any("Traceback" in line or "File" in line for line in lines)
    with pytest.raises(cifar_dsl.UserError) as error:
        cifar_dsl.data("cifar1")
    assert error.value._render_traceback_() == [
        "UserError: there is no dataset `cifar1`",
        "help: did you mean `cifar10`?",
        "help: pass an array file by its path: npz:PATH",
    ]


def test_a_notebook_shows_progress(tiny, options, monkeypatch) -> None:
    shown = []
    monkeypatch.setattr(progress, "_in_notebook", lambda: True)
    monkeypatch.setattr(progress.NotebookProgress, "_draw", lambda self: shown.append(self.html))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        run = cifar_dsl.load(tiny).train(**options)
    assert "tiny, seed 0; epoch 0.0 of 2" in shown[0]
    assert "tiny, seed 0; epoch 0.2 of 2" in shown[1]
    assert f"tiny, seed 0; done; train loss {run.history[-1].train_loss:.4f}" in shown[-1]
    shown.clear()
    cifar_dsl.load(tiny).train(seed=1, listener=lambda _: None, **options)
    assert shown == []
