"""`cifar-dsl show`: show a network as a table, as annotated source, or as a picture."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cifar_dsl.analysis import kept_bytes
from cifar_dsl.cli import arguments
from cifar_dsl.cli.click_options import GroupedCommand
from cifar_dsl.cli.output import note, print_text, writing
from cifar_dsl.compiler import Analysis, analyze
from cifar_dsl.foundation.atomic import write_atomically
from cifar_dsl.foundation.records import frozen
from cifar_dsl.ir import Declaration, Graph, Pattern, TrainedOutput, trained_outputs
from cifar_dsl.language.syntax import print_spec
from cifar_dsl.views.annotated_source import margin
from cifar_dsl.views.flatten import expanded, recipe_values
from cifar_dsl.views.table import table, taught_by

if TYPE_CHECKING:
    from cifar_dsl.views.pictures import Direction, ThemeName

_COLOURED = (".svg", ".png", ".pdf", ".tex")  # with a layout and colours of ours
_COLOURED_NAMES = ".svg, .png, .pdf or .tex"
_PICTURES = (*_COLOURED, ".mmd", ".dot")


@frozen
class _Form:
    """How a picture is drawn."""

    depth: int | None
    direction: "Direction"
    theme: "ThemeName"
    is_transparent: bool


class _PictureFile(click.Path):
    """A file whose suffix is a picture format."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if Path(value).suffix.lower() not in _PICTURES:
            self.fail(f"{value!r} does not end in {', '.join(_PICTURES[:-1])} or {_PICTURES[-1]}.", param, ctx)
        if not Path(value).parent.is_dir():
            self.fail(f"there is no folder {str(Path(value).parent)!r}.", param, ctx)
        return super().convert(value, param, ctx)


