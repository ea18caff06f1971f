"""The arguments and options with which several commands take specs and runs."""

import glob
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cifar_dsl.cli.options import Decorator, GroupedOption
from cifar_dsl.foundation.errors import UserError
from cifar_dsl.foundation.records import frozen
from cifar_dsl.language.diagnostics import nearest
from cifar_dsl.language.diagnostics.render import visible

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

_TARGET = "What to train"  # training.options.TARGET, which `check` has no time to import

overrides: Decorator = click.option(
    "--set",
    "overrides",
    cls=GroupedOption,
    group=_TARGET,
    beside_resume=False,
    multiple=True,
    metavar="NAME=VALUE",
    help="Override a param (head=[512]) or a setting (train.batch=128, train.optimizer.lr=1e-3).",
)
root: Decorator = click.option(
    "--root",
    cls=GroupedOption,
    group=_TARGET,
    beside_resume=False,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="The folder that `extends` may not leave [default: the spec's own].",
)


def _complete_specs(_ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> "list[CompletionItem]":
    from cifar_dsl.cli.completion_items import spec_items

    return spec_items(incomplete)


def complete_runs(_ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> "list[CompletionItem]":
    """Complete a run for the shell."""
    from cifar_dsl.cli.completion_items import run_items

    return run_items(incomplete)


class _SpecFile(click.Path):
    """A file that is there; else the nearest name that is."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not Path(value).exists():
            raise click.UsageError(_missing(Path(value)), ctx)
        return super().convert(value, param, ctx)


spec: Decorator = click.argument("spec", type=_SpecFile(dir_okay=False, path_type=Path), shell_complete=_complete_specs)
optional_spec: Decorator = click.argument(
    "spec", type=_SpecFile(dir_okay=False, path_type=Path), required=False, shell_complete=_complete_specs
)
specs: Decorator = click.argument("specs", nargs=-1, required=True, shell_complete=_complete_specs)
run: Decorator = click.argument("run", type=click.Path(path_type=Path), shell_complete=complete_runs)
some_runs: Decorator = click.argument(
    "which", nargs=-1, metavar="[RUN]...", type=click.Path(path_type=Path), shell_complete=complete_runs
)


@frozen
class SpecPath:
    """A spec that the command line names, and the folder that its `extends` may not leave."""

    path: Path
    root: Path


def spec_paths(names: Sequence[str], root: Path | None = None) -> list[SpecPath]:
    """The specs that files, folders and globs stand for, each once. Raises UsageError for what is none, UserError.

    A folder stands for the specs right in it, and is the root of what they may extend where `root` says no other.
    """
    found: dict[Path, SpecPath] = {}
    for name in names:
        path = Path(name)
        if path.is_dir():
            inside = [SpecPath(file, root or path) for file in sorted(path.glob("*.arch"))]
            for item in inside:
                _check_inside(item.path, root or path)
            if not inside:
                raise click.UsageError(visible(f"There is no spec (*.arch) in {name}."))
        elif path.exists():
            inside = [SpecPath(path, root or path.parent)]
        else:
            inside = [
                SpecPath(Path(match), root or Path(match).parent) for match in sorted(glob.glob(name, recursive=True))
            ]
            if not inside:
                raise click.UsageError(_missing(path))
        for item in inside:
            found.setdefault(item.path, item)
    return list(found.values())


def _check_inside(file: Path, folder: Path) -> None:
    """Whoever filled a folder may have planted links to files of whoever checks it. Raises UserError."""
    if file.is_symlink() and not file.resolve().is_relative_to(folder.resolve()):
        raise UserError(
            f"{file} is a link that leads out of {folder}", "name the file itself if it is meant to be read"
        )


def _missing(path: Path) -> str:
    there = [file.name for file in path.parent.glob("*.arch")] if path.parent.is_dir() else []
    near = nearest(path.name, there)
    advice = f" Did you mean {path.parent / near}?" if near else ""
    return visible(f"There is no file {path}.{advice}")
