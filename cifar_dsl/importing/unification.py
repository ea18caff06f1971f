"""Bodies that are alike but for numbers as one body, in which numbers that differ are expressions.

Works on plain data, and knows neither torch nor what a layer computes.
"""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from cifar_dsl.foundation.records import evolve, field, frozen
from cifar_dsl.importing.structure import IDENTITY, Body, Join, Layer, Named, Use, steps_of
from cifar_dsl.importing.trees import Call, Loop, Parameter, Repeated, Variant
from cifar_dsl.ir import arguments_of
from cifar_dsl.language.source import Source, Span
from cifar_dsl.language.syntax import nodes, parse_override
from cifar_dsl.operations.layers import JOINS, LAYERS, SCOPES

NOWHERE = Span(Source("", ""), 0, 0)
PLAIN = (nodes.Number, nodes.SizeLiteral, nodes.Truth)

Head = nodes.Name | nodes.CallExpression


class MismatchError(Exception):
    """Bodies that differ by more than numbers."""


@frozen
class Slot:
    """A place where bodies differ.

    Attributes:
        name: The argument that the values are given for.
        values: The value in each body.
        default: The value that the argument has if it isn't given.
        channels: The channels of the layer's input in each body, where they are known.
    """

    name: str
    values: tuple[nodes.Expression, ...]
    default: nodes.Expression | None = None
    channels: tuple[int, ...] = ()


Fill = Callable[[Slot], nodes.Expression]
Choose = Callable[[Sequence[int]], nodes.Expression]  # given the bodies where a condition holds


@frozen
class Unifier:
    """Makes one body of several.

    Attributes:
        fill: The expression for a slot.
        choose: The condition that holds in the bodies of the given numbers; None if branches can't differ.
        channels: The channels of the input of a step, and of its output.
        parameters: The parameters of each block that calls may call.
        knows_channels: Whether `in_channels` is that of the step at hand, as in a body that runs once.
    """

    fill: Fill
    choose: Choose | None
    channels: Callable[[int], tuple[int, int]]
    parameters: dict[str, tuple[Parameter, ...]]
    knows_channels: bool = field(default=True)

    def bodies(self, bodies: Sequence[Body]) -> Body:
        """The body of all. Raises MismatchError."""
        if len(set(map(len, bodies))) != 1:
            raise MismatchError
        return tuple(self._items(items) for items in zip(*bodies, strict=True))

    def _items(self, items: Sequence[Any]) -> Any:
        first = items[0]
        if len({type(item) for item in items}) != 1:
            raise MismatchError
        match first:
            case Layer():
                return evolve(first, head=self._heads(items))
            case Call():
                return Call(self._heads(items))
            case Use():
                self._same(items)
                return first
            case Join():
                if len({len(item.branches) for item in items}) != 1:
                    raise MismatchError
                branches = [self._branches(one) for one in zip(*(item.branches for item in items), strict=True)]
                return evolve(first, head=self._heads(items), branches=tuple(branches))
            case Named():
                if len({tuple(number for number, _ in item.names) for item in items}) != 1:
                    raise MismatchError
                columns = zip(*(item.names for item in items), strict=True)
                names = tuple((column[0][0], self.bodies([body for _, body in column])) for column in columns)
                return Named(names, self.bodies([item.body for item in items]))
            case Repeated():
                count = self._value(Slot("n", tuple(item.count for item in items)))
                bodies = [item.body for item in items]
                inner = self if all(map(self._keeps_channels, bodies)) else evolve(self, knows_channels=False)
                return Repeated(count, inner.bodies(bodies))
            case Loop():
                self._same([(item.targets, item.values) for item in items])
                return Loop(first.targets, first.values, self.bodies([item.body for item in items]))
            case Variant():
                self._same([item.condition for item in items])
                yes = self.bodies([item.yes for item in items])
                return Variant(first.condition, yes, self.bodies([item.no for item in items]))
        raise MismatchError

    def _branches(self, bodies: Sequence[Body]) -> Body:
        """A branch, which may be of two kinds."""
        kinds: list[Body] = []
        for body in bodies:
            if not any(skeleton(body) == skeleton(kind) for kind in kinds):
                kinds.append(body)
        if self.choose is None or len(kinds) != 2:
            return self.bodies(bodies)
        kinds.sort(key=lambda body: (len(body), body != (IDENTITY,)))
        _plain, other = kinds
        is_other = [number for number, body in enumerate(bodies) if skeleton(body) == skeleton(other)]
        condition = self.choose(is_other)
        return (
            Variant(
                condition,
                self._some(bodies, is_other),
                self._some(bodies, [number for number in range(len(bodies)) if number not in is_other]),
            ),
        )

    def _some(self, bodies: Sequence[Body], numbers: Sequence[int]) -> Body:
        """The body of some of all: elsewhere, a slot can have any value, so it takes those of the first."""
        chosen = [bodies[number] if number in numbers else bodies[numbers[0]] for number in range(len(bodies))]
        partial = evolve(self, fill=lambda slot: self.fill(_only(slot, numbers)), choose=None)
        return partial.bodies(chosen)

    def _heads(self, items: Sequence[Any]) -> Head:
        heads: list[Head] = [item.head for item in items]
        if all(head == heads[0] for head in heads):  # such as the names of tied blocks
            return heads[0]
        names = {_name(head) for head in heads}
        if len(names) != 1 or any(getattr(head, "pattern", None) for head in heads):
            self._same(heads)
            return heads[0]
        (name,) = names
        order = self._order(name, isinstance(items[0], Call), isinstance(items[0], Join))
        given = [_given(head, [one for one, _ in order]) for head in heads]
        channels = self._channels(items)
        arguments: list[nodes.Argument] = []
        for place, (argument, default) in enumerate(order):
            values = [one.get(argument, default) for one in given]
            if all(value is None or value == default for value in values):
                continue
            present = tuple(value for value in values if value is not None)
            if len(present) != len(values):
                raise MismatchError
            value = self._value(Slot(argument, present, default, channels))
            keyword = None if default is None and place == len(arguments) else nodes.Identifier(argument, NOWHERE)
            arguments.append(nodes.Argument(keyword, value, NOWHERE))
        callee = nodes.Identifier(name, NOWHERE)
        return nodes.CallExpression(callee, tuple(arguments), NOWHERE) if arguments else nodes.Name(name, NOWHERE)

    def _order(self, name: str, is_call: bool, is_join: bool) -> list[tuple[str, nodes.Expression | None]]:
        """The arguments of what has this name, in order, each with its default."""
        if is_call:
            return [(one.name, one.default) for one in self.parameters[name]]
        return _declared(name, is_join)

    def _channels(self, items: Sequence[Any]) -> tuple[int, ...]:
        steps = [getattr(item, "step", None) for item in items]
        if not self.knows_channels or any(step is None for step in steps):
            return ()
        return tuple(self.channels(step)[0] for step in steps)  # type: ignore[arg-type]

    def _keeps_channels(self, body: Body) -> bool:
        """Whether `in_channels` is the same in each round of a repeated body."""
        first, last = next(steps_of(body[:1]), None), next(reversed([*steps_of(body[-1:])]), None)
        return first is not None and last is not None and self.channels(first)[0] == self.channels(last)[1]

    def _value(self, slot: Slot) -> nodes.Expression:
        if all(value == slot.values[0] for value in slot.values):
            return slot.values[0]
        if not all(isinstance(value, PLAIN) for value in slot.values):
            raise MismatchError
        return self.fill(slot)

    def _same(self, values: Sequence[Any]) -> None:
        if any(value != values[0] for value in values):
            raise MismatchError


