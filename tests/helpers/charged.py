"""What a check charges, in steps."""

from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

from cifar_dsl.compiler import analysis
from cifar_dsl.foundation.limits import Work
from cifar_dsl.language.diagnostics import Reporter


@contextmanager
def charged_work() -> Iterator[list[Work]]:
    """Lists the work of every check inside, also of one that ends in errors."""
    found: list[Work] = []

    def reporter() -> Reporter:
        made = Reporter()
        found.append(made.work)
        return made

    with mock.patch.object(analysis, "Reporter", reporter):
        yield found
