"""How commands speak: results go to stdout, everything else to stderr."""

import os
import sys
from typing import TextIO

import click

from cifar_dsl.foundation.errors import UserError
from cifar_dsl.language.diagnostics import Diagnostic, SpecError, render_full
from cifar_dsl.language.diagnostics.render import visible


def shown(diagnostic: Diagnostic, *, err: bool = False) -> str:
    """A diagnostic as it is shown on stdout, or on stderr: in the colours and letters that are wanted there."""
    stream = sys.stderr if err else sys.stdout
    return render_full(diagnostic, color=wants_color(stream), encoding=stream.encoding or "ascii")


def wants_color(stream: TextIO) -> bool:
    """Whether to colour what goes to `stream`: as `--color` says, else on a terminal without NO_COLOR."""
    context = click.get_current_context(silent=True)
    said = context.find_root().color if context else None
    return stream.isatty() and not os.environ.get("NO_COLOR") if said is None else said


def counted(number: int, noun: str) -> str:
    """`1 error`, `2 errors`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def say(message: str) -> None:
    """Lines of a result, on stdout, in which nothing acts on a terminal."""
    click.echo(inert(message))


def note(message: str) -> None:
    """Lines for the person, on stderr, in which nothing acts on a terminal."""
    click.echo(inert(message), err=True)


def inert(message: str) -> str:
    """Lines with everything escaped in them that would act on a terminal; names of files may hold anything."""
    return "\n".join(map(visible, message.split("\n")))


def fail(error: Exception) -> bool:
    """Explain an error that a user can mend, on stderr. False if it is none of those."""
    match error:
        case SpecError():
            for diagnostic in error.diagnostics:
                click.echo(shown(diagnostic, err=True) + "\n", err=True)
            note(counted(len(error.diagnostics), "error"))
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
