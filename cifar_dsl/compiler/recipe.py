"""Builds the recipe from the settings of `train`, and checks it against the graph and the data."""

from collections.abc import Callable
from functools import partial
from typing import Any, cast

from cifar_dsl.compiler import recipe_translation
from cifar_dsl.compiler.bind import Binder
from cifar_dsl.compiler.data import DataShape
from cifar_dsl.compiler.evaluate import Evaluator
from cifar_dsl.compiler.invocation import Invocation
from cifar_dsl.compiler.names import Names
from cifar_dsl.compiler.outputs import check_outputs
from cifar_dsl.compiler.program import GroupSettings, Program
from cifar_dsl.compiler.recipe_translation import Translation
from cifar_dsl.compiler.values import BlockValue, Tensor, ValueScope, describe
from cifar_dsl.foundation import limits
from cifar_dsl.ir import Declaration, Graph, Group, Recipe, Shape, Symbol, Value, trained_outputs
from cifar_dsl.language.diagnostics import Edit, EvaluationFailed, Fix, Label, Reporter
from cifar_dsl.language.source import Span
from cifar_dsl.language.syntax import nodes
from cifar_dsl.operations.argument_types import UnfitError
from cifar_dsl.operations.recipe import (
    GROUP_SETTINGS,
    SETTINGS,
    Setting,
)
from cifar_dsl.operations.recipe.artifact import check_artifacts
from cifar_dsl.operations.recipe.augmentation import check_chain, check_order
from cifar_dsl.operations.recipe.average import check_averages
from cifar_dsl.operations.recipe.groups import assign
from cifar_dsl.operations.recipe.half_weights import check_weight_precision
from cifar_dsl.operations.registry import MisfitError

_STEPS_OF_A_SETTING = 30
_STEPS_OF_A_SEARCH = 600  # for a similar name among the settings


def make_recipe(program: Program, names: Names, values: ValueScope, reporter: Reporter) -> Recipe | None:
    """The recipe of a program; None without `train`, or if there were errors, which are reported.

    `values` are those of `params.global_values`.
    """
    if program.train is None:
        return None
    return _RecipeMaker(program, names, values, reporter).run(program.train)


def check_settings(program: Program, names: Names, values: ValueScope, reporter: Reporter) -> None:
    """Report the wrong settings of a recipe of which parts may be missing."""
    _RecipeMaker(program, names, values, reporter).check_given()


def check_fit(program: Program, graph: Graph, recipe: Recipe, reporter: Reporter) -> None:
    """Report settings of the recipe that don't fit the network, except its dataset."""
    channels = graph.input.channels

    def check(setting: str, checks: Callable[[], None], stage: int | None = None) -> None:
        try:
            checks()
        except MisfitError as error:
            given = program.settings[setting]
            span = given.span if stage is None else given.chain.elements[stage].span
            reporter.error(error.code, error.message, span, help=error.help)

    check("normalize", lambda: recipe.normalize.check_channels(channels))
    if graph.input.is_image:
        check("normalize", lambda: recipe.normalize.check_image(graph.input))
    if recipe.normalize.is_first and recipe.distill.weight:
        reporter.error(
            "E0423",
            f"a teacher sees pixels from 0 to 255, but `{recipe.normalize.name}` comes before augmentation",
            program.settings["normalize"].span,
            help="use another normalization, such as `normalize per_channel`",
        )
    check("augment", lambda: check_chain(recipe.augment))
    for stage, augmentation in enumerate(recipe.augment):
        check("augment", partial(augmentation.check_channels, channels))
        check("augment", partial(check_order, augmentation, recipe.normalize), stage)
        if graph.input.is_image:
            check("augment", partial(augmentation.check_size, *graph.input.extents[1:]), stage)
    if len(output := graph.shape_of(graph.output).extents) == 1:  # others are reported with the data
        check("loss", partial(recipe.loss.check_classes, *output))
    _check_early_stopping(program, recipe, reporter)
    check("weight_precision", lambda: check_weight_precision(recipe))
    check("average", lambda: check_averages(recipe.average))
    check("uses", lambda: check_artifacts(recipe.uses, recipe.epochs))
    _check_artifacts(program, recipe, reporter)
    _check_pupils(graph, recipe, reporter)
    for average in recipe.average:
        check("average", partial(average.check_epochs, recipe.epochs))
    _check_groups(program, graph, recipe, reporter)


