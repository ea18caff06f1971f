"""Specs in notebooks: `%load_ext cifar_dsl`, then cells that begin with `%%arch`."""

from collections.abc import Sequence
from html import escape
from keyword import iskeyword
from pathlib import Path
from typing import Any

from IPython.core.error import UsageError
from IPython.display import display

from cifar_dsl.api import spec_of_text
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


def register(ipython: Any) -> None:  # IPython has no types for these methods
    """Register the cell magic `%%arch` with an `InteractiveShell`."""

    def arch(line: str, cell: str) -> None:
        """Check the cell as a spec and assign it to a variable.

        %%arch [NAME]: the variable, `spec` by default. The spec can extend shipped specs by name, and files in or
        below the notebook's folder by path.
        """
        name = line.strip() or _DEFAULT_NAME
        if not name.isidentifier() or iskeyword(name):
            raise UsageError(f"`{name}` is not a valid variable name for %%arch")
        try:
            spec = spec_of_text(cell, _CELL)
        except SpecError as error:
            display(_Errors(error.diagnostics))  # type: ignore[no-untyped-call]
            raise UsageError(f"{_count(error.diagnostics)}; `{name}` was not assigned") from None
        except UserError as error:
            raise UsageError(error.message) from None
        ipython.push({name: spec})
        display(spec)  # type: ignore[no-untyped-call]

    ipython.register_magic_function(arch, magic_kind="cell", magic_name="arch")


def _count(diagnostics: Sequence[Diagnostic]) -> str:
    return f"{len(diagnostics)} error{'s' if len(diagnostics) > 1 else ''}"
