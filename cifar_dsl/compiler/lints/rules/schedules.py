"""W0401: learning rates that training ends too early to reach."""

from collections.abc import Iterator

from cifar_dsl.compiler import Analysis
from cifar_dsl.compiler.bind import Invocation
from cifar_dsl.compiler.lints.registry import network_lint
from cifar_dsl.ir import arguments_of
from cifar_dsl.ir.recipe import Schedule
from cifar_dsl.language.diagnostics import Diagnostic, Label
from cifar_dsl.language.source import Source, Span
from cifar_dsl.language.syntax import nodes


@network_lint
def unreached_rates(analysis: Analysis) -> Iterator[Diagnostic]:
    """Milestones and warm-ups of schedules after the last epoch, in the recipe or a group."""
    recipe, program = analysis.recipe, analysis.program
    if recipe is None:
        return
    own = analysis.source
    yield from _unreached(recipe.schedule, recipe.epochs, program.settings, program.settings, own)
    for group in recipe.groups:
        settings = program.groups[group.name].settings
        if "schedule" in settings:
            epochs = recipe.epochs if group.epochs is None else group.epochs
            yield from _unreached(group.schedule, epochs, settings, {**program.settings, **settings}, own)


def _unreached(
    schedule: Schedule,
    epochs: float,
    settings: dict[str, nodes.Setting],
    all_settings: dict[str, nodes.Setting],
    own: Source,
) -> Iterator[Diagnostic]:
    argument = schedule.unreached(epochs)
    if argument is None or "schedule" not in settings:
        return
    places = [_place_of(settings["schedule"], schedule, argument), all_settings["epochs"].span]
    # In a derived spec, the mistake is the one of the two that the spec sets itself.
    label = Label(next((place for place in places if place.source is own), places[0]))
    yield Diagnostic(
        "W0401",
        f"training ends after {epochs:g} epochs, before the schedule `{schedule.name}` completes",
        label,
        help=(f"increase `epochs`, or change `{argument}`",),
    )


def _place_of(setting: nodes.Setting, schedule: Schedule, argument: str) -> Span:
    kind = setting.chain.elements[0].kind
    assert isinstance(kind, nodes.Name | nodes.CallExpression)
    return Invocation.of(kind).span_of(argument, [info.name for info in arguments_of(type(schedule))])
