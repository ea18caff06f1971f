"""A canvas as a PDF file of one page, with its font inside, as publishers ask."""

import zlib
from collections.abc import Sequence
from functools import cache

from cifar_dsl.views.pictures.canvas import (
    Canvas,
    Dot,
    Line,
    Mark,
    Point,
    Rectangle,
    Words,
    bends,
    head,
    shaft,
    text_width,
)
from cifar_dsl.views.pictures.families import Theme
from cifar_dsl.views.png import FONT

_FIRST, _LAST = 32, 255  # characters with a width in the file
_ROUND = 0.5523  # of a radius: the control points of a curve that is nearly a quarter of a circle


def pdf_of(canvas: Canvas, theme: Theme) -> bytes:
    """The bytes of a `.pdf` file; the same for the same canvas. Characters outside Latin-1 appear as `?`."""
    page = _Page(canvas.height)
    if theme.paper:
        page.fill(theme.paper)
        page.add(f"0 0 {_numbers(canvas.width, canvas.height)} re f")
    page.add("0.8 w 1 J 1 j")
    for mark in canvas.marks:
        page.draw(mark, theme)
    font = FONT.read_bytes()
    name = f"({_escaped(canvas.name)})".encode("cp1252", "replace")
    return _file(
        [
            b"<< /Type /Catalog /Pages 2 0 R /Lang (en) >>",
            b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {_numbers(canvas.width, canvas.height)}] /Contents 4 0 R "
            "/Resources << /Font << /F 5 0 R >> >> >>".encode(),
            _stream("\n".join(page.lines).encode("cp1252", "replace")),
            f"<< /Type /Font /Subtype /TrueType /BaseFont /Arimo /FirstChar {_FIRST} /LastChar {_LAST} /Widths "
            f"[{' '.join(map(str, _widths()))}] /FontDescriptor 6 0 R /Encoding /WinAnsiEncoding >>".encode(),
            b"<< /Type /FontDescriptor /FontName /Arimo /Flags 32 /FontBBox [-544 -303 1302 980] /ItalicAngle 0 "
            b"/Ascent 905 /Descent -212 /CapHeight 716 /StemV 80 /FontFile2 7 0 R >>",
            _stream(font, f" /Length1 {len(font)}"),
            b"<< /Title " + name + b" /Producer (cifar_dsl) >>",
        ]
    )


