"""`cifar-dsl completion`: print a shell completion script."""

import click
from click.shell_completion import get_completion_class

from cifar_dsl.cli.click_options import StrictCommand
from cifar_dsl.cli.main import PROGRAM
from cifar_dsl.cli.output import print_exactly


@click.command(name="completion", cls=StrictCommand)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def command(ctx: click.Context, shell: str) -> None:
    """Print a script for SHELL that completes commands, options, specs, codes and names.

    \b
    bash   in ~/.bashrc:                    eval "$(cifar-dsl completion bash)"
    zsh    in ~/.zshrc, after compinit:     eval "$(cifar-dsl completion zsh)"
    fish   in ~/.config/fish/config.fish:   cifar-dsl completion fish | source
    """  # noqa: D301  # click wants the character \b itself
    kind = get_completion_class(shell)
    assert kind is not None
    variable = f"_{PROGRAM.replace('-', '_').upper()}_COMPLETE"  # set by the script to request completions
    print_exactly(kind(ctx.find_root().command, {}, PROGRAM, variable).source() + "\n")
