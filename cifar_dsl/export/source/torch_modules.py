"""What the printed source needs to know of modules: the arguments of torch's, and the text of this package's own."""

import ast
import json
import re
from functools import cache
from pathlib import Path
from typing import Any

from cifar_dsl.export.source.layout import WIDTH, docstring
from cifar_dsl.foundation.records import field, frozen

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
    """A class or function of this package's modules, and its text."""

    name: str
    text: str
    is_class: bool

    @property
    def mentions(self) -> set[str]:
        """The names in it."""
        return {each.id for each in ast.walk(ast.parse(self.text)) if isinstance(each, ast.Name)}


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
        lines, statements = _read(file)
        for node in statements:
            if isinstance(node, ast.ClassDef | ast.FunctionDef):
                found[node.name] = Definition(node.name, _text(node, lines), isinstance(node, ast.ClassDef))
    return found


@cache
def _read(file: str) -> tuple[list[str], list[ast.stmt]]:
    """The lines and statements of a file with modules."""
    text = (_LOWERING / file).read_text(encoding="utf-8")
    return text.splitlines(), ast.parse(text).body


def _text(node: ast.ClassDef | ast.FunctionDef, lines: list[str]) -> str:
    """A definition without what only this package uses: `extra_repr`, comments for linters, and long lines."""
    replaced: dict[int, list[str]] = {}  # by the number of the first line; the others become none
    for inner in node.body:
        if isinstance(inner, ast.FunctionDef) and inner.name == "extra_repr":
            replaced |= {number: [] for number in _lines_of(inner, before=1)}
    for each in ast.walk(node):
        if isinstance(each, ast.ClassDef | ast.FunctionDef) and (text := ast.get_docstring(each)):
            numbers = [*_lines_of(each.body[0])]
            if any(len(lines[number - 1]) > WIDTH for number in numbers):
                replaced |= {number: [] for number in numbers}
                replaced[numbers[0]] = docstring(text, " " * each.body[0].col_offset)
    kept = (line for number in _lines_of(node) for line in replaced.get(number, [lines[number - 1]]))
    return "\n".join(re.sub(r"  # (noqa|type: ignore).*", "", line) for line in kept)


def _lines_of(node: ast.stmt, before: int = 0) -> range:
    """The numbers of a statement's lines, with some before it."""
    return range(node.lineno - before, (node.end_lineno or 0) + 1)


@cache
def own_classes() -> dict[str, str]:
    """The name of the class for each key that an operation is lowered to."""
    found: dict[str, str] = {}
    for file in _OWN:
        for node in _read(file)[1]:
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
    lines, statements = _read("initialization.py")
    (found,) = (node for node in statements if isinstance(node, ast.FunctionDef) and node.name == name)
    return _text(found, lines)


def starts_of(target: str) -> dict[str, str]:
    """By the name of each tensor that a module of this package makes itself, the function of torch that fills it."""
    own = own_classes().get(target)
    if own is None:
        return {}
    return dict(re.findall(r"self\.(\w+) = nn\.Parameter\(torch\.(\w+)\(", definitions()[own].text))


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
def own_defaults(target: str) -> dict[str, Any]:
    """The defaults of a constructor's arguments; none for modules that aren't this package's."""
    if target not in own_classes():
        return {}
    constructor, _ = _constructor_and_base(own_classes()[target])
    if constructor is None:
        return {}
    arguments, defaults = constructor.args.args, constructor.args.defaults
    with_default = arguments[len(arguments) - len(defaults) :]
    return {one.arg: ast.literal_eval(value) for one, value in zip(with_default, defaults, strict=True)}


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