@click.command(
    name="show",
    cls=GroupedCommand,
    examples=(
        "cifar-dsl show resnet18 --margin",
        "cifar-dsl show mine.arch --set width=64",
    ),
    common=("--set", "--data", "--margin", "--expand", "--json", "--picture", "--direction", "--theme", "--depth"),
)
@arguments.spec
@arguments.overrides
@arguments.root
@arguments.data
@click.option("--margin", is_flag=True, help="Print the spec with shapes and counts beside each line.")
@click.option("--expand", is_flag=True, help="Print one flat spec, with all blocks, loops and conditions expanded.")
@click.option("--resolved", is_flag=True, help="Print one spec, with its bases and overrides merged.")
@click.option("--json", is_flag=True, help="Print everything as JSON.")
@click.option("--mermaid", is_flag=True, help="Print a Mermaid flow chart, for Markdown.")
@click.option("--dot", is_flag=True, help="Print a graph in Graphviz's DOT language.")
@click.option(
    "--picture",
    type=_PictureFile(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write a picture to FILE: .svg, .png, .pdf, .tex (TikZ), .mmd (Mermaid) or .dot (Graphviz).",
)
@click.option(
    "--depth",
    type=click.IntRange(0),
    metavar="N",
    help="Expand blocks in pictures to this nesting depth [default: the deepest that stays readable].",
)
@click.option(
    "--direction",
    type=click.Choice(["down", "right"]),
    help="Let tensors in pictures flow down or to the right [default: down].",
)
@click.option(
    "--theme", type=click.Choice(["light", "dark"]), help="Colours of an .svg, .png, .pdf or .tex [default: light]."
)
@click.option("--transparent", is_flag=True, help="Leave the ground of an .svg, .png, .pdf or .tex transparent.")
def command(
    spec: Path,
    overrides: tuple[str, ...],
    root: Path | None,
    data: str | None,
    picture: Path | None,
    depth: int | None,
    direction: "Direction | None",
    theme: "ThemeName | None",
    transparent: bool,
    **forms: bool,
) -> None:
    """Show SPEC layer by layer: path, output shape, parameters, multiply-accumulates. Needs no torch."""
    chosen = [name for name, is_chosen in (forms | {"picture": picture is not None}).items() if is_chosen]
    if len(chosen) > 1:
        raise click.UsageError(f"--{chosen[0]} can't be combined with --{chosen[1]}.")
    if depth is not None and not {"picture", "mermaid", "dot"} & {*chosen}:
        raise click.UsageError("--depth requires --picture, --mermaid or --dot.")
    if direction is not None and not {"picture", "mermaid", "dot"} & {*chosen}:
        raise click.UsageError("--direction requires --picture, --mermaid or --dot.")
    if (theme or transparent) and not (picture and picture.suffix.lower() in _COLOURED):
        raise click.UsageError(f"--{'theme' if theme else 'transparent'} requires --picture with {_COLOURED_NAMES}.")
    form = _Form(depth, direction or "down", theme or "light", transparent)
    analysis = analyze(spec, root, overrides, arguments.chosen_data(data))
    if picture:
        content = _drawn(analysis, picture.suffix.lower(), form)
        with writing(picture, "choose another place with --picture"):
            write_atomically(picture, content, follow=True)
        note(f"written to {picture}")
    else:
        print_text(_printed(analysis, *chosen, picture=form))


def _printed(analysis: Analysis, form: str = "table", *, picture: _Form) -> str:
    match form:
        case "margin":
            return "\n".join(margin(analysis))
        case "expand":
            return expanded(analysis.graph, analysis.recipe, analysis.program.name.text).removesuffix("\n")
        case "resolved":
            return print_spec(analysis.program.as_spec()).removesuffix("\n")
        case "json":
            return json.dumps(_as_data(analysis), indent=2)
        case "mermaid":
            return _drawn(analysis, ".mmd", picture).decode().removesuffix("\n")
        case "dot":
            return _drawn(analysis, ".dot", picture).decode().removesuffix("\n")
        case _:
            return "\n".join(table(analysis))


def _drawn(analysis: Analysis, suffix: str, form: _Form) -> bytes:
    """A picture in the format of a file suffix. Raises UserError if a package is missing."""
    from cifar_dsl.views import pictures

    picture = pictures.draw(analysis.graph, analysis.program.name.text, form.depth)
    colours = pictures.theme(form.theme, is_transparent=form.is_transparent)
    match suffix:
        case ".svg":
            return pictures.as_svg(picture, form.direction, colours)
        case ".png":
            return pictures.as_png(picture, form.direction, colours)
        case ".pdf":
            return pictures.as_pdf(picture, form.direction, colours)
        case ".tex":
            return pictures.as_tikz(picture, form.direction, colours).encode()
        case ".mmd":
            return pictures.as_mermaid(picture, form.direction).encode()
        case _:
            return pictures.as_dot(picture, form.direction).encode()


def _plain(value: object) -> object:
    """An argument as JSON can hold it."""
    if isinstance(value, Pattern):
        return repr(value)
    return value.brief() if isinstance(value, Declaration) else value


def _exit_as_data(one: TrainedOutput) -> dict[str, object]:
    fields = {"name": one.name, "weight": one.weight, "parameters": one.cost.parameters, "macs": one.cost.macs}
    return fields | ({"learns": taught_by(one)} if one.learns_from_teacher else {})


def _as_data(analysis: Analysis) -> dict[str, object]:
    graph: Graph = analysis.graph
    recipe = analysis.recipe
    outputs = trained_outputs(graph)
    return {
        "name": analysis.program.name.text,
        "fingerprint": analysis.fingerprint,
        "input": graph.input.extents,
        "output": graph.shape_of(graph.output).extents,
        "parameters": graph.cost.parameters,
        "macs": graph.cost.macs,
        "kept_bytes": kept_bytes(graph),
        **({"exits": [_exit_as_data(one) for one in outputs]} if len(outputs) > 1 or outputs[0].weight != 1 else {}),
        "layers": [
            {
                "path": node.path,
                "layer": node.operation.name,
                "arguments": {name: _plain(value) for name, value in node.operation.arguments().items()},
                "inputs": [graph.name_of(value) for value in node.inputs],
                "output": node.shape.extents,
                "parameters": node.cost.parameters,
                "macs": node.cost.macs,
                **({"shares": node.shares} if node.shares else {}),
            }
            for node in graph.nodes
        ],
        "recipe": recipe and recipe_values(recipe),
    }
