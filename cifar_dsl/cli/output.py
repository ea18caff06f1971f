"""All output of commands: results go to stdout, everything else to stderr.

Only this module writes to these streams, and escapes what it writes: texts contain names of files and specs, which may
contain any character. A test refuses other ways to print.
"""

import errno
import json
import os
import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import click

from cifar_dsl.foundation.atomic import is_full
from cifar_dsl.foundation.errors import UserError
from cifar_dsl.foundation.text import accuracy_in_percent, without_middle
from cifar_dsl.language.diagnostics import Diagnostic, SpecError, grouped, render_full
from cifar_dsl.language.diagnostics.render import CHECK, visible

if TYPE_CHECKING:
    from cifar_dsl.runs import EpochMetrics

_FAILING = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}  # of a disk
_status = ""  # the line on the terminal that the next output replaces
_FREE_SPACE = "free some space on that disk, then rerun the command"


def print_result(line: str) -> None:
    """Print one line of a result on stdout. Raises UserError if stdout can't be written, as on a full disk."""
    _write(visible(line))


def print_text(text: str) -> None:
    """Print a text of several lines on stdout, such as a spec. Raises UserError like `print_result`."""
    _write(inert(text))


def print_exactly(text: str) -> None:
    """Print a text on stdout as it is. Only for texts without control characters: formatted specs and our own scripts.

    Raises UserError like `print_result`.
    """
    _write(text, end="")


def print_heading(text: str) -> None:
    """Print a line on stdout, bold where colours are wanted. Raises UserError like `print_result`."""
    _write(click.style(visible(text), bold=True) if wants_color(sys.stdout) else visible(text))


def print_json(data: Any, indent: int | None = None) -> None:
    """Print data as JSON on stdout. Raises UserError like `print_result`."""
    _write(json.dumps(data, indent=indent))


def loss_text(loss: float, cross_entropy: float | None) -> str:
    """The recipe's loss, and the cross-entropy where it differs: `loss 0.9021 (cross-entropy 0.5213)`."""
    shown, plain = f"{loss:.4f}", "" if cross_entropy is None else f"{cross_entropy:.4f}"
    return f"loss {shown}" + (f" (cross-entropy {plain})" if plain not in {"", shown} else "")


def test_text(metrics: "EpochMetrics") -> str:
    """Loss and accuracy on the test images; empty after an epoch without an evaluation."""
    if metrics.test_loss is None or metrics.test_accuracy is None:
        return ""
    loss = loss_text(metrics.test_loss, metrics.test_cross_entropy)
    return f"test {loss}, accuracy {accuracy_in_percent(metrics.test_accuracy)}"


def print_diagnostic(diagnostic: Diagnostic, *, err: bool = False, fixing: str = CHECK) -> None:
    """Print a diagnostic and an empty line, on stdout or stderr. `fixing`: see `render_full`."""
    _write(shown(diagnostic, err=err, fixing=fixing) + "\n", err=err)


def note(line: str) -> None:
    """Print a message of one line on stderr; a very long one is shortened. Does nothing if stderr can't be written."""
    _write(without_middle(visible(line)), err=True)


def status(line: str) -> None:
    """Show on a terminal what is being done, until the next output replaces it. Elsewhere, does nothing."""
    global _status  # noqa: PLW0603  # the terminal has one last line
    clear_status()
    if sys.stderr is not None and sys.stderr.isatty() and os.environ.get("TERM") != "dumb":
        _write(f"{visible(line)} ...", err=True, end="")
        _status = line


def clear_status() -> None:
    """Erase the line of `status`. Needed only before a library writes to the terminal."""
    global _status
    if _status:
        width, _status = len(_status) + len(" ..."), ""
        _write(f"\r{' ' * width}\r", err=True, end="")


def note_text(text: str) -> None:
    """Print a text of several lines on stderr, such as a traceback; see `note`."""
    for line in text.split("\n"):
        note(line)


