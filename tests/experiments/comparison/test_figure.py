"""`comparison.svg` stands by itself, shows what the runs show, and is the same bytes every time."""

import io
import math
import re
from xml.etree import ElementTree

import pytest
from attrs import evolve
from helpers.tolerances import FLOAT64
from PIL import Image, ImageFont

from cifar_dsl.experiments.comparison import compare
from cifar_dsl.experiments.comparison.figure import figure, figure_scale, figure_size
from cifar_dsl.experiments.comparison.svg import text_width
from cifar_dsl.views.png import FONT, png_scale, svg_to_png

SVG = "{http://www.w3.org/2000/svg}"
ELEMENTS = {"svg", "style", "rect", "line", "text", "title", "circle", "polygon"}


@pytest.fixture
def comparison(entry):
    return compare(
        [
            entry("base", accuracies=[0.5, 0.7]),
            entry("trick", accuracies=[0.8]),
            entry("wild", accuracies=[None]),
        ]
    )


@pytest.fixture
def verdicts(entry):
    return compare(
        [
            entry("base", accuracies=[0.5, 0.51, 0.52]),
            entry("good", accuracies=[0.8, 0.81, 0.82]),
            entry("same", accuracies=[0.505, 0.511, 0.523]),
        ]
    )


def parsed(comparison) -> ElementTree.Element:
    return ElementTree.fromstring(figure(comparison))


def of_class(root, name):
    return [each for each in root.iter() if name in each.get("class", "").split()]


def texts(root) -> list[str]:
    return [each.text or "" for each in root.iter(f"{SVG}text")]


def test_it_needs_nothing_around_it(verdicts):
    root = parsed(verdicts)
    assert root.tag == f"{SVG}svg"
    width, height = map(str, figure_size(verdicts))
    assert [root.get(name) for name in ("width", "height", "viewBox")] == [width, height, f"0 0 {width} {height}"]
    style = root.findtext(f"{SVG}style")
    assert "var(" not in style
    assert ".paper { fill: #ffffff; }" in style
    used = {name for each in root.iter() for name in each.get("class", "").split()}
    assert used <= set(re.findall(r"\.([a-z]+)", style))
    assert "good beats base by" in root.get("aria-label")


def test_a_row_for_each_spec_and_a_bar_for_each_accuracy(comparison):
    root = parsed(comparison)
    assert [each.text for each in of_class(root, "label")][:3] == ["base", "trick", "wild"]
    bars = [float(each.get("width")) for each in of_class(root, "bar")]
    assert bars[1] / bars[0] == pytest.approx(0.8 / 0.6, rel=1e-3)  # widths are written with two decimals
    assert len(bars) == 2
    assert {"60.00 \u00b1 14.14 %", "80.00 %", "diverged", "n = 0, 1 lost"} <= set(texts(root))


def test_verdicts_have_different_marks(verdicts):
    shapes = [(each.tag.removeprefix(SVG), each.get("class")) for each in of_class(parsed(verdicts), "mark")]
    legend = [("polygon", "mark better"), ("polygon", "mark worse"), ("circle", "mark unclear")]
    assert sorted(shapes) == sorted([*legend, ("polygon", "mark better"), ("circle", "mark unclear")])


def test_axes_have_units_and_the_baseline_has_a_line(verdicts):
    root = parsed(verdicts)
    assert {"0 %", "mean accuracy", "percentage points", "Difference from base"} <= set(texts(root))
    assert len(of_class(root, "zero")) == 1


def test_an_interval_beyond_the_axis_ends_in_an_arrow(verdicts):
    base, good, same = verdicts.rows
    wide = evolve(same, effect=evolve(same.effect, simultaneous=(-9.0, 0.01)))
    lines = [
        [float(each.get(name)) for name in ("x1", "y1", "x2", "y2")]
        for each in of_class(parsed(evolve(verdicts, rows=(base, good, wide))), "together")
        if "unclear" in each.get("class")
    ]
    arrow = [(x1, x2) for x1, y1, x2, y2 in lines if x1 != x2 and y1 != y2]
    left = min(x1 for x1, *_ in lines)
    assert [x1 for x1, _ in arrow] == [left, left]
    assert all(x2 > x1 for x1, x2 in arrow)


def test_without_a_second_spec_there_is_one_panel(entry):
    alone = compare([entry("base", accuracies=[0.5, 0.7])])
    assert figure_size(alone)[0] < 600
    assert "percentage points" not in texts(parsed(alone))


@pytest.mark.parametrize(
    "name",
    ['$\\frac$ x[kind="\x1b$"]', "<script>alert(1)</script>&amp;", "W" * 300, "\u4e2d" * 300, "\x07" * 99],
    ids=["formula", "script", "wide", "chinese", "control"],
)
def test_a_name_is_inert_and_fits_its_column(entry, name):
    root = parsed(
        compare([entry("base", accuracies=[0.5]), evolve(entry("trick", accuracies=[0.8]), display_name=name)])
    )
    assert {each.tag.removeprefix(SVG) for each in root.iter()} <= ELEMENTS
    shown = [each.text for each in of_class(root, "label")][1]
    assert not {"\x1b", "\x07"} & set(shown)
    assert text_width(shown, 12.5) <= 166


@pytest.mark.parametrize(
    "words", ["batchnorm_before", "sweep[width=64,lr=0.001]", "WMWMWM", "0123456789", "(+7.6 to +10.3) n = 3"]
)
def test_letters_are_about_as_wide_as_reckoned(words):
    """The bounds leave a tenth for other fonts than the shipped one, and for names that are cut too early."""
    width = ImageFont.truetype(str(FONT.with_name("Arimo-SemiBold.ttf")), 100).getlength(words)
    assert width <= text_width(words, 100) <= 1.3 * width


@pytest.mark.parametrize("accuracies", [[0.0], [1.0], [1.0, 0.9], [0.5, 0.5]])
def test_accuracies_at_the_ends_can_be_drawn(entry, accuracies):
    root = parsed(compare([entry("base", accuracies=accuracies)]))
    assert all(math.isfinite(float(each.get("width"))) for each in of_class(root, "bar"))


def test_a_png_shows_the_same_and_both_are_the_same_bytes_each_time(verdicts):
    pytest.importorskip("resvg_py")
    svg = figure(verdicts)
    assert svg == figure(verdicts)
    scale = figure_scale(verdicts)
    png = svg_to_png(svg, scale)
    assert png == svg_to_png(svg, scale)
    with Image.open(io.BytesIO(png)) as picture:
        assert picture.size == tuple(2 * side for side in figure_size(verdicts))
        colours = {colour for _, colour in picture.convert("RGB").getcolors(1 << 20)}
    assert {(255, 255, 255), (0x6F, 0xA3, 0xD8), (0x0B, 0x6E, 0x99), (0x8B, 0x94, 0x9E)} <= colours


def test_a_chart_of_many_specs_has_fewer_pixels_per_spec_and_a_bounded_number_in_all(verdicts):
    def of(count):
        return evolve(verdicts, rows=(verdicts.rows * count)[:count])

    assert figure_scale(of(25)) == 2
    assert 1.4 < figure_scale(of(50)) < 1.5  # four and a half million pixels, 960 of a line
    assert 1 <= figure_scale(of(100)) < 1.1
    assert figure_scale(of(400)) == 1
    assert figure_scale(of(410)) is None  # 41 units for each


def test_a_picture_too_large_to_read_gets_no_png():
    assert png_scale(1000) == 2
    assert png_scale(10_000) == pytest.approx(1.6384, **FLOAT64)  # 16,384 pixels at most
    assert png_scale(17_000) is None
