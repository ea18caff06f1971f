"""The Python API: a page with every public name, its signature and its docstring."""

import inspect
import re
from collections.abc import Iterator
from typing import Any

import attrs

import cifar_dsl
from website.tree import Page, page

_ORDER = ("Functions", "Classes", "Events", "Exceptions")
_SHORT = 88  # characters of a signature on one line
_QUOTES = re.compile(r"(?<!= )'([^']*)'")  # of a type; those of a default stay
_ITEM = re.compile(r"^    (\w+): ", re.MULTILINE)  # of a section such as Attributes or Raises
_HEAD = re.compile(r"^(\w+):\n(?=    )", re.MULTILINE)
_MODULES = re.compile(r"\b(?:[a-z_]+\.)+(?=[A-Z])")


def pages() -> Iterator[Page]:
    """The page."""
    kinds: dict[str, list[str]] = {kind: [] for kind in _ORDER}
    for name in sorted(cifar_dsl.__all__, key=str.lower):
        if name != "__version__":
            value = getattr(cifar_dsl, name)
            kinds[_kind(value)].append(_entry(name, value))
    text = "# Python API: signatures\n\nEvery public name of `cifar_dsl`. [api.md](/api.md) shows how to use them.\n\n"
    yield page("python.md", text + "\n".join(f"## {kind}\n\n" + "\n".join(kinds[kind]) for kind in _ORDER))


def _kind(value: Any) -> str:
    if not inspect.isclass(value):
        return "Functions" if inspect.isfunction(value) else "Events"
    if issubclass(value, BaseException):
        return "Exceptions"
    return "Events" if value.__module__ == "cifar_dsl.training.events" else "Classes"


def _entry(name: str, value: Any) -> str:
    head = f"### `{name}`\n\n"
    if inspect.isfunction(value):
        return head + _code(f"cifar_dsl.{name}", inspect.signature(value)) + _docs(value)
    if not inspect.isclass(value):  # a type alias
        return head + f"```python\n{name} = {_plain(str(value))}\n```\n"
    base = f" Subclass of `{value.__bases__[0].__name__}`." if issubclass(value, BaseException) else ""
    fields = [f"    {field.name}: {_plain(_written(field.type))}" for field in _fields(value)]
    shown = "```python\n" + "\n".join([f"class {name}:", *fields]) + "\n```\n" if fields else ""
    return head + shown + _docs(value) + base + "\n" + "".join(_members(value))


def _fields(value: type) -> list[Any]:
    found = attrs.fields(value) if hasattr(value, "__attrs_attrs__") else ()
    return [field for field in found if not field.name.startswith("_")]


def _members(value: type) -> Iterator[str]:
    """The public methods and properties that a class documents itself."""
    for name, member in vars(value).items():
        if name.startswith("_") or not inspect.getdoc(member) or isinstance(member, type):
            continue
        function = getattr(member, "fget", None) or getattr(member, "func", None) or getattr(member, "__func__", member)
        if not inspect.isfunction(function):
            continue
        found = inspect.signature(function)
        if function is member or isinstance(member, classmethod):
            own = list(found.parameters.values())[1:]
            yield (
                f"**`{value.__name__}.{name}`**\n\n" + _code(name, found.replace(parameters=own)) + _docs(member) + "\n"
            )
        else:
            yield f"**`{value.__name__}.{name}`**: `{_plain(_written(found.return_annotation))}`\n\n{_docs(member)}\n"


def _code(name: str, found: inspect.Signature) -> str:
    text = name + _plain(str(found))
    if len(text) > _SHORT:
        parameters = "".join(f"    {_plain(str(each))},\n" for each in found.parameters.values())
        text = f"{name}(\n{parameters}) -> {_plain(_written(found.return_annotation))}"
    return f"```python\n{text}\n```\n\n"


def _written(annotation: Any) -> str:
    return annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)


def _plain(text: str) -> str:
    """A signature without the quotes and modules of its types."""
    return _MODULES.sub("", _QUOTES.sub(r"\1", text))


def _docs(value: Any) -> str:
    text = (inspect.getdoc(value) or "").replace("<", "&lt;") + "\n"
    return _ITEM.sub(r"- `\1`: ", _HEAD.sub(r"\1:\n\n", text))
