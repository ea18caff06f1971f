"""The command line: a page for each command, from its declaration."""

import inspect
import re
from collections.abc import Iterator

import click

from cifar_dsl.cli.click_options import GroupedCommand, GroupedOption
from cifar_dsl.cli.main import group
from website.tree import Page, page

_SEPARATORS = re.compile(r"([|\\])")


def pages() -> Iterator[Page]:
    """The introduction, and every command."""
    context = click.Context(group, info_name="cifar-dsl")
    commands = {name: _command(context, name) for name in group.list_commands(context)}
    rows = [
        f"| [`cifar-dsl {name}`]({name}.md) | {_cell(found.get_short_help_str(200))} |"
        for name, found in commands.items()
    ]
    head = ["# Command line", "", group.help or "", "", "| command | |", "| --- | --- |", *rows, ""]
    yield page("cli/index.md", "\n".join([*head, *_parameters(group, context)]))
    for name, found in commands.items():
        yield page(f"cli/{name}.md", _page(found, click.Context(found, info_name=name, parent=context), "#"))


def names() -> list[str]:
    """The commands, in the order of `--help`."""
    return group.list_commands(click.Context(group))


def _command(context: click.Context, name: str) -> click.Command:
    found = group.get_command(context, name)
    assert found is not None
    return found


def _page(command: click.Command, context: click.Context, level: str) -> str:
    usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
    lines = [f"{level} `{context.command_path}`", "", "```sh", usage, "```", "", _prose(command.help or ""), ""]
    if command.epilog:
        lines += ["```sh", inspect.cleandoc(command.epilog).replace("\b\n", ""), "```", ""]
    if isinstance(command, GroupedCommand) and command.examples:
        lines += ["```sh", *command.examples, "```", ""]
    lines += _parameters(command, context)
    text = "\n".join(lines)
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            text += "\n" + _page(below, click.Context(below, info_name=name, parent=context), level + "#")
    return text


def _prose(text: str) -> str:
    """A help text; a paragraph that keeps its lines becomes a code block."""
    parts = inspect.cleandoc(text).split("\n\n")
    return "\n\n".join(
        f"```\n{part[2:]}\n```" if part.startswith("\b\n") else part.replace("<", "&lt;") for part in parts
    )


def _parameters(command: click.Command, context: click.Context) -> Iterator[str]:
    """The options as tables under the headings of `--help`."""
    groups: dict[str, list[tuple[str, str]]] = {}
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context) if isinstance(parameter, click.Option) else None
        if record:
            title = (parameter.group if isinstance(parameter, GroupedOption) else "") or "Options"
            groups.setdefault(title, []).append(record)
    for title, records in groups.items():
        yield from [f"**{title}**", "", "| option | |", "| --- | --- |"]
        yield from (f"| `{option.replace('|', '&#124;')}` | {_cell(text)} |" for option, text in records)
        yield ""


def _cell(text: str) -> str:
    return _SEPARATORS.sub(r"\\\1", " ".join(text.split())).replace("<", "&lt;")
