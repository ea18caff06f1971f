"""Expressions of a spec as expressions of Python, and the search for one that explains a column of values."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from itertools import pairwise
from typing import Any

from cifar_dsl.compiler.builtin_names import ARITHMETIC, FUNCTIONS, ORDER
from cifar_dsl.export.source.layout import LOOP_VARIABLE, identifier
from cifar_dsl.foundation.records import frozen
from cifar_dsl.language.syntax import nodes

Environment = Mapping[str, Any]


class UnknownValueError(Exception):
    """An expression has no value here."""


@frozen
class Constant:
    """A value."""

    value: Any


@frozen
class Unneeded:
    """In a column, the place of a call that has no use for the value; any does, such as `value`."""

    value: Any


@frozen
class Variable:
    """A parameter of a class, a local variable, or the variable of a loop."""

    name: str


@frozen
class Operation:
    """Operators of one precedence, applied from the left; `not` and `-` have one operand."""

    operators: tuple[str, ...]
    operands: "tuple[Expression, ...]"


@frozen
class Choice:
    """`chosen if condition else otherwise`."""

    chosen: "Expression"
    condition: "Expression"
    otherwise: "Expression"


@frozen
class FunctionCall:
    """A call of a function that the language and Python share."""

    name: str
    arguments: "tuple[Expression, ...]"


@frozen
class Items:
    """A tuple."""

    items: "tuple[Expression, ...]"


Expression = Constant | Variable | Operation | Choice | FunctionCall | Items

_PRECEDENCE = {"or": 1, "and": 2, "not": 3, "==": 4, "!=": 4, **dict.fromkeys(ORDER, 4), "+": 5, "-": 5}
_OF_PRODUCTS, _OF_SIGNS, _OF_ATOMS = 6, 7, 8
_LEAST_FOR_CHOICES = 3  # different calls; fewer values fit by chance
_LARGEST_DIVISOR = 200
_IN_PYTHON = {name: name for name in ("min", "max", "abs", "sum")} | {"sqrt": "math.sqrt"}  # functions


# ---- from the syntax of the language


def translate(node: nodes.Expression, definitions: Mapping[str, Expression]) -> Expression | None:
    """An expression of a spec, given what its names mean; other names are words. None if Python has no such one."""
    match node:
        case nodes.Number(value=value) | nodes.Truth(value=value) | nodes.String(value=value):
            return Constant(value)
        case nodes.SizeLiteral(extents=extents):
            return Constant(extents)
        case nodes.Name(text=text):
            return definitions.get(text, Constant(text))
        case nodes.Sequence(items=items):
            return _with(Items, items, definitions)
        case nodes.Prefixed(operator=sign, count=count, operand=operand):
            inner = translate(operand, definitions)
            return inner and (Operation((sign,), (inner,)) if count % 2 else inner)
        case nodes.Operation(operands=operands, operators=operators):
            return _with(lambda each: Operation(operators, each), operands, definitions)
        case nodes.Conditional(arms=((chosen, condition),), otherwise=otherwise):
            return _with(lambda each: Choice(*each), (chosen, condition, otherwise), definitions)
        case nodes.CallExpression(callee=callee, arguments=arguments) if callee.text in _IN_PYTHON:
            values = [argument.value for argument in arguments]
            return _with(lambda each: FunctionCall(callee.text, each), values, definitions)
        case _:
            return None


def _with(
    make: Callable[[tuple[Expression, ...]], Expression],
    parts: Iterable[nodes.Expression],
    definitions: Mapping[str, Expression],
) -> Expression | None:
    translated = [translate(part, definitions) for part in parts]
    found = tuple(part for part in translated if part is not None)
    return make(found) if len(found) == len(translated) else None


# ---- values


def value_of(expression: Expression, environment: Environment) -> Any:
    """The value of an expression. Raises UnknownValueError."""
    try:
        return _value(expression, environment)
    except (ArithmeticError, TypeError, ValueError) as error:
        raise UnknownValueError from error


def _value(expression: Expression, environment: Environment) -> Any:
    match expression:
        case Constant(value=value):
            return value
        case Variable(name=name):
            if name in environment:
                return environment[name]
            raise UnknownValueError
        case Items(items=items):
            return tuple(_value(item, environment) for item in items)
        case Choice(chosen=chosen, condition=condition, otherwise=otherwise):
            return _value(chosen if _value(condition, environment) else otherwise, environment)
        case FunctionCall(name=name, arguments=arguments):
            call = FUNCTIONS[name].call
            assert call is not None
            return call(*(_value(argument, environment) for argument in arguments))
        case Operation():
            return _value_of_operation(expression, environment)


def _value_of_operation(expression: Operation, environment: Environment) -> Any:
    first, *_ = expression.operators
    if first in {"and", "or"}:
        decisive = first == "or"
        return any(bool(_value(one, environment)) == decisive for one in expression.operands) == decisive
    values = [_value(one, environment) for one in expression.operands]
    if first == "not":
        return not values[0]
    if len(values) == 1:
        return -values[0]
    if first in {"==", "!="}:
        return is_same(*values) == (first == "==")
    if first in ORDER:
        return ORDER[first](*values)
    total = values[0]
    for sign, value in zip(expression.operators, values[1:], strict=True):
        if isinstance(total, bool) or isinstance(value, bool):
            raise UnknownValueError
        total = ARITHMETIC[sign](total, value)
    return total


def is_same(left: Any, right: Any) -> bool:
    """Whether two values are equal; to Python, 1 and True are, too."""
    if isinstance(left, tuple) and isinstance(right, tuple):
        return len(left) == len(right) and all(map(is_same, left, right))
    return bool(left == right) and isinstance(left, bool) == isinstance(right, bool)


def folded(expression: Expression, constants: Environment) -> Expression:
    """The expression with the values of some names, computed as far as it can be."""
    match expression:
        case Variable(name=name):
            return Constant(constants[name]) if name in constants else expression
        case Items(items=items):
            return Items(tuple(folded(item, constants) for item in items))
        case FunctionCall(name=name, arguments=arguments):
            return _computed(FunctionCall(name, tuple(folded(one, constants) for one in arguments)))
        case Choice(chosen=chosen, condition=condition, otherwise=otherwise):
            test = folded(condition, constants)
            if isinstance(test, Constant):
                return folded(chosen if test.value else otherwise, constants)
            return Choice(folded(chosen, constants), test, folded(otherwise, constants))
        case Operation(operators=operators, operands=operands):
            inner = tuple(folded(one, constants) for one in operands)
            if operators[0] in {"and", "or"}:
                return _decided(operators[0], inner)
            return _computed(Operation(operators, inner))
        case _:
            return expression


def _decided(sign: str, operands: tuple[Expression, ...]) -> Expression:
    decisive = sign == "or"
    left: list[Expression] = []
    for one in operands:
        if isinstance(one, Constant):
            if bool(one.value) == decisive:
                return Constant(decisive)
            continue
        if isinstance(one, Operation) and one.operators[0] == sign:
            left.extend(one.operands)
        else:
            left.append(one)
    if not left:
        return Constant(not decisive)
    return left[0] if len(left) == 1 else Operation((sign,) * (len(left) - 1), tuple(left))


def _computed(expression: Operation | FunctionCall) -> Expression:
    operands = expression.operands if isinstance(expression, Operation) else expression.arguments
    if all(isinstance(one, Constant) for one in operands):
        try:
            return Constant(value_of(expression, {}))
        except UnknownValueError:
            pass
    return expression


def variables(expression: Expression) -> Iterator[str]:
    """The names in an expression, in order."""
    match expression:
        case Variable(name=name):
            yield name
        case Operation(operands=inner) | FunctionCall(arguments=inner) | Items(items=inner):
            for one in inner:
                yield from variables(one)
        case Choice(chosen=chosen, condition=condition, otherwise=otherwise):
            for one in (chosen, condition, otherwise):
                yield from variables(one)


# ---- text


def written(expression: Expression) -> str:
    """An expression as Python text."""
    return _written(expression, 0)


def _written(expression: Expression, around: int) -> str:
    match expression:
        case Constant(value=value):
            return _literal(value, around)
        case Variable(name=name):
            return identifier(name)
        case Items(items=items):
            inside = ", ".join(map(written, items))
            return f"({inside},)" if len(items) == 1 else f"({inside})"
        case FunctionCall(name=name, arguments=arguments):
            return f"{_IN_PYTHON[name]}({', '.join(map(written, arguments))})"
        case Choice(chosen=chosen, condition=condition, otherwise=otherwise):
            text = f"{_written(chosen, 1)} if {_written(condition, 1)} else {_written(otherwise, 0)}"
            return f"({text})" if around else text
        case Operation(operators=(sign,), operands=(operand,)):
            own = _PRECEDENCE["not"] if sign == "not" else _OF_SIGNS
            text = f"{sign}{' ' if sign == 'not' else ''}{_written(operand, own)}"
            return f"({text})" if around > own else text
        case Operation(operators=operators, operands=(first, *rest)):
            own = _PRECEDENCE.get(operators[0], _OF_PRODUCTS)
            text = _written(first, own + (own == 4))
            for sign, operand in zip(operators, rest, strict=True):
                text += f" {sign} {_written(operand, own + 1)}"
            return f"({text})" if around > own else text
        case _:
            raise AssertionError(expression)


def operands_of(test: Operation) -> list[str]:
    """The operands of `and` and `or` in a condition, each after its operator; those in parentheses stay together."""
    lines: list[str] = []
    own = _PRECEDENCE[test.operators[0]]
    for sign, operand in zip(("", *(f"{one} " for one in test.operators)), test.operands, strict=True):
        is_inside = (
            isinstance(operand, Operation) and _PRECEDENCE.get(operand.operators[0], 9) in {own + 1, 2} and own == 1
        )
        if is_inside and isinstance(operand, Operation) and operand.operators[0] == "and":
            first, *rest = operands_of(operand)
            lines += [sign + first, *rest]
        else:
            lines.append(sign + _written(operand, own + 1))
    return lines


def _literal(value: Any, around: int) -> str:
    if isinstance(value, tuple):
        return written(Items(tuple(map(Constant, value))))
    if isinstance(value, str):
        return '"' + str(value).encode("unicode_escape").decode().replace('"', '\\"') + '"'
    if isinstance(value, float) and not math.isfinite(value):
        return f'float("{value}")'
    text = repr(value)
    return f"({text})" if text.startswith("-") and around > _OF_PRODUCTS else text


# ---- search


def matches(expression: Expression, column: Sequence[Any], rows: Sequence[Environment]) -> bool:
    """Whether an expression has these values, one for each environment."""
    try:
        return all(
            isinstance(value, Unneeded) or is_same(value_of(expression, row), value)
            for row, value in zip(rows, column, strict=True)
        )
    except UnknownValueError:
        return False


def needed(column: Sequence[Any]) -> list[Any]:
    """The values of a column that calls need; one that does, where none of them does."""
    found = [value for value in column if not isinstance(value, Unneeded)]
    return found or [value.value for value in column[:1]]


def is_constant(column: Sequence[Any]) -> bool:
    """Whether all values that are needed are the same."""
    return all(is_same(first, second) for first, second in pairwise(needed(column)))


def choices(column: Sequence[Any], rows: Sequence[Environment], names: Sequence[str]) -> Iterator[Expression]:
    """One variable or another, depending on a comparison of a third with a number."""
    if len({tuple(sorted((name, str(row.get(name))) for name in names)) for row in rows}) < _LEAST_FOR_CHOICES:
        return
    numbers = [name for name in names if all(type(row.get(name)) is int for row in rows)]
    for tested in numbers:
        values = sorted({row[tested] for row in rows})
        for bound in values[:-1]:
            test = Operation((">",), (Variable(tested), Constant(bound)))
            above = [place for place, row in enumerate(rows) if row[tested] > bound]
            below = [place for place, row in enumerate(rows) if row[tested] <= bound]
            sides = [
                [
                    name
                    for name in numbers
                    if matches(Variable(name), [column[at] for at in places], [rows[at] for at in places])
                ]
                for places in (above, below)
            ]
            if all(sides):
                yield Choice(Variable(sides[0][0]), test, Variable(sides[1][0]))


@cache
def series(values: tuple[float, ...]) -> Expression | None:
    """An expression of the loop's variable that has exactly these values, which grow evenly, in its rounds."""
    step = (values[-1] - values[0]) / (len(values) - 1)
    if not step or not math.isfinite(step):
        return None
    start = round(values[0] / step)
    round_: Expression = Variable(LOOP_VARIABLE)
    place = Operation(("+",), (round_, Constant(start))) if start > 0 else round_
    for divisor in range(1, _LARGEST_DIVISOR + 1):
        factor = Constant(float(f"{step * divisor:.3g}"))
        whole = Operation(("*",), (factor, place))
        for one in (
            *([whole] if divisor == 1 else []),
            Operation(("*", "/"), (factor, place, Constant(divisor))),
            Operation(("*",), (factor, Operation(("/",), (place, Constant(divisor))))),
        ):
            if start >= 0 and matches(one, values, [{LOOP_VARIABLE: number} for number in range(len(values))]):
                return one
    return None


