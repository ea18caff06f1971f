"""The table of names: mention -> definition, and back."""

from collections.abc import Iterable, Mapping
from functools import cached_property
from types import MappingProxyType
from typing import Literal

from cifar_dsl.compiler.names.sorts import ANY, BLOCK, TENSOR, Sorts, of_block, of_value
from cifar_dsl.foundation.records import frozen
from cifar_dsl.language.source import Span
from cifar_dsl.language.syntax import nodes
from cifar_dsl.operations.layers import SCOPES

Kind = Literal[
    "param",
    "block",
    "parameter",
    "let",
    "loop variable",
    "axis",
    "layer",
    "join",
    "scope",
    "function",
    "initialiser",
    "weight function",
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
_LOCAL = frozenset(["let", "loop variable", "axis"])
_OF_LANGUAGE = frozenset(
    ["layer", "join", "scope", "function", "initialiser", "weight function", "argument", "setting", "choice", "base"]
)


@frozen(eq=False)
class Definition:
    """The meaning of a name.

    | kind | what | owner |
    | --- | --- | --- |
    | param, block | of the spec, a base or the library | |
    | parameter | of a block | the block |
    | let, loop variable | in a body | |
    | axis | of a pattern, in its call | |
    | layer, join, scope, function, initialiser, weight function | of the language | |
    | flow | `in_channels` and the like, of the current tensor | |
    | dataset | `classes`, of the dataset | |
    | budget | `params` or `macs` in an `assert` | |
    | word | a bare word that is a value: `same`, or a word of a parameter's type | |
    | argument | of a layer, initialiser, weight function or choice | its callee, `setting.choice`, or `setting` |
    | setting | of `train` or a group | train, group |
    | choice | of a setting | the setting |
    | base | the spec that the header extends | |
    | unknown | undefined | |

    `span` is where the text defines the name, `scope` the part of the text in which it is visible and `node` the tree
    of the definition; all are None for built-in names. `scope` is None, too, for params and blocks: the whole spec.
    `sorts` are those of its value, as far as the text decides them.
    """

    kind: Kind
    name: str
    owner: str = ""
    span: Span | None = None
    scope: Span | None = None
    node: nodes.Param | nodes.Block | nodes.BlockParameter | nodes.Let | nodes.For | None = None
    sorts: Sorts = ANY

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
    def makes_block(self) -> bool:
        """Whether it is `tied`, whose body is a block that a `let` names."""
        return self.kind == "scope" and not SCOPES[self.name].runs_in_place

    @property
    def is_tied(self) -> bool:
        """Whether it names a tied block."""
        return self.kind == "let" and self.sorts == BLOCK

    @property
    def is_of_language(self) -> bool:
        """Whether it is built in, so that no text defines it."""
        return self.kind in _OF_LANGUAGE

    @property
    def is_of_library(self) -> bool:
        """Whether it is a block of the standard library."""
        return self.span is not None and self.span.source.is_library

    @property
    def is_of_spec(self) -> bool:
        """Whether it is a param or block of a spec."""
        return self.kind in {"param", "block"} and not self.is_of_library

    @property
    def noun(self) -> str:
        """Its kind in messages: a `let` is a tensor, a value or a tied block."""
        if self.is_tied:
            return "tied block"
        if self.kind != "let":
            return "word" if self.kind in {"flow", "dataset", "budget"} else self.kind
        return "tensor" if self.sorts == TENSOR else "value"

    def described(self, place: Span) -> str:
        """It and where it is defined, for a message about a place: "the tensor `x` of line 3"."""
        span = self.span
        assert span is not None
        where = f"line {span.line}" if span.source is place.source else f"{span.source.name}:{span.line}"
        return f"the {self.noun} `{self.name}` of {where}"


@frozen(eq=False)
class Mention:
    """A use or definition of a name. `call`: the call, argument or setting that starts with the name, or the name."""

    span: Span
    definition: Definition
    call: Span
    is_definition: bool = False


class Names:
    """The names of a program or of one file.

    `definitions` maps the span of each mention to its definition. `passed` has the mentions that don't mean the
    innermost definition of their name, with the number of definitions that they pass over; `hidden` has what a mention
    of a definition of the spec would mean in the language.
    """

    def __init__(
        self,
        mentions: Iterable[Mention] = (),
        passed: Mapping[Span, int] = MappingProxyType({}),
        hidden: Mapping[Span, Definition] = MappingProxyType({}),
    ) -> None:
        self.mentions = tuple(mentions)
        self.definitions = {mention.span: mention.definition for mention in self.mentions}
        self.passed, self.hidden = passed, hidden

    def copy(self) -> "Names":
        """A table whose definitions can be added to without changing this one."""
        return Names(self.mentions, self.passed, self.hidden)

    @property
    def library_calls(self) -> set[str]:
        """The names of the library's blocks that texts outside of the library mention."""
        found = (one.definition for one in self.mentions if not one.span.source.is_library)
        return {one.name for one in found if one.kind == "block" and one.is_of_library}

    @cached_property
    def _by_key(self) -> dict[tuple[object, ...], list[Mention]]:
        found: dict[tuple[object, ...], list[Mention]] = {}
        for mention in self.mentions:
            found.setdefault(mention.definition.key, []).append(mention)
        return found

    @cached_property
    def _uses_by_key(self) -> dict[tuple[object, ...], list[Mention]]:
        return {key: [one for one in found if not one.is_definition] for key, found in self._by_key.items()}

    def mentions_of(self, definition: Definition) -> list[Mention]:
        """All mentions of one thing, including its definitions.

        In a text that sees a param or block of the spec, that is another thing than a built-in name, which mentions may
        mean that pass over it.
        """
        found = self._by_key.get(definition.key, [])
        own = [one for one in found if one.definition.is_of_spec]
        if not own or len(own) == len(found):
            return found
        return own if definition.is_of_spec else [one for one in found if not one.definition.is_of_spec]

    def uses_of(self, definition: Definition) -> list[Mention]:
        """All mentions of one thing, without its definitions."""
        return self._uses_by_key.get(definition.key, [])

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
            found.setdefault(item.name.text, definition_of(item))
    return found


def definition_of(item: nodes.Param | nodes.Block) -> Definition:
    """The definition of a param or block."""
    kind: Kind = "param" if isinstance(item, nodes.Param) else "block"
    sorts = of_value(item.value) if isinstance(item, nodes.Param) else of_block(item)
    return Definition(kind, item.name.text, span=item.name.span, node=item, sorts=sorts)
