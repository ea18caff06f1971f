"""Arguments and options for specs and runs, shared by several commands."""

import glob
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cifar_dsl.cli.click_options import Decorator, GroupedOption
from cifar_dsl.foundation.errors import UserError
from cifar_dsl.foundation.records import frozen
from cifar_dsl.language.diagnostics import nearest
from cifar_dsl.language.diagnostics.render import visible

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

_TARGET = "What to train"  # training.options.TARGET, too slow for `check` to import

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
    help="Root folder: `extends` can't read files outside it [default: the spec's folder].",
)


def _complete_specs(_ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> "list[CompletionItem]":
    from cifar_dsl.cli.completion_items import spec_items

    return spec_items(incomplete)


def complete_runs(_ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> "list[CompletionItem]":
    """Shell completion of runs."""
    from cifar_dsl.cli.completion_items import run_items

    return run_items(incomplete)


class _SpecFile(click.Path):
    """An existing file; the error for a missing one suggests the nearest name."""

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
    """A spec on the command line, and the folder that its `extends` can't leave."""

    path: Path
    root: Path


def spec_paths(names: Sequence[str], root: Path | None = None) -> list[SpecPath]:
    """Expand files, folders and globs to specs, each listed once.

    A folder expands to the specs directly in it, and is their root unless `root` is given. Raises UsageError for a
    name without specs, UserError for a link that leads out of its folder.
    """
    expanded: dict[Path, SpecPath] = {}
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
            expanded.setdefault(item.path, item)
    return list(expanded.values())


def _check_inside(file: Path, folder: Path) -> None:
    """Refuse a link out of `folder`: a folder from a stranger could expose other files. Raises UserError."""
    if file.is_symlink() and not file.resolve().is_relative_to(folder.resolve()):
        raise UserError(
            f"{file} is a link to a file outside {folder}", "to read that file, name it on the command line"
        )


def _missing(path: Path) -> str:
    siblings = [file.name for file in path.parent.glob("*.arch")] if path.parent.is_dir() else []
    near = nearest(path.name, siblings)
    advice = f" Did you mean {path.parent / near}?" if near else ""
    return visible(f"There is no file {path}.{advice}")
