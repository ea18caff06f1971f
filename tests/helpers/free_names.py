"""Specs whose definitions can have any name: `NAME` is to be replaced."""

from cifar_dsl.compiler import analyze_text

# One spec in which every kind of definition has the name, and one in which a block has it.
VALUES = """\
arch test
input 3x8x8
param NAME = 6
block first(c: int) { conv(c, 3, pad=1) -> tanh }
block second(NAME: int, k: int = NAME) { conv(NAME, k, pad=k // 2) }
block third(NAME: block) { NAME -> NAME }
block fourth(NAME: tensor) { add { conv(6, 1) | NAME } }
model {
    first(NAME) -> second(NAME - 3) -> second(k=1, NAME=NAME)
    for NAME in [4, 5] { first(NAME) }
    for (a, NAME) in [(1, 6)] { second(NAME * a, 1) }
    let b = identity
    third(elu) -> fourth(b)
    let NAME = first(6)
    NAME -> first(6)
    concat { NAME[:3] | NAME }
    NAME = conv(2, 1)
    NAME -> flatten
}
assert 5 + NAME == 11 or true
"""
BLOCK = """\
arch test
input 3x8x8
param f = NAME
block NAME(c: int = 6, NAME: float = 0) { conv(c, 3, pad=1) -> scale(NAME) }
block use(f: block) { f(5) -> f(c=4, NAME=1) }
block same_as(f: block) { if f == NAME { tanh } }
model {
    NAME(8) -> NAME
    use(NAME)
    use(f)
    same_as(NAME) -> same_as(sigmoid)
    let y = NAME
    NAME(5) -> f(4)
}
"""


def operations(text: str) -> list[tuple[object, ...]]:
    """The operations of a spec with their inputs and shapes, without the names of the stages."""
    return [(node.operation, node.inputs, node.shape) for node in analyze_text(text).graph.nodes]