def _check_early_stopping(program: Program, recipe: Recipe, reporter: Reporter) -> None:
    """Report early stopping without images that decide about it."""
    if not recipe.early_stopping.measure or recipe.validation:
        return
    given, span = program.settings.get("validation"), program.settings["early_stopping"].span
    message = f"`early_stopping {recipe.early_stopping.name}` needs held-out images, but `validation` is 0"
    if not recipe.data.used_train_images:  # of a file that isn't chosen yet
        help_text = "add `validation N`, with N of the training images to hold out: about a tenth of them"
        reporter.error("E0422", message, span, help=help_text)
        return
    text = f"validation {recipe.data.used_train_images // 10}"
    after = Edit(Span(span.source, span.end, span.end), f"\n{text}")
    edit = Edit(given.span, text) if given and given.span.source is span.source else after
    reporter.error(
        "E0422",
        message,
        span,
        help=f"add `{text}`, or another number of training images to hold out",
        fixes=(Fix(f"write `{text}`", (edit,)),),
    )


_UNUSED = {"teacher": "E0416", "selection": "E0425"}  # codes


def _check_artifacts(program: Program, recipe: Recipe, reporter: Reporter) -> None:
    """Report a teacher or selection that nothing learns from."""
    given = program.settings.get("uses")
    for place, artifact in enumerate(recipe.uses):
        if given and not artifact.is_used_by(recipe):
            reporter.error(
                _UNUSED[artifact.name],
                f"the recipe uses {artifact.phrase}, and nothing learns from it",
                given.chain.elements[place].span,
                help=(f"add {artifact.remedy}", "or remove it from `uses`"),
            )


def _check_pupils(graph: Graph, recipe: Recipe, reporter: Reporter) -> None:
    """Report exits that learn from a teacher where the recipe has none."""
    pupils = [one for one in trained_outputs(graph) if one.learns_from_teacher]
    if pupils and not recipe.distill.weight:
        maker = graph.maker(pupils[0].value)
        assert maker is not None
        assert maker.span is not None
        reporter.error(
            "E0415",
            f"`{pupils[0].name}` learns from a teacher, but the recipe has no `distill`",
            maker.span,
            help=("add `distill hard` or `distill soft` to `train`", "or remove `learns=teacher`"),
        )


