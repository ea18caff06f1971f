"""What a check charges, in steps."""

from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

from cifar_dsl.compiler import analysis, readable_parts
from cifar_dsl.foundation.limits import Work
from cifar_dsl.language.diagnostics import Reporter
from cifar_dsl.language.source import Source


@contextmanager
def charged_work() -> Iterator[list[Work]]:
    """Lists the work of every check inside, also of one that ends in errors."""
    found: list[Work] = []

    def reporter(main: Source | None = None) -> Reporter:
        made = Reporter(main)
        found.append(made.work)
        return made

    with mock.patch.object(analysis, "Reporter", reporter), mock.patch.object(readable_parts, "Reporter", reporter):
        yield found
