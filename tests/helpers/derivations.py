"""Random derivations of the grammar, so that new syntax is fuzzed as soon as it exists."""

import random
from collections.abc import Sequence

from lark.grammar import NonTerminal

from cifar_dsl.language.syntax.tables import build


class Grammar:
    """Derives texts from the grammar, rule by rule, with names from a list."""

    def __init__(self, names: Sequence[str]) -> None:
        self._rules: dict[str, list[list[object]]] = {}
        parser = build()
        for rule in parser.rules:
            self._rules.setdefault(rule.origin.name, []).append(rule.expansion)
        self._patterns = {terminal.name: terminal for terminal in parser.terminals}
        self._names = names
        self._costs = self._least_depths()

    def __call__(self, draw: random.Random, start: str) -> bytes:
        """A text that parses."""
        words: list[str] = []
        self._expand(draw, start, draw.randint(8, 30), words)
        return " ".join(words).encode()

    def _least_depths(self) -> dict[str, int]:
        """The depth of the shallowest derivation of each rule."""
        costs: dict[str, int] = {}
        while len(costs) < len(self._rules):
            for name, expansions in self._rules.items():
                known = [
                    max((costs[s.name] for s in expansion if isinstance(s, NonTerminal)), default=0)
                    for expansion in expansions
                    if all(not isinstance(s, NonTerminal) or s.name in costs for s in expansion)
                ]
                if known and name not in costs:
                    costs[name] = 1 + min(known)
        return costs

    def _depth(self, expansion: Sequence[object]) -> int:
        return max((self._costs[symbol.name] for symbol in expansion if isinstance(symbol, NonTerminal)), default=0)

    def _expand(self, draw: random.Random, rule: str, depth: int, words: list[str]) -> None:
        expansions = self._rules[rule]
        affordable = [expansion for expansion in expansions if self._depth(expansion) < depth]
        if len(words) > 150 or not affordable:
            affordable = [min(expansions, key=self._depth)]
        for symbol in draw.choice(affordable):
            if isinstance(symbol, NonTerminal):
                self._expand(draw, symbol.name, depth - 1, words)
            else:
                words.append(self._terminal(draw, symbol.name))  # type: ignore[attr-defined]

    def _terminal(self, draw: random.Random, name: str) -> str:
        match name:
            case "NAME":
                return draw.choice(self._names)
            case "NUMBER":
                return draw.choice(["0", "1", "2", "3", "10", "64", "0.5", "1e-3", "5M", "1000000000000"])
            case "SIZE":
                return draw.choice(["3x32x32", "3x3", "1x1", "0x0", "2x3x4x5"])
            case "STRING":
                return draw.choice(['"baseline.arch"', '"*"', '"conv.*"', '""', '"0123"'])
            case "_NL":
                return "\n"
        return str(self._patterns[name].pattern.value)
