"""SVG, PNG, PDF and TikZ: complete, inert and reproducible."""

import io
import re
import sys
import zlib
from xml.etree import ElementTree

import pytest
from helpers.pictures_of import HOSTILE, picture_of
from PIL import Image, ImageFont

from cifar_dsl.compiler import analyze
from cifar_dsl.foundation.errors import UserError
from cifar_dsl.foundation.resources import specs_directory
from cifar_dsl.views.pictures import Picture, as_fragment, as_pdf, as_png, as_svg, as_tikz, draw, theme
from cifar_dsl.views.pictures.canvas import text_width
from cifar_dsl.views.pictures.model import Arrow, Box
from cifar_dsl.views.png import FONT

SVG = "{http://www.w3.org/2000/svg}"
ELEMENTS = {"svg", "g", "rect", "title", "polygon", "path", "text", "circle"}


@pytest.fixture(scope="module")
def residual() -> Picture:
    return draw(analyze(specs_directory() / "residual.arch").graph, "residual")


def test_an_svg_shows_all_boxes_with_their_paths_as_tooltips(residual):
    root = ElementTree.fromstring(as_svg(residual))
    titles = {group.findtext(f"{SVG}title") for group in root.iter(f"{SVG}g")}
    assert {"unit", "unit.add", "unit3.add.branch1.conv2"} <= titles
    texts = [text.text for text in root.iter(f"{SVG}text")]
    assert texts[:2] == ["residual", "212,714 parameters, 30,147,200 multiply-accumulates"]
    assert texts.count("conv(64, 3, pad=1)") == 4


def test_a_picture_without_its_heading_is_lower_by_it_and_else_the_same(residual):
    roots = [ElementTree.fromstring(as_svg(residual, has_heading=has_heading)) for has_heading in (True, False)]
    texts, bare = ([text.text for text in root.iter(f"{SVG}text")] for root in roots)
    assert bare == texts[2:]
    tall, low = (float(root.get("viewBox").split()[3]) for root in roots)
    assert 30 < tall - low < 50


def test_a_legend_names_the_families_of_the_picture(residual):
    texts = [text.text for text in ElementTree.fromstring(as_svg(residual)).iter(f"{SVG}text")]
    assert texts[-7:] == [
        *("convolution", "dense", "normalization", "activation", "pooling", "join", "other layer"),
    ]
    repeated = draw(analyze(specs_directory() / "zoo" / "vit.arch").graph, "vit")
    assert "xN: N in a row" in as_svg(repeated).decode()


def test_widths_of_texts_are_those_of_the_font():
    """So that text fits into its box, in every format."""
    font = ImageFont.truetype(str(FONT), 1_000)
    for letter in map(chr, range(0x20, 0x7F)):
        assert text_width(letter, 1_000) == round(font.getlength(letter)), letter
    assert all(text_width(letter, 1_000) >= font.getlength(letter) for letter in "\xe4\xdf\u2014\u2026")


def test_a_png_shows_the_same_picture(residual):
    pytest.importorskip("resvg_py")
    image = Image.open(io.BytesIO(as_png(residual)))
    assert image.format == "PNG"
    root = ElementTree.fromstring(as_svg(residual))
    points = [float(root.get(side, "").removesuffix("pt")) for side in ("width", "height")]
    # Sizes are rounded to whole pixels.
    assert all(abs(pixels - 2 * point) <= 1 for pixels, point in zip(image.size, points, strict=True))
    colours = {colour for _, colour in image.convert("RGB").getcolors(10**6)}
    assert {(255, 255, 255), (0xCF, 0xE2, 0xF5), (0xF7, 0xF8, 0xFA)} <= colours


def test_a_picture_may_be_dark_or_without_a_ground(residual):
    pytest.importorskip("resvg_py")
    dark = Image.open(io.BytesIO(as_png(residual, "down", theme("dark")))).convert("RGBA")
    assert dark.getpixel((2, 2)) == (0x14, 0x17, 0x1B, 255)
    clear = Image.open(io.BytesIO(as_png(residual, "down", theme("light", is_transparent=True)))).convert("RGBA")
    assert clear.getpixel((2, 2))[3] == 0


def test_a_fragment_leaves_its_colours_to_the_page(residual):
    root = ElementTree.fromstring(as_fragment(residual))
    assert root.get("aria-label", "").startswith("residual: 212,714 parameters")
    assert not {name for node in root.iter() for name in node.attrib} & {"fill", "stroke", "style"}
    assert {"conv", "join", "frame"} <= {node.get("class") for node in root.iter()}


def test_output_is_reproducible(residual):
    for make in (as_svg, as_pdf, as_tikz):
        assert make(residual) == make(residual)


@pytest.mark.parametrize("text", HOSTILE)
def test_a_picture_contains_nothing_active(text):
    root = ElementTree.fromstring(as_svg(picture_of(text)))
    for node in root.iter():
        assert node.tag.removeprefix(SVG) in ELEMENTS
        assert not any(name.startswith("on") or "href" in name for name in node.attrib)
    # name, note, title and note of a frame, title and note of a box, the other box, an arrow's label; the legend
    assert [node.text for node in root.iter(f"{SVG}text")][:-1] == [text] * 8


