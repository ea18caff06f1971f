"""The settings of `train` -> the recipe, and whether it goes with the graph."""

from collections.abc import Callable
from functools import partial
from typing import Any

from cifar_dsl.compiler.bind import Binder, Invocation
from cifar_dsl.compiler.evaluate import Evaluator
from cifar_dsl.compiler.names import Names
from cifar_dsl.compiler.program import GroupSettings, Program
from cifar_dsl.compiler.values import BlockValue, Tensor, ValueScope, describe
from cifar_dsl.foundation import limits
from cifar_dsl.foundation.records import frozen
from cifar_dsl.ir import Declaration, Graph, Group, Recipe, Shape, Symbol
from cifar_dsl.language.diagnostics import EvaluationFailed, Label, Reporter, nearest
from cifar_dsl.language.source import Span
from cifar_dsl.language.syntax import nodes
from cifar_dsl.operations.argument_types import UnfitError
from cifar_dsl.operations.recipe import (
    GROUP_SETTINGS,
    SETTINGS,
    Setting,
)
from cifar_dsl.operations.recipe.augmentation import check_chain
from cifar_dsl.operations.recipe.average import check_averages
from cifar_dsl.operations.recipe.groups import assign
from cifar_dsl.operations.registry import MisfitError


def make_recipe(program: Program, names: Names, values: ValueScope, reporter: Reporter) -> Recipe | None:
    """The recipe of a program; None without `train`, and when something was wrong, which is then reported.

    `values` are those of `params.global_values`.
    """
    if program.train is None:
        return None
    return _RecipeMaker(program, names, values, reporter).run(program.train)


def check_fit(program: Program, graph: Graph, recipe: Recipe, reporter: Reporter) -> None:
    """Report where the recipe doesn't go with the network."""
    channels = graph.input.channels

    def check(setting: str, checks: Callable[[], None]) -> None:
        try:
            checks()
        except MisfitError as error:
            span = program.settings[setting].span
            reporter.error(error.code, error.message, span, help=error.help)

    check("normalize", lambda: recipe.normalize.check_channels(channels))
    check("augment", lambda: check_chain(recipe.augment))
    for augmentation in recipe.augment:
        check("augment", partial(augmentation.check_channels, channels))
    check("average", lambda: check_averages(recipe.average))
    for average in recipe.average:
        check("average", partial(average.check_epochs, recipe.epochs))
    _check_groups(program, graph, recipe, reporter)
    data = DataShape(recipe.data.name, recipe.data.shape, recipe.data.classes, None)
    check_data(program, graph, recipe, data, reporter)


def _check_groups(program: Program, graph: Graph, recipe: Recipe, reporter: Reporter) -> None:
    """Report groups that take nothing, and parameters that their optimizer can't train."""
    assigned = assign(graph, recipe)
    taken = set(assigned.values())
    for place, group in enumerate(recipe.groups):
        if place not in taken:
            reporter.error(
                "E0408",
                f"group `{group.name}` takes no parameter",
                program.groups[group.name].settings["select"].span,
                help=(
                    "`cifar-dsl show` prints the paths of layers; a weight is called `PATH.weight`",
                    "a group before this one may have taken them: the first that fits has them",
                ),
            )
    reported: set[int | None] = set()
    for node in graph.nodes:
        for parameter in node.parameters:
            path = f"{node.path}.{parameter.name}"
            if path not in assigned or assigned[path] in reported:
                continue
            number = assigned[path]
            optimizer = recipe.optimizer if number is None else recipe.groups[number].optimizer
            if optimizer.takes(parameter.shape):
                continue
            reported.add(number)
            settings = program.settings if number is None else program.groups[recipe.groups[number].name].settings
            reporter.error(
                "E0409",
                f"`{optimizer.name}` can't train `{path}`, {'x'.join(map(str, parameter.shape))}: "
                f"it takes {optimizer.takes_only}",
                settings.get("optimizer", program.settings["optimizer"]).span,
                secondary=(Label(node.span, "made here"),) if node.span else (),
                help=f"give it to another optimizer: `group rest {{ select {parameter.kind}`, `optimizer ... }}`",
            )


@frozen
class DataShape:
    """What is known of a data set: the shape of an image, the number of classes and of training images."""

    name: str
    image: Shape | None
    classes: int | None
    train_images: int | None


