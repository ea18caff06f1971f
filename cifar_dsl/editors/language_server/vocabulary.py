"""What the words of the language mean, and what they take: the declarations, and blocks by their heads, for people."""

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
from cifar_dsl.operations.argument_types import Bool, ListOf, OneOf, written
from cifar_dsl.operations.layers import INITIALIZERS, JOINS, LAYERS
from cifar_dsl.operations.recipe import GROUP_SETTINGS, SETTINGS, Setting
from cifar_dsl.operations.registry import CallOf, Registry


@frozen
class Argument:
    """What a call takes. `text` is how a head shows it; `kind` is that of a declaration, `types` those of a block."""

    name: str
    text: str
    takes: str = ""
    doc: str = ""
    kind: Kind | None = None
    types: tuple[str, ...] = ()

    def markdown(self) -> str:
        """Its name, what it takes and what it is."""
        said = "; ".join(part for part in (self.doc, self.takes) if part)
        return f"`{self.name}`: {said}" if said else f"`{self.name}`"


@frozen
class Entry:
    """A word that can be called or said by itself. `noun` is what people call such a thing."""

    name: str
    noun: str
    doc: str = ""
    arguments: tuple[Argument, ...] = ()
    head: str = ""
    is_called: bool = True  # whether it ever takes arguments

    def label(self) -> str:
        """How it is called, on one line."""
        inside = ", ".join(argument.text for argument in self.arguments)
        return f"{self.name}({inside})" if self.arguments or self.is_called else self.name

    def needs_arguments(self) -> bool:
        """Whether it can't be said without arguments."""
        return any("=" not in argument.text for argument in self.arguments)

    def markdown(self) -> Iterator[str]:
        """Head, meaning and arguments."""
        yield code(self.head or self.label())
        yield self.doc
        yield "\n".join(f"- {argument.markdown()}" for argument in self.arguments if argument.takes)

    def argument(self, name: str) -> Argument | None:
        """The argument of this name."""
        return next((argument for argument in self.arguments if argument.name == name), None)


def layer(name: str) -> Entry | None:
    """What the layer or join of this name is."""
    if name in LAYERS:
        return declared(LAYERS, name)
    return declared(JOINS, name) if name in JOINS else None


def initialiser(name: str) -> Entry | None:
    """What the initialiser of this name is."""
    return declared(INITIALIZERS, name) if name in INITIALIZERS else None


def choice(setting: str, name: str) -> Entry | None:
    """What a choice of a setting is."""
    registry = SETTINGS[setting].registry if setting in SETTINGS else None
    return declared(registry, name) if registry is not None and name in registry else None


@cache
def declared(registry: Registry[Any], name: str) -> Entry:
    """What is declared under a name."""
    declaration: type[Declaration] = registry[name]
    arguments = tuple(
        Argument(
            info.name,
            info.name if info.is_required else f"{info.name}={written(info.default, info.kind)}",
            info.kind.describe(),
            info.doc,
            info.kind,
        )
        for info in arguments_of(declaration)
    )
    head = f"{name} {{ ... | ... }}" if registry is JOINS else ""
    doc = inspect.cleandoc(declaration.__doc__ or "")
    return Entry(name, registry.noun, doc, arguments, head, is_called=bool(arguments))


def block(definition: Definition) -> Entry:
    """What a block is, by its head and the comment above it."""
    assert isinstance(definition.node, nodes.Block)
    arguments = tuple(
        Argument(one.name.text, one.span.text, types=tuple(map(str, one.types))) for one in definition.node.parameters
    )
    return Entry(definition.name, "block", plain_text(comment(definition)), arguments, head(definition))


def head(definition: Definition) -> str:
    """What the text defines a name with, without the body of a block or loop."""
    node = definition.node
    assert node is not None
    end = node.body.span.start if isinstance(node, nodes.Block | nodes.For) else node.span.end
    return node.span.source.text[node.span.start : end].rstrip()


def comment(definition: Definition) -> str:
    """The comment above a param or block."""
    node = definition.node
    return comment_above(node.span.source.text, node.span.start) if node else ""


def called(definition: Definition) -> Entry | None:
    """What a call of a name calls; None where that isn't known."""
    match definition.kind:
        case "block":
            return block(definition)
        case "layer" | "join":
            return layer(definition.name)
        case "initialiser":
            return initialiser(definition.name)
        case "function":
            return function(definition.name)
        case "choice":
            return choice(definition.owner, definition.name)
        case _:
            return None


@cache
def function(name: str) -> Entry | None:
    """What a function is."""
    if name not in FUNCTIONS:
        return None
    found = FUNCTIONS[name]
    arguments = tuple(Argument(x, x) for x in found.parameters.split(", "))
    return Entry(name, "function", f"{found.doc[0].upper()}{found.doc[1:]}.", arguments)


def setting(name: str, place: str) -> Setting | None:
    """The setting of this name, of `train` or of a `group`."""
    return (GROUP_SETTINGS if place == "group" else SETTINGS).get(name)


def setting_markdown(info: Setting) -> Iterator[str]:
    """What a setting is, takes, and is where nothing is said."""
    yield f"{info.doc[0].upper()}{info.doc[1:]}."
    if info.registry is not None:
        names = ", ".join(f"`{name}`" for name in info.registry)
        yield f"Takes some of {names}, joined by `->`, or `none`." if info.is_chain else f"Takes one of {names}."
    elif info.kind is not None:
        yield f"Takes {info.kind.describe()}."
    match info.default:
        case None:
            yield "It must be said."
        case Declaration():
            yield f"Default: `{info.default.brief()}`."
        case tuple():
            yield "Default: `none`."
        case bool():
            yield f"Default: `{str(info.default).lower()}`."
        case _:
            yield f"Default: {info.default}."


def words_of(kind: Kind | None) -> list[Entry]:
    """The words that an argument of a kind takes."""
    match kind:
        case None:
            return []
        case Bool():
            return [Entry(word, "truth", is_called=False) for word in ("true", "false")]
        case CallOf():
            return [declared(kind.registry, name) for name in kind.symbols()]
        case OneOf():
            return [entry for one in kind.kinds for entry in words_of(one)]
        case ListOf():
            return words_of(kind.item)
        case _:
            return [Entry(word, "word", is_called=False) for word in kind.symbols()]


def words_of_types(types: Sequence[str]) -> list[Entry]:
    """The words that a parameter of a block takes; not the blocks that one of type `block` does."""
    found = [Entry(word, "word", is_called=False) for word in types if word not in TYPES and word != "|"]
    if "bool" in types:
        found += words_of(Bool())
    if "init" in types:
        found += [declared(INITIALIZERS, name) for name in INITIALIZERS]
    return found
