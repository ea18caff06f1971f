"""Specs in notebooks, in an IPython of this process."""

import json
import re
import sys
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
import torch
from attrs import evolve, field, frozen
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from traitlets.config import Config

import cifar_dsl
from cifar_dsl.api import displays, open_data, spec_of_text, with_overrides
from cifar_dsl.api.progress import NotebookProgress
from cifar_dsl.api.run import History
from cifar_dsl.foundation.errors import UserError
from cifar_dsl.foundation.resources import specs_directory
from cifar_dsl.runs import EpochMetrics
from cifar_dsl.training.events import EpochEnded, StepsDone, TrainingEnded, TrainingStarted

TEXT = "arch mine\ninput 3x32x32\nmodel {{\n conv(4, 3) -> relu  # {}\n flatten -> dense(10)\n}}\n"
MINE = TEXT.format("first")
WRONG = "arch wrong\ninput 3x32x32\nmodel { flatten -> dens(10) }  # <b>&\n"


@frozen
class Ran:
    """The output of a cell: plain text, HTML, stderr."""

    is_fine: bool
    plain: str
    html: str
    err: str
    names: dict[str, object] = field(repr=False)


@pytest.fixture
def notebook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Ran]]:
    """Runs cells in an empty folder, with the extension loaded."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setitem(
        sys.modules, "__main__", sys.modules["__main__"]
    )  # IPython replaces it, and spawned processes need it
    shell = InteractiveShell.instance(config=Config({"HistoryManager": {"enabled": False}}))

    def run(cell: str) -> Ran:
        with capture_output() as captured:
            result = shell.run_cell(cell)
        shown = [output.data for output in captured.outputs]
        plain = "".join(data["text/plain"] for data in shown)
        err = captured.stderr + captured.stdout
        return Ran(result.success, plain, "".join(data.get("text/html", "") for data in shown), err, shell.user_ns)

    assert run("%load_ext cifar_dsl").is_fine
    yield run
    shell.reset(new_session=False)
    InteractiveShell.clear_instance()


def elements(html: str) -> list[str]:
    """The names of all elements; fails if they are not properly nested."""
    found: list[str] = []
    waiting: list[str] = []

    class Parser(HTMLParser):
        def handle_starttag(self, tag: str, attrs: object) -> None:
            found.append(tag)
            if tag != "br":
                waiting.append(tag)

        def handle_endtag(self, tag: str) -> None:
            assert waiting.pop() == tag

    parser = Parser()
    parser.feed(html)
    parser.close()
    assert not waiting
    return found


def text_of(html: str) -> str:
    """The visible text."""
    seen: list[str] = []
    parser = HTMLParser()
    parser.handle_data = seen.append  # type: ignore[method-assign]
    parser.feed(html)
    parser.close()
    return "".join(seen)


def test_a_cell_becomes_a_spec_that_can_be_built(notebook):
    ran = notebook(f"%%arch net\n{MINE}")
    assert ran.is_fine, ran
    spec = ran.names["net"]
    assert isinstance(spec, cifar_dsl.Spec)
    assert (spec.name, spec.graph.cost.parameters) == ("mine", 36_122)
    assert spec.build()(torch.zeros(2, 3, 32, 32)).shape == (2, 10)
    summary = "3x32x32 -> 10, 36,122 parameters, 133 k multiply-accumulates"
    assert ran.plain == f"<Spec mine {spec.fingerprint}: {summary}>"
    assert "svg" in elements(ran.html)
    assert summary in text_of(ran.html)
    assert spec._repr_html_().startswith(ran.html)
    assert "# first" in text_of(spec._repr_html_())
    assert "# first" not in text_of(ran.html)  # it stands in the cell above
    assert notebook("list(net.build().state_dict())").err.startswith("Out[0]: ['conv.weight'")


def test_a_spec_of_a_cell_accepts_overrides_like_one_of_a_file(notebook):
    """Training on other data applies its override in the same way."""
    cell = "arch mine extends baseline\nparam head = [512]\n"
    spec = with_overrides(notebook(f"%%arch\n{cell}").names["spec"], "train.batch=128", "train.data=shapes")
    assert spec.overrides == ("train.batch=128", "train.data=shapes")
    assert (spec.recipe.batch, spec.recipe.data.name) == (128, "shapes")
    assert with_overrides(spec, "head=[64]").graph == cifar_dsl.load(specs_directory() / "baseline.arch").graph


def test_the_variable_is_spec_by_default(notebook):
    assert notebook(f"%%arch\n{MINE}").names["spec"].name == "mine"


@pytest.mark.parametrize("name", ["2nd", "a b", "a-b", "for", "__import__(0)"])
def test_an_invalid_variable_name_is_refused(notebook, name):
    ran = notebook(f"%%arch {name}\n{MINE}")
    assert not ran.is_fine
    assert f"`{name}` is not a valid variable name for %%arch" in ran.err


def test_errors_are_shown_and_nothing_is_assigned(notebook):
    ran = notebook(f"%%arch net\n{WRONG}")
    assert not ran.is_fine
    assert "net" not in ran.names
    assert ran.plain.startswith("error[E0201]")
    assert " --> <cell>:4:20" in ran.plain  # the fourth line of the cell, whose first is %%arch
    assert "did you mean `dense`?" in ran.plain
    assert "1 error; `net` was not assigned" in ran.err
    assert "--fix" not in ran.plain  # a cell is no file
    assert "Traceback" not in ran.err
    assert elements(ran.html) == ["pre"]
    assert "font-family: monospace" in ran.html  # or the carets would stand anywhere
    assert text_of(ran.html) == ran.plain


def test_a_cell_can_extend_shipped_specs_and_files_of_its_folder(notebook, tmp_path):
    ran = notebook("%%arch\narch mine extends baseline\nparam head = [512]\n")
    wider = cifar_dsl.load(specs_directory() / "wider.arch")
    assert ran.names["spec"].fingerprint == wider.fingerprint
    (tmp_path / "base.arch").write_text(MINE, encoding="utf-8")
    ran = notebook('%%arch\narch child extends "base.arch"\nmodel { flatten }\n')
    assert ran.names["spec"].graph.nodes[0].path == "flatten"
    assert ran.names["spec"].changes == ("new model",)
    ran = notebook('%%arch\narch child extends "../base.arch"\n')
    assert not ran.is_fine
    assert "error[E0204]" in ran.plain


FITTING = "arch any\nmodel {\n flatten -> dense(classes)\n}\n"  # any dataset


def test_a_cell_names_the_dataset_that_its_spec_is_for(notebook, pictures):
    assert not notebook(f"%%arch\n{FITTING}").is_fine
    assert str(notebook(f"%%arch --data mnist\n{FITTING}").names["spec"].graph.input) == "1x28x28"
    moved = pictures.rename(pictures.with_name("own pictures.npz"))
    recipe = "train {\n data cifar10\n epochs 1\n batch 32\n optimizer adam(lr=1e-3)\n}\n"
    spec = notebook(f"%%arch net --data 'npz:{moved}'\n{FITTING}{recipe}").names["net"]
    _, dataset = open_data(spec)
    assert dataset.origin == "own pictures.npz"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("--data shape", "help: did you mean `shapes`?"),
        ("--data npz:none.npz", "none.npz"),
        ("--data", "write %%arch [NAME] [--data DATASET]"),
        ("--data 'npz:a", "No closing quotation; write"),
        ("--dta shapes", "unrecognized arguments: --dta"),
    ],
)
def test_a_cell_without_such_a_dataset_says_what_to_do(notebook, line, message):
    ran = notebook(f"%%arch {line}\n{FITTING}")
    assert not ran.is_fine
    assert message in ran.err
    assert "Traceback" not in ran.err


def test_a_library_is_refused(notebook):
    ran = notebook("%%arch\nlibrary parts\nblock unit() { relu }\n")
    assert not ran.is_fine
    assert "this is a library" in ran.err


@pytest.mark.parametrize("nasty", ["<script>alert(1)</script>", "&lt;b>", "\"' onload='x", "</pre></td>"])
def test_text_of_a_spec_is_escaped(nasty):
    html = spec_of_text(TEXT.format(nasty), "<cell>")._repr_html_()
    assert nasty in text_of(html)
    assert set(elements(html)) <= {
        *["p", "strong", "code", "pre", "span", "div", "details", "summary"],
        *["svg", "g", "title", "text", "path", "polygon", "rect"],
        *["table", "thead", "tbody", "tfoot", "tr", "th", "td"],
    }


def test_warnings_are_shown_with_the_lines_of_the_cell(notebook):
    ran = notebook("%%arch\n" + MINE.replace("-> relu", "-> relu -> relu"))
    assert ran.is_fine
    assert " --> <cell>:5:" in ran.plain
    assert "warning[W" in text_of(ran.html)
    assert set(elements(ran.html)) >= {"pre", "svg", "table"}


def test_a_long_table_is_folded_and_a_missing_package_is_named(monkeypatch):
    def refuse(*_):
        raise UserError("pictures need a package", "pip <install> it")

    monkeypatch.setattr("cifar_dsl.views.pictures.as_svg", refuse)
    short = spec_of_text(MINE, "<cell>")._repr_html_()
    residual = cifar_dsl.load(specs_directory() / "residual.arch")
    long = residual._repr_html_()
    assert (elements(short).count("details"), elements(long).count("details")) == (1, 2)  # the text; the table, too
    assert f"{len(residual.graph.nodes)} layers" in text_of(long)
    assert "pictures need a package; pip <install> it" in text_of(long)


def metrics_of(epoch: int, loss: float) -> EpochMetrics:
    return EpochMetrics(epoch, 0.1, loss, 0.5, loss + 0.1, 0.4, 1.0, 0.1)


def test_curves_have_a_line_for_each_kind_of_images():
    html = displays.curves_html([metrics_of(1, 2.0), metrics_of(2, 1.5)])
    assert elements(html).count("svg") == 2
    assert elements(html).count("polyline") == 4
    assert {"training", "test", "loss", "accuracy", "epoch"} <= set(re.findall(r">([^<]+)<", html))
    assert displays.curves_html([]) == ""
    near = displays.curves_html([metrics_of(1, 2.301), metrics_of(2, 2.292)])
    ticks = re.findall(r">([0-9.]+)</text>", near.partition("accuracy")[0])
    assert len(set(ticks)) == len(ticks)  # none is rounded to its neighbour
    (lonely,) = re.findall(r'points="([^"]*)"', displays.curves_html([metrics_of(1, 2.0)]))[:1]
    assert lonely.count(",") == 1


def test_epochs_without_an_evaluation_are_left_out_of_curves_and_empty_in_tables(monkeypatch):
    epochs = [evolve(metrics_of(1, 2.0), test_loss=None, test_accuracy=None), metrics_of(2, 1.5), metrics_of(3, 1.0)]
    points = [each.split() for each in re.findall(r'points="([^"]*)"', displays.curves_html(epochs))]
    assert list(map(len, points)) == [3, 2, 3, 2]
    assert text_of(displays.epochs_html(epochs)).count("40.00 %") == 2
    monkeypatch.setattr(NotebookProgress, "_draw", lambda _: None)
    progress = NotebookProgress("mine")
    progress(EpochEnded(0, epochs[0], 100))
    assert "train loss 2.0000 after epoch 1" in progress.html
    assert repr(History("mine", tuple(epochs[:1]))) == "<History of mine: 1 epoch>"


def test_a_training_shows_its_curves_from_the_second_epoch_on(monkeypatch):
    shown = []
    monkeypatch.setattr(NotebookProgress, "_draw", lambda self: shown.append(self.html))
    progress = NotebookProgress("mine")
    progress(TrainingStarted((0,), 2))
    for epoch in (1, 2):
        progress(StepsDone(epoch, 2, 1, 1))
        progress(EpochEnded(0, metrics_of(epoch, 1.0), 100))
    assert ["polyline" in elements(html) for html in shown] == [False, False, False, False, True]


@pytest.mark.parametrize("keeps_curves", [True, False])
def test_only_a_training_of_its_own_keeps_its_curves_at_the_end(monkeypatch, keeps_curves):
    monkeypatch.setattr(NotebookProgress, "_draw", lambda _: None)
    progress = NotebookProgress("mine", keeps_curves=keeps_curves)
    progress(TrainingStarted((0,), 2))
    for epoch in (1, 2):
        progress(EpochEnded(0, metrics_of(epoch, 1.0), 100))
    assert "polyline" in elements(progress.html)
    progress(TrainingEnded(("runs/mine",)))
    assert ("polyline" in elements(progress.html)) == keeps_curves
    assert "test accuracy 40.00 % after epoch 2" in progress.html


def test_the_example_runs(notebook, tmp_path, pictures):
    """Its cells, one after another, as Jupyter runs them; on few images, for one epoch."""
    example = Path(__file__).parents[2] / "examples" / "ablation.ipynb"
    cells = json.loads(example.read_text(encoding="utf-8"))["cells"]
    shown = []
    smaller = {"--data shapes": f"--data npz:{pictures}", "batch      50": "batch      10"}
    smaller |= {"epochs     3": "epochs     1", "seeds=2": "seeds=1"}
    for cell in cells:
        if cell["cell_type"] == "code":
            text = "".join(cell["source"])
            for old, new in smaller.items():
                text = text.replace(old, new)
            ran = notebook(text)
            assert ran.is_fine, (text, ran)
            shown.append(ran)
    assert all(not cell.get("outputs") for cell in cells)
    assert "svg" in elements(shown[1].html)
    assert sorted(path.name for path in (tmp_path / "runs").iterdir() if path.is_dir())


def test_the_table_has_every_layer_and_the_totals(tiny):
    spec = cifar_dsl.load(tiny, overrides=["train.batch=20"])
    html = spec._repr_html_()
    assert elements(html).count("tr") == 1 + 1 + len(spec.graph.nodes) + 1
    seen = text_of(html)
    assert spec.fingerprint in seen
    assert "--set train.batch=20" in seen
    assert "conv(4, 3, stride=4)conv4x8x81126,912" in seen
    assert f"total10{spec.graph.cost.parameters:,}{spec.graph.cost.macs:,}" in seen
    assert tiny.read_text(encoding="utf-8").strip() in seen


def test_shipped_specs_can_be_shown(monkeypatch, full):
    """Every spec with --full, else one of three."""
    monkeypatch.setattr(displays, "_picture", lambda _: "")  # which tests/views/pictures draws
    paths = [path for path in sorted(specs_directory().glob("*/*.arch")) if path.parent.name != "library"]
    for path in paths[:: 1 if full else 3]:
        html = cifar_dsl.load(path)._repr_html_()
        assert elements(html), path
        assert path.read_text(encoding="utf-8").strip() in text_of(html), path
