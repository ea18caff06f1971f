"""The command group, and how errors become messages and exit codes."""

import gc
import importlib
import io
import keyword
import signal
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from cifar_dsl.cli.click_options import write_examples
from cifar_dsl.cli.interruption import Interruption
from cifar_dsl.cli.output import note, note_text, print_error, print_result
from cifar_dsl.foundation import limits
from cifar_dsl.language.diagnostics.render import visible

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

EXIT_WRONG = 1  # an error in a spec, a dataset or a run
EXIT_USAGE = 2  # an error in the command line
EXIT_BUG = 101  # a bug of cifar-dsl
EXIT_INTERRUPTED = 128 + signal.SIGINT

_MOST = 10**15  # the largest value of any limit: as bytes, it can still be requested

PROGRAM = "cifar-dsl"

_SECTIONS = {
    "Write and view specs": {
        "init": "Write a spec to start from.",
        "check": "Report all errors and likely mistakes in specs.",
        "fmt": "Format specs.",
        "show": "Show layers with shapes, parameters and multiply-accumulates.",
        "diff": "Show how two specs differ in meaning.",
        "explain": "Explain an error or warning code such as E0302.",
        "reference": "Describe a layer, setting or optimizer, with an example.",
    },
    "Train, compare and use networks": {
        "train": "Train a spec and save the run.",
        "lr": "Find a learning rate: a range test, with its plot.",
        "compare": "Train what is missing, and compare specs, with intervals.",
        "sweep": "Train a spec with every combination of values, and compare.",
        "runs": "List, show, verify and remove runs.",
        "evaluate": "Evaluate a run's weights on its test images, or on others.",
        "predict": "Predict the classes of pictures with a trained network.",
        "export": "Export a network as PyTorch source, torch.export or ONNX.",
        "import": "Write a network of PyTorch as a spec.",
    },
    "Set up": {
        "data": "List, download and import datasets.",
        "doctor": "Check the installation: versions, device, datasets, folders.",
        "completion": "Print a shell completion script.",
        "playground": "Serve an editor with picture and table for the browser.",
        "lsp": "Run the language server for editors.",
    },
}
_COMMANDS = {name: text for section in _SECTIONS.values() for name, text in section.items()}
_EXAMPLES = ("cifar-dsl init mine", "cifar-dsl train mine.arch --data shapes")


class _LazyGroup(click.Group):
    """Imports a command's module only when that command runs, so that `check` doesn't wait for what `train` needs."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        if cmd_name not in _COMMANDS:
            return None
        gc.disable()  # imports create no garbage, and collecting takes a tenth of a short command's time
        file = f"{cmd_name}_" if keyword.iskeyword(cmd_name) else cmd_name
        module = importlib.import_module(f"cifar_dsl.cli.{file}")
        gc.freeze()
        gc.enable()
        command = module.command
        assert isinstance(command, click.Command)
        return command

    def shell_complete(self, ctx: click.Context, incomplete: str) -> "list[CompletionItem]":
        from cifar_dsl.cli.completion_items import word_items

        # Click's own completion would import every command.
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
        """Run the command; print errors that the user can fix here, where `--color` is known."""
        try:
            return super().invoke(ctx)
        except Exception as error:
            if print_error(error):
                return EXIT_WRONG
            raise

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        del ctx
        width = max(map(len, _COMMANDS))
        for title, commands in _SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl([(name.ljust(width), text) for name, text in commands.items()])

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write what the program does, then examples."""
        super().format_help_text(ctx, formatter)
        write_examples(formatter, _EXAMPLES)


def _print_version(ctx: click.Context, _parameter: click.Parameter, value: bool) -> None:
    if value:
        from cifar_dsl.foundation.version import __version__

        print_result(f"{PROGRAM} {__version__}")
        ctx.exit()


def _set_color(ctx: click.Context, _parameter: click.Parameter, value: str) -> None:
    ctx.color = {"auto": None, "always": True, "never": False}[value]


