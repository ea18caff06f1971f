"""`cifar-dsl init`: a spec to start from."""

from pathlib import Path

import click

from cifar_dsl.cli import arguments
from cifar_dsl.cli.click_options import GroupedCommand
from cifar_dsl.cli.confirmation import is_terminal
from cifar_dsl.cli.output import ask, command_line, note, print_result, writing
from cifar_dsl.compiler.files import SpecReader
from cifar_dsl.foundation.atomic import write_atomically
from cifar_dsl.foundation.errors import UserError
from cifar_dsl.foundation.resources import shipped_specs
from cifar_dsl.foundation.spec_files import SUFFIX
from cifar_dsl.language.diagnostics import SpecError
from cifar_dsl.language.source import Source
from cifar_dsl.language.syntax import nodes, parse_spec

_FIRST_NAME = "first"

_TEXT = """\
# A small residual network. A comment starts with # and ends with its line.
# `cifar-dsl reference` lists all layers and settings, `cifar-dsl reference conv` describes one.
arch {name}

param width = 32                    # `--set width=64` on the command line overrides it

# A block can be called like a layer, with any arguments.
block unit(c) {{
    conv(c, 3, pad=1, bias=false) -> bn -> relu
}}

model {{
    # The input is an image of 3x32x32: channels, height and width.
    unit(width)

    # Branches start from the same tensor: here, their sum is a residual block.
    for c in [width, 2 * width, 4 * width] {{
        add {{ unit(c) -> unit(c) | conv(c, 1) }}
        maxpool(2)
    }}
    global_avgpool
    dense(classes)
}}

train {{
    data       cifar10              # `--data shapes` needs no download
    augment    crop(4) -> flip
    epochs     10
    batch      128
    optimizer  adamw(lr=2e-3, weight_decay=0.01)
    schedule   cosine(warmup=1)
}}
"""


@click.command(
    name="init",
    cls=GroupedCommand,
    examples=(
        "cifar-dsl init mine",
        "cifar-dsl init mine --from resnet18",
    ),
)
@click.argument("name", required=False)
@click.option(
    "--from",
    "start",
    metavar="SPEC",
    shell_complete=arguments.complete_specs,
    help="Copy this spec: the name of a shipped one, or a file [default: a small network with comments].",
)
def command(name: str | None, start: str | None) -> None:
    """Write NAME.arch, a spec to start from: a small network with comments, or a copy of another spec.

    Without NAME, asks on a terminal for it and for the spec to start from. Never overwrites a file.
    """
    if name is None:
        if not is_terminal():
            raise click.UsageError("Not a terminal, so there is no prompt; pass NAME.")
        name = ask("Name", _FIRST_NAME, _check_free)
        path = _path(name)
        start = start or ask(
            "Spec to start from, such as resnet18 (empty: a small network with comments)",
            "",
            lambda answer: _text(answer, path),
        )
    path = _path(name)
    text = _text(start, path)
    _check_free(name)
    with writing(path, "create its folder, or choose another"):
        write_atomically(path, text.encode())
    print_result(str(path))
    show, train = (command_line(command, path) for command in ("show", "train"))
    note(f"next: `{show}`, then `{train}`; without CIFAR-10, `--data shapes`")


def _path(name: str) -> Path:
    return Path(name.removesuffix(SUFFIX) + SUFFIX)


def _text(start: str | None, path: Path) -> str:
    """The text to write. Raises SpecError, UsageError, UserError, OSError."""
    return _copied(start, path) if start else _TEXT.format(name=path.stem)


def _check_free(name: str) -> None:
    """Raise UserError if no spec can have this name, or if one has it."""
    path = _path(name)
    _check_name(path)
    if path.exists():
        raise UserError(f"{path} exists", "choose another name, or remove the file")


def _check_name(path: Path) -> None:
    """Raise UserError if the name of a file can't be that of a spec."""
    try:
        header = parse_spec(Source(str(path), _text(None, path))).header
    except SpecError:
        header = None
    if header is None or header.name.text != path.stem:
        raise UserError(
            f"{path.stem!r} can't be the name of a spec",
            "use letters, digits and underscores, starting with a letter, and no keyword: `cifar-dsl init my_network`",
        )


def _copied(start: str, path: Path) -> str:
    """The text of a spec under another name. Raises SpecError, UsageError, UserError, OSError."""
    file = arguments.spec_file(start)
    source = SpecReader(file.parent).read(file)
    header = parse_spec(source).header
    edits = [(header.name.span, path.stem)]
    if header.base and header.base.is_file:
        edits.append((header.base.span, _base(header.base, file, path)))
    text = source.text
    for span, new in reversed(edits):
        text = text[: span.start] + new + text[span.end :]
    return f"# Started from {file.stem}.\n{text}"


def _base(base: nodes.Base, file: Path, path: Path) -> str:
    """How a copy at `path` of the spec in `file` names its base. Raises UserError if it can't."""
    target = (file.parent / base.name).resolve()
    shipped = {known.resolve(): name for name, known in shipped_specs().items()}
    if target in shipped:
        return shipped[target]
    if path.parent.resolve() == file.parent.resolve():
        return base.span.text
    raise UserError(
        f'{file} extends "{base.name}", a file in its own folder',
        f"write the copy there: `{command_line('init', file.parent / path.stem, '--from', file)}`",
    )
