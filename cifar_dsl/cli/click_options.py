"""Click options for `train`, `compare` and `sweep`, generated from the declarations in `training/options.py`."""

import re
from collections.abc import Callable, Iterator, Sequence
from functools import wraps
from itertools import pairwise
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

_LEAST_CLAUSE = 18  # characters
_WIDEST = 30  # characters of an option whose help starts on the same line, as in click


class GroupedOption(click.Option):
    """An option with its heading in `--help`, and whether it can be combined with --resume."""

    def __init__(self, *names: Any, group: str = "", beside_resume: bool = True, **more: Any) -> None:
        super().__init__(*names, **more)
        self.group = group
        self.beside_resume = beside_resume


_ALL_OPTIONS = "all options"  # in the `meta` of a context: whether to print the long help


def _show_all(ctx: click.Context, _parameter: click.Parameter, value: bool) -> None:
    if value:
        from cifar_dsl.cli.output import print_text

        ctx.meta[_ALL_OPTIONS] = True
        print_text(ctx.get_help())
        ctx.exit()


class StrictCommand(click.Command):
    """A command that never takes one of its own options for the value of the option before it."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the arguments. Raises BadOptionUsage for `--html --json`, if `--html` requires a value."""
        if not ctx.resilient_parsing:
            self._check_values(ctx, args)
        return super().parse_args(ctx, args)

    def _check_values(self, ctx: click.Context, args: Sequence[str]) -> None:
        options = [each for each in self.get_params(ctx) if isinstance(each, click.Option)]
        names = {name for option in options for name in (*option.opts, *option.secondary_opts)}
        valued = {name for option in options if not (option.is_flag or option.count) for name in option.opts}
        given = args[: args.index("--")] if "--" in args else args
        for name, value in pairwise(given):
            if name in valued and value in names:
                joined = f"{name}={value}" if name.startswith("--") else f"{name}{value}"
                raise click.BadOptionUsage(
                    name, f"Option '{name}' requires a value, but '{value}' is an option; if it is meant: {joined}", ctx
                )


class StrictGroup(click.Group):
    """A group of commands that are strict."""

    command_class = StrictCommand


class GroupedCommand(StrictCommand):
    """A command with many options: `--help` fits on a screen, and `--help-all` groups all of them under headings.

    `--help` shows the first paragraph of the text, the `examples`, and one line for each of the options in `common`.
    """

    def __init__(self, *args: Any, examples: Sequence[str] = (), common: Sequence[str] = (), **more: Any) -> None:
        super().__init__(*args, **more)
        self.examples = examples
        self.common = common

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """The parameters, with --help-all and --help at the end."""
        *own, last = super().get_params(ctx)
        return [*own, _HELP_ALL, last] if self.common else [*own, last]

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the short or the long help."""
        if not self.common or ctx.meta.get(_ALL_OPTIONS):
            super().format_help(ctx, formatter)
            return
        self.format_usage(ctx, formatter)
        formatter.write_paragraph()
        with formatter.indentation():
            first, *_ = (self.help or "").split("\n\n")
            formatter.write_text(first)
        write_examples(formatter, self.examples)
        rows = [row for name in self.common for row in self._short_rows(ctx, name)]
        with formatter.section("Common options"):
            formatter.write_dl(rows)
        count = sum(isinstance(parameter, click.Option) for parameter in self.get_params(ctx))
        formatter.write_paragraph()
        formatter.write_text(f"All {count} options: {ctx.command_path} --help-all")

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the text of the command, then its examples."""
        super().format_help_text(ctx, formatter)
        write_examples(formatter, self.examples)

    def _short_rows(self, ctx: click.Context, name: str) -> Iterator[tuple[str, str]]:
        """The option with this name, such as `--data`, and the first clause of its help."""
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx) if name in parameter.opts else None
            if record and isinstance(parameter, click.Option):
                kind = record[0].partition(name)[2].replace("INTEGER RANGE", "N").replace("TEXT", "NAME")
                yield f"{name}{kind}", _first_clause(parameter.help or "")

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write one section per group, in the order of their first options, with aligned columns."""
        sections: dict[str, list[tuple[str, str]]] = {}
        others: list[tuple[str, str]] = []
        for parameter in self.get_params(ctx):
            row = parameter.get_help_record(ctx) if isinstance(parameter, click.Option) else None
            if row is not None:
                group = parameter.group if isinstance(parameter, GroupedOption) else ""
                (sections.setdefault(group, []) if group else others).append(row)
        if len(sections) < 2:  # a heading for one group says nothing
            super().format_options(ctx, formatter)
            return
        sections["Other options"] = others
        width = min(_WIDEST, max(len(name) for rows in sections.values() for name, _ in rows))
        for group, rows in sections.items():
            with formatter.section(group):
                formatter.write_dl([(name.ljust(width), text) for name, text in rows], col_max=_WIDEST)


def write_examples(formatter: click.HelpFormatter, examples: Sequence[str]) -> None:
    """Write a section of command lines, if there are any."""
    if examples:
        with formatter.section("Examples"):
            formatter.write("".join(f"{' ' * formatter.current_indent}{line}\n" for line in examples))


def _first_clause(text: str) -> str:
    """The start of a help text up to the first break that leaves it a meaning: "Device:" alone has none."""
    ends = [match.start() for match in re.finditer(r"[.:;]( |$)| \[| \(", text)]
    end = next((end for end in ends if end >= _LEAST_CLAUSE), len(text))
    return f"{text[:end]}."


_HELP_ALL = click.Option(
    ["--help-all"],
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_show_all,
    help="Show all options and exit.",
)


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
    return click.option(
        *([declared.short] if declared.short else []),
        declared.flag_of(field.name),
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
