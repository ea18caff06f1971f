"""W0401 and W0410: learning rates that training ends too early to reach, and training that is all warm-up."""

import math
from collections.abc import Iterator

from cifar_dsl.compiler import Analysis
from cifar_dsl.compiler.invocation import Invocation
from cifar_dsl.compiler.lints.registry import network_lint
from cifar_dsl.foundation.records import frozen
from cifar_dsl.foundation.text import in_epochs
from cifar_dsl.ir import arguments_of
from cifar_dsl.ir.recipe import Schedule
from cifar_dsl.language.diagnostics import Diagnostic, Label
from cifar_dsl.language.source import Source, Span
from cifar_dsl.language.syntax import nodes


@network_lint
def unreached_rates(analysis: Analysis) -> Iterator[Diagnostic]:
    """Milestones and warm-ups of schedules that end with the last epoch or after it, in the recipe or a group."""
    recipe, program = analysis.recipe, analysis.program
    if recipe is None:
        return
    own = analysis.source
    yield from _warnings(_Rates(recipe.schedule, recipe.epochs, math.inf, program.settings, program.settings, own))
    for group in recipe.groups:
        settings = program.groups[group.name].settings
        if "schedule" in settings:
            epochs = recipe.epochs if group.epochs is None else group.epochs
            most = recipe.epochs if "epochs" in settings else 0
            both = {**program.settings, **settings}
            yield from _warnings(_Rates(group.schedule, epochs, most, settings, both, own))


@frozen
class _Rates:
    """A schedule of `settings`, which may have at most `most` epochs of their own."""

    schedule: Schedule
    epochs: float
    most: float
    settings: dict[str, nodes.Setting]
    all_settings: dict[str, nodes.Setting]
    own: Source

    def label(self, argument: str) -> Label:
        """Where the schedule doesn't fit `epochs`: at the one of both that the spec itself or the command line sets."""
        places = [_place_of(self.settings["schedule"], self.schedule, argument), self.all_settings["epochs"].span]
        mine = [place for place in places if place.source is self.own]
        return Label(next(iter([*mine, *(place for place in places if place.source.is_override)]), places[0]))


def _warnings(rates: _Rates) -> Iterator[Diagnostic]:
    """The warnings about a schedule that the settings name."""
    schedule, epochs = rates.schedule, rates.epochs
    if "schedule" not in rates.settings:
        return
    if (warmup := getattr(schedule, "warmup", 0.0)) and warmup == epochs:
        yield Diagnostic(
            "W0410",
            f"the warm-up of `{schedule.name}` lasts all {in_epochs(epochs)}, so the learning rate only rises",
            rates.label("warmup"),
            help=(f"write `warmup={epochs / 5:g}`, or train for more than {in_epochs(warmup)}",),
        )
    if (argument := schedule.unreached(epochs)) is not None:
        needed = f"{_needed(schedule, argument):g}"
        advice = f"write `epochs {needed}`" if float(needed) <= rates.most else f"train for {needed} epochs"
        yield Diagnostic(
            "W0401",
            f"training ends after {in_epochs(epochs)}, before the schedule `{schedule.name}` completes",
            rates.label(argument),
            help=(f"{advice}, or change `{argument}`",),
        )


def _needed(schedule: Schedule, argument: str | None) -> float:
    """The number of epochs after which a schedule completes; `argument` names a time after the end of training."""
    epochs = 0.0
    while argument:
        times = getattr(schedule, argument)
        last = float(max(times) if isinstance(times, tuple) else times)
        epochs = last if last > epochs else math.floor(epochs) + 1
        argument = schedule.unreached(epochs)
    return epochs


def _place_of(setting: nodes.Setting, schedule: Schedule, argument: str) -> Span:
    kind = setting.chain.elements[0].kind
    assert isinstance(kind, nodes.Name | nodes.CallExpression)
    return Invocation.of(kind).span_of(argument, [info.name for info in arguments_of(type(schedule))])
