"""`cifar-dsl fmt`: format specs."""

import sys
from difflib import unified_diff
from pathlib import Path

import click

from cifar_dsl.cli import arguments
from cifar_dsl.cli.click_options import GroupedCommand
from cifar_dsl.cli.output import counted, note, print_error, print_exactly, print_result, writing
from cifar_dsl.cli.spec_paths import NamedSpecs
from cifar_dsl.compiler.files import SpecReader, encoded
from cifar_dsl.foundation import limits
from cifar_dsl.foundation.atomic import write_atomically
from cifar_dsl.foundation.errors import UserError
from cifar_dsl.language.diagnostics import SpecError
from cifar_dsl.language.diagnostics.render import visible
from cifar_dsl.language.source import Source
from cifar_dsl.language.syntax.formatter import format_text

_STDIN = Path("<stdin>")  # its name in messages


@click.command(
    name="fmt",
    cls=GroupedCommand,
    examples=(
        "cifar-dsl fmt mine.arch",
        "cifar-dsl fmt --diff specs/",
    ),
)
@arguments.spec_files
@click.option(
    "--check", is_flag=True, help="Write nothing; list the files that would change, and exit with 1 if there are any."
)
@click.option(
    "--diff", is_flag=True, help="Write nothing; print the changes as a diff, and exit with 1 if there are any."
)
def command(specs: tuple[str, ...], check: bool, diff: bool) -> int:
    """Format SPECS: files, folders (with their subfolders) or globs of specs and libraries.

    Keeps comments and meaning; the style has no options. Lists the files that it rewrites. `-` formats standard input
    to standard output. Exits with 1 if a file can't be parsed, and leaves that file unchanged.
    """
    named = NamedSpecs([name for name in dict.fromkeys(specs) if name != "-"], may_change=True)
    paths = [item.path for item in named.specs]
    if "-" in specs:
        paths.insert(0, _STDIN)
    changed = 0
    failed = sum(map(print_error, named.unreadable))
    for path in paths:
        try:
            source = _read(path)
            text = format_text(source)
            content = text.encode() if path is _STDIN else encoded(text, path)
            SpecReader(path.parent).source_of(path, content)  # the result must stay within the limits of a spec
            is_changed = text != source.text
            if is_changed and path is not _STDIN and not (check or diff):
                _write(path, content)
            changed += is_changed
            if diff:
                print_exactly(_difference(source, text))
            elif path is _STDIN and not check:
                print_exactly(text)
            elif is_changed:
                print_result(str(path))
        except (SpecError, UserError, OSError) as error:
            if not print_error(error):
                raise
            failed += 1
    if paths != [_STDIN]:
        note(f"{changed} of {counted(len(paths), 'spec')} {'would be ' if check or diff else ''}reformatted")
    return 1 if failed or (changed and (check or diff)) else 0


def _read(path: Path) -> Source:
    """The text of a file, or of standard input. Raises SpecError."""
    reader = SpecReader(path.parent)
    if path is _STDIN:
        return reader.source_of(path, sys.stdin.buffer.read(limits.current().file_bytes + 1))
    return reader.read(path)


def _write(path: Path, content: bytes) -> None:
    with writing(path, "make the file and its folder writable, or print the changes with --diff"):
        write_atomically(path, content, follow=True)


def _difference(source: Source, text: str) -> str:
    """A unified diff from the source to the formatted text; empty if they are equal."""
    name = visible(source.name)
    lines = unified_diff(_lines(source.text), _lines(text), name, name, lineterm="")
    return "".join(f"{line}\n" for line in lines)


def _lines(text: str) -> list[str]:
    *lines, last = text.split("\n")
    return [*lines, f"{last}\n\\ No newline at end of file"] if last else lines
