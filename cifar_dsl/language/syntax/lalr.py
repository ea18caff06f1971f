"""The parser: the textbook LALR(1) loop over prepared tables.

Lark builds the tables and could run them, too. Importing it and starting its parser takes half the time of a
`cifar-dsl check`, so this module does what a right text and the repair of a wrong one need of it. The tests compare
its trees with lark's.
"""

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any

from cifar_dsl.foundation.records import field, frozen

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
    - `children`: which of the symbols become children; None is a `[...]` that is absent.
    """

    symbol: str
    size: int
    name: str | None
    yields_child: bool
    children: Sequence[int | None]

    @cached_property
    def passes(self) -> bool:
        """Whether it makes nothing of its one symbol, as `?sum: term` does: most reductions are such."""
        return (self.name is None or self.yields_child) and self.size == 1 and list(self.children) == [0]


@frozen
class Tables:
    """What each state does with the next token, and where it goes with what has been reduced.

    An action is the state to shift to, or `~i` to reduce by rule i. `passed` remembers where reductions that make
    nothing lead, from two states and before a type of token: nine of them make an `expr` of a number.
    """

    actions: list[dict[str, int]]
    gotos: list[dict[str, int]]
    rules: list[Rule]
    starts: dict[str, Sequence[int]]  # start rule -> its first and its last state
    passed: dict[tuple[int, int, str], int] = field(factory=dict, init=False, eq=False, repr=False)

    def passing(self, key: tuple[int, int, str]) -> int:
        """The state after all reductions of the upper of two states that make nothing of it."""
        below, state, type_ = key
        while (action := self.actions[state].get(type_, 0)) < 0 and self.rules[~action].passes:
            state = self.gotos[below][self.rules[~action].symbol]
        self.passed[key] = state
        return state


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
        # Of each symbol that has been read: a token, a tree, or a list of several that are to be inlined; and its
        # extent, which may exceed its tree's: `(a)` is the tree of `a`.
        self.values: list[Any] = []
        self.extents: list[tuple[int, int]] = []

    def parse(self, tokens: Iterable[Token]) -> Tree:
        """The tree of a whole text. Raises MisplacedError, and what `tokens` raises."""
        for token in tokens:
            self.feed(token)
        return self.finish()

    def feed(self, token: Token) -> None:
        """Read the next token. Raises MisplacedError; reductions that came before the refusal stay done."""
        tables = self._tables
        actions, rules, passed = tables.actions, tables.rules, tables.passed
        states, values, type_ = self.states, self.values, token.type
        while (action := actions[states[-1]].get(type_)) is not None:
            if action >= 0:
                states.append(action)
                values.append(token)
                self.extents.append((token.start, token.end))
                return
            rule = rules[~action]
            if rule.passes and type(values[-1]) is not list:
                key = (states[-2], states[-1], type_)
                states[-1] = passed.get(key) or tables.passing(key)
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
        if size > 1:
            extent = (extents[-size][0], extents[-1][1])
            del states[1 - size :], values[1 - size :], extents[1 - size :]
            extents[-1] = extent
        if rule.name is None:
            values[-1] = children[0] if len(children) == 1 else children
        elif rule.yields_child and len(children) == 1:
            values[-1] = children[0]
        else:
            values[-1] = Tree(rule.name, children, *extents[-1])
        states[-1] = self._tables.gotos[states[-2]][rule.symbol]

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
        """The types of token, `END` among them, that can be read next. Types with the same reductions share them."""
        actions, gotos, rules = self._tables.actions, self._tables.gotos, self._tables.rules
        found: set[str] = set()
        waiting: list[tuple[int, int, Iterable[str]]] = [(len(self.states) - 1, self.states[-1], self.choices())]
        while waiting:
            below, state, types = waiting.pop()  # `below`: how many of the parser's states are below that state
            reducing: dict[int, list[str]] = {}
            for type_ in types:
                action = actions[state].get(type_)
                if action is None:
                    continue
                if action >= 0:
                    found.add(type_)
                else:
                    reducing.setdefault(action, []).append(type_)
            for action, others in reducing.items():
                rule = rules[~action]
                left = below + 1 - rule.size
                after = gotos[self.states[left - 1]][rule.symbol]
                if after == self._last and END in others:
                    found.add(END)
                waiting.append((left, after, others))
        return found

    def can_read(self, type_: str) -> bool:
        """Whether a token of this type can be read next."""
        tables = self._tables
        actions, gotos, rules, passed = tables.actions, tables.gotos, tables.rules, tables.passed
        below, state = len(self.states) - 1, self.states[-1]
        while (action := actions[state].get(type_)) is not None:
            if action >= 0:
                return True
            rule = rules[~action]
            if rule.passes:
                key = (self.states[below - 1], state, type_)
                state = passed.get(key) or tables.passing(key)
                continue
            below -= rule.size - 1
            state = gotos[self.states[below - 1]][rule.symbol]
            if type_ == END and state == self._last:
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
