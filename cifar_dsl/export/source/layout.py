"""Lines of Python, as ruff formats them.

A call is on one line where it fits; else its arguments are on a line of their own, or on one each.
"""

import keyword
import re

from cifar_dsl.foundation.records import frozen

WIDTH = 88
INDENT = "    "


_TAKEN = frozenset({"self", "torch", "nn", "F", "i", "range", "super"})
_NO_BREAK = "\N{NO-BREAK SPACE}"
LOOP_VARIABLE = "<i>"  # no name of a spec


def identifier(name: str) -> str:
    """A name of a spec as one of Python."""
    if name == LOOP_VARIABLE:
        return "i"
    return f"{name}_" if keyword.iskeyword(name) or name in _TAKEN else name


@frozen
class Call:
    """A call of a class: `function(a, b, name=c)`; positional arguments have an empty name."""

    function: str
    arguments: "tuple[tuple[str, Call | str], ...]" = ()

    def __str__(self) -> str:
        return f"{self.function}({', '.join(_argument(name, value) for name, value in self.arguments)})"


def _argument(name: str, value: "Call | str") -> str:
    return f"{name}={value}" if name else f"{value}"


def lines_of(before: str, value: Call | str, after: str = "", comment: str = "") -> list[str]:
    """The lines of `before value after`, where `before` begins with the indentation."""
    line = f"{before}{value}{after}"
    if len(line) > WIDTH and isinstance(value, str):
        value = Call("", tuple(("", element) for element in _elements(value)))
    if len(line) <= WIDTH or isinstance(value, str) or not value.arguments:
        return [_commented(line, comment)]
    indent = before[: len(before) - len(before.lstrip())]
    inside = f"{indent}{INDENT}{', '.join(_argument(name, argument) for name, argument in value.arguments)}"
    if value.function and len(inside) <= WIDTH:
        return [f"{before}{value.function}(", inside, _commented(f"{indent}){after}", comment)]
    lines = [f"{before}{value.function}("]
    for name, argument in value.arguments:
        lines += lines_of(indent + INDENT + (f"{name}=" if name else ""), argument, ",")
    return [*lines, _commented(f"{indent}){after}", comment)]


def conditional_lines(before: str, call: Call, absent: str) -> list[str]:
    """The lines of `before call if self.training else absent`."""
    line = f"{before}{call} if self.training else {absent}"
    if len(line) <= WIDTH:
        return [line]
    indent = before[: len(before) - len(before.lstrip())]
    inner = f"{indent}{INDENT}{call} if self.training else {absent}"
    if len(inner) <= WIDTH:
        return [f"{before}(", inner, f"{indent})"]
    rest = [f"{indent}{INDENT}if self.training", f"{indent}{INDENT}else {absent}", f"{indent})"]
    return [f"{before}(", *lines_of(indent + INDENT, call), *rest]


def _elements(text: str) -> list[str]:
    """The elements of a tuple of several, as texts; none of another text."""
    import ast

    tree = ast.parse(text, mode="eval").body
    if not isinstance(tree, ast.Tuple) or len(tree.elts) < 2:
        return []
    return [ast.get_source_segment(text, element) or "" for element in tree.elts]


def _commented(line: str, comment: str) -> str:
    with_comment = f"{line}  # {comment}"
    return with_comment if comment and len(with_comment) <= WIDTH else line


def header(name: str, parameters: list[str], result: str, indent: str = "") -> list[str]:
    """The lines of `def name(parameters) -> result:`."""
    line = f"{indent}def {name}({', '.join(parameters)}) -> {result}:"
    if len(line) <= WIDTH:
        return [line]
    together = f"{indent}{INDENT}{', '.join(parameters)}"
    inside = [together] if len(together) <= WIDTH else [f"{indent}{INDENT}{parameter}," for parameter in parameters]
    return [f"{indent}def {name}(", *inside, f"{indent}) -> {result}:"]


def docstring(text: str, indent: str) -> list[str]:
    """The lines of a docstring. Its text may be a stranger's comment, and stays inside the quotes."""
    import textwrap

    printable = "".join(one if one.isprintable() or one == "\n" else " " for one in text)
    whole = re.sub(r"\([^()]{,40}\)", lambda found: found[0].replace(" ", _NO_BREAK), printable)  # such as (N, C, H, W)
    paragraphs = whole.replace("\\", "\\\\").replace('"', "'").split("\n\n")
    lines = textwrap.wrap(paragraphs[0], WIDTH - len(indent) - 6) or [""]
    for paragraph in paragraphs[1:]:
        lines += ["", *textwrap.wrap(paragraph, WIDTH - len(indent))]
    lines = [line.replace(_NO_BREAK, " ") for line in lines]
    if len(lines) == 1:
        return [f'{indent}"""{lines[0]}"""']
    return [f'{indent}"""{lines[0]}', *(f"{indent}{line}" if line else "" for line in lines[1:]), f'{indent}"""']