def _only(slot: Slot, numbers: Sequence[int]) -> Slot:
    """A slot whose values matter in some bodies only: None elsewhere."""
    values: list[Any] = [value if number in numbers else None for number, value in enumerate(slot.values)]
    return Slot(slot.name, tuple(values), slot.default, slot.channels)


def skeleton(body: Body) -> tuple[Any, ...]:
    """A body without its numbers and arguments: equal for bodies that differ in these alone."""
    return tuple(map(_skeleton, body))


def _skeleton(item: Any) -> Any:
    match item:
        case Layer(head=head) | Call(head=head):
            return _name(head)
        case Join(head=head, branches=branches):
            return (_name(head), *map(skeleton, branches))
        case Named(names=names, body=body):
            return ("named", *(skeleton(one) for _, one in names), skeleton(body))
        case Repeated(body=body) | Loop(body=body):
            return (type(item).__name__, *skeleton(body))
        case Variant(yes=yes, no=no):
            return ("if", skeleton(yes), skeleton(no))
    return repr(item)


def _name(head: Head) -> str:
    return head.text if isinstance(head, nodes.Name) else head.callee.text


def _given(head: Head, order: Sequence[str]) -> dict[str, nodes.Expression]:
    if isinstance(head, nodes.Name):
        return {}
    return {one.keyword.text if one.keyword else order[place]: one.value for place, one in enumerate(head.arguments)}


@cache
def _declared(name: str, is_join: bool) -> list[tuple[str, nodes.Expression | None]]:
    table: Any = LAYERS if not is_join else SCOPES if name in SCOPES else JOINS
    declaration = table[name]
    found: list[tuple[str, nodes.Expression | None]] = []
    for info in arguments_of(declaration):
        default: Any = None
        if not info.is_required:
            default = parse_override(Source("", f"x={info.kind.write(info.default)}")).chain.elements[0].kind
        found.append((info.name, default))
    return found


def renumbered(body: Body) -> Body:
    """The same with tensors numbered in the order of their names. Raises MismatchError if one isn't named inside."""
    return _renumbered(body, {})


def _renumbered(body: Body, new: dict[int, int]) -> Body:
    items: list[Any] = []
    for item in body:
        match item:
            case Use(number=number):
                if number not in new:
                    raise MismatchError
                items.append(Use(new[number]))
            case Join(branches=branches):
                items.append(evolve(item, branches=tuple(_renumbered(one, new) for one in branches)))
            case Named(names=names, body=inner):
                made: list[tuple[int, Body]] = []
                for number, named in names:
                    fresh = _renumbered(named, new)
                    new[number] = len(new)
                    made.append((new[number], fresh))
                items.append(Named(tuple(made), _renumbered(inner, new)))
            case Repeated(count=count, body=inner):
                items.append(Repeated(count, _renumbered(inner, new)))
            case Loop(targets=targets, values=values, body=inner):
                items.append(Loop(targets, values, _renumbered(inner, new)))
            case Variant(condition=condition, yes=yes, no=no):
                items.append(Variant(condition, _renumbered(yes, new), _renumbered(no, new)))
            case _:
                items.append(item)
    return tuple(items)
