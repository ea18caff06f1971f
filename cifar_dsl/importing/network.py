"""A network as the importer sees it: operations of the language, in order, with their places in the module."""

from collections import Counter
from typing import Any, cast

from cifar_dsl.foundation.errors import UserError
from cifar_dsl.foundation.records import field, frozen
from cifar_dsl.ir import Operation, Shape
from cifar_dsl.operations.argument_types import Float, written
from cifar_dsl.operations.layers import JOINS, LAYERS


@frozen
class Place:
    """Where something happens in a module.

    Attributes:
        path: The path of the submodule, empty for the module itself.
        line: File and line of the call, as far as it is known.
        modules: The submodules around it, the outermost first: the path of each, and the name of its class.
    """

    path: str = ""
    line: str = ""
    modules: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        where = f"`{self.path}`" if self.path else "the module itself"
        return f"{where} ({self.line})" if self.line else where


def unsupported(what: str, place: Place, help: str = "") -> UserError:  # noqa: A002
    """The error about something that the language can't say; `help` replaces the advice to use other layers."""
    return UserError(
        f"can't import {place}: {what}",
        help or "replace it by layers that the language has: `cifar-dsl reference` lists them",
    )


def layer(name: str, **arguments: Any) -> Any:
    """The layer of this name with arguments in canonical form, and numbers as a spec prints them."""
    printed = {key: as_printed(value) for key, value in arguments.items()}
    return cast("Any", LAYERS[name])(**printed)


def as_printed(value: Any) -> Any:
    """A value with the digits that a spec prints, if it is a fraction."""
    return float(written(value, Float())) if isinstance(value, float) else value


def join(name: str, **arguments: Any) -> Any:
    """The join of this name with arguments in canonical form."""
    return cast("Any", JOINS[name])(**arguments)


@frozen
class Step:
    """One operation: which values it takes, and the name in `state_dict` of the tensor behind each of its own."""

    operation: Operation
    inputs: tuple[int, ...]
    shape: Shape
    place: Place
    weights: tuple[tuple[str, str], ...] = field(default=())


@frozen
class Network:
    """The steps of a network. Value 0 is the input, value k what step k - 1 makes; `output` is the result.

    `unused` names the tensors of the module that no step uses.
    """

    input: Shape
    steps: tuple[Step, ...]
    output: int
    unused: tuple[str, ...] = ()

    def shape_of(self, value: int) -> Shape:
        """The shape of a value, without the batch."""
        return self.steps[value - 1].shape if value else self.input


def users_of(network: Network) -> Counter[int]:
    """How often each value is used; the output counts as a use."""
    users = Counter(value for step in network.steps for value in step.inputs)
    users[network.output] += 1
    return users
