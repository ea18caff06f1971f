"""`cifar-dsl check`: report the errors and likely mistakes in specs."""

from collections.abc import Callable
from functools import cache
from pathlib import Path

import click

from cifar_dsl.cli import arguments
from cifar_dsl.cli.click_options import GroupedCommand
from cifar_dsl.cli.output import counted, note, print_diagnostic, print_error, print_result, print_text, writing
from cifar_dsl.cli.spec_paths import NamedSpecs, SpecPath
from cifar_dsl.compiler import Analysis, ChosenData, Library
from cifar_dsl.compiler.files import encoded
from cifar_dsl.compiler.lints import Inspection, fixed, inspect, naming
from cifar_dsl.foundation.atomic import write_atomically
from cifar_dsl.foundation.text import in_short
from cifar_dsl.language.diagnostics import Diagnostic, grouped, render_concise, render_github, render_json, render_sarif

_LINES = {"concise": render_concise, "github": render_github}
_DOCUMENTS = {"json": render_json, "sarif": render_sarif}
_ROUNDS = 10  # of fixing: one fix may enable another


@click.command(
    name="check",
    cls=GroupedCommand,
    examples=(
        "cifar-dsl check mine.arch",
        "cifar-dsl check specs/ --format concise",
    ),
)
@arguments.specs
@arguments.overrides
@arguments.root
@arguments.data
@click.option(
    "--format",
    "style",
    type=click.Choice(["full", *_LINES, *_DOCUMENTS]),
    default="full",
    show_default=True,
    help="Output format.",
)
@click.option("-q", "--quiet", is_flag=True, help="Print nothing about specs without errors or warnings.")
@click.option("--fix", is_flag=True, help="Apply the safe fixes.")
@click.option("--unsafe-fixes", is_flag=True, help="With --fix: also apply fixes that change meaning (`did you mean`).")
@click.option("--strict", is_flag=True, help="Exit with 1 on warnings, too.")
def command(
    specs: tuple[str, ...],
    overrides: tuple[str, ...],
    root: Path | None,
    data: str | None,
    style: str,
    quiet: bool,
    fix: bool,
    unsafe_fixes: bool,
    strict: bool,
) -> int:
    """Check SPECS: files, folders (with their subfolders) or globs of specs and libraries.

    Reports every error and warns of likely mistakes, each with its location; exits with 1 if there are errors.
    A comment `# allow: W0203` silences a warning. Needs no torch and no GPU, and reads a dataset only if --data names
    its file.
    """
    if unsafe_fixes and not fix:
        raise click.UsageError("--unsafe-fixes requires --fix.")
    chosen = arguments.chosen_data(data)
    diagnostics: list[Diagnostic] = []
    touched = 0

    @cache
    def of_base(base: Path, folder: Path) -> tuple[Diagnostic, ...]:
        return inspect(base, folder, overrides, data=chosen).diagnostics

    named = NamedSpecs(specs, root, may_change=fix)
    for item in named.specs:
        inspection = inspect(item.path, item.root, overrides, data=chosen)
        if fix:
            inspection = _fix(item, overrides, chosen, inspection, also_unsafe=unsafe_fixes)
        found = [_attributed(one, item, of_base) for one in inspection.diagnostics]
        new = [diagnostic for diagnostic in found if diagnostic not in diagnostics]  # not of a base
        diagnostics.extend(new)
        touched += bool(inspection.diagnostics)
        if style not in _DOCUMENTS:
            for diagnostic in grouped(new) if style == "full" else new:
                if style == "full":
                    print_diagnostic(diagnostic, fixing="")
                else:
                    print_result(_LINES[style](diagnostic))
            if inspection.found and not quiet and style != "github":
                print_result(f"{item.path}: ok; {_summary(inspection.found)}")
    if style in _DOCUMENTS:
        print_text(_DOCUMENTS[style](diagnostics))
    errors = sum(diagnostic.severity == "error" for diagnostic in diagnostics)
    if diagnostics:
        counts = ((errors, "error"), (len(diagnostics) - errors, "warning"))
        summary = " and ".join(counted(count, severity) for count, severity in counts if count)
        note(f"{summary} in {touched} of {counted(len(named.specs), 'spec')}")
    for error in named.unreadable:
        print_error(error)
    return 1 if errors or named.unreadable or (strict and diagnostics) else 0


def _fix(
    item: SpecPath,
    overrides: tuple[str, ...],
    data: ChosenData | None,
    inspection: Inspection,
    *,
    also_unsafe: bool,
) -> Inspection:
    """Apply fixes to the file until none is left, and return its last inspection."""
    for _ in range(_ROUNDS):
        sources = {d.label.span.source for d in inspection.diagnostics if d.label and d.fixes}
        source = next((source for source in sources if source.name == str(item.path)), None)
        if source is None:
            break
        text = fixed(source, inspection.diagnostics, also_unsafe=also_unsafe)
        if text == source.text:
            break
        with writing(item.path, "make the file and its folder writable, or check without --fix"):
            write_atomically(item.path, encoded(text, item.path), follow=True)
        note(f"{item.path}: fixed")
        inspection = inspect(item.path, item.root, overrides, data=data)
    return inspection


def _attributed(one: Diagnostic, item: SpecPath, of_base: Callable[[Path, Path], tuple[Diagnostic, ...]]) -> Diagnostic:
    """The diagnostic of a spec, which its message names if it stands in a base that doesn't have it by itself."""
    named = naming(one, item.path)
    if named is one or not one.label or one in of_base(Path(one.label.span.source.name), item.root):
        return one
    return named


def _summary(checked: Analysis | Library) -> str:
    if isinstance(checked, Library):
        return f"a library of {len(checked.blocks)} blocks"
    cost, graph = checked.graph.cost, checked.graph
    return (
        f"{graph.input} -> {graph.shape_of(graph.output)}, {cost.parameters:,} parameters, "
        f"{in_short(cost.macs)} multiply-accumulates"
    )
