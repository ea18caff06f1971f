"""`cifar-dsl explain`: explain the codes of errors and warnings."""

import click
from click.shell_completion import CompletionItem

from cifar_dsl.cli.click_options import GroupedCommand
from cifar_dsl.cli.completion_items import word_items
from cifar_dsl.cli.output import print_heading, print_result, print_text
from cifar_dsl.language.diagnostics import known_codes, nearest

_LISTS = {"error": "Errors", "warning": "Warnings (a comment such as `# allow: W0203` silences one)"}


def _complete(_ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    return word_items(incomplete, {code.id: code.title for code in known_codes().values()})


@click.command(
    name="explain",
    cls=GroupedCommand,
    examples=("cifar-dsl explain E0302",),
)
@click.argument("codes", nargs=-1, shell_complete=_complete)
def command(codes: tuple[str, ...]) -> None:
    """Explain CODES such as E0302: meaning, reason and fix, with an example.

    Without CODES, list all codes.
    """
    if not codes:
        print_text("\n\n".join(_list(severity, head) for severity, head in _LISTS.items()))
        return
    for code in codes:
        if code.upper() not in known_codes():
            raise click.UsageError(f"There is no code {code!r}. {_advice(code)}")
    for i, code in enumerate(dict.fromkeys(code.upper() for code in codes)):  # each once
        if i:
            print_result("")
        print_heading(f"{code}: {known_codes()[code].title}")
        print_text("\n" + known_codes()[code].explanation.strip())


def _advice(code: str) -> str:
    """Where to look for what is no code: a name of the language, or a misspelling."""
    from cifar_dsl.views.reference import sections

    if any(code in section for section in sections().values()):
        return f"`cifar-dsl reference {code}` describes this name."
    near = nearest(code, known_codes())
    return f"Did you mean {near!r}?" if near else "`cifar-dsl explain` lists them all."


def _list(severity: str, head: str) -> str:
    lines = [f"  {code.id}  {code.title}" for code in known_codes().values() if code.severity == severity]
    return "\n".join([f"{head}:", *lines])
