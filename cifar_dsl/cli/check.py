"""`cifar-dsl check`: is everything in these specs right?"""

from pathlib import Path

import click

from cifar_dsl.cli import arguments
from cifar_dsl.cli.output import counted, note, say, shown
from cifar_dsl.compiler import Analysis, Library
from cifar_dsl.compiler.lints import Inspection, fixed, inspect
from cifar_dsl.foundation.atomic import write_atomically
from cifar_dsl.foundation.text import in_short
from cifar_dsl.language.diagnostics import Diagnostic, render_concise, render_github, render_json, render_sarif
from cifar_dsl.language.diagnostics.render import visible

_LINES = {"full": lambda diagnostic: shown(diagnostic) + "\n", "concise": render_concise, "github": render_github}
_DOCUMENTS = {"json": render_json, "sarif": render_sarif}
_ROUNDS = 10  # of fixing: a fix may make room for another


@click.command(name="check")
@arguments.specs
@arguments.overrides
@arguments.root
@click.option(
    "--format",
    "style",
    type=click.Choice([*_LINES, *_DOCUMENTS]),
    default="full",
    show_default=True,
    help="How findings are shown.",
)
@click.option("-q", "--quiet", is_flag=True, help="Say nothing about specs that are right.")
@click.option("--fix", is_flag=True, help="Mend what can be mended without changing what a spec means.")
@click.option("--unsafe-fixes", is_flag=True, help="With --fix: also make changes of meaning, such as `did you mean`.")
@click.option("--strict", is_flag=True, help="End with 1 for warnings too.")
def command(
    specs: tuple[str, ...],
    overrides: tuple[str, ...],
    root: Path | None,
    style: str,
    quiet: bool,
    fix: bool,
    unsafe_fixes: bool,
    strict: bool,
) -> int:
    """Check SPECS, files, folders or globs of specs and libraries.

    Says everything that is wrong, and warns of what is most likely not meant, with its place; ends with 1 if
    anything is wrong. A comment `# allow: W0203` lets a warning pass. Needs no torch, no data and no GPU.
    """
    if unsafe_fixes and not fix:
        raise click.UsageError("--unsafe-fixes goes with --fix.")
    found: list[Diagnostic] = []
    touched = 0
    paths = arguments.spec_paths(specs, root)
    for item in paths:
        inspection = inspect(item.path, item.root, overrides)
        if fix:
            inspection = _mended(item, overrides, inspection, also_unsafe=unsafe_fixes)
        found.extend(inspection.diagnostics)
        touched += bool(inspection.diagnostics)
        if style in _LINES:
            for diagnostic in inspection.diagnostics:
                click.echo(_LINES[style](diagnostic))
            if inspection.found and not quiet and style != "github":
                say(f"{item.path}: ok; {_in_short(inspection.found)}")
    if style in _DOCUMENTS:
        click.echo(_DOCUMENTS[style](found))
    errors = sum(diagnostic.severity == "error" for diagnostic in found)
    if found:
        counts = ((errors, "error"), (len(found) - errors, "warning"))
        said = " and ".join(counted(count, what) for count, what in counts if count)
        note(f"{said} in {touched} of {counted(len(paths), 'spec')}")
    return 1 if errors or (strict and found) else 0


def _mended(
    item: arguments.SpecPath, overrides: tuple[str, ...], inspection: Inspection, *, also_unsafe: bool
) -> Inspection:
    """Put fixes into the file until none is left, and inspect what it is then."""
    for _ in range(_ROUNDS):
        sources = {d.label.span.source for d in inspection.diagnostics if d.label and d.fixes}
        source = next((source for source in sources if source.name == str(item.path)), None)
        if source is None:
            break
        text = fixed(source, inspection.diagnostics, also_unsafe=also_unsafe)
        if text == source.text:
            break
        write_atomically(item.path, text.encode())
        note(f"{visible(str(item.path))}: mended")
        inspection = inspect(item.path, item.root, overrides)
    return inspection


def _in_short(right: Analysis | Library) -> str:
    if isinstance(right, Library):
        return f"a library of {len(right.blocks)} blocks"
    cost, graph = right.graph.cost, right.graph
    return (
        f"{graph.input} -> {graph.shape_of(graph.output)}, {cost.parameters:,} parameters, "
        f"{in_short(cost.macs)} multiply-accumulates"
    )
