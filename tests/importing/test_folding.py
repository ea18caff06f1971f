"""Networks made by hand, folded; the graph of the text is that of the plain text."""

import pytest

from cifar_dsl.compiler import analyze_text
from cifar_dsl.importing.importer import is_same, keys_of, spec_of
from cifar_dsl.importing.network import Network, Place, Step, join, layer
from cifar_dsl.importing.printing import number, printed
from cifar_dsl.importing.structure import Layer, head_of, structure_of
from cifar_dsl.importing.trees import Repeated, Tree
from cifar_dsl.importing.unification import Unifier
from cifar_dsl.ir import Shape


class Maker:
    """Makes a network step by step."""

    def __init__(self, channels=3):
        self.image = Shape((channels, 8, 8))
        self.steps = []
        self.modules = ()

    def shape(self, value):
        return self.steps[value - 1].shape if value else self.image

    def add(self, operation, *inputs, weights=()):
        shape = operation.infer(*map(self.shape, inputs))
        place = Place(self.modules[-1][0] if self.modules else "", "", (("", "Net"), *self.modules))
        self.steps.append(Step(operation, inputs, shape, place, tuple(weights)))
        return len(self.steps)

    def conv(self, x, channels, stride=1):
        return self.add(layer("conv", channels=channels, kernel=(3, 3), stride=(stride, stride), pad=(1, 1)), x)

    def network(self, output):
        return Network(self.image, tuple(self.steps), output)


def folded(network):
    text, analysis = spec_of(network, "made")
    plain = analyze_text(printed("made", network.input, Tree(structure_of(network))), "plain")
    assert is_same(plain.graph, analysis.graph)
    return text


def block(make, number, x, channels, project):
    make.modules = ((f"block{number}", "Residual"),)
    y = make.add(layer("relu"), make.conv(x, channels))
    y = make.conv(y, channels)
    if project:
        x = make.add(layer("conv", channels=channels, kernel=(1, 1)), x)
    y = make.add(layer("relu"), make.add(join("add"), y, x))
    make.modules = ()
    return y


def test_equal_stages_become_a_repeat():
    make, x = Maker(), 0
    for _ in range(4):
        x = make.add(layer("relu"), make.conv(x, 3))
    assert "repeat 4 { conv(3, 3, pad=1) -> relu }" in folded(make.network(x))


def test_stages_that_differ_in_a_number_become_a_loop():
    make, x = Maker(), 0
    for channels in (4, 8, 5, 9):
        x = make.conv(x, channels)
        x = make.add(layer("relu"), make.conv(x, channels))
    text = folded(make.network(x))
    assert "for c in [4, 8, 5, 9] {" in text
    assert text.count("conv(") == 2


def test_modules_of_one_class_become_a_block_with_a_branch_that_some_have():
    make = Maker(4)
    x = block(make, 0, 0, 4, project=False)
    x = block(make, 1, x, 7, project=True)
    x = block(make, 2, x, 9, project=True)
    text = folded(make.network(x))
    assert "block residual(c: int, project: bool = false) {" in text
    assert "if project { conv(c, 1) } else { identity }" in text


def test_a_tensor_that_several_branches_use_gets_a_name():
    make = Maker()
    x, y = make.conv(0, 8), make.conv(0, 8)
    both = make.add(join("add"), x, y)
    output = make.add(join("concat"), both, make.add(layer("slice", start=0, stop=4), x), y)
    text = folded(make.network(output))
    assert text.count("conv(") == 2
    assert "x[:4]" in text


def test_weights_are_found_by_their_names_not_by_their_order():
    make = Maker()
    second = make.add(layer("conv", channels=3, kernel=(1, 1), bias=False), 0, weights=[("weight", "late.weight")])
    first = make.add(layer("conv", channels=3, kernel=(1, 1), bias=False), 0, weights=[("weight", "early.weight")])
    network = make.network(make.add(join("concat"), first, second))
    _, analysis = spec_of(network, "made")
    assert keys_of(network, analysis.graph) == {
        "concat.branch1.conv.weight": "early.weight",
        "concat.branch2.conv.weight": "late.weight",
    }


def vgg(depths):
    """A network of groups of convolutions, each followed by a pool; the last two have as many channels."""
    make, x = Maker(), 0
    make.image = Shape((3, 16, 16))
    for depth, channels in zip(depths, (4, 8, 16, 16), strict=True):
        for _ in range(depth):
            x = make.add(layer("relu"), make.conv(x, channels))
        x = make.add(layer("maxpool", kernel=(2, 2)), x)
    return make.network(x)


def test_a_loop_covers_what_is_repeated_and_what_is_not():
    text = folded(vgg((1, 1, 2, 2)))
    assert "for (n, c) in [(1, 4), (1, 8), (2, 16), (2, 16)] {" in text
    assert "repeat n { conv(c, 3, pad=1) -> relu }" in text
    assert text.count("conv(") == 1


def test_a_loop_comes_before_the_repeats_that_would_tear_it():
    text = folded(vgg((2, 2, 2, 2)))
    assert "for c in [4, 8, 16, 16] {" in text
    assert text.count("conv(") == 2


@pytest.mark.parametrize(("after", "known"), [(4, (4, 6)), (5, ())])
def test_in_channels_is_known_in_a_repeat_that_keeps_them(after, known):
    bodies = [
        (Repeated(number(count), (Layer(head_of(layer("conv", channels=channels, kernel=(3, 3))), step),)),)
        for step, (count, channels) in enumerate([(1, 8), (2, 12)])
    ]
    slots = []

    def fill(slot):
        slots.append(slot)
        return number(0)

    Unifier(fill, None, {0: (4, after), 1: (6, 6)}.__getitem__, {}).bodies(bodies)
    assert {slot.name: slot.channels for slot in slots} == {"n": (), "channels": known}
