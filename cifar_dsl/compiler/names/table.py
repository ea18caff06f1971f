"""The table of names: mention -> definition, and back."""

from collections.abc import Iterable
from functools import cached_property
from typing import Literal

from cifar_dsl.foundation.records import frozen
from cifar_dsl.language.source import Span
from cifar_dsl.language.syntax import nodes

Kind = Literal[
    "param",
    "block",
    "parameter",
    "let",
    "loop variable",
    "layer",
    "join",
    "function",
    "initialiser",
    "flow",
    "dataset",
    "budget",
    "word",
    "argument",
    "setting",
    "choice",
    "base",
    "unknown",
]
_GLOBAL = frozenset(["param", "block", "flow", "dataset", "budget", "word", "unknown"])
_LOCAL = frozenset(["let", "loop variable"])
_OF_LANGUAGE = frozenset(["layer", "join", "function", "initialiser", "argument", "setting", "choice", "base"])


@frozen(eq=False)
class Definition:
    """The meaning of a name.

    | kind | what | owner |
    | --- | --- | --- |
    | param, block | of the spec, a base or the library | |
    | parameter | of a block | the block |
    | let, loop variable | in a body | |
    | layer, join, function, initialiser | of the language | |
    | flow | `in_channels` and the like, of the current tensor | |
    | dataset | `classes`, of the dataset | |
    | budget | `params` or `macs` in an `assert` | |
    | word | a bare word that is a value: `same`, or a word of a parameter's type | |
    | argument | of a layer, an initialiser or a choice | its callee, `setting.choice`, or `setting` |
    | setting | of `train` or a group | train, group |
    | choice | of a setting | the setting |
    | base | the spec that the header extends | |
    | unknown | undefined | |

    `span` is where the text defines the name, `scope` the part of the text in which it is visible and `node` the tree
    of the definition; all are None for built-in names. `scope` is None, too, for params and blocks: the whole spec.
    """

    kind: Kind
    name: str
    owner: str = ""
    span: Span | None = None
    scope: Span | None = None
    node: nodes.Param | nodes.Block | nodes.BlockParameter | nodes.Let | nodes.For | None = None

    @property
    def key(self) -> tuple[object, ...]:
        """Equal for two definitions of the same thing.

        A spec redefines the params and blocks of its bases, and a base may use a name that only a spec on top of it
        defines: such a name is one thing in all files, whichever of them defines it.
        """
        if self.kind in _GLOBAL:
            return ("global", self.name)
        return (self.name, self.span) if self.kind in _LOCAL else (self.kind, self.name, self.owner)

    @property
    def is_local(self) -> bool:
        """Whether a body defines it."""
        return self.kind in _LOCAL

    @property
    def is_of_language(self) -> bool:
        """Whether it is built in, so that no text defines it."""
        return self.kind in _OF_LANGUAGE


@frozen(eq=False)
class Mention:
    """A use or definition of a name. `call`: the call, argument or setting that starts with the name, or the name."""

    span: Span
    definition: Definition
    call: Span
    is_definition: bool = False


class Names:
    """The names of a program or of one file.

    `definitions` maps the span of each mention to its definition.
    """

    def __init__(self, mentions: Iterable[Mention] = ()) -> None:
        self.mentions = tuple(mentions)
        self.definitions = {mention.span: mention.definition for mention in self.mentions}

    @cached_property
    def _by_key(self) -> dict[tuple[object, ...], list[Mention]]:
        found: dict[tuple[object, ...], list[Mention]] = {}
        for mention in self.mentions:
            found.setdefault(mention.definition.key, []).append(mention)
        return found

    def mentions_of(self, definition: Definition) -> list[Mention]:
        """All mentions of one thing, including its definitions."""
        return self._by_key.get(definition.key, [])

    def uses_of(self, definition: Definition) -> list[Mention]:
        """All mentions of one thing, without its definitions."""
        return [mention for mention in self.mentions_of(definition) if not mention.is_definition]

    def at(self, offset: int) -> Mention | None:
        """The mention that contains or ends at the offset, in a table of one file."""
        touching = [mention for mention in self.mentions if mention.span.start <= offset <= mention.span.end]
        return touching[-1] if touching else None

    def visible_at(self, offset: int) -> dict[str, Definition]:
        """The local names that are visible at an offset, in a table of one file; inner names hide outer ones."""
        return {
            mention.definition.name: mention.definition
            for mention in self.mentions
            if mention.is_definition
            and (scope := mention.definition.scope) is not None
            and scope.start < offset <= scope.end
        }


def definitions_of(items: Iterable[object]) -> dict[str, Definition]:
    """The params and blocks among the items, by name; the first definition counts."""
    found: dict[str, Definition] = {}
    for item in items:
        if isinstance(item, nodes.Param | nodes.Block) and item.name.text:
            kind: Kind = "param" if isinstance(item, nodes.Param) else "block"
            found.setdefault(item.name.text, Definition(kind, item.name.text, span=item.name.span, node=item))
    return found