def ask(question: str, default: str, check: Callable[[str], object]) -> str:
    """Ask on stderr for a text; `default` if the answer is empty. Ctrl-C and the end of input abort the command.

    Asks again after an answer for which `check` raises an error that the user can fix, and prints it.
    """
    while True:
        answer: str = click.prompt(visible(question), default=default, show_default=bool(default), err=True)
        try:
            check(answer)
        except click.UsageError as error:
            note(f"error: {error.message}")
        except Exception as error:
            if not print_error(error):
                raise
        else:
            return answer


def warn(message: str) -> None:
    """Print a warning on stderr."""
    note(f"warning: {message}")


def print_error(error: Exception) -> bool:
    """Print an error that the user can fix on stderr. Returns False for any other error."""
    match error:
        case SpecError():
            for diagnostic in grouped(error.diagnostics):
                print_diagnostic(diagnostic, err=True)
            note(counted(len(error.diagnostics), "error"))
        case UserError():
            note(f"error: {error.message}")
            if error.reason:
                note(f"  = why: {error.reason}")
            for line in error.help:
                note(f"  = help: {line}")
        case OSError() if error.filename is not None:
            note(f"error: {os.fsdecode(error.filename)}: {error.strerror}")
            if is_full(error):
                note(f"  = help: {_FREE_SPACE}")
        case OSError() if error.errno in _FAILING:  # of a stream, since those of files have a name: click prints help
            print_error(_unwritable_output(error))
        case ModuleNotFoundError(name=str(name)) if _is_foreign(name):
            note(f"error: this needs {name.partition('.')[0]}, which is not installed")
            note("  = help: reinstall cifar-dsl with all that it requires: `pip install cifar-dsl`")
        case _:
            return False
    return True


def _is_foreign(module: str) -> bool:
    """Whether a module is neither of this package nor of Python."""
    root = module.partition(".")[0]
    return root != __name__.partition(".")[0] and root not in sys.stdlib_module_names


@contextmanager
def writing(path: Path, *help: str) -> Iterator[None]:  # noqa: A002
    """Turn an OSError while writing `path`, a file or folder, into a UserError that says what else can be done."""
    try:
        yield
    except OSError as error:
        advice = (_FREE_SPACE,) if is_full(error) else help
        raise UserError(f"can't write {path}: {error.strerror or error}", *advice) from error


def shown(diagnostic: Diagnostic, *, err: bool = False, fixing: str = CHECK) -> str:
    """A diagnostic as text for stdout or stderr, in the colours and characters that the stream supports.

    `fixing`: see `render_full`.
    """
    stream = sys.stderr if err else sys.stdout
    encoding = stream.encoding if stream else None
    return render_full(diagnostic, color=wants_color(stream), encoding=encoding or "ascii", fixing=fixing)


def wants_color(stream: TextIO | None) -> bool:
    """Whether to colour output on `stream`: as `--color` requests, else on a terminal that the environment allows."""
    context = click.get_current_context(silent=True)
    color = context.find_root().color if context else None
    if color is None:
        is_plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
        return stream is not None and stream.isatty() and not is_plain
    return color


def counted(number: int, noun: str) -> str:
    """`1 error`, `2 errors`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def command_line(*words: object) -> str:
    """The command `cifar-dsl` with these words, quoted for a shell, so that it can be pasted."""
    return shlex.join(["cifar-dsl", *map(str, words)])


def inert(text: str) -> str:
    """`text` with control characters escaped, except line breaks."""
    return "\n".join(map(visible, text.split("\n")))


def _write(text: str, *, err: bool = False, end: str = "\n") -> None:
    clear_status()
    try:
        click.echo(text + end, err=err, nl=False)
    except BrokenPipeError:
        raise
    except OSError as error:
        if not err:  # an error about stderr could be printed nowhere
            raise _unwritable_output(error) from error


def _unwritable_output(error: OSError) -> UserError:
    return UserError(
        f"can't write to standard output: {error.strerror or error}",
        "free some space where it goes, or redirect it elsewhere",
    )
