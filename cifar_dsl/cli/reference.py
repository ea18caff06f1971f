"""`cifar-dsl reference`: describe the names that specs can use."""

import click
from click.shell_completion import CompletionItem

from cifar_dsl.cli.completion_items import word_items
from cifar_dsl.cli.output import print_text
from cifar_dsl.language.diagnostics import nearest
from cifar_dsl.views.reference import entries


def _complete(_ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    return word_items(incomplete, {name: title for title, section in entries().items() for name in section})


@click.command(name="reference")
@click.argument("name", required=False, shell_complete=_complete)
def command(name: str | None) -> None:
    """Describe NAME: a layer, library block, setting, optimizer ...

    Without NAME, list all names by section.
    """
    sections = entries()
    if name is None:
        for title, section in sections.items():
            print_text(f"{title}:\n  {', '.join(section)}\n")
        return
    matching = [section[name] for section in sections.values() if name in section]
    if not matching:
        near = nearest(name, {known for section in sections.values() for known in section})
        raise click.UsageError(f"There is no entry {name!r}." + (f" Did you mean {near!r}?" if near else ""))
    print_text("\n".join(matching).rstrip())
