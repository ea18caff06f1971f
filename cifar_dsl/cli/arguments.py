"""Arguments and options for specs and runs, shared by several commands."""

import shlex
from collections.abc import Callable
from functools import partial, wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cifar_dsl.cli.click_options import Decorator, GroupedOption
from cifar_dsl.cli.output import warn
from cifar_dsl.cli.spec_paths import missing
from cifar_dsl.foundation.resources import located, shipped_specs
from cifar_dsl.foundation.text import natural_order

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from cifar_dsl.compiler import ChosenData

_SETTINGS = {
    "epochs": ("train.epochs", "N"),
    "batch": ("train.batch", "N"),
    "lr": ("train.optimizer.lr", "RATE"),
}
_ANY_SPEC = "Name a file, such as mine.arch, or a shipped spec, such as resnet18"
_LISTED = 4  # specs of a folder that an error names
_TARGET = "What to train"  # training.options.TARGET, too slow for `check` to import

overrides: Decorator = click.option(
    "--set",
    "overrides",
    cls=GroupedOption,
    group=_TARGET,
    multiple=True,
    metavar="NAME=VALUE",
    help="Override a param (head=[512]) or a setting (train.batch=128, train.optimizer.lr=1e-3).",
)


def with_overrides(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add --set, and options for the settings that are changed most often, to a command, as `overrides`."""
    return overrides(with_settings("overrides")(command))


def with_settings(name: str) -> Decorator:
    """Add options for the settings that are changed most often to a command with --set, whose `name` they extend."""
    return partial(_with_settings, set_name=name)


def _with_settings(command: Callable[..., Any], set_name: str) -> Callable[..., Any]:
    @wraps(command)
    def with_gathered(**values: Any) -> Any:
        given = {name: values.pop(name) for name in _SETTINGS}
        short = tuple(f"{setting}={given[name]}" for name, (setting, _) in _SETTINGS.items() if given[name] is not None)
        return command(**values | {set_name: (*values[set_name], *short)})

    decorated: Callable[..., Any] = with_gathered
    for name, (setting, metavar) in reversed(_SETTINGS.items()):
        decorated = click.option(
            f"--{name}",
            name,
            cls=GroupedOption,
            group=_TARGET,
            metavar=metavar,
            help=f"Same as --set {setting}={metavar}.",
        )(decorated)
    return decorated


root: Decorator = click.option(
    "--root",
    cls=GroupedOption,
    group=_TARGET,
    beside_resume=False,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Root folder: `extends` can't read files outside it [default: the spec's folder].",
)

data: Decorator = click.option(
    "--data",
    metavar="NAME",
    help="Dataset to use instead of the spec's: cifar10, cifar100, shapes, or npz:PATH.",
)


weights: Decorator = click.option(
    "--weights",
    type=click.Choice(["last", "best"]),
    default="last",
    show_default=True,
    help="Weights of the last epoch, or of the epoch that is best on the held-out images.",
)


def chosen_data(text: str | None) -> "ChosenData | None":
    """The dataset that `--data` names, with warnings about its file. Raises DataError, UserError."""
    if text is None:
        return None
    from cifar_dsl.training.datasets import choose_data

    return choose_data(text, warn).chosen


def complete_specs(_ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> "list[CompletionItem]":
    """Shell completion of specs: files and the names of shipped ones."""
    from cifar_dsl.cli.completion_items import spec_items

    return spec_items(incomplete, shipped_specs())


def _complete_files(_ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> "list[CompletionItem]":
    from cifar_dsl.cli.completion_items import spec_items

    return spec_items(incomplete)


def complete_runs(_ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> "list[CompletionItem]":
    """Shell completion of runs."""
    from cifar_dsl.cli.completion_items import run_items

    return run_items(incomplete)


def spec_file(name: str | Path) -> Path:
    """The file or folder of this path, or the shipped spec of this name. Raises UsageError."""
    path = located(name)
    if not path.exists():
        raise click.UsageError(missing(path))
    return path


def _instead_of_folder(folder: Path, command: str) -> str:
    """What to write in place of a folder, where a command takes one spec."""
    specs = sorted((path for path in folder.glob("*.arch") if path.is_file()), key=natural_order)
    if not specs:
        return f"'{folder}' is a folder without specs. {_ANY_SPEC}."
    named = ", ".join(map(str, specs[:_LISTED])) + (", ..." if len(specs) > _LISTED else "")
    whole = f" `cifar-dsl compare {shlex.quote(str(folder))}` trains all of them." if command == "train" else ""
    return f"'{folder}' is a folder. Name one of its specs: {named}.{whole}"


class _SpecFile(click.Path):
    """An existing file, or the name of a shipped spec; the error for neither suggests the nearest name."""

    def get_missing_message(self, param: click.Parameter, ctx: click.Context | None = None) -> str:  # noqa: ARG002
        run = ", or a run, which `cifar-dsl runs` lists" if "RUN" in (param.metavar or "") else ""
        return f"{_ANY_SPEC}{run}."

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        path = spec_file(value)
        if not self.dir_okay and Path(path).is_dir():
            self.fail(_instead_of_folder(Path(path), (ctx and ctx.info_name) or ""), param, ctx)
        if path.suffix == ".py":
            self.fail(
                f"'{path}' is Python. `cifar-dsl import {path}:NAME` writes the spec of a network in it.", param, ctx
            )
        return super().convert(path, param, ctx)


class _Run(click.Path):
    """The folder of a run."""

    def get_missing_message(self, param: click.Parameter, ctx: click.Context | None = None) -> str:  # noqa: ARG002
        return "`cifar-dsl runs` lists the runs."


spec: Decorator = click.argument("spec", type=_SpecFile(dir_okay=False, path_type=Path), shell_complete=complete_specs)
optional_spec: Decorator = click.argument(
    "spec", type=_SpecFile(dir_okay=False, path_type=Path), required=False, shell_complete=complete_specs
)
specs: Decorator = click.argument("specs", nargs=-1, required=True, shell_complete=complete_specs)
spec_files: Decorator = click.argument("specs", nargs=-1, required=True, shell_complete=_complete_files)
spec_or_run: Decorator = click.argument(
    "spec_or_run", metavar="SPEC|RUN", type=_SpecFile(path_type=Path), shell_complete=complete_specs
)
run: Decorator = click.argument("run", type=_Run(path_type=Path), shell_complete=complete_runs)
some_runs: Decorator = click.argument(
    "which", nargs=-1, metavar="[RUN]...", type=click.Path(path_type=Path), shell_complete=complete_runs
)