class _Page:
    """The drawing commands of a page, whose y grows upwards."""

    def __init__(self, height: float) -> None:
        self.height = height
        self.lines: list[str] = []

    def add(self, command: str) -> None:
        """Append a command."""
        self.lines.append(command)

    def fill(self, colour: str) -> None:
        """Choose the colour of what is filled next."""
        self.add(f"{_colour(colour)} rg")

    def draw(self, mark: Mark, theme: Theme) -> None:
        """Draw a mark."""
        match mark:
            case Rectangle():
                look = theme.looks[mark.look]
                self.fill(look.fill)
                self.add(f"{_colour(look.border)} RG")
                self._rounded(mark)
            case Line():
                self.add(f"{_colour(theme.line)} RG")
                self._way(shaft(mark.points) if mark.has_head else mark.points)
                if mark.has_head:
                    self.fill(theme.line)
                    (first, *others) = (self._at(point) for point in head(mark.points))
                    self.add(f"{first} m {' '.join(f'{point} l' for point in others)} h f")
            case Dot():
                self.fill(theme.line)
                x, y, r = mark.x, mark.y, mark.radius
                self._corners([(x, y - r), (x + r, y), (x, y + r), (x - r, y)], r)
            case Words():
                self.fill(theme.inks[mark.look])
                start = mark.x - (text_width_in_file(mark.text, mark.size) / 2 if mark.anchor == "middle" else 0.0)
                place = self._at((start, mark.y))
                self.add(f"BT /F {_numbers(mark.size)} Tf {place} Td ({_escaped(mark.text)}) Tj ET")

    def _at(self, point: Point) -> str:
        return _numbers(point[0], self.height - point[1])

    def _way(self, points: Sequence[Point]) -> None:
        parts = [f"{self._at(points[0])} m"]
        for start, corner, end in bends(points):
            near = [_between(a, corner, 2 / 3) for a in (start, end)]
            parts += [f"{self._at(start)} l", f"{' '.join(map(self._at, (*near, end)))} c"]
        self.add(" ".join([*parts, f"{self._at(points[-1])} l S"]))

    def _rounded(self, mark: Rectangle) -> None:
        r, left, top = mark.radius, mark.x, mark.y
        right, bottom = left + mark.width, top + mark.height
        sides = [
            ((left + r, top), (right - r, top), (right, top)),
            ((right, top + r), (right, bottom - r), (right, bottom)),
            ((right - r, bottom), (left + r, bottom), (left, bottom)),
            ((left, bottom - r), (left, top + r), (left, top)),
        ]
        parts = [f"{self._at(sides[0][0])} m"]
        for number, (_, end, corner) in enumerate(sides):
            following = sides[(number + 1) % 4][0]
            near = [_between(a, corner, _ROUND) for a in (end, following)]
            parts += [f"{self._at(end)} l", f"{' '.join(map(self._at, (*near, following)))} c"]
        self.add(" ".join([*parts, "h B"]))

    def _corners(self, points: Sequence[Point], r: float) -> None:
        """A circle through its four outermost points."""
        top, right, bottom, left = points
        k = _ROUND * r
        curves = [
            ((top[0] + k, top[1]), (right[0], right[1] - k), right),
            ((right[0], right[1] + k), (bottom[0] + k, bottom[1]), bottom),
            ((bottom[0] - k, bottom[1]), (left[0], left[1] + k), left),
            ((left[0], left[1] - k), (top[0] - k, top[1]), top),
        ]
        parts = [f"{' '.join(map(self._at, curve))} c" for curve in curves]
        self.add(" ".join([f"{self._at(top)} m", *parts, "h f"]))


def text_width_in_file(words: str, size: float) -> float:
    """The width of `words` as the file shows them."""
    return text_width(words.encode("cp1252", "replace").decode("cp1252"), size)


@cache
def _widths() -> tuple[int, ...]:
    """The widths of the characters of WinAnsi in the font, in thousandths of its size."""
    from PIL import ImageFont

    font = ImageFont.truetype(str(FONT), 1_000)
    letters = [bytes([code]).decode("cp1252", "replace") for code in range(_FIRST, _LAST + 1)]
    return tuple(round(font.getlength(letter)) for letter in letters)


def _between(start: Point, end: Point, share: float) -> Point:
    return start[0] + share * (end[0] - start[0]), start[1] + share * (end[1] - start[1])


def _numbers(*values: float) -> str:
    return " ".join(f"{value:.2f}".rstrip("0").rstrip(".") for value in values)


def _colour(text: str) -> str:
    return " ".join(f"{int(text[i : i + 2], 16) / 255:.3f}" for i in (1, 3, 5))


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)")


def _stream(content: bytes, more: str = "") -> bytes:
    packed = zlib.compress(content, 9)
    opening = f"<< /Length {len(packed)} /Filter /FlateDecode{more} >>\nstream\n"
    return opening.encode() + packed + b"\nendstream"


def _file(objects: Sequence[bytes]) -> bytes:
    """The objects, numbered from 1, as a file; the first is its catalogue, the last its description."""
    content = b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n"
    places = []
    for number, each in enumerate(objects, start=1):
        places.append(len(content))
        content += f"{number} 0 obj\n".encode() + each + b"\nendobj\n"
    table = "".join(f"{at:010d} 00000 n \n" for at in places)
    trailer = f"<< /Size {len(objects) + 1} /Root 1 0 R /Info {len(objects)} 0 R >>"
    first = f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n"
    return content + f"{first}{table}trailer\n{trailer}\nstartxref\n{len(content)}\n%%EOF\n".encode()