def _complete_limits(_ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> "list[CompletionItem]":
    from click.shell_completion import CompletionItem

    return [CompletionItem(f"{name.upper()}=") for name in limits.RAISABLE if name.startswith(incomplete.lower())]


def _parse_limits(ctx: click.Context, parameter: click.Parameter, texts: tuple[str, ...]) -> dict[str, int]:
    return dict(_parse_limit(text, ctx, parameter) for text in texts)


def _parse_limit(text: str, ctx: click.Context, parameter: click.Parameter) -> tuple[str, int]:
    """The name of a limit and its new value. Raises BadParameter."""
    from cifar_dsl.language.diagnostics import nearest

    shown, _, number = text.partition("=")
    shown = shown.strip().upper()
    name = shown.lower()
    if name not in limits.RAISABLE:
        raisable = [one.upper() for one in limits.RAISABLE]
        problem, near = "can't be raised", None
        if name not in limits.DOCS:
            problem, near = "is not a limit", nearest(shown, raisable)
        advice = f"Did you mean {near}?" if near else f"Limits that can be raised: {', '.join(raisable)}."
        raise click.BadParameter(f"{shown or text} {problem}. {advice}", ctx, parameter)
    try:
        value = int(number)
    except ValueError:
        raise click.BadParameter(f"{text} has no integer value; use {shown}=1_000_000.", ctx, parameter) from None
    default = getattr(limits.DEFAULTS, name)
    if value < default:
        raise click.BadParameter(f"{shown} is {default:,} by default and can only be raised.", ctx, parameter)
    if value > _MOST:
        raise click.BadParameter(f"{shown} can be at most {_MOST:,}.", ctx, parameter)
    return name, value


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_version,
    help="Print the version.",
)
@click.option(
    "--color",
    type=click.Choice(["auto", "always", "never"]),
    default="auto",
    metavar="WHEN",
    expose_value=False,
    is_eager=True,
    callback=_set_color,
    help="Colour: auto (on a terminal), always or never.",
)
@click.option(
    "--limit",
    "raised",
    multiple=True,
    metavar="NAME=VALUE",
    callback=_parse_limits,
    shell_complete=_complete_limits,
    help="Raise a limit on specs (docs/limits.md).",
)
@click.pass_context
def group(ctx: click.Context, raised: dict[str, int]) -> None:
    """Compile, train and compare image classifiers defined in small text files."""
    ctx.with_resource(limits.raising(**raised))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # characters that the terminal can't show are escaped
            stream.reconfigure(errors="backslashreplace")
    argv = list(sys.argv[1:] if arguments is None else arguments)
    interruption = Interruption()
    try:
        with interruption.raised():
            code = group.main(args=argv, prog_name=PROGRAM, standalone_mode=False, obj=argv)
        return code if isinstance(code, int) else 0
    except click.exceptions.Exit as request:
        return request.exit_code
    except click.UsageError as error:
        if isinstance(error, click.NoSuchOption):
            vars(error)["possibilities"] = _nearest_options(error)  # click's are often far-fetched
        _show(error)
        if isinstance(error, click.NoSuchOption) and error.option_name in {one.opts[0] for one in group.params}:
            note(f"{error.option_name} must come before the command: {PROGRAM} {error.option_name} ... COMMAND")
        return EXIT_USAGE
    except click.ClickException as error:
        _show(error)
        return EXIT_WRONG
    except (click.Abort, KeyboardInterrupt):
        note("interrupted")  # click has already ended the line of ^C
        return EXIT_INTERRUPTED
    except BrokenPipeError:  # `cifar-dsl show x.arch | head`
        return EXIT_WRONG
    except Exception as error:  # noqa: BLE001  # last resort: any other exception is a bug of ours
        if interruption.happened:  # as an interrupted import may raise
            note_text("\ninterrupted")
            return EXIT_INTERRUPTED
        if print_error(error):  # while the arguments were parsed
            return EXIT_WRONG
        from cifar_dsl.cli.bugs import report_bug

        report_bug(error, argv)
        return EXIT_BUG


def _nearest_options(error: click.NoSuchOption) -> list[str]:
    """The option that an unknown one most likely misspells, if there is any."""
    from cifar_dsl.language.diagnostics import nearest

    if error.ctx is None:
        return []
    parameters = error.ctx.command.get_params(error.ctx)
    names = [name for each in parameters for name in (*each.opts, *each.secondary_opts) if name.startswith("--")]
    found = nearest(_as_name(error.option_name), map(_as_name, names))
    return [name for name in names if _as_name(name) == found]


def _as_name(option: str) -> str:
    return option.removeprefix("--").replace("-", "_")


def _show(error: click.ClickException) -> None:
    """Print click's message, escaped: names of files and options may contain control characters."""
    if not isinstance(error, click.exceptions.NoArgsIsHelpError):  # whose message is the help, in several lines
        vars(error)["message"] = visible(error.message)  # a line of ours; click adds lines of its own
    message = io.StringIO()
    error.show(message)
    note_text(message.getvalue().removesuffix("\n").replace("\t", "  "))  # a tab is click's own
