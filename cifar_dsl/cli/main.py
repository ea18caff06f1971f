"""The group of commands, and what becomes of errors."""

import gc
import importlib
import io
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from cifar_dsl.cli.output import fail, note
from cifar_dsl.foundation import limits

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

EXIT_WRONG = 1  # a spec, a data set or a run is wrong
EXIT_USAGE = 2  # the command line is wrong
EXIT_BUG = 101  # this program is wrong
EXIT_INTERRUPTED = 130

_MOST = 10**15  # to which any limit can be raised: that many bytes can still be asked for

PROGRAM = "cifar-dsl"

_COMMANDS = {
    "check": "Check specs; say everything that is wrong with them, and where.",
    "show": "Show a spec's layers with shapes, parameters and multiply-accumulates.",
    "fmt": "Lay specs out in the one canonical way.",
    "diff": "Say in what two specs differ in meaning.",
    "train": "Train a spec, and keep the run.",
    "evaluate": "Measure a run's weights on the test images again.",
    "compare": "Train what has no run yet, and say which spec is better, by how much, and how sure that is.",
    "sweep": "Train a spec with every combination of some values, and compare them.",
    "runs": "List, show, verify and remove runs.",
    "explain": "Say what a code such as E0302 means, and what to do about it.",
    "reference": "Say what a layer, a block of the library, a setting ... is, and what it takes.",
    "data": "Show, download and import data sets.",
    "doctor": "Say what of the installation works: versions, device, data, folders.",
    "completion": "Print the script with which a shell completes what one types.",
    "lsp": "Serve an editor: the language server, on standard input and output.",
}


class _LazyGroup(click.Group):
    """Imports a command's module when it is called, so that `check` doesn't wait for what `train` needs."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        if cmd_name not in _COMMANDS:
            return None
        gc.disable()  # importing makes no garbage, and looking for it takes a tenth of a short command's time
        module = importlib.import_module(f"cifar_dsl.cli.{cmd_name}")
        gc.freeze()
        gc.enable()
        command = module.command
        assert isinstance(command, click.Command)
        return command

    def shell_complete(self, ctx: click.Context, incomplete: str) -> "list[CompletionItem]":
        from cifar_dsl.cli.completion_items import word_items

        # Click's own would import all commands.
        return word_items(incomplete, _COMMANDS) + click.Command.shell_complete(self, ctx, incomplete)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        from cifar_dsl.language.diagnostics import nearest

        if args and not args[0].startswith("-") and args[0] not in _COMMANDS:
            near = nearest(args[0], _COMMANDS)
            advice = f"Did you mean '{near}'?" if near else f"Commands: {', '.join(_COMMANDS)}."
            raise click.UsageError(f"No such command '{args[0]}'. {advice}", ctx)
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; errors that a user can mend are explained here, where `--color` is known."""
        try:
            return super().invoke(ctx)
        except Exception as error:
            if fail(error):
                return EXIT_WRONG
            raise

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


def _print_version(ctx: click.Context, _parameter: click.Parameter, value: bool) -> None:
    if value:
        from cifar_dsl.foundation.version import __version__

        click.echo(f"{PROGRAM} {__version__}")
        ctx.exit()


def _set_color(ctx: click.Context, _parameter: click.Parameter, value: str) -> None:
    ctx.color = {"auto": None, "always": True, "never": False}[value]


def _complete_limits(_ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> "list[CompletionItem]":
    from click.shell_completion import CompletionItem

    return [CompletionItem(f"{name.upper()}=") for name in limits.RAISABLE if name.startswith(incomplete.lower())]


def _figures(ctx: click.Context, parameter: click.Parameter, given: tuple[str, ...]) -> dict[str, int]:
    return dict(_figure(text, ctx, parameter) for text in given)


def _figure(text: str, ctx: click.Context, parameter: click.Parameter) -> tuple[str, int]:
    """A limit's name and its new figure. Raises BadParameter."""
    from cifar_dsl.language.diagnostics import nearest

    written, _, figure = text.partition("=")
    written = written.strip().upper()
    name = written.lower()
    if name not in limits.RAISABLE:
        raisable = [one.upper() for one in limits.RAISABLE]
        problem, near = "can't be raised", None
        if name not in limits.DOCS:
            problem, near = "is no limit", nearest(written, raisable)
        advice = f"Did you mean {near}?" if near else f"These can be raised: {', '.join(raisable)}."
        raise click.BadParameter(f"{written or text} {problem}. {advice}", ctx, parameter)
    try:
        value = int(figure)
    except ValueError:
        raise click.BadParameter(f"{text} gives no number; for example {written}=1_000_000.", ctx, parameter) from None
    default = getattr(limits.DEFAULTS, name)
    if value < default:
        raise click.BadParameter(f"{written} is {default:,} and can only be raised.", ctx, parameter)
    if value > _MOST:
        raise click.BadParameter(f"{written} can be raised to {_MOST:,} at most.", ctx, parameter)
    return name, value


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_version,
    help="Show the version.",
)
@click.option(
    "--color",
    type=click.Choice(["auto", "always", "never"]),
    default="auto",
    expose_value=False,
    is_eager=True,
    callback=_set_color,
    help="Colours: where the output is a terminal (and NO_COLOR is not set), always, or never.",
)
@click.option(
    "--limit",
    "raised",
    multiple=True,
    metavar="NAME=VALUE",
    callback=_figures,
    shell_complete=_complete_limits,
    help="Let a spec be larger than it may be by default; docs/limits.md lists the limits.",
)
@click.pass_context
def group(ctx: click.Context, raised: dict[str, int]) -> None:
    """Compile, train and compare image classifiers that are written as small text files."""
    ctx.with_resource(limits.raising(**raised))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and give back the exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal that can't show a letter shows its number
            stream.reconfigure(errors="backslashreplace")
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        code = group.main(args=given, prog_name=PROGRAM, standalone_mode=False, obj=given)
        return code if isinstance(code, int) else 0
    except click.exceptions.Exit as request:
        return request.exit_code
    except click.UsageError as error:
        _show(error)
        if isinstance(error, click.NoSuchOption) and error.option_name in {one.opts[0] for one in group.params}:
            note(f"{error.option_name} stands before the command: {PROGRAM} {error.option_name} ... COMMAND")
        return EXIT_USAGE
    except click.ClickException as error:
        _show(error)
        return EXIT_WRONG
    except (click.Abort, KeyboardInterrupt):
        note("interrupted")  # click has ended the line that ^C stands on
        return EXIT_INTERRUPTED
    except BrokenPipeError:  # `cifar-dsl show x.arch | head`
        sys.stderr.close()
        return EXIT_WRONG
    except Exception as error:  # noqa: BLE001  # the last resort: what is not a user's error is ours
        from cifar_dsl.cli.bugs import report_bug

        report_bug(error, given)
        return EXIT_BUG


def _show(error: click.ClickException) -> None:
    """What click says of an error, in which names of files and options may hold anything."""
    said = io.StringIO()
    error.show(said)
    note(said.getvalue().removesuffix("\n"))
