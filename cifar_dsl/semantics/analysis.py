"""The whole way from a file to the IR, with all mistakes told at once."""

from collections.abc import Sequence
from pathlib import Path

from attrs import frozen

from cifar_dsl.diagnostics import Reporter
from cifar_dsl.ir import Graph, Recipe, fingerprint
from cifar_dsl.semantics.evaluate import Evaluator
from cifar_dsl.semantics.expand import expand
from cifar_dsl.semantics.names import check_names
from cifar_dsl.semantics.params import global_names
from cifar_dsl.semantics.program import Program, load_program, program_of_text
from cifar_dsl.semantics.recipe import DataShape, check_data, check_fit, make_recipe


@frozen
class Analysis:
    """A spec that was found right: the merged program, and what it means."""

    program: Program
    graph: Graph
    recipe: Recipe | None

    @property
    def fingerprint(self) -> str:
        """Stands for graph and recipe; see `cifar_dsl.ir.fingerprint`."""
        return fingerprint(self.graph, self.recipe)

    def check_data(self, data: DataShape) -> None:
        """Raise SpecError if the network or its recipe doesn't go with the data."""
        if self.recipe is not None:
            reporter = Reporter()
            check_data(self.program, self.graph, self.recipe, data, reporter)
            reporter.raise_if_any()


def analyze(path: Path, root: Path | None = None, overrides: Sequence[str] = ()) -> Analysis:
    """Read, check and expand the spec at `path`. Raises SpecError with everything that is wrong."""
    reporter = Reporter()
    return _analyze(load_program(path, root, overrides, reporter), reporter)


def analyze_text(text: str, name: str = "<text>", overrides: Sequence[str] = ()) -> Analysis:
    """The same for the text of a spec that extends nothing. Raises SpecError."""
    reporter = Reporter()
    return _analyze(program_of_text(text, name, overrides, reporter), reporter)


def _analyze(program: Program, reporter: Reporter) -> Analysis:
    check_names(program, reporter)
    names = global_names(program, Evaluator(reporter))
    graph = expand(program, names, reporter)
    recipe = make_recipe(program, names, reporter)
    if graph and recipe:
        check_fit(program, graph, recipe, reporter)
    reporter.raise_if_any()
    assert graph is not None
    return Analysis(program, graph, recipe)
