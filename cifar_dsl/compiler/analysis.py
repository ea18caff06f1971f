"""Compiles a file to the IR: reads, checks and expands it, and reports all errors at once."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path

from cifar_dsl.compiler.data import ChosenData, DataShape
from cifar_dsl.compiler.evaluate import Evaluator
from cifar_dsl.compiler.exits import check_exits
from cifar_dsl.compiler.expand import expand
from cifar_dsl.compiler.files import SpecReader
from cifar_dsl.compiler.library import library_blocks
from cifar_dsl.compiler.names import Names, resolve_library, resolve_program
from cifar_dsl.compiler.params import global_values, with_classes
from cifar_dsl.compiler.program import Program, load_program, program_of_text
from cifar_dsl.compiler.recipe import check_data, check_fit, make_recipe
from cifar_dsl.compiler.training_sizes import TrainingSize, training_sizes
from cifar_dsl.foundation.errors import RunError
from cifar_dsl.foundation.garbage_collection import without_collections
from cifar_dsl.foundation.records import evolve, field, frozen
from cifar_dsl.ir import Graph, Recipe, fingerprint
from cifar_dsl.language.diagnostics import Reporter, SpecError
from cifar_dsl.language.source import Source, Span
from cifar_dsl.language.syntax import nodes, parse_spec


@frozen
class Analysis:
    """A spec without errors: the merged program, its resolved names, its graph and its recipe."""

    program: Program
    names: Names = field(eq=False)  # follows from the text
    graph: Graph
    recipe: Recipe | None
    training_sizes: tuple[TrainingSize, ...] = field(eq=False)  # in order, at least one; follow from the others

    @property
    def source(self) -> Source:
        """The text of the spec itself, without its bases."""
        return self.program.name.span.source

    @cached_property
    def fingerprint(self) -> str:
        """The hash of graph and recipe; see `cifar_dsl.ir.fingerprint`."""
        return fingerprint(self.graph, self.recipe)

    @cached_property
    def calls(self) -> dict[Span, nodes.CallExpression]:
        """The calls in the text of the spec itself, by their spans."""
        return {call.span: call for call in nodes.inside(self.program.own, nodes.CallExpression)}

    @cached_property
    def joins(self) -> dict[Span, nodes.Branched]:
        """The stages with branches in the text of the spec itself, by their spans."""
        return {join.span: join for join in nodes.inside(self.program.own, nodes.Branched)}

    def require_recipe(self) -> Recipe:
        """The recipe, for training. Raises RunError if the spec has none."""
        if self.recipe is None:
            raise RunError(
                f"`{self.program.name}` has no recipe: it can be checked and shown, but not trained",
                "add `train { data cifar10 ... }`, or extend a spec that has a recipe",
            )
        return self.recipe

    def check_data(self, data: DataShape) -> None:
        """Check network and recipe against the data. Raises SpecError."""
        reporter = Reporter()
        check_data(self.program, self.graph, self.recipe, data, reporter)
        reporter.raise_if_any()


@without_collections()
def analyze(
    path: Path, root: Path | None = None, overrides: Sequence[str] = (), data: ChosenData | None = None
) -> Analysis:
    """Read, check and expand the spec at `path`, for the dataset `data` if there is one.

    Raises SpecError with all errors.
    """
    return _analyze_file(path, root or path.parent, overrides, {}, data)


def _analyze_file(
    path: Path, root: Path, overrides: Sequence[str], texts: Mapping[Path, str], data: ChosenData | None
) -> Analysis:
    reporter = Reporter()
    try:
        with reporter.working():
            program = load_program(path, SpecReader(root, texts), overrides, reporter, data)
    except SpecError as error:
        raise _with_other_errors(error, path, root, texts) from None
    return _analyze(program, reporter)


def _with_other_errors(error: SpecError, path: Path, root: Path, texts: Mapping[Path, str]) -> SpecError:
    from cifar_dsl.compiler.readable_parts import with_other_errors  # only needed for a spec with errors

    return with_other_errors(error, path, SpecReader(root, texts))


@frozen
class Library:
    """A library without errors: its text, its name, its blocks by name, and its resolved names."""

    source: Source
    name: str
    blocks: dict[str, nodes.Block]
    names: Names = field(eq=False)  # follows from the text


@without_collections()
def examine(
    path: Path,
    root: Path | None = None,
    overrides: Sequence[str] = (),
    texts: Mapping[Path, str] | None = None,
    data: ChosenData | None = None,
) -> Analysis | Library:
    """Read and check the spec or library at `path`. Raises SpecError with all errors.

    `texts`: see `SpecReader`; `data`: see `analyze`.
    """
    root, texts = root or path.parent, texts or {}
    try:
        spec = parse_spec(SpecReader(root, texts).read(path))
    except SpecError as error:
        raise _with_other_errors(error, path, root, texts) from None
    if spec.header.is_library:
        return _check_library(spec)
    return _analyze_file(path, root, overrides, texts, data)


def _check_library(spec: nodes.Spec) -> Library:
    reporter = Reporter()
    blocks: dict[str, nodes.Block] = {}
    for item in spec.items:
        if isinstance(item, nodes.Block) and item.name.text not in blocks:
            blocks[item.name.text] = item
            continue
        message = (
            "this block is defined twice" if isinstance(item, nodes.Block) else "a library can contain only blocks"
        )
        code = "E0207" if isinstance(item, nodes.Block) else "E0106"
        reporter.error(code, message, item.span, help="delete it")
    mentioned = nodes.references(blocks.values()) - blocks.keys()
    names = resolve_library(blocks, library_blocks(mentioned), reporter)
    reporter.raise_if_any()
    return Library(spec.span.source, spec.header.name.text, blocks, names)


@without_collections()
def analyze_text(
    text: str, name: str = "<text>", overrides: Sequence[str] = (), data: ChosenData | None = None
) -> Analysis:
    """Check and expand the text of a spec that extends nothing; `data`: see `analyze`.

    Raises SpecError with all errors.
    """
    reporter = Reporter()
    try:
        with reporter.working():
            program = program_of_text(text, name, overrides, reporter, data)
    except SpecError as error:
        from cifar_dsl.compiler.readable_parts import with_other_errors_of_text  # only needed for a spec with errors

        raise with_other_errors_of_text(error, Source(name, text)) from None
    return _analyze(program, reporter)


def _analyze(program: Program, reporter: Reporter) -> Analysis:
    reporter.main = program.name.span.source
    graph: Graph | None = None
    recipe: Recipe | None = None
    with reporter.working():
        names = resolve_program(program, reporter)
        program = with_classes(evolve(program, library=library_blocks(names.library_calls)), names, reporter)
        values = global_values(program, Evaluator(reporter, names))
        graph = expand(program, names, values, reporter)
        data = program.data.shape if program.data else None
        if graph:
            check_exits(graph, data, reporter)
        recipe = make_recipe(program, names, values, reporter)
        if graph and recipe:
            check_fit(program, graph, recipe, reporter)
        sizes = training_sizes(program, names, values, graph, recipe, reporter) if graph else ()
        if graph and data and (recipe or program.train is None):
            check_data(program, graph, recipe, data, reporter)
    reporter.raise_if_any()
    assert graph is not None
    return Analysis(program, names, graph, recipe, sizes)
