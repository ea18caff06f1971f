"""Reads the pickles of CIFAR's Python version as data: nothing is imported, and nothing is called.

A pickle is a program for a small stack machine. `pickletools` decodes its instructions; this executes those that
build dictionaries, lists, tuples, numbers and texts, and represents whatever another instruction would import or call
by a `Made`. Any other instruction is an error. Hostile ones can cost no more than their number and bytes: there is a
limit for instructions, the keys of a dictionary are texts, and the arguments of a call are a tuple.
"""

import pickletools
import warnings
from typing import Any

from cifar_dsl.foundation.records import define

_INSTRUCTIONS = 1_000_000  # the largest published member has about 200,000


@define
class Made:
    """What a pickle would import or call: the name, the arguments of the call, and the state that it would set."""

    name: str
    arguments: tuple[object, ...] = ()
    state: object = None


class _Mark:
    """Where the items of a list, a tuple or a dictionary begin on the stack."""


def read_pickle(content: bytes) -> object:
    """The value of a pickle, in which texts of Python 2 are bytes. Raises ValueError, whatever is wrong with it."""
    stack: list[Any] = []
    memo: dict[int, Any] = {}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pickletools decodes texts as Python's, escapes included
            for count, (opcode, argument, _) in enumerate(pickletools.genops(content)):
                if opcode.name == "STOP":
                    return stack.pop()
                if count == _INSTRUCTIONS:
                    raise ValueError(f"a pickle has more than {_INSTRUCTIONS:,} instructions")
                _execute(opcode.name, argument, stack, memo)
    except (IndexError, KeyError, StopIteration, TypeError, AttributeError, RecursionError, MemoryError) as error:
        raise ValueError(f"a pickle is damaged: {type(error).__name__}") from error
    raise ValueError("a pickle has no end")


def _execute(name: str, argument: Any, stack: list[Any], memo: dict[int, Any]) -> None:
    """Execute one instruction. Raises ValueError if it isn't one that builds plain values."""
    match name:
        case "PROTO" | "FRAME":
            pass
        case "SHORT_BINSTRING" | "BINSTRING":  # a text of Python 2, which pickletools decodes as Latin-1
            stack.append(argument.encode("latin-1"))
        case "BININT" | "BININT1" | "BININT2" | "LONG1" | "BINUNICODE" | "SHORT_BINUNICODE":
            stack.append(argument)
        case "NONE" | "NEWTRUE" | "NEWFALSE":
            stack.append({"NONE": None, "NEWTRUE": True, "NEWFALSE": False}[name])
        case "EMPTY_DICT" | "EMPTY_LIST" | "EMPTY_TUPLE" | "MARK":
            stack.append({"EMPTY_DICT": dict, "EMPTY_LIST": list, "EMPTY_TUPLE": tuple, "MARK": _Mark}[name]())
        case "TUPLE1" | "TUPLE2" | "TUPLE3":
            stack.append(tuple(stack.pop() for _ in range(int(name[-1])))[::-1])
        case "TUPLE":
            stack.append(tuple(_popped(stack)))
        case "APPEND":
            _extend(stack, [stack.pop()])
        case "APPENDS":
            _extend(stack, _popped(stack))
        case "SETITEM":
            _update(stack, [stack.pop(), stack.pop()][::-1])
        case "SETITEMS":
            _update(stack, _popped(stack))
        case "BINPUT" | "LONG_BINPUT":
            memo[argument] = stack[-1]
        case "BINGET" | "LONG_BINGET":
            stack.append(memo[argument])
        case "GLOBAL":  # would import
            stack.append(Made(argument))
        case "REDUCE":  # would call
            match stack.pop(), stack.pop():
                case tuple(arguments), Made(callee):
                    stack.append(Made(callee, arguments))
                case _:  # turning other arguments into a tuple would copy them
                    raise ValueError("a pickle has a call whose arguments are not a tuple")
        case "BUILD":  # would set the state of an object
            state = stack.pop()
            stack[-1].state = state
        case _:
            raise ValueError(f"a pickle contains the instruction {name}, which a dataset doesn't need")


def _extend(stack: list[Any], items: list[Any]) -> None:
    target: list[Any] = stack[-1]
    target.extend(items)


def _update(stack: list[Any], items: list[Any]) -> None:
    target: dict[Any, Any] = stack[-1]
    if not all(isinstance(key, str | bytes) for key in items[::2]):  # hashing a deep tuple overflows the C stack
        raise ValueError("a pickle has a dictionary with a key that is not a text")
    target.update(zip(items[::2], items[1::2], strict=True))


def _popped(stack: list[Any]) -> list[Any]:
    """The items after the last mark, which are taken from the stack with it."""
    start = next(index for index in reversed(range(len(stack))) if isinstance(stack[index], _Mark))
    items = stack[start + 1 :]
    del stack[start:]
    return items