def commands(pdf: bytes) -> str:
    """The drawing commands of a page, after checks of the file's structure."""
    table = int(re.search(rb"startxref\n(\d+)\n%%EOF\n\Z", pdf)[1])
    assert pdf[table:].startswith(b"xref\n")
    places = [int(at) for at in re.findall(rb"^(\d{10}) 00000 n $", pdf[table:], re.MULTILINE)]
    for number, at in enumerate(places, start=1):
        assert pdf[at:].startswith(b"%d 0 obj\n" % number)
    streams = []
    for found in re.finditer(rb"/Length (\d+) /Filter /FlateDecode[^>]*>>\nstream\n", pdf):
        packed = pdf[found.end() : found.end() + int(found[1])]
        assert pdf[found.end() + int(found[1]) :].startswith(b"\nendstream")
        streams.append(zlib.decompress(packed))
    page, font = streams
    assert font == FONT.read_bytes()  # publishers refuse files that rely on fonts elsewhere
    return page.decode("cp1252")


def test_a_pdf_has_every_text_its_font_and_one_page(residual):
    page = commands(as_pdf(residual))
    shown = re.findall(r"\((.*)\) Tj", page)
    texts = [node.text for node in ElementTree.fromstring(as_svg(residual)).iter(f"{SVG}text")]
    assert [text.replace("\\(", "(").replace("\\)", ")") for text in shown] == texts


@pytest.mark.parametrize("text", [*HOSTILE, "\u65e5\u672c", "a\\)b(", "\xe4\xdf"])
def test_texts_stay_texts_in_a_pdf(text):
    shown = re.findall(r"\((.*)\) Tj", commands(as_pdf(picture_of(text))))
    plain = text.encode("cp1252", "replace").decode("cp1252")
    assert [re.sub(r"\\(.)", r"\1", one) for one in shown][:8] == [plain] * 8


@pytest.mark.parametrize("text", [*HOSTILE, "a_b^c~d$e", "%}{\\input{x}"])
def test_a_tikzpicture_is_well_formed(text):
    """Braces match, every path ends, colours are defined before their use, and texts hold no command."""
    lines = as_tikz(picture_of(text)).splitlines()
    head = [line for line in lines if line.startswith("%")]
    body = lines[len(head) :]
    assert body[0].startswith(r"\begin{tikzpicture}[")
    assert body[-1] == r"\end{tikzpicture}"
    defined: set[str] = set()
    for line in body[1:-1]:
        bare = re.sub(r"\\[{}$&#%_]", "", line)
        assert bare.count("{") == bare.count("}")
        assert not set("$&#%_^~") & set(re.sub(r"\\(?:textasciicircum|textasciitilde)", "", bare))
        if found := re.match(r"\\definecolor\{(net [\w ]+)\}\{HTML\}\{[0-9A-F]{6}\}$", line):
            defined.add(found[1])
        else:
            assert re.match(r"\\(path|fill|node)\b.*;$", line), line
            assert set(re.findall(r"net [a-z]+(?: fill| border)?(?=[\],])", line)) <= defined
        assert set(re.findall(r"\\([a-z]+)", bare)) <= {
            *("definecolor", "path", "fill", "node", "fontsize", "selectfont"),
            *("textbackslash", "textasciicircum", "textasciitilde", "textless", "textgreater", "textbar"),
            *("textquotedbl", "textasciigrave", "textquotesingle"),
        }


def chain(length: int) -> Picture:
    boxes = tuple(Box(f"b{i}", "conv", f"box {i}") for i in range(length))
    return Picture("chain", (), boxes, tuple(Arrow(f"b{i}", f"b{i + 1}", "") for i in range(length - 1)))


def test_a_png_has_a_maximum_size(monkeypatch):
    pytest.importorskip("resvg_py")
    monkeypatch.setattr("cifar_dsl.views.png._MOST_PIXELS", 900)
    assert Image.open(io.BytesIO(as_png(chain(15)))).size[1] <= 900  # with less than two pixels a point
    with pytest.raises(UserError, match=r"\(60 boxes\)") as caught:
        as_png(chain(60))
    assert "`--depth`" in caught.value.help[0]
    assert as_svg(chain(60))


def test_a_missing_package_is_reported(residual, monkeypatch):
    monkeypatch.setitem(sys.modules, "resvg_py", None)
    with pytest.raises(UserError) as caught:
        as_png(residual)
    assert caught.value.message == "a picture in PNG needs resvg-py, which is not installed"
    assert caught.value.help[0] == "install the extra: pip install 'cifar-dsl[pictures]'"
    assert as_svg(residual).startswith(b"<?xml")
    assert as_pdf(residual).startswith(b"%PDF-")
