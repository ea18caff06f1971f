"""The parser: the textbook LALR(1) loop over prepared tables.

Lark builds the tables and could run them, too. Importing it and starting its parser takes half the time of a
`cifar-dsl check`, so this module does what a right text and the repair of a wrong one need of it. The tests compare
its trees with lark's.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from attrs import field

from cifar_dsl.foundation.records import frozen

END = "$END"


class Token(str):
    """The text of a token, with its type and its offsets in the source."""

    __slots__ = ("end", "start", "type")

    type: str
    start: int
    end: int

    def __new__(cls, type: str, text: str, start: int, end: int | None = None) -> "Token":  # noqa: A002
        """A token at `start`. `end` differs from `start + len(text)` where the text lacks the token."""
        token = super().__new__(cls, text)
        token.type = type
        token.start = start
        token.end = start + len(text) if end is None else end
        return token


class Tree:
    """What a rule of the grammar matched: tokens, trees, and None for each `[...]` that is absent."""

    __slots__ = ("children", "end", "rule", "start")

    def __init__(self, rule: str, children: list[Any], start: int, end: int) -> None:
        self.rule = rule
        self.children = children
        self.start = start
        self.end = end


@frozen
class Rule:
    """One way to write a symbol of the grammar.

    - `symbol`: what it is reduced to, `size`: how many symbols it reduces;
    - `name`: of its tree; None for a rule whose children become children of the tree around it (`_stages`);
    - `yields_child`: whether a single child stands for the tree (`?sum`);
    - `children`: which of the symbols become children; None is a `[...]` that is absent;
    - `passes`: whether it makes nothing of its one symbol, as `?sum: term` does: most reductions are such.
    """

    symbol: str
    size: int
    name: str | None
    yields_child: bool
    children: Sequence[int | None]
    passes: bool = field(init=False)

    @passes.default
    def _passes(self) -> bool:
        return self.name is not None and self.yields_child and self.size == 1 and list(self.children) == [0]


@frozen
class Tables:
    """What each state does with the next token, and where it goes with what has been reduced.

    An action is the state to shift to, or `~i` to reduce by rule i.
    """

    actions: list[dict[str, int]]
    gotos: list[dict[str, int]]
    rules: list[Rule]
    starts: dict[str, Sequence[int]]  # start rule -> its first and its last state


class MisplacedError(Exception):
    """A token that can't stand where it does; the `parser` knows what can."""

    def __init__(self, token: Token, parser: "Parser") -> None:
        super().__init__(token)
        self.token = token
        self.parser = parser


class Parser:
    """Reads the tokens of one text, one by one."""

    def __init__(self, tables: Tables, start: str) -> None:
        self._tables = tables
        first, self._last = tables.starts[start]
        self.states = [first]
        # Of each symbol that has been read: a token, a tree, or a list of both that is to be inlined; and its extent,
        # which may exceed its tree's: `(a)` is the tree of `a`.
        self.values: list[Any] = []
        self.extents: list[tuple[int, int]] = []

    def parse(self, tokens: Iterable[Token]) -> Tree:
        """The tree of a whole text. Raises MisplacedError, and what `tokens` raises."""
        for token in tokens:
            self.feed(token)
        return self.finish()

    def feed(self, token: Token) -> None:
        """Read the next token. Raises MisplacedError; reductions that came before the refusal stay done."""
        actions, gotos, rules = self._tables.actions, self._tables.gotos, self._tables.rules
        states, values, type_ = self.states, self.values, token.type
        while (action := actions[states[-1]].get(type_)) is not None:
            if action >= 0:
                states.append(action)
                values.append(token)
                self.extents.append((token.start, token.end))
                return
            rule = rules[~action]
            if rule.passes and type(values[-1]) is not list:
                states[-1] = gotos[states[-2]][rule.symbol]
            else:
                self._reduce(rule)
        raise MisplacedError(token, self)

    def finish(self) -> Tree:
        """The tree of all that was read. Raises MisplacedError where the text can't end."""
        while (action := self.choices().get(END)) is not None:
            self._reduce(self._tables.rules[~action])
            if self.states[-1] == self._last:
                tree: Tree = self.values[-1]
                return tree
        raise MisplacedError(Token(END, "", 0), self)

    def _reduce(self, rule: Rule) -> None:
        states, values, extents = self.states, self.values, self.extents
        size = rule.size
        start, end = extents[-size][0], extents[-1][1]
        symbols = values[-size:]
        children: list[Any] = []
        for place in rule.children:
            value = None if place is None else symbols[place]
            if type(value) is not list:
                children.append(value)
            elif children:
                children += value
            else:
                children = value  # not a copy: repetitions are left-recursive, so copies would be quadratic
        value = children
        if rule.name is not None:
            is_child = rule.yields_child and len(children) == 1
            value = children[0] if is_child else Tree(rule.name, children, start, end)
        del states[-size:], values[-size:], extents[-size:]
        states.append(self._tables.gotos[states[-1]][rule.symbol])
        values.append(value)
        extents.append((start, end))

    def read(self, token: Token) -> bool:
        """Read the next token if it can stand here; whether it can. A refused token changes nothing."""
        action = self.choices().get(token.type)
        if action is None or (action < 0 and not self.can_read(token.type)):
            return False
        self.feed(token)
        return True

    def choices(self) -> dict[str, int]:
        """The types of token that this state has an action for, some of which may still fail after reductions."""
        return self._tables.actions[self.states[-1]]

    def accepts(self) -> set[str]:
        """The types of token, `END` among them, that can be read next."""
        return {type_ for type_ in self.choices() if self.can_read(type_)}

    def can_read(self, type_: str) -> bool:
        """Whether a token of this type can be read next."""
        actions, gotos, rules = self._tables.actions, self._tables.gotos, self._tables.rules
        states = self.states.copy()
        while (action := actions[states[-1]].get(type_)) is not None:
            if action >= 0:
                return True
            rule = rules[~action]
            del states[-rule.size :]
            states.append(gotos[states[-1]][rule.symbol])
            if type_ == END and states[-1] == self._last:
                return True
        return False

    def copy(self) -> "Parser":
        """A parser that reads on from here. It shares the trees of what was read."""
        other = Parser.__new__(Parser)
        other._tables, other._last = self._tables, self._last  # noqa: SLF001  # its own class
        other.states = self.states.copy()
        other.values = self.values.copy()
        other.extents = self.extents.copy()
        return other
