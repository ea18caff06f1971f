"""Click options for `train`, `compare` and `sweep`, generated from the declarations in `training/options.py`."""

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from types import NoneType
from typing import TYPE_CHECKING, Any, get_args, get_origin

import click
from click.core import ParameterSource

from cifar_dsl.language.diagnostics.render import visible

if TYPE_CHECKING:
    from attrs import Attribute

    from cifar_dsl.training.options import Declaration, RunOptions

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

_WIDEST = 30  # characters of an option whose help starts on the same line, as in click


class GroupedOption(click.Option):
    """An option with its heading in `--help`, and whether it can be combined with --resume."""

    def __init__(self, *names: Any, group: str = "", beside_resume: bool = True, **more: Any) -> None:
        super().__init__(*names, **more)
        self.group = group
        self.beside_resume = beside_resume


class GroupedCommand(click.Command):
    """A command whose `--help` groups its options under headings."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write one section per group, in the order of their first options, with aligned columns."""
        sections: dict[str, list[tuple[str, str]]] = {}
        others: list[tuple[str, str]] = []
        for parameter in self.get_params(ctx):
            row = parameter.get_help_record(ctx) if isinstance(parameter, click.Option) else None
            if row is not None:
                group = parameter.group if isinstance(parameter, GroupedOption) else ""
                (sections.setdefault(group, []) if group else others).append(row)
        sections["Other options"] = others
        width = min(_WIDEST, max(len(name) for rows in sections.values() for name, _ in rows))
        for group, rows in sections.items():
            with formatter.section(group):
                formatter.write_dl([(name.ljust(width), text) for name, text in rows], col_max=_WIDEST)


def with_options(kind: "type[RunOptions]") -> Decorator:
    """Add the options that `kind` declares to a command, which receives them as one argument, `options`.

    The command raises UsageError for an option without effect, or one that can't be combined with --resume.
    """
    from cifar_dsl.training.options import TrainOptions, offered_options

    offered = offered_options(kind)

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(command)
        def with_gathered(**values: Any) -> Any:
            options = kind(**{each.name: values.pop(each.name) for each in offered})
            if values.get("resume") is not None:
                _refuse_beside_resume()
            if isinstance(options, TrainOptions) and options.conflict:
                raise click.UsageError(options.conflict)
            return command(options=options, **values)

        decorated: Callable[..., Any] = with_gathered
        for each in reversed(offered):
            decorated = _click_option(each, kind)(decorated)
        return decorated

    return decorate


def with_option(kind: "type[RunOptions]", name: str) -> Decorator:
    """Add the option `name` that `kind` declares to a command, as an argument of that name."""
    from cifar_dsl.training.options import offered_options

    (declared,) = (each for each in offered_options(kind) if each.name == name)
    return _click_option(declared, kind)


def _refuse_beside_resume() -> None:
    """Raise UsageError if an option on the command line can't be combined with --resume."""
    context = click.get_current_context()
    for option in context.command.params:
        is_given = context.get_parameter_source(option.name or "") is ParameterSource.COMMANDLINE
        if isinstance(option, GroupedOption) and not option.beside_resume and is_given:
            raise click.UsageError(f"{option.opts[0]} can't be combined with --resume, which reads it from the run.")


def _click_option(field: "Attribute[Any]", kind: "type[RunOptions]") -> Decorator:
    """The click option for a declared field of `kind`."""
    from cifar_dsl.training.options import declaration_of, help_of

    declared = declaration_of(field)
    flag = declared.flag or f"--{field.name.replace('_', '-')}"
    return click.option(
        *([declared.short] if declared.short else []),
        flag,
        field.name,
        cls=GroupedOption,
        metavar=declared.metavar,
        help=help_of(field, kind),
        callback=_callback(declared.check) if declared.check else None,
        group=declared.group,
        beside_resume=declared.beside_resume,
        **_type_and_default(field, declared),
    )


def _type_and_default(field: "Attribute[Any]", declared: "Declaration") -> dict[str, Any]:
    """The type, bounds and default of an option, as arguments for click."""
    plain = next((each for each in get_args(field.type) if each is not NoneType), field.type)
    if plain is bool:
        return {"is_flag": True}
    kind: Any = plain
    if declared.choices:
        kind = click.Choice(declared.choices)
    elif declared.path:
        kind = click.Path(file_okay=declared.path == "any", path_type=Path)
    elif declared.minimum is not None:
        kind = click.IntRange(declared.minimum, declared.maximum)
    if get_origin(field.type) is tuple:
        return {"type": kind, "multiple": True}
    return {"type": kind} if field.default is None else {"type": kind, "default": field.default, "show_default": True}


def _callback(check: Callable[[str], str | None]) -> Callable[[click.Context, click.Parameter, str], str]:
    """A check as a click callback, which raises BadParameter."""

    def checked(ctx: click.Context, parameter: click.Parameter, text: str) -> str:
        if problem := check(text):
            raise click.BadParameter(visible(problem), ctx, parameter)
        return text

    return checked
