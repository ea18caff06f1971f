"""Places of boxes and ways of arrows: nothing overlaps, and no line runs through a box or a title."""

from itertools import pairwise

import pytest
from helpers.networks import networks
from helpers.specs import graph_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cifar_dsl.compiler import analyze, analyze_text
from cifar_dsl.foundation.resources import specs_directory
from cifar_dsl.views.pictures import Picture, draw
from cifar_dsl.views.pictures.canvas import Canvas, Dot, Line, Rectangle, Words, text_width
from cifar_dsl.views.pictures.layout import laid_out

Sides = tuple[float, float, float, float]  # left, top, right, bottom


def sides_of(mark: Rectangle | Words) -> Sides:
    if isinstance(mark, Rectangle):
        return mark.x, mark.y, mark.x + mark.width, mark.y + mark.height
    width = text_width(mark.text, mark.size)
    left = mark.x - {"start": 0.0, "middle": width / 2}[mark.anchor]
    return left, mark.y - 0.7 * mark.size, left + width, mark.y + 0.2 * mark.size


def runs_through(line: Line, sides: Sides, margin: float = 0.5) -> bool:
    left, top, right, bottom = sides
    return any(
        max(a, c) > left + margin
        and min(a, c) < right - margin
        and max(b, d) > top + margin
        and min(b, d) < bottom - margin
        for (a, b), (c, d) in pairwise(line.points)
    )


def overlap(one: Sides, other: Sides) -> bool:
    return one[0] < other[2] - 0.5 and other[0] < one[2] - 0.5 and one[1] < other[3] - 0.5 and other[1] < one[3] - 0.5


def check(picture: Picture, canvas: Canvas) -> None:
    marks = canvas.marks
    boxes = {m.tip: sides_of(m) for m in marks if isinstance(m, Rectangle) and m.tip and m.look != "frame"}
    lines = [mark for mark in marks if isinstance(mark, Line)]
    words = [mark for mark in marks if isinstance(mark, Words)]
    for line in lines:
        for (a, b), (c, d) in pairwise(line.points):
            # Lines are horizontal or vertical; half a point, which nobody sees, isn't worth a bend.
            assert abs(a - c) < 0.6 or abs(b - d) < 0.6
        for key, sides in boxes.items():
            assert not runs_through(line, sides), key
        for word in words:
            assert not runs_through(line, sides_of(word)), word.text
    drawn = [*boxes.items()]
    for number, (key, sides) in enumerate(drawn):
        assert not [other for other, others in drawn[:number] if overlap(sides, others)], key
        assert sides[0] >= 0
        assert sides[2] <= canvas.width
        assert 0 <= sides[1] <= sides[3] <= canvas.height
    texts = [(word.text, sides_of(word)) for word in words]
    for number, (text, sides) in enumerate(texts):
        assert not [other for other, others in texts[:number] if overlap(sides, others)], text
        assert sides[0] >= -0.5
        assert sides[2] <= canvas.width + 0.5, text
    frames = {m.tip: sides_of(m) for m in marks if isinstance(m, Rectangle) and m.look == "frame"}
    for key, (left, top, right, bottom) in frames.items():
        for path, sides in boxes.items():
            if path.startswith(f"{key}.") and key in path:
                assert left < sides[0]
                assert sides[2] < right
                assert top < sides[1]
                assert sides[3] < bottom
    ends = [point for line in lines for point in (line.points[0], line.points[-1])]
    dots = [(mark.x, mark.y) for mark in marks if isinstance(mark, Dot)]
    for key, (left, top, right, bottom) in boxes.items():
        if any(key in (arrow.start, arrow.end) for arrow in picture.arrows):
            assert any(left - 1 <= x <= right + 1 and top - 1 <= y <= bottom + 1 for x, y in ends), key
    for x, y in dots:
        # Lines leave a fork at its edge, 2.2 points from its middle.
        assert any(abs(x - a) < 4 and abs(y - b) < 4 for a, b in ends)


SHIPPED = [
    *("baseline", "residual", "zoo/vit", "zoo/dla", "zoo/hrnet_w18_small", "zoo/darts", "zoo/inception_v3"),
    *("zoo/googlenet_heads", "zoo/res2net50", "zoo/fractalnet20", "zoo/xcit_nano_12", "zoo/sk_resnet18"),
]


@pytest.mark.parametrize("name", SHIPPED)
@pytest.mark.parametrize("direction", ["down", "right"])
def test_shipped_networks_are_drawn_without_overlaps(name, direction):
    picture = draw(analyze(specs_directory() / f"{name}.arch").graph, name)
    check(picture, laid_out(picture, direction))


@settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.too_slow])
@given(networks(), st.integers(0, 3), st.sampled_from(["down", "right"]))
def test_all_networks_are_drawn_without_overlaps(text, depth, direction):
    picture = draw(analyze_text(text).graph, "drawn", depth)
    check(picture, laid_out(picture, direction))


def lines_of(model: str, items: str = "") -> list[Line]:
    canvas = laid_out(draw(graph_of(model, items), "test"))
    return [mark for mark in canvas.marks if isinstance(mark, Line)]


def test_the_main_way_is_straight_and_a_skip_has_two_bends():
    block = "block unit(c: int) { add { conv(c, 3, pad=1) -> bn -> relu -> conv(c, 3, pad=1) | identity } -> relu }"
    lines = lines_of("conv(8, 1)\nunit(8)\nunit(8)\nflatten -> dense(10)", block)
    bent = [line for line in lines if len(line.points) > 2]
    assert len({line.points[0][0] for line in lines}) <= 1 + 2 * len(bent)
    for line in bent:
        (start, corner, other, end) = line.points
        assert start[1] == corner[1]  # it leaves the fork at its side,
        assert corner[0] == other[0]  # runs straight down,
        assert other[1] == end[1]  # and enters `add` at its side
    assert len(bent) == 2 or len(bent) == 1  # equal blocks may be folded


def test_parallel_arrows_are_one_line_that_says_so():
    canvas = laid_out(draw(graph_of("tanh\nadd { identity | identity }"), "test"))
    assert "2 tensors" in [mark.text for mark in canvas.marks if isinstance(mark, Words)]
