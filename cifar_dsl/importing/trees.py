"""What folding makes of bodies: calls of blocks, loops, conditions, and the blocks themselves."""

from cifar_dsl.foundation.records import field, frozen
from cifar_dsl.importing.structure import Body
from cifar_dsl.language.syntax import nodes


@frozen
class Call:
    """A call of a block."""

    head: nodes.Name | nodes.CallExpression


@frozen
class Repeated:
    """`repeat count { body }`."""

    count: nodes.Expression
    body: Body


@frozen
class Loop:
    """`for targets in values { body }`."""

    targets: tuple[str, ...]
    values: nodes.Sequence
    body: Body


@frozen
class Variant:
    """`if condition { yes } else { no }`."""

    condition: nodes.Expression
    yes: Body
    no: Body


@frozen
class Parameter:
    """A parameter of a block."""

    name: str
    kind: str
    default: nodes.Expression | None


@frozen
class Block:
    """A block."""

    name: str
    parameters: tuple[Parameter, ...]
    body: Body


@frozen
class Tree:
    """The blocks and the model of a spec; `ties` has the layer of each tied block by the name of that."""

    model: Body
    blocks: tuple[Block, ...] = field(default=())
    ties: tuple[tuple[str, nodes.Name | nodes.CallExpression], ...] = field(default=())
