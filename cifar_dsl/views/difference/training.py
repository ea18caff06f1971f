"""Differences between two recipes, setting by setting."""

from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher

from cifar_dsl.foundation.records import frozen
from cifar_dsl.ir import Declaration, Group, Recipe
from cifar_dsl.operations.recipe import GROUP_SETTINGS, SETTINGS, Setting
from cifar_dsl.views.difference.calls import both_written, changed_arguments, is_different
from cifar_dsl.views.flatten import group_values, recipe_values


@frozen
class SettingChange:
    """A setting or an argument that differs; `before` or `after` is None if only one recipe has it."""

    setting: str
    before: str | None
    after: str | None

    def __str__(self) -> str:
        if self.before is None:
            return f"{self.setting}: + {self.after}"
        if self.after is None:
            return f"{self.setting}: - {self.before}"
        return f"{self.setting}: {self.before} -> {self.after}"


def recipe_changes(a: Recipe | None, b: Recipe | None) -> tuple[SettingChange, ...]:
    """The settings that differ; empty if and only if the recipes have equal meaning."""
    if a is None or b is None:
        values = recipe_values(a or b) if a or b else {}  # type: ignore[arg-type]
        return tuple(SettingChange(name, text if a else None, text if b else None) for name, text in values.items())
    found = [
        change
        for name, setting in SETTINGS.items()
        for change in _setting_changes(name, setting, getattr(a, name), getattr(b, name))
    ]
    return (*found, *_group_changes(a.groups, b.groups))


def _setting_changes(name: str, setting: Setting, a: object, b: object) -> Iterator[SettingChange]:
    if not is_different(a, b):
        return
    if isinstance(a, tuple) and isinstance(b, tuple) and setting.is_chain:
        yield from _chain_changes(name, a, b)
    elif isinstance(a, Declaration) and isinstance(b, Declaration):
        yield from _choice_changes(name, a, b)
    else:
        assert setting.kind is not None
        yield SettingChange(name, *both_written(a, b, setting.kind))


def _choice_changes(name: str, a: Declaration, b: Declaration) -> Iterator[SettingChange]:
    if a.name != b.name:
        yield SettingChange(name, a.brief(), b.brief())
        return
    for argument, before, after in changed_arguments(a, b):
        yield SettingChange(f"{name}.{argument}", before, after)


def _chain_changes(name: str, a: Sequence[Declaration], b: Sequence[Declaration]) -> Iterator[SettingChange]:
    """Changes of a chain such as `augment`: additions, removals, arguments and order."""
    before, after = ([choice.name for choice in chain] for chain in (a, b))
    if before != after and sorted(before) == sorted(after):
        yield SettingChange(
            f"{name}, in another order", *(", ".join(choice.brief() for choice in chain) for chain in (a, b))
        )
        return
    for _, start, end, new_start, new_end in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if before[start:end] == after[new_start:new_end]:
            for x, y in zip(a[start:end], b[new_start:new_end], strict=True):
                yield from _choice_changes(f"{name}.{x.name}", x, y)
            continue
        for choice in a[start:end]:
            yield SettingChange(name, choice.brief(), None)
        for choice in b[new_start:new_end]:
            yield SettingChange(name, None, choice.brief())


def _group_changes(a: Sequence[Group], b: Sequence[Group]) -> Iterator[SettingChange]:
    """Changes of groups, by name. Names have no meaning, so renaming a group alone is no change."""
    if not is_different([_meaning(group) for group in a], [_meaning(group) for group in b]):
        return
    before, after = {group.name: group for group in a}, {group.name: group for group in b}
    found: list[SettingChange] = []
    for name in dict.fromkeys([*before, *after]):
        if name not in after:
            found.append(SettingChange(f"group {name}", _group_text(before[name]), None))
        elif name not in before:
            found.append(SettingChange(f"group {name}", None, _group_text(after[name])))
        else:
            found.extend(_within_group(before[name], after[name]))
    yield from found or [SettingChange("groups, in another order", ", ".join(before), ", ".join(after))]


def _within_group(a: Group, b: Group) -> Iterator[SettingChange]:
    for name, setting in GROUP_SETTINGS.items():
        before, after = getattr(a, name), getattr(b, name)
        full = f"group {a.name}.{name}"
        if before is not None and after is not None:
            yield from _setting_changes(full, setting, before, after)
        elif is_different(before, after):
            yield SettingChange(full, group_values(a).get(name), group_values(b).get(name))


def _meaning(group: Group) -> tuple[object, ...]:
    return group.select, group.optimizer, group.schedule, group.epochs


def _group_text(group: Group) -> str:
    return ", ".join(f"{name} {text}" for name, text in group_values(group).items())
