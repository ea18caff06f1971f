"""What the printed source needs to know of modules: the arguments of torch's, and the text of this package's own."""

import ast
import json
import re
from functools import cache
from pathlib import Path
from typing import Any

from attrs import field

from cifar_dsl.foundation.records import frozen

_HERE = Path(__file__).parent
_SIGNATURES = _HERE / "torch_signatures.json"
_LOWERING = _HERE.parents[1] / "training" / "lowering"
_OWN = ("modules.py", "chance_modules.py", "pattern_modules.py", "weight_modules.py")
_TABLES = ("MODULES", "FUNCTIONS")

REQUIRED = "required"  # in place of the default of an argument that has none


@frozen
class Signature:
    """The arguments of a module's constructor in order, each with its default or `REQUIRED`."""

    arguments: dict[str, Any] = field(eq=False)

    def has_default(self, name: str, value: Any) -> bool:
        """Whether an argument may be left out, since this is its default."""
        default = self.arguments.get(name, REQUIRED)
        if isinstance(default, list):
            default = tuple(default)
        if isinstance(value, tuple) and not isinstance(default, tuple):
            return all(one == default and type(one) is type(default) for one in value)
        return bool(default == value) and isinstance(default, bool) == isinstance(value, bool)


@frozen
class Definition:
    """A class or function of this package's modules: its text, and the names that it mentions."""

    name: str
    text: str
    mentions: frozenset[str]
    is_class: bool


@cache
def signatures() -> dict[str, Signature]:
    """The signatures of torch's modules by their full names; tests hold them against torch."""
    table = json.loads(_SIGNATURES.read_text(encoding="utf-8"))
    return {name: Signature(arguments) for name, arguments in table.items()}


@cache
def definitions() -> dict[str, Definition]:
    """The classes and functions of this package's modules, by name, in the order of their text."""
    found: dict[str, Definition] = {}
    for file in _OWN:
        text = (_LOWERING / file).read_text(encoding="utf-8")
        for node in ast.parse(text).body:
            if isinstance(node, ast.ClassDef | ast.FunctionDef):
                found[node.name] = _definition(node, text.splitlines())
    return found


def _definition(node: ast.ClassDef | ast.FunctionDef, lines: list[str]) -> Definition:
    """A definition without what only this package uses: `extra_repr`, comments for linters."""
    hidden: set[int] = set()
    for inner in node.body:
        if isinstance(inner, ast.FunctionDef) and inner.name == "extra_repr":
            hidden |= set(range(inner.lineno - 1, (inner.end_lineno or 0) + 1))  # with the empty line before it
    kept = [lines[number - 1] for number in range(node.lineno, (node.end_lineno or 0) + 1) if number not in hidden]
    text = "\n".join(re.sub(r"  # (noqa|type: ignore).*", "", line) for line in kept)
    mentions = {each.id for each in ast.walk(ast.parse(text)) if isinstance(each, ast.Name)}
    return Definition(node.name, text, frozenset(mentions), isinstance(node, ast.ClassDef))


@cache
def own_classes() -> dict[str, str]:
    """The name of the class for each key that an operation is lowered to."""
    found: dict[str, str] = {}
    for file in _OWN:
        for node in ast.parse((_LOWERING / file).read_text(encoding="utf-8")).body:
            if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.target.id in _TABLES:
                assert isinstance(node.value, ast.Dict)
                for key, value in zip(node.value.keys, node.value.values, strict=True):
                    assert isinstance(key, ast.Constant)
                    assert isinstance(value, ast.Name)
                    found[str(key.value)] = value.id
    return found


def needed(names: set[str]) -> list[Definition]:
    """The definitions of these names, and of all that they use, each after what it inherits from."""
    known = definitions()
    waiting, found = [*names], set[str]()
    while waiting:
        name = waiting.pop()
        if name in known and name not in found:
            found.add(name)
            waiting += known[name].mentions
    return [definition for name, definition in known.items() if name in found]


def function_of_initialization(name: str) -> str:
    """The text of one of the functions that fill weights."""
    text = (_LOWERING / "initialization.py").read_text(encoding="utf-8")
    (found,) = (node for node in ast.parse(text).body if isinstance(node, ast.FunctionDef) and node.name == name)
    return "\n".join(text.splitlines()[found.lineno - 1 : found.end_lineno])


def starts_empty(target: str) -> bool:
    """Whether the tensors of a module of this package have no initial values of their own."""
    own = own_classes().get(target)
    return own is not None and "torch.empty" in definitions()[own].text


def own_parameters(name: str) -> list[str]:
    """The arguments of the constructor of one of this package's classes."""
    constructor, base = _constructor_and_base(name)
    own = [one.arg for one in constructor.args.args][1:] if constructor else []
    if constructor and constructor.args.kwarg is None:
        return own
    if base in definitions():
        return own + own_parameters(base)
    return own + ([*signatures()[base].arguments] if base in signatures() else [])


@cache
def torch_class(target: str) -> str:
    """The class of torch whose arguments a module takes: itself, or a base that gets all further arguments."""
    if target not in own_classes():
        return target
    constructor, base = _constructor_and_base(own_classes()[target])
    return base if constructor is not None and constructor.args.kwarg is not None and base in signatures() else ""


def _constructor_and_base(name: str) -> tuple[ast.FunctionDef | None, str]:
    """The constructor of one of this package's classes, if it has one, and the name of its first base."""
    found = ast.parse(definitions()[name].text).body[0]
    assert isinstance(found, ast.ClassDef)
    functions = (one for one in found.body if isinstance(one, ast.FunctionDef) and one.name == "__init__")
    base = ast.unparse(found.bases[0]) if found.bases else ""
    return next(functions, None), base if base in definitions() else f"torch.{base}"