def simple_expressions(column: Sequence[Any], rows: Sequence[Environment]) -> Iterator[Expression]:
    """Expressions of one or two variables that could have these integers as values."""
    pairs = [each for each in zip(column, rows, strict=True) if not isinstance(each[0], Unneeded)]
    column, rows = [value for value, _ in pairs], [row for _, row in pairs]
    if not column or not all(type(value) is int for value in column):
        return
    names = [name for name, first in rows[0].items() if name and type(first) is int]
    names = [name for name in names if not is_constant([row.get(name) for row in rows])]
    value = column[0]
    for name in names:
        first = rows[0][name]
        if value == first // 2:
            yield Operation(("//",), (Variable(name), Constant(2)))
        if first and value % first == 0 and value // first > 1:
            yield Operation(("*",), (Constant(value // first), Variable(name)))
        if value and first % value == 0 and first // value > 1:
            yield Operation(("//",), (Variable(name), Constant(first // value)))
        if value != first:
            sign = "+" if value > first else "-"
            yield Operation((sign,), (Variable(name), Constant(abs(value - first))))
    for one in names:
        yield Operation(("*",), (Variable(one), Variable(one)))
        for other in names:
            if one < other:
                yield Operation(("+",), (Variable(one), Variable(other)))
                yield Operation(("*",), (Variable(one), Variable(other)))
            if one != other:
                yield Operation(("-",), (Variable(one), Variable(other)))
                yield Operation(("//",), (Variable(one), Variable(other)))
