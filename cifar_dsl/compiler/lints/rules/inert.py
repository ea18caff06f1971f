"""W0409: settings of a recipe that change nothing in this training."""

from collections.abc import Iterator

from cifar_dsl.compiler import Analysis
from cifar_dsl.compiler.lints.registry import network_lint
from cifar_dsl.ir import Recipe
from cifar_dsl.ir.recipe import ConstantDrop, NoConstraint
from cifar_dsl.language.diagnostics import Diagnostic, Label
from cifar_dsl.language.syntax import nodes
from cifar_dsl.operations.recipe.constraint import WITH_ROWS
from cifar_dsl.operations.recipe.groups import assign
from cifar_dsl.operations.recipe.schedule import Constant

_Parts = dict[int | None, set[str]]  # the kinds of the parameters that each group trains; None: those in no group


@network_lint
def settings_without_effect(analysis: Analysis) -> Iterator[Diagnostic]:
    """Settings that no layer or parameter of the network follows."""
    recipe = analysis.recipe
    if recipe is None:
        return
    yield from _drop_schedule(analysis, recipe)
    if recipe.groups or not isinstance(recipe.constrain, NoConstraint):
        parts = _parts(analysis, recipe)
        yield from _schedule(analysis, recipe, parts)
        yield from _constraints(analysis, recipe, parts)
        yield from _frozen_groups(analysis, recipe)


def _drop_schedule(analysis: Analysis, recipe: Recipe) -> Iterator[Diagnostic]:
    """A schedule of probabilities that no layer has."""
    if isinstance(recipe.drop_schedule, ConstantDrop):
        return
    if not any(node.operation.scheduled_drop for node in analysis.graph.nodes):
        yield _warning(
            "`drop_schedule` has no effect: no stage has a probability above 0 that it changes",
            analysis.program.settings["drop_schedule"],
            "write `drop_schedule constant`",
            "or give `drop_path`, `drop_block`, `shake_drop` or `mean(drop=...)` a probability",
        )


def _schedule(analysis: Analysis, recipe: Recipe, parts: _Parts) -> Iterator[Diagnostic]:
    """A schedule of learning rates, if all trained parameters are in groups with one of their own."""
    if recipe.schedule != Constant() and not _kinds(analysis, recipe, parts, "schedule"):
        yield _warning(
            "`schedule` has no effect: every parameter that is trained is in a group with a schedule of its own",
            analysis.program.settings["schedule"],
            "write `schedule constant`",
            "or remove the schedule of a group",
        )


def _constraints(analysis: Analysis, recipe: Recipe, parts: _Parts) -> Iterator[Diagnostic]:
    """Constraints on parameters without rows, or on none."""
    constrained = [(analysis.program.settings, recipe.constrain, _kinds(analysis, recipe, parts, "constrain"))]
    for number, group in enumerate(recipe.groups):
        if parts.get(number):
            constrained.append((analysis.program.groups[group.name].settings, group.constrain, parts[number]))
    for settings, constraint, kinds in constrained:
        if "constrain" in settings and not isinstance(constraint, NoConstraint) and not kinds & WITH_ROWS:
            yield _warning(
                "`constrain` has no effect: it bounds filters and matrices, and none is trained with it",
                settings["constrain"],
                "write `constrain none`",
                "or select filters or matrices",
            )


def _frozen_groups(analysis: Analysis, recipe: Recipe) -> Iterator[Diagnostic]:
    """Groups that never train, with settings for training beside `epochs 0`."""
    is_needed = recipe.optimizer.trains_only or recipe.schedule.sets_momentum  # a setting that a check asks for
    for group in recipe.groups:
        settings = analysis.program.groups[group.name].settings
        if group.epochs != 0 or is_needed:
            continue
        for name in ("optimizer", "schedule", "constrain"):
            # What another spec or an override freezes may keep its settings.
            if _is_own(analysis, settings, name) and settings[name].span.source is settings["epochs"].span.source:
                yield _warning(
                    f"`{name}` has no effect: `epochs 0` freezes group `{group.name}` from the start",
                    settings[name],
                    "delete it, or `epochs 0`",
                )


def _parts(analysis: Analysis, recipe: Recipe) -> _Parts:
    assigned = assign(analysis.graph, recipe)
    found: _Parts = {}
    for node in analysis.graph.nodes:
        for parameter in node.parameters:
            part = assigned.get(f"{node.path}.{parameter.name}", -1)
            if part != -1 and (part is None or recipe.groups[part].epochs != 0):
                found.setdefault(part, set()).add(parameter.kind)
    return found


def _kinds(analysis: Analysis, recipe: Recipe, parts: _Parts, name: str) -> set[str]:
    """The kinds of the trained parameters for which the recipe's setting of this name holds."""
    groups = analysis.program.groups
    own = [_is_own(analysis, groups[group.name].settings, name) for group in recipe.groups]
    followers = [None, *(number for number, is_own in enumerate(own) if not is_own)]
    return set().union(*(parts.get(follower, set()) for follower in followers))


def _is_own(analysis: Analysis, settings: dict[str, nodes.Setting], name: str) -> bool:
    """Whether a group has a setting of its own, and not the recipe's, perhaps with other arguments."""
    whole, own = analysis.program.settings.get(name), settings.get(name)
    return own is not None and (whole is None or own.span != whole.span)


def _warning(message: str, setting: nodes.Setting, *advice: str) -> Diagnostic:
    return Diagnostic("W0409", message, Label(setting.span), help=advice)
