"""Output of commands: results go to stdout, everything else to stderr."""

import os
import sys
from typing import TextIO

import click

from cifar_dsl.foundation.errors import UserError
from cifar_dsl.language.diagnostics import Diagnostic, SpecError, grouped, render_full
from cifar_dsl.language.diagnostics.render import CHECK, visible


def shown(diagnostic: Diagnostic, *, err: bool = False, fixing: str = CHECK) -> str:
    """A diagnostic as text for stdout or stderr, in the colours and characters that the stream supports.

    `fixing`: see `render_full`.
    """
    stream = sys.stderr if err else sys.stdout
    return render_full(diagnostic, color=wants_color(stream), encoding=stream.encoding or "ascii", fixing=fixing)


def wants_color(stream: TextIO) -> bool:
    """Whether to colour output on `stream`: as `--color` requests, else on a terminal without NO_COLOR."""
    context = click.get_current_context(silent=True)
    color = context.find_root().color if context else None
    return stream.isatty() and not os.environ.get("NO_COLOR") if color is None else color


def counted(number: int, noun: str) -> str:
    """`1 error`, `2 errors`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def loss_text(loss: float, cross_entropy: float | None) -> str:
    """The recipe's loss, and the cross-entropy where it differs: `loss 0.9021 (cross-entropy 0.5213)`."""
    shown, plain = f"{loss:.4f}", "" if cross_entropy is None else f"{cross_entropy:.4f}"
    return f"loss {shown}" + (f" (cross-entropy {plain})" if plain not in {"", shown} else "")


def print_result(message: str) -> None:
    """Print a result on stdout, with control characters escaped."""
    click.echo(inert(message))


def note(message: str) -> None:
    """Print a message on stderr, with control characters escaped."""
    click.echo(inert(message), err=True)


def warn(message: str) -> None:
    """Print a warning on stderr."""
    note(f"warning: {message}")


def inert(message: str) -> str:
    """`message` with control characters escaped except line breaks: file names may contain any."""
    return "\n".join(map(visible, message.split("\n")))


def print_diagnostic(diagnostic: Diagnostic, *, err: bool = False) -> None:
    """Print a diagnostic and an empty line, on stdout or stderr."""
    click.echo(shown(diagnostic, err=err) + "\n", err=err)


def print_error(error: Exception) -> bool:
    """Print an error that the user can fix on stderr. Returns False for any other error."""
    match error:
        case SpecError():
            for diagnostic in grouped(error.diagnostics):
                print_diagnostic(diagnostic, err=True)
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
