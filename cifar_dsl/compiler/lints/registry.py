"""The registry of lints: functions in `rules/` that register themselves with a decorator."""

from collections.abc import Callable, Iterator, Sequence

from cifar_dsl.compiler import Analysis, Library
from cifar_dsl.language.diagnostics import Diagnostic
from cifar_dsl.language.syntax import nodes

TextLint = Callable[[Sequence[nodes.Item], Analysis | Library], Iterator[Diagnostic]]
NetworkLint = Callable[[Analysis], Iterator[Diagnostic]]

TEXT_LINTS: list[TextLint] = []
NETWORK_LINTS: list[NetworkLint] = []


def text_lint(lint: TextLint) -> TextLint:
    """Run `lint` on the items of every file that has no errors, spec or library."""
    TEXT_LINTS.append(lint)
    return lint


def network_lint(lint: NetworkLint) -> NetworkLint:
    """Run `lint` on every spec that has no errors."""
    NETWORK_LINTS.append(lint)
    return lint