def check_data(program: Program, graph: Graph, recipe: Recipe, data: DataShape, reporter: Reporter) -> None:
    """Report where the network's input or output, or the size of a batch, doesn't go with the data."""
    setting = program.settings.get("data")
    secondary = (Label(setting.span, f"{data.name} is said here"),) if setting else ()
    if data.image is not None and graph.input != data.image:
        reporter.error(
            "E0407",
            f"the input is {graph.input}, and images of {data.name} are {data.image}",
            program.input.size.span,
            secondary=secondary,
            help=f"write `input {data.image}`",
        )
    output = graph.shape_of(graph.output)
    if data.classes is not None and output.extents != (data.classes,):
        last = graph.maker(graph.output)
        span = last.span if last else None
        what = f"{output.extents[0]} outputs" if len(output.extents) == 1 else f"an output of {output}"
        end = f"dense({data.classes})" if len(output.extents) == 1 else f"flatten -> dense({data.classes})"
        reporter.error(
            "E0406",
            f"the network has {what}, and {data.name} has {data.classes} classes",
            Label(span or program.model.span, f"gives {output}"),
            secondary=secondary,
            help=f"end the model with `{end}`",
        )
    if data.train_images is not None:
        _check_batches(program, graph, recipe, data.train_images, reporter)


def _check_batches(program: Program, graph: Graph, recipe: Recipe, train_images: int, reporter: Reporter) -> None:
    """Report where so many training images can't be split and put into batches as the recipe says."""
    images = train_images - recipe.validation
    if images <= 0:
        reporter.error(
            "E0403",
            f"`validation` holds out {recipe.validation:,} images, and there are {train_images:,} to train on",
            program.settings["validation"].span,
            help="hold out fewer: a tenth of them is usual",
        )
        return
    if recipe.drop_last and recipe.batch > images:
        reporter.error(
            "E0403",
            f"a batch of {recipe.batch:,} takes more than the {images:,} training images, and `drop_last` drops it",
            program.settings["batch"].span,
            help="use a smaller batch, or leave `drop_last` out",
        )
    rest = 0 if recipe.drop_last else images % recipe.batch
    if 1 in {recipe.batch, rest}:
        _check_lone_image(program, graph, recipe, images, reporter)


def _check_lone_image(program: Program, graph: Graph, recipe: Recipe, images: int, reporter: Reporter) -> None:
    """Report a layer that can't be trained on one image, when the last batch of an epoch has but one."""
    for node in graph.nodes:
        if node.operation.needs_batch(*graph.input_shapes(node)):
            reporter.error(
                "E0403",
                f"with {images:,} training images and a batch of {recipe.batch} the last batch has one image, "
                f"and `{node.path}` can't be trained on one",
                program.settings["batch"].span,
                secondary=(Label(node.span, "one number for each channel and image"),) if node.span else (),
                help="choose another batch",
            )
            return


