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
from cifar_dsl.language.diagnostics import Diagnostic, SpecError, render_full
from cifar_dsl.language.highlighting import html_of_text

_CELL = Path("<cell>")  # what messages call the text
_DEFAULT = "spec"


@frozen(repr=False)
class _Findings:
    """What is wrong with a cell."""

    diagnostics: tuple[Diagnostic, ...]

    def __repr__(self) -> str:
        return "\n\n".join(map(render_full, self.diagnostics))

    def _repr_html_(self) -> str:
        return html_of_text(escape(repr(self)))


def register(ipython: Any) -> None:  # IPython has no types for what is called here
    """Enter the cell magic `%%arch` in an `InteractiveShell`."""

    def arch(line: str, cell: str) -> None:
        """Check the cell as a spec, and bind it to a variable.

        %%arch [NAME]: the variable is called NAME, or `spec`. The spec may extend shipped specs by their bare names
        and files in the notebook's folder or below it.
        """
        name = line.strip() or _DEFAULT
        if not name.isidentifier() or iskeyword(name):
            raise UsageError(f"%%arch takes the name of a variable, and `{name}` can't be one")
        try:
            spec = spec_of_text(cell, _CELL)
        except SpecError as error:
            display(_Findings(error.diagnostics))  # type: ignore[no-untyped-call]
            raise UsageError(f"{_counted(error.diagnostics)}; `{name}` is not bound to this cell") from None
        except UserError as error:
            raise UsageError(error.message) from None
        ipython.push({name: spec})
        display(spec)  # type: ignore[no-untyped-call]

    ipython.register_magic_function(arch, magic_kind="cell", magic_name="arch")


def _counted(diagnostics: Sequence[Diagnostic]) -> str:
    return f"{len(diagnostics)} error{'s' if len(diagnostics) > 1 else ''}"
