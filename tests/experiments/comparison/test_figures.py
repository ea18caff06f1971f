"""The chart can be drawn of any comparison, and is the same bytes every time."""

import sys
from xml.etree import ElementTree

import pytest
from PIL import Image

from cifar_dsl.experiments.comparison import compare
from cifar_dsl.experiments.comparison.figures import draw, require_matplotlib
from cifar_dsl.runs import RunError


@pytest.fixture
def comparison(entry):
    return compare(
        [
            entry("base", accuracies=[0.5, 0.7]),
            entry("trick", accuracies=[0.8]),
            entry("wild", accuracies=[None]),
        ]
    )


def test_both_files_are_whole_pictures(comparison, tmp_path):
    png, svg = tmp_path / "chart.png", tmp_path / "chart.svg"
    draw(comparison, png, svg)
    with Image.open(png) as picture:
        picture.load()
        assert picture.format == "PNG"
        assert picture.width > picture.height > 100
        assert len(picture.convert("RGB").getcolors(1 << 20)) > 10
    assert ElementTree.parse(svg).getroot().tag == "{http://www.w3.org/2000/svg}svg"


def test_the_same_comparison_is_the_same_bytes(comparison, tmp_path):
    for suffix in ("png", "svg"):
        first, second = tmp_path / f"1.{suffix}", tmp_path / f"2.{suffix}"
        draw(comparison, first)
        draw(comparison, second)
        assert first.read_bytes() == second.read_bytes()


def test_names_are_no_formulas(entry, tmp_path):
    name = '$\\frac$ x[kind="\x1b$"]'
    entries = [entry(name, accuracies=[0.5, 0.7]), entry("trick", accuracies=[0.8, 0.9])]
    draw(compare(entries, name), tmp_path / "chart.svg", tmp_path / "chart.png")
    assert ElementTree.parse(tmp_path / "chart.svg")


def test_a_bar_for_each_spec_that_has_an_accuracy(comparison, tmp_path, monkeypatch):
    from matplotlib.axes import Axes

    drawn = []
    barh = Axes.barh
    monkeypatch.setattr(
        Axes, "barh", lambda self, y, width, **more: (drawn.append(width), barh(self, y, width, **more))[1]
    )
    draw(comparison, tmp_path / "chart.png")
    assert drawn == [[pytest.approx(0.8), pytest.approx(0.6)]]  # from below


@pytest.mark.parametrize("accuracies", [[0.0], [1.0], [1.0, 0.9]])
def test_accuracies_at_the_ends_can_be_drawn(entry, tmp_path, accuracies):
    draw(compare([entry("base", accuracies=accuracies)]), tmp_path / "chart.png")
    assert (tmp_path / "chart.png").exists()


def test_a_claim_and_what_is_not_shown_have_other_markers(entry, tmp_path, monkeypatch):
    from matplotlib.axes import Axes

    markers = []
    plot = Axes.plot
    monkeypatch.setattr(
        Axes, "plot", lambda self, *args, **more: (markers.append(args[2:]), plot(self, *args, **more))[1]
    )
    entries = [
        entry("base", accuracies=[0.5, 0.51, 0.52]),
        entry("good", accuracies=[0.8, 0.81, 0.82]),
        entry("same", accuracies=[0.505, 0.511, 0.523]),
    ]
    draw(compare(entries), tmp_path / "chart.png")
    assert [each[0] for each in markers if each and each[0] in "^v"] == ["^"]


def test_without_matplotlib_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(RunError, match="needs matplotlib") as caught:
        require_matplotlib()
    assert caught.value.help[0] == "pip install 'cifar-dsl[plots]'"