def _check_groups(program: Program, graph: Graph, recipe: Recipe, reporter: Reporter) -> None:
    """Report groups that select no parameters, and parameters that their optimizer can't train."""
    if recipe.groups:
        reporter.at = program.groups[recipe.groups[0].name].name.span
        _charge_selections(graph, recipe, reporter)
    assigned = assign(graph, recipe)
    taken = set(assigned.values())
    for place, group in enumerate(recipe.groups):
        if place not in taken:
            reporter.error(
                "E0408",
                f"group `{group.name}` selects no parameters",
                program.groups[group.name].settings["select"].span,
                help=(
                    "`cifar-dsl show` prints the paths of layers; the path of a weight is `PATH.weight`",
                    "a parameter belongs to the first group that selects it; an earlier group may have selected these",
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
            if optimizer.can_train(parameter.shape):
                continue
            reported.add(number)
            settings = _settings_of(number, program, recipe)
            reporter.error(
                "E0409",
                f"`{optimizer.name}` can't train `{path}` ({'x'.join(map(str, parameter.shape))}): "
                f"it trains only {optimizer.trains_only}",
                settings["optimizer"].span,
                secondary=(Label(node.span, "defined here"),) if node.span else (),
                help=f"use another optimizer for it: add a group with `select {parameter.kind}` and `optimizer ...`",
            )
    for number in sorted(taken, key=lambda number: -1 if number is None else number):
        _check_momentum(number, program, recipe, reporter)


def _settings_of(group: int | None, program: Program, recipe: Recipe) -> dict[str, nodes.Setting]:
    """The settings that apply to a group of parameters; None for those in no group."""
    return program.settings | ({} if group is None else program.groups[recipe.groups[group].name].settings)


def _check_momentum(group: int | None, program: Program, recipe: Recipe, reporter: Reporter) -> None:
    """Report a schedule that sets the momentum of an optimizer without one."""
    part = recipe if group is None else recipe.groups[group]
    optimizer, schedule = part.optimizer, part.schedule
    if not schedule.sets_momentum or optimizer.momentum_argument:
        return
    settings = _settings_of(group, program, recipe)
    can_have_one = "momentum" in optimizer.arguments()
    reporter.error(
        "E0412",
        f"`{schedule.name}` sets the momentum, but `{optimizer.name}` has none",
        settings["optimizer"].span,
        secondary=(Label(settings["schedule"].span, "the momentum is set here"),),
        help=(
            f"add `momentum=0.9` to `{optimizer.name}`"
            if can_have_one
            else "use an optimizer with a momentum, such as `sgd(lr=0.1, momentum=0.9)` or `adam(lr=0.001)`",
            f"or remove `momentum` from `{schedule.name}`",
        ),
    )


def _charge_selections(graph: Graph, recipe: Recipe, reporter: Reporter) -> None:
    """Charge for comparing the path of every parameter with every pattern of every group."""
    patterns = [word for group in recipe.groups for word in group.select]
    paths = [node.path for node in graph.nodes for _ in node.parameters]
    reporter.work.charge(len(patterns) * len(paths) + sum(map(len, patterns)) * sum(map(len, paths)) // 1000)


def check_data(program: Program, graph: Graph, recipe: Recipe | None, data: DataShape, reporter: Reporter) -> None:
    """Report a network input, network output or batch size that doesn't fit the data."""
    setting = program.settings.get("data")
    secondary = (Label(setting.span, f"{data.name} is set here"),) if setting else ()
    if data.image is not None and graph.input != data.image and program.input is not None:
        span, right = program.input.size.span, f"write `input {data.image}`"
        reporter.error(
            "E0407",
            f"the input is {graph.input}, but images of {data.name} are {data.image}",
            span,
            secondary=secondary,
            help=(f"{right}, or delete the line: then the dataset decides", *_enlargement(graph.input, data.image)),
            fixes=(Fix(right, (Edit(span, f"{data.image}"),)),),
        )
    check_outputs(program, graph, data, secondary, reporter)
    if recipe is not None and data.train_images is not None:
        _check_batches(program, graph, recipe, recipe.data.subset or data.train_images, reporter)


def _enlargement(wanted: Shape, image: Shape) -> tuple[str, ...]:
    """How to give a network that is made for larger images such images."""
    channels, height, width = image.extents
    factor = wanted.extents[1] // height
    if factor > 1 and wanted.extents == (channels, factor * height, factor * width):
        return (f"to enlarge the images, delete the line and begin the model with `upsample({factor})`",)
    return ()


def _check_batches(program: Program, graph: Graph, recipe: Recipe, train_images: int, reporter: Reporter) -> None:
    """Report a recipe whose validation split or batches don't fit the number of training images."""
    images = train_images - recipe.validation
    if images <= 0:
        reporter.error(
            "E0403",
            f"`validation` holds out {recipe.validation:,} images, but there are only {train_images:,}",
            program.settings["validation"].span,
            help="hold out fewer, such as a tenth of them",
        )
        return
    if recipe.drop_last and recipe.batch > images:
        reporter.error(
            "E0403",
            f"a batch of {recipe.batch:,} exceeds the {images:,} training images, so `drop_last` leaves no batch",
            program.settings["batch"].span,
            help="use a smaller batch, or remove `drop_last`",
        )
    rest = 0 if recipe.drop_last else images % recipe.batch
    if 1 in {recipe.batch, rest}:
        _check_lone_image(program, graph, recipe, images, reporter)


def _check_lone_image(program: Program, graph: Graph, recipe: Recipe, images: int, reporter: Reporter) -> None:
    """Report a layer that can't be trained on a single image, if the last batch of an epoch has only one."""
    if recipe.batch == 1:
        reason, help_ = "every batch has only one", "choose a larger batch size"
    elif images == 1:
        reason, help_ = "there is only one training image", "train on more images"
    else:
        reason = f"with {images:,} training images and a batch of {recipe.batch} the last batch has only one"
        help_ = "drop that batch with `drop_last true`, or choose another batch size"
    for node in graph.nodes:
        if node.operation.needs_batch(*graph.input_shapes(node)):
            reporter.error(
                "E0403",
                f"`{node.path}` can't be trained on a single image, but {reason}",
                program.settings["batch"].span,
                secondary=(Label(node.span, "one value per channel and image"),) if node.span else (),
                help=help_,
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
        translations = self._translations(SETTINGS, self._settings)
        values = self._values(SETTINGS, self._settings, translations)
        meant = {one.target for one in translations.values()}
        for name, setting in SETTINGS.items():
            if name in self._settings or name in meant:
                continue
            if setting.default is None:
                self._missing(setting, "`train`", Span(train.span.source, train.span.start, train.span.start + 5))
            else:
                values[name] = setting.default
        if len(self._groups) > (most := limits.current().groups):
            span = list(self._groups.values())[most].name.span
            message = f"a recipe can have at most {most} groups, but this one has {len(self._groups)}"
            self._reporter.error("E0403", message, span, help="merge some of them")
            return None
        groups = [self._group(group, values) for group in self._groups.values()]
        if len(values) < len(SETTINGS) or None in groups:
            return None
        return Recipe(**values, groups=tuple(group for group in groups if group is not None))

    def check_given(self) -> None:
        """Report the wrong ones of the given settings."""
        given = [(SETTINGS, self._settings), *((GROUP_SETTINGS, group.settings) for group in self._groups.values())]
        for known, settings in given:
            self._values(known, settings, self._translations(known, settings))

    def _translations(self, known: dict[str, Setting], given: dict[str, nodes.Setting]) -> dict[str, Translation]:
        """What the unknown settings mean, as far as it is known."""
        unknown = {name: setting for name, setting in given.items() if name not in known}
        self._reporter.work.charge(_STEPS_OF_A_SEARCH * len(unknown))
        found = {name: recipe_translation.unknown_setting(one, known, given) for name, one in unknown.items()}
        return {name: translation for name, translation in found.items() if translation}

    def _values(
        self, known: dict[str, Setting], given: dict[str, nodes.Setting], translations: dict[str, Translation]
    ) -> dict[str, Any]:
        """The values of the given settings, without those that have errors."""
        values: dict[str, Any] = {}
        meant = dict(given)  # with the arguments that are given as settings, so that they aren't reported as missing
        for name, translation in translations.items():
            if whole := translation.applied(given[name], meant):
                meant[translation.target] = whole
        for name, setting in meant.items():
            if name not in known:
                self._unknown_setting(setting, known, translations.get(name))
                continue
            try:
                values[name] = self._value(known[name], setting)
            except EvaluationFailed:
                continue
        return values

    def _group(self, given: GroupSettings, recipe: dict[str, Any]) -> Group | None:
        """A group, which inherits its optimizer and schedule from `recipe` unless it sets them."""
        translations = self._translations(GROUP_SETTINGS, given.settings)
        values = self._values(GROUP_SETTINGS, given.settings, translations)
        meant = {one.target for one in translations.values()}
        if not {"select"} & (given.settings.keys() | meant):
            self._missing(GROUP_SETTINGS["select"], f"group `{given.name}`", given.name.span)
        inherited = {name: recipe[name] for name in ("optimizer", "schedule", "constrain") if name in recipe}
        values = inherited | {"epochs": None} | values
        if len(values) < len(GROUP_SETTINGS):
            return None
        return Group(name=given.name.text, **values)

    def _value(self, setting: Setting, given: nodes.Setting) -> object:
        elements = given.chain.elements
        self._reporter.at = given.span
        self._reporter.work.charge(_STEPS_OF_A_SETTING)
        if setting.is_chain:
            if len(elements) == 1 and elements[0].kind == nodes.Name("none", given.span):
                return ()
            if setting.most and len(elements) > (most := setting.most(limits.current())):
                message = f"`{setting.name}` can have at most {most} stages, but this has {len(elements)}"
                raise self._reporter.error("E0403", message, given.chain.span, help="remove some")
            return tuple(self._choice(setting, element) for element in elements)
        if len(elements) > 1:
            message = f"`{setting.name}` takes one value"
            advice = recipe_translation.chain(setting, given.chain)
            help_text = "delete everything after `->`"
            raise self._reporter.error("E0403", message, given.chain.span, help=help_text, meant=advice)
        return self._choice(setting, elements[0]) if setting.registry else self._plain_value(setting, elements[0])

    def _choice(self, setting: Setting, element: nodes.Element) -> Declaration:
        assert setting.registry is not None
        registry = setting.registry
        kind = element.kind
        choices = ", ".join(registry)
        if not isinstance(kind, nodes.Name | nodes.CallExpression) or element.label or element.claim:
            message = f"`{setting.name}` must be one of {choices}"
            advice = recipe_translation.choice(setting, element)
            help_text = f"{setting.name}: {setting.doc}"
            raise self._reporter.error("E0403", message, element.span, help=help_text, meant=advice)
        call = Invocation.of(kind)
        if call.callee not in registry:
            message = f"unknown {registry.noun} `{call.callee}`"
            raise self._reporter.error(
                "E0404",
                message,
                call.callee_span,
                help=f"choices: {choices}",
                meant=lambda: recipe_translation.choice(setting, element),
            )
        choice: Declaration = self._binder.declared(registry[call.callee], call, self._globals)
        return choice

    def _plain_value(self, setting: Setting, element: nodes.Element) -> object:
        assert setting.kind is not None
        kind = element.kind
        if isinstance(kind, nodes.Compound) or element.label or element.claim:
            message = f"`{setting.name}` must be {setting.kind.describe()}"
            raise self._reporter.error("E0403", message, element.span, help=setting.doc)
        known = setting.kind.symbols()
        value = self._evaluator.evaluate(kind, self._globals)
        if not isinstance(value, BlockValue | Tensor):
            try:
                return setting.kind.accept(cast("Value", value))
            except UnfitError:
                pass
        raise self._reporter.error(
            "E0404" if isinstance(value, Symbol) and known else "E0403",
            f"`{setting.name}` must be {setting.kind.describe()}",
            Label(kind.span, f"this is {describe(value)}"),
            help=f"{setting.name}: {setting.doc}",
            meant=lambda: recipe_translation.plain_value(setting, kind, self._settings),
        )

    def _unknown_setting(
        self, given: nodes.Setting, known: dict[str, Setting], translation: Translation | None
    ) -> None:
        name = given.target[0]
        self._reporter.error(
            "E0401",
            f"unknown setting `{name}`",
            name.span,
            help=f"settings: {', '.join(known)}",
            meant=translation.advice if translation else None,
        )

    def _missing(self, setting: Setting, where: str, span: Span) -> None:
        expected = f"one of {', '.join(setting.registry)}" if setting.registry else ""
        expected = setting.kind.describe() if setting.kind else expected
        self._reporter.error(
            "E0402",
            f"{where} is missing `{setting.name}`: {setting.doc}",
            span,
            help=f"add `{setting.name} ...`, {expected}",
        )
