"""`cifar-dsl reference`: describe the names that specs can use."""

import shutil

import click
from click.shell_completion import CompletionItem

from cifar_dsl.cli.click_options import GroupedCommand
from cifar_dsl.cli.completion_items import word_items
from cifar_dsl.cli.output import print_heading, print_result
from cifar_dsl.foundation.text import listed
from cifar_dsl.language.diagnostics import known_codes, nearest
from cifar_dsl.views.reference import entries, sections
from cifar_dsl.views.reference_pages import heading, index, named_sections, page, section_page

_WIDEST = 100  # characters of a line


def _complete(_ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    return word_items(incomplete, {name: title for title, section in entries().items() for name in section})


@click.command(
    name="reference",
    cls=GroupedCommand,
    examples=(
        "cifar-dsl reference conv",
        "cifar-dsl reference optimizer",
        "cifar-dsl reference layers",
    ),
)
@click.argument("name", required=False, shell_complete=_complete)
def command(name: str | None) -> None:
    """Describe NAME: a layer, library block, setting, optimizer ...

    Without NAME, print an index. The word before a line of the index lists all of it: `cifar-dsl reference library`.
    """
    width = min(shutil.get_terminal_size().columns, _WIDEST)
    if name is None:
        for line in index(width):
            print_result(line)
        print_result("")
        print_result("next: `cifar-dsl reference conv`, or `cifar-dsl reference library` for a line")
        return
    matching = [section[name] for section in sections().values() if name in section]
    lists = named_sections()
    for place, entry in enumerate(matching):
        if place:
            print_result("")
        for line in heading(entry, width):
            print_heading(line)
        for line in page(entry, width):
            print_result(line)
    if not matching and name in lists:
        for line in section_page(lists[name], width):
            print_result(line)
    elif not matching:
        raise click.UsageError(f"There is no entry {name!r}. {_advice(name)}")


def _advice(name: str) -> str:
    """Where to look for a name without an entry: a code, an argument, or a misspelling."""
    if name.upper() in known_codes():
        return f"`cifar-dsl explain {name.upper()}` explains this code."
    known = {entry.name: entry for section in sections().values() for entry in section.values()}
    owners = [entry.name for entry in known.values() if name in {argument for argument, *_ in entry.arguments}]
    if owners:
        return f"It is an argument of {listed(owners, 'and')}: `cifar-dsl reference {owners[0]}`."
    near = nearest(name, known.keys() | named_sections().keys())
    return f"Did you mean {near!r}?" if near else "`cifar-dsl reference` lists all names."
