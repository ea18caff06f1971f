"""Recovered trees of texts with errors."""

from collections.abc import Iterator

from cifar_dsl.language.source import Source
from cifar_dsl.language.syntax import Recovered, nodes, parse_recovering


def recovered(text: str) -> Recovered:
    return parse_recovering(Source("test.arch", text))


def walked(node: object) -> Iterator[object]:
    waiting = [node]
    while waiting:
        node = waiting.pop()
        yield node
        waiting.extend(nodes.children(node))
