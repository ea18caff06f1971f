"""How commands speak: results go to stdout, everything else to stderr."""

import click

from cifar_dsl.diagnostics import SpecError, render_full
from cifar_dsl.diagnostics.render import visible
from cifar_dsl.errors import UserError


def note(message: str) -> None:
    """A line for the person, on stderr."""
    click.echo(message, err=True)


def fail(error: Exception) -> bool:
    """Explain an error that a user can mend, on stderr. False if it is none of those."""
    match error:
        case SpecError():
            for diagnostic in error.diagnostics:
                note(render_full(diagnostic) + "\n")
            count = len(error.diagnostics)
            note(f"{count} error{'s' if count > 1 else ''}")
        case UserError():
            note(f"error: {visible(error.message)}")
            if error.reason:
                note(f"  = why: {visible(error.reason)}")
            for line in error.help:
                note(f"  = help: {visible(line)}")
        case OSError() if error.filename is not None:
            note(f"error: {visible(str(error.filename))}: {error.strerror}")
        case _:
            return False
    return True
