"""Specs in notebooks, in an IPython of this process."""

import sys
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
import torch
from attrs import field, frozen
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from traitlets.config import Config

import cifar_dsl
from cifar_dsl.api import open_data, spec_of_text, with_overrides
from cifar_dsl.foundation.resources import specs_directory

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
    assert summary in text_of(ran.html)
    assert ran.html == spec._repr_html_()
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
    assert " --> <cell>:3:20" in ran.plain
    assert "did you mean `dense`?" in ran.plain
    assert "1 error; `net` was not assigned" in ran.err
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
        "p",
        "strong",
        "code",
        "pre",
        "span",
        "div",
        *["table", "thead", "tbody", "tfoot", "tr", "th", "td"],
    }


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


@pytest.mark.parametrize("path", sorted(specs_directory().glob("*/*.arch")), ids=lambda path: path.stem)
def test_every_shipped_spec_can_be_shown(path):
    if path.parent.name != "library":
        html = cifar_dsl.load(path)._repr_html_()
        assert elements(html)
        assert path.read_text(encoding="utf-8").strip() in text_of(html)
