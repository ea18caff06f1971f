"""Hypothesis strategies for valid specs as text, drawn from the registries.

Every declared layer, join and setting is included, with arguments drawn from their declared types. The shape is
tracked while a network grows: a drawn layer is kept if its `infer` accepts the shape.
"""

from helpers.drawn_calls import bound, shape_after, stages_of
from helpers.drawn_recipes import recipes
from helpers.growth import Growth
from hypothesis import reject
from hypothesis import strategies as st

from cifar_dsl.compiler import analyze_text
from cifar_dsl.ir import Shape
from cifar_dsl.language.diagnostics import SpecError
from cifar_dsl.operations.layers.exit import Exit

_SMALL = "arch drawn\ninput 3x32x32\nmodel { flatten -> dense(10) }\n"


@st.composite
def layers(draw: st.DrawFn, name: str) -> str:
    """A spec with one layer of this name, whose input is an image, a vector or tokens."""
    if name == "window_mask":  # it needs its windows
        scores = "einsum(t, d | s, d -> 1, t, s) { tanh | sigmoid }\nwindow_mask(4, 2, 1)\nmean(h, t, s -> t, s)"
        return f"arch drawn\ninput 2x4x4\nmodel {{\nwindows(2, shift=1) {{\n{scores}\n}}\n}}\n"
    channels, height = draw(st.integers(1, 6)), draw(st.integers(2, 9))
    x = Shape((channels, height, draw(st.just(height) | st.integers(2, 9))))
    inputs = {"": x, "flatten": Shape((x.elements,)), "tokens": Shape((x.elements // channels, channels))}
    for opening in draw(st.permutations(list(inputs))):
        for _ in range(3):
            stage = draw(stages_of(name, inputs[opening]))
            if name == "exit" and not bound(Exit, stage).weight:  # a network that trains nothing
                continue
            text = f"arch drawn\ninput {x}\nmodel {{\n{opening}\n{stage}\n}}\n"
            if shape_after(stage, inputs[opening]) and not (opening and "whitening" in stage) and _is_valid(text):
                return text
    reject()


@st.composite
def networks(draw: st.DrawFn) -> str:
    """A spec with a network and no recipe. Some have scores and exits."""
    x = Shape((draw(st.integers(1, 4)), draw(st.integers(4, 9)), draw(st.integers(4, 9))))
    return _spec(draw, x, draw(st.sampled_from([0, 0, 3])))


@st.composite
def specs(draw: st.DrawFn) -> str:
    """A spec with a network for CIFAR-10 and a complete recipe."""
    network = _spec(draw, Shape((3, 32, 32)), 10) if draw(st.booleans()) else _SMALL
    return network + draw(recipes())


def _spec(draw: st.DrawFn, x: Shape, classes: int) -> str:
    """A network, with scores of `classes` if that isn't 0."""
    openings = {
        "identity": x,
        "conv(2, 3, pad=1, init=whitening)": Shape((2, *x.extents[1:])),
        "tokens": Shape((x.elements // x.channels, x.channels)),
    }
    opening = draw(st.sampled_from(list(openings)))
    growth = Growth(draw, classes)
    grown = growth.body(openings[opening], depth=2, least=1)
    ending = ["flatten", f"dense({classes})"] if classes else []
    lines = [opening, *grown.lines, *ending]
    return "\n".join(["arch drawn", f"input {x}", *growth.blocks, "model {", *lines, "}"]) + "\n"


def _is_valid(text: str) -> bool:
    """Whether a network has no errors. Of attention with a function of its weights, some parts may refuse it."""
    try:
        analyze_text(text)
    except SpecError:
        return False
    return True
