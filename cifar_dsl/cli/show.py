"""`cifar-dsl show`: the network as a table."""

import json
from pathlib import Path

import click

from cifar_dsl.cli import options
from cifar_dsl.cli.summary import recipe_lines
from cifar_dsl.expansion import expanded, layer_text, recipe_values
from cifar_dsl.ir import Call, Graph, Value
from cifar_dsl.layers import INITIALIZERS
from cifar_dsl.memory import kept_bytes
from cifar_dsl.semantics import Analysis, analyze
from cifar_dsl.syntax import print_spec
from cifar_dsl.text import columns, in_short


@click.command(name="show")
@options.spec
@options.overrides
@options.root
@click.option("--expand", is_flag=True, help="Print what blocks, loops and conditions stand for, as one flat spec.")
@click.option("--resolved", is_flag=True, help="Print the one text that spec, bases and overrides amount to.")
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
def command(
    spec: Path, overrides: tuple[str, ...], root: Path | None, expand: bool, resolved: bool, as_json: bool
) -> None:
    """Show SPEC layer by layer: path, output shape, parameters, multiply-accumulates. Needs no torch."""
    analysis = analyze(spec, root, overrides)
    if expand:
        click.echo(expanded(analysis.graph, analysis.recipe, analysis.program.name.text), nl=False)
    elif resolved:
        click.echo(print_spec(analysis.program.as_spec()), nl=False)
    elif as_json:
        click.echo(json.dumps(_as_data(analysis), indent=2))
    else:
        for line in table(analysis):
            click.echo(line)


def table(analysis: Analysis) -> list[str]:
    """The lines of the table."""
    graph, cost = analysis.graph, analysis.graph.cost
    rows = [["layer", "path", "output", "parameters", "macs"], ["input", "", str(graph.input), "", ""]]
    rows += [
        [layer_text(node.call), node.path, str(node.shape), _count(node.cost.parameters), _count(node.cost.macs)]
        for node in graph.nodes
    ]
    rows.append(["total", "", str(graph.shape_of(graph.output)), f"{cost.parameters:,}", f"{cost.macs:,}"])
    lines = columns(rows, right=frozenset({3, 4}))
    rule = "-" * max(map(len, lines))
    return [
        f"{analysis.program.name}  {analysis.fingerprint}",
        "",
        lines[0],
        rule,
        *lines[1:-1],
        rule,
        lines[-1],
        "",
        f"kept of one image for the backward pass: {in_short(kept_bytes(graph), 'B')} in float32",
        *recipe_lines(analysis.recipe),
    ]


def _plain(value: Value) -> Value:
    return INITIALIZERS.of(value).brief() if isinstance(value, Call) else value


def _count(number: int) -> str:
    return f"{number:,}" if number else ""


def _as_data(analysis: Analysis) -> dict[str, object]:
    graph: Graph = analysis.graph
    recipe = analysis.recipe
    return {
        "name": analysis.program.name.text,
        "fingerprint": analysis.fingerprint,
        "input": graph.input.extents,
        "output": graph.shape_of(graph.output).extents,
        "parameters": graph.cost.parameters,
        "macs": graph.cost.macs,
        "kept_bytes": kept_bytes(graph),
        "layers": [
            {
                "path": node.path,
                "layer": node.call.name,
                "arguments": {name: _plain(value) for name, value in node.call.arguments},
                "inputs": [graph.nodes[value - 1].path if value else "input" for value in node.inputs],
                "output": node.shape.extents,
                "parameters": node.cost.parameters,
                "macs": node.cost.macs,
            }
            for node in graph.nodes
        ],
        "recipe": recipe and recipe_values(recipe),
    }
