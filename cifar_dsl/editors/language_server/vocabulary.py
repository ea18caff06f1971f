"""Documentation of the language's words: their meaning and arguments, from the registries and from blocks."""

import inspect
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

from cifar_dsl.compiler.builtin_names import FUNCTIONS
from cifar_dsl.compiler.names import Definition
from cifar_dsl.compiler.types import TYPES
from cifar_dsl.editors.language_server.markdown import code, plain_text
from cifar_dsl.foundation.records import frozen
from cifar_dsl.ir import Declaration, Kind, arguments_of
from cifar_dsl.language.source import comment_above
from cifar_dsl.language.syntax import nodes
from cifar_dsl.operations.argument_types import Bool, ListOf, OneOf
from cifar_dsl.operations.layers import INITIALIZERS, JOINS, LAYERS, SCOPES, value_registry
from cifar_dsl.operations.recipe import GROUP_SETTINGS, SETTINGS, Setting
from cifar_dsl.operations.registry import CallOf, Registry
from cifar_dsl.views.reference import argument_text, signature


@frozen
class Argument:
    """An argument of a call. `text` is its part of the signature; declarations have a `kind`, blocks have `types`."""

    name: str
    text: str
    accepts: str = ""
    doc: str = ""
    kind: Kind | None = None
    types: tuple[str, ...] = ()

    @property
    def description(self) -> str:
        """Its meaning and the values that it accepts."""
        return "; ".join(part for part in (self.doc, self.accepts) if part)

    def markdown(self) -> str:
        """Its name and description."""
        return f"`{self.name}`: {self.description}" if self.description else f"`{self.name}`"


@frozen
class Entry:
    """A word of the language or a block. `noun` names its category: layer, block, function ..."""

    name: str
    noun: str
    doc: str = ""
    arguments: tuple[Argument, ...] = ()
    head: str = ""
    is_callable: bool = True

    def signature(self) -> str:
        """The name and the arguments of a call, on one line."""
        arguments = ", ".join(argument.text for argument in self.arguments)
        return f"{self.name}({arguments})" if self.arguments or self.is_callable else self.name

    def requires_arguments(self) -> bool:
        """Whether a call must pass arguments."""
        return any("=" not in argument.text for argument in self.arguments)

    def markdown(self) -> Iterator[str]:
        """Head, meaning and arguments."""
        yield code(self.head or self.signature())
        yield self.doc
        yield "\n".join(f"- {argument.markdown()}" for argument in self.arguments if argument.accepts)

    def argument(self, name: str) -> Argument | None:
        """The argument with this name."""
        return next((argument for argument in self.arguments if argument.name == name), None)


def layer(name: str) -> Entry | None:
    """The layer, join or scope with this name."""
    registries: tuple[Registry[Any], ...] = (LAYERS, JOINS, SCOPES)
    return next((declared(registry, name) for registry in registries if name in registry), None)


def value(name: str) -> Entry | None:
    """The initialiser or weight function with this name."""
    registry = value_registry(name)
    return declared(registry, name) if registry else None


def choice(setting: str, name: str) -> Entry | None:
    """The choice with this name of a setting, such as `adam` of `optimizer`."""
    registry = SETTINGS[setting].registry if setting in SETTINGS else None
    return declared(registry, name) if registry is not None and name in registry else None


@cache
def declared(registry: Registry[Any], name: str) -> Entry:
    """The declaration registered under a name."""
    declaration: type[Declaration] = registry[name]
    arguments = tuple(
        Argument(
            info.name,
            argument_text(info),
            info.kind.describe(),
            info.doc,
            info.kind,
        )
        for info in arguments_of(declaration)
    )
    doc = inspect.cleandoc(declaration.__doc__ or "")
    return Entry(name, registry.noun, doc, arguments, signature(declaration), is_callable=bool(arguments))


def block(definition: Definition) -> Entry:
    """A block, documented by its head and the comment above it."""
    assert isinstance(definition.node, nodes.Block)
    arguments = tuple(
        Argument(one.name.text, one.span.text, types=tuple(map(str, one.types))) for one in definition.node.parameters
    )
    return Entry(definition.name, "block", plain_text(comment(definition)), arguments, head(definition))


def head(definition: Definition) -> str:
    """The text of a definition, without the body of a block or loop; the name of an axis of a pattern."""
    node = definition.node
    if node is None:
        return definition.name
    end = node.body.span.start if isinstance(node, nodes.Block | nodes.For) else node.span.end
    return node.span.source.text[node.span.start : end].rstrip()


def comment(definition: Definition) -> str:
    """The comment above a param or block."""
    node = definition.node
    return comment_above(node.span.source.text, node.span.start) if node else ""


def callee(definition: Definition) -> Entry | None:
    """The entry of a name that can be called; None for other names."""
    match definition.kind:
        case "block":
            return block(definition)
        case "layer" | "join" | "scope":
            return layer(definition.name)
        case "initialiser" | "weight function":
            return value(definition.name)
        case "function":
            return function(definition.name)
        case "choice":
            return choice(definition.owner, definition.name)
        case _:
            return None


@cache
def function(name: str) -> Entry:
    """The function with this name."""
    declared_function = FUNCTIONS[name]
    arguments = tuple(Argument(x, x) for x in declared_function.parameters.split(", "))
    return Entry(name, "function", f"{declared_function.doc[0].upper()}{declared_function.doc[1:]}.", arguments)


def setting(name: str, place: str) -> Setting | None:
    """The setting with this name, of `train` or of a `group`."""
    return (GROUP_SETTINGS if place == "group" else SETTINGS).get(name)


def setting_markdown(info: Setting) -> Iterator[str]:
    """The meaning, the values and the default of a setting."""
    yield f"{info.doc[0].upper()}{info.doc[1:]}."
    if info.registry is not None:
        names = ", ".join(f"`{name}`" for name in info.registry)
        yield f"Takes some of {names}, joined by `->`, or `none`." if info.is_chain else f"Takes one of {names}."
    elif info.kind is not None:
        yield f"Takes {info.kind.describe()}."
    match info.default:
        case None:
            yield "Required."
        case Declaration():
            yield f"Default: `{info.default.brief()}`."
        case tuple():
            yield "Default: `none`."
        case bool():
            yield f"Default: `{str(info.default).lower()}`."
        case _:
            yield f"Default: {info.default}."


def words_of(kind: Kind | None) -> list[Entry]:
    """The words that an argument of a kind accepts."""
    match kind:
        case None:
            return []
        case Bool():
            return [Entry(word, "word", is_callable=False) for word in ("true", "false")]
        case CallOf():
            return [declared(kind.registry, name) for name in kind.symbols()]
        case OneOf():
            return [entry for one in kind.kinds for entry in words_of(one)]
        case ListOf():
            return words_of(kind.item)
        case _:
            return [Entry(word, "word", is_callable=False) for word in kind.symbols()]


def words_of_types(types: Sequence[str]) -> list[Entry]:
    """The words that a block parameter accepts, except the blocks that one of type `block` accepts."""
    words = [Entry(word, "word", is_callable=False) for word in types if word not in TYPES and word != "|"]
    if "bool" in types:
        words += words_of(Bool())
    if "init" in types:
        words += [declared(INITIALIZERS, name) for name in INITIALIZERS]
    return words
