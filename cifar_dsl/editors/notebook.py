"""Specs in notebooks: `%load_ext cifar_dsl`, then cells that begin with `%%arch`."""

import shlex
from argparse import ArgumentParser
from collections.abc import Sequence
from html import escape
from keyword import iskeyword
from pathlib import Path
from typing import Any, NoReturn

from IPython.core.error import UsageError
from IPython.display import display

from cifar_dsl.api import Spec, spec_of_text
from cifar_dsl.api.displays import spec_html
from cifar_dsl.foundation.errors import UserError
from cifar_dsl.foundation.records import frozen
from cifar_dsl.language.diagnostics import Diagnostic, SpecError, grouped, render_full
from cifar_dsl.language.highlighting import html_of_text

_CELL = Path("<cell>")  # the file name in messages
_DEFAULT_NAME = "spec"


@frozen(repr=False)
class _Errors:
    """The errors of a cell, as a notebook displays them."""

    diagnostics: tuple[Diagnostic, ...]

    def __repr__(self) -> str:
        return "\n\n".join(map(render_full, grouped(self.diagnostics)))

    def _repr_html_(self) -> str:
        return html_of_text(escape(repr(self)))


@frozen(repr=False)
class _Shown:
    """The spec of a cell, as a notebook displays it below its text."""

    spec: Spec

    def __repr__(self) -> str:
        return "\n\n".join([repr(self.spec), *map(render_full, self.spec.warnings)])

    def _repr_html_(self) -> str:
        return spec_html(self.spec, has_source=False)


def register(ipython: Any) -> None:  # IPython has no types for these methods
    """Register the cell magic `%%arch` with an `InteractiveShell`."""

    def arch(line: str, cell: str) -> None:
        """Check the cell as a spec and assign it to a variable.

        %%arch [NAME] [--data DATASET]: the variable, `spec` by default; and the dataset to use instead of the spec's,
        such as `shapes`, or `npz:PATH`. The spec can extend shipped specs by name, and files in or below the notebook's
        folder by path.
        """
        name, data = _parsed(line)
        try:
            spec = spec_of_text(f"\n{cell}", _CELL, data=data)  # lines are those of the cell, whose first is `line`
        except SpecError as error:
            display(_Errors(error.diagnostics))  # type: ignore[no-untyped-call]
            raise UsageError(f"{_count(error.diagnostics)}; `{name}` was not assigned") from None
        except UserError as error:
            raise UsageError("\n".join([error.message, *error.__notes__])) from None
        ipython.push({name: spec})
        display(_Shown(spec))  # type: ignore[no-untyped-call]

    ipython.register_magic_function(arch, magic_kind="cell", magic_name="arch")


class _Parser(ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}; write %%arch [NAME] [--data DATASET]")


def _parsed(line: str) -> tuple[str, str | None]:
    """The variable and the dataset in the first line of a cell. Raises UsageError."""
    parser = _Parser(add_help=False, allow_abbrev=False)
    parser.add_argument("name", nargs="*", default=[_DEFAULT_NAME])
    parser.add_argument("--data")
    try:
        given = parser.parse_args(shlex.split(line))
    except ValueError as error:  # an open quote
        parser.error(str(error))
    name = " ".join(given.name)
    if not name.isidentifier() or iskeyword(name):
        raise UsageError(f"`{name}` is not a valid variable name for %%arch")
    return name, given.data


def _count(diagnostics: Sequence[Diagnostic]) -> str:
    return f"{len(diagnostics)} error{'s' if len(diagnostics) > 1 else ''}"
