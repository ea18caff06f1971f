"""What is kept of a layer's forward pass until its backward pass."""

from attrs import frozen


@frozen
class Kept:
    """The tensors that autograd keeps for a layer, of one image.

    `inputs`, `output`: whether it keeps what flows in and what flows out. A tensor that several layers keep is there
    once. `numbers`: how many numbers more it keeps, in the precision in which it computes; `fixed_bytes`: what it
    keeps besides whose size no precision changes, such as indices (8 bytes) and statistics (4 bytes).
    """

    inputs: bool = False
    output: bool = False
    numbers: int = 0
    fixed_bytes: int = 0


NOTHING = Kept()
INPUT = Kept(inputs=True)
OUTPUT = Kept(output=True)
INDEX_BYTES = 8
FLOAT_BYTES = 4
HALF_BYTES = 2