class _RecipeMaker:
    def __init__(self, program: Program, names: Names, values: ValueScope, reporter: Reporter) -> None:
        self._settings = program.settings
        self._groups = program.groups
        self._reporter = reporter
        self._evaluator = Evaluator(reporter, names)
        self._binder = Binder(self._evaluator, reporter)
        self._globals = values

    def run(self, train: nodes.Train) -> Recipe | None:
        values = self._values(SETTINGS, self._settings)
        meant = {nearest(name, SETTINGS) for name in self._settings.keys() - SETTINGS.keys()}
        for name, setting in SETTINGS.items():
            if name in self._settings or name in meant:
                continue
            if setting.default is None:
                self._missing(setting, "`train`", Span(train.span.source, train.span.start, train.span.start + 5))
            else:
                values[name] = setting.default
        if len(self._groups) > (most := limits.current().groups):
            span = list(self._groups.values())[most].name.span
            message = f"a recipe has at most {most} groups, and here are {len(self._groups)}"
            self._reporter.error("E0403", message, span, help="put some of them together")
            return None
        groups = [self._group(group, values) for group in self._groups.values()]
        if len(values) < len(SETTINGS) or None in groups:
            return None
        return Recipe(**values, groups=tuple(group for group in groups if group is not None))

    def _values(self, known: dict[str, Setting], given: dict[str, nodes.Setting]) -> dict[str, Any]:
        """The values of the settings that are given and right."""
        values: dict[str, Any] = {}
        for name, setting in given.items():
            if name not in known:
                self._unknown_setting(setting, known)
                continue
            try:
                values[name] = self._value(known[name], setting)
            except EvaluationFailed:
                continue
        return values

    def _group(self, given: GroupSettings, recipe: dict[str, Any]) -> Group | None:
        """A group; what it doesn't say is as `recipe` has it."""
        values = self._values(GROUP_SETTINGS, given.settings)
        meant = {nearest(name, GROUP_SETTINGS) for name in given.settings.keys() - GROUP_SETTINGS.keys()}
        if not {"select"} & (given.settings.keys() | meant):
            self._missing(GROUP_SETTINGS["select"], f"group `{given.name}`", given.name.span)
        inherited = {name: recipe[name] for name in ("optimizer", "schedule") if name in recipe}
        values = inherited | {"epochs": None} | values
        if len(values) < len(GROUP_SETTINGS):
            return None
        return Group(name=given.name.text, **values)

    def _value(self, setting: Setting, given: nodes.Setting) -> object:
        elements = given.chain.elements
        if setting.is_chain:
            if len(elements) == 1 and elements[0].kind == nodes.Name("none", given.span):
                return ()
            if setting.most and len(elements) > (most := setting.most(limits.current())):
                message = f"`{setting.name}` has at most {most} stages, and here are {len(elements)}"
                raise self._reporter.error("E0403", message, given.chain.span, help="leave some out")
            return tuple(self._choice(setting, element) for element in elements)
        if len(elements) > 1:
            message = f"`{setting.name}` takes one value"
            raise self._reporter.error("E0403", message, given.chain.span, help="delete what follows `->`")
        return self._choice(setting, elements[0]) if setting.registry else self._plain_value(setting, elements[0])

    def _choice(self, setting: Setting, element: nodes.Element) -> Declaration:
        assert setting.registry is not None
        registry = setting.registry
        kind = element.kind
        choices = ", ".join(registry)
        if not isinstance(kind, nodes.Name | nodes.CallExpression) or element.label or element.claim:
            message = f"`{setting.name}` is one of {choices}"
            raise self._reporter.error("E0403", message, element.span, help=f"{setting.name}: {setting.doc}")
        call = Invocation.of(kind)
        if call.callee not in registry:
            message, near = f"unknown {registry.noun} `{call.callee}`", nearest(call.callee, registry)
            raise self._reporter.error("E0404", message, call.callee_span, help=f"there are {choices}", meant=near)
        choice: Declaration = self._binder.declared(registry[call.callee], call, self._globals)
        return choice

    def _plain_value(self, setting: Setting, element: nodes.Element) -> object:
        assert setting.kind is not None
        kind = element.kind
        if isinstance(kind, nodes.Compound) or element.label or element.claim:
            message = f"`{setting.name}` is {setting.kind.describe()}"
            raise self._reporter.error("E0403", message, element.span, help=setting.doc)
        known = setting.kind.symbols()
        value = self._evaluator.evaluate(kind, self._globals)
        if not isinstance(value, BlockValue | Tensor):
            try:
                return setting.kind.accept(value)
            except UnfitError:
                pass
        near = nearest(value, known) if isinstance(value, Symbol) else None
        raise self._reporter.error(
            "E0404" if isinstance(value, Symbol) and known else "E0403",
            f"`{setting.name}` is {setting.kind.describe()}",
            Label(kind.span, f"this is {describe(value)}"),
            help=f"{setting.name}: {setting.doc}",
            meant=near,
        )

    def _unknown_setting(self, given: nodes.Setting, known: dict[str, Setting]) -> None:
        name = given.target[0]
        self._reporter.error(
            "E0401",
            f"unknown setting `{name}`",
            name.span,
            help=f"settings: {', '.join(known)}",
            meant=nearest(name.text, known),
        )

    def _missing(self, setting: Setting, where: str, span: Span) -> None:
        expected = f"one of {', '.join(setting.registry)}" if setting.registry else ""
        expected = setting.kind.describe() if setting.kind else expected
        self._reporter.error(
            "E0402",
            f"{where} does not say `{setting.name}`: {setting.doc}",
            span,
            help=f"add `{setting.name} ...`, {expected}",
        )
