"""Advice for recipes with the habits of PyTorch, Keras, timm and YAML; `operations.foreign_names` holds the names."""

import re
from collections.abc import Iterator, Mapping

from cifar_dsl.compiler.program import with_argument
from cifar_dsl.compiler.translation import hyphenated, intended, intended_call, source_of, writing
from cifar_dsl.foundation.records import frozen
from cifar_dsl.ir import Declaration, arguments_of
from cifar_dsl.language.diagnostics import Advice, Edit, Fix, nearest
from cifar_dsl.language.source import Span
from cifar_dsl.language.syntax import nodes
from cifar_dsl.operations import foreign_names
from cifar_dsl.operations.foreign_names import folded
from cifar_dsl.operations.recipe import DATASETS, SETTINGS, Setting

Given = Mapping[str, nodes.Setting]
_WITH_ARGUMENTS = ("optimizer", "schedule", "loss")  # settings whose arguments are settings elsewhere
_WITH_CHOICES = (
    "augment",
    "average",
    "optimizer",
    "schedule",
    "perturb",
    "constrain",
)  # settings whose choices are settings elsewhere
_OF_A_NUMBER = {
    "clip": "norm",
    "constrain": "max_norm",
    "average": "ema",
    "early_stopping": "accuracy",
}  # what a number alone means
_ON = frozenset(["true", "on", "yes"])
_OFF = frozenset(["false", "off", "no", "none"])


@frozen
class Translation:
    """The advice for an unknown setting, and the setting that it leads to ("" for none).

    With `argument`, it is an argument of that setting.
    """

    advice: Advice
    target: str = ""
    argument: str = ""

    def applied(self, given: nodes.Setting, settings: Given) -> nodes.Setting | None:
        """The target with the argument, as the advice has it; None if the setting isn't one."""
        value = given.chain.elements[0].kind
        whole = settings.get(self.target)
        if not self.argument or whole is None or isinstance(value, nodes.Compound):
            return None
        return with_argument(whole, [nodes.Identifier(self.argument, given.target[0].span)], value)


def unknown_setting(given: nodes.Setting, known: Mapping[str, Setting], settings: Given) -> Translation | None:
    """The translation of a setting that isn't in `known`; `settings` are those of the same body."""
    name = given.target[0]
    equivalent = foreign_names.SETTINGS.get(name.text)
    same = next((one for one in known if folded(one) == folded(name.text)), "")
    if same or (equivalent and equivalent.text in known):
        text = same or (equivalent.text if equivalent else "")
        is_safe = bool(same) or bool(equivalent and equivalent.is_exact)
        if _is_beside(given, settings.get(text)):
            return Translation(_superfluous(given, settings[text]), text)
        return Translation(Advice.to_write(name.span, text, is_safe=is_safe), text)
    if equivalent and equivalent.text and (text := _whole(equivalent.text, given)).split()[0] in known:
        target = text.split()[0]
        if _is_beside(given, settings.get(target)):
            return Translation(_superfluous(given, settings[target]), target)
        return Translation(writing(given.span, text, is_safe=equivalent.is_exact), target)
    if equivalent and equivalent.note:
        target = next((one for one in re.findall(r"`(\w+)`", equivalent.note) if one in known), "")
        return Translation(Advice(equivalent.note, _deleted(given)), target)
    if found := _argument(given, known, settings) or _choice(given, known, settings):
        return found
    near = nearest(name.text, known)
    return Translation(Advice.to_write(name.span, near), near) if near else None


def _whole(text: str, given: nodes.Setting) -> str:
    """The text of the setting that replaces `given`."""
    value = given.chain.span.text
    if text.startswith("precision"):
        precision = foreign_names.PRECISIONS.get(value)
        return f"precision {value if value in ('fp16', 'bf16', 'fp32') else precision.text if precision else text[-4:]}"
    return text.replace("{}", value)


def _argument(given: nodes.Setting, known: Mapping[str, Setting], settings: Given) -> Translation | None:
    """The translation of a setting that is an argument here: `lr 0.1` is `optimizer.lr 0.1`."""
    name, value = given.target[0], given.chain.span.text
    for target in _WITH_ARGUMENTS:
        registry = SETTINGS[target].registry
        assert registry is not None
        written = set(_names_of(name.text))
        chosen = _chosen(settings.get(target))
        if target not in known or not any(written & _arguments(registry[one]) for one in registry):
            continue
        if chosen in registry and (argument := min(written & _arguments(registry[chosen]), default="")):
            return Translation(_as_argument(given, settings[target], f"{target}.{argument}"), target, argument)
        if target in settings and chosen in registry:
            help_text = f"delete it: `{chosen}` takes no `{min(written & _all_arguments(target))}`"
            return Translation(Advice(help_text, _deleted(given)))
        default = SETTINGS[target].default
        call = default if isinstance(default, Declaration) else None
        if target not in settings and call and (argument := min(written & _arguments(type(call)), default="")):
            text = f"{target} {call.name}({argument}={value})"
            return Translation(writing(given.span, text, is_safe=True), target)
        if target not in settings and "lr" in written:
            return Translation(writing(given.span, f"{target} sgd(lr={value})"), target)
        return Translation(Advice(f"set `{target}` first; it is an argument of it"))
    return None


def _names_of(name: str) -> Iterator[str]:
    """The arguments that a name can mean."""
    yield name
    yield from (one.text for one in foreign_names.ARGUMENTS.meanings(name) if one.text)


def _arguments(declaration: type[Declaration]) -> set[str]:
    return {info.name for info in arguments_of(declaration)}


def _all_arguments(target: str) -> set[str]:
    registry = SETTINGS[target].registry
    return {name for one in registry for name in _arguments(registry[one])} if registry else set()


def _chosen(setting: nodes.Setting | None) -> str:
    """The name that a setting chooses, "" if it isn't a single one."""
    match setting and [element.kind for element in setting.chain.elements]:
        case [nodes.Name(text=text)]:
            return text
        case [nodes.CallExpression(callee=callee)]:
            return callee.text
        case _:
            return ""


def _as_argument(given: nodes.Setting, whole: nodes.Setting, target: str) -> Advice:
    """The advice to write a setting as an argument of the setting `whole`, which must come first."""
    text = f"{target} {given.chain.span.text}"
    span = given.target[0].span
    if whole.span.source is not span.source or whole.span.end <= span.start:
        return Advice(f"write `{text}`", (Fix(f"write `{text}`", (Edit(span, target),), is_safe=True),))
    source = span.source
    line = source.line_text(whole.span.line)
    indent = line[: len(line) - len(line.lstrip())]
    after = Edit(Span(source, whole.span.end, whole.span.end), f"\n{indent}{text}")
    fix = Fix(f"write `{text}`", (*_line(given), after))
    return Advice(f"write `{text}` after `{whole.target[0]}`", (fix,))


def _choice(given: nodes.Setting, known: Mapping[str, Setting], settings: Given) -> Translation | None:
    """The translation of a setting that is a choice here: `mixup 0.2` is `augment mixup(0.2)`."""
    name, value = given.target[0].text, given.chain.span.text
    for target in _WITH_CHOICES:
        registry = SETTINGS[target].registry
        assert registry is not None
        equivalent = foreign_names.CHOICES[target].get(name)
        choice = next((one for one in registry if folded(one) == folded(name)), equivalent.text if equivalent else "")
        if target not in known or choice not in registry:
            continue
        if value.casefold() in _OFF:
            return Translation(Advice("delete it: it is off by default", _deleted(given)))
        call = choice if value.casefold() in _ON else f"{choice}({value})"
        whole = settings.get(target)
        if whole is None:
            return Translation(writing(given.span, f"{target} {call}"), target)
        if not SETTINGS[target].is_chain or whole.span.source is not given.span.source:
            return Translation(Advice(f"write `{target} {call}`, and delete this"))
        end = Span(whole.span.source, whole.chain.span.end, whole.chain.span.end)
        edits = (Edit(end, f" -> {call}"), *_line(given))
        text = f"{target} {whole.chain.span.text} -> {call}"
        return Translation(Advice(f"write `{text}`, and delete this", (Fix(f"write `{text}`", edits),)))
    return None


def _is_beside(given: nodes.Setting, other: nodes.Setting | None) -> bool:
    """Whether another setting is in the same file; one of a base can be replaced."""
    return other is not None and other.span.source is given.span.source


def _superfluous(given: nodes.Setting, other: nodes.Setting) -> Advice:
    return Advice(f"delete it: `{other.span.text}` sets this", _deleted(given))


def _deleted(given: nodes.Setting) -> tuple[Fix, ...]:
    return (Fix("delete the setting", _line(given)),)


def _line(given: nodes.Setting) -> tuple[Edit, ...]:
    """The edit that deletes a setting, with its line if nothing else is on it."""
    source, start, end = given.span.source, given.span.start, given.span.end
    text = source.text
    before = text.rfind("\n", 0, start) + 1
    after = text.find("\n", end)
    if not text[before:start].strip() and after >= 0 and not text[end:after].strip():
        start, end = before, after + 1
    return (Edit(Span(source, start, end), ""),)


# ---- values


def choice(setting: Setting, element: nodes.Element) -> Advice | None:
    """The advice for an element that names no choice of a setting."""
    assert setting.registry is not None
    registry, kind, span = setting.registry, element.kind, element.span
    table = foreign_names.CHOICES.get(setting.name)
    if isinstance(kind, nodes.Sequence) or (isinstance(kind, nodes.Operation) and set(kind.operators) == {"+"}):
        parts = kind.items if isinstance(kind, nodes.Sequence) else kind.operands
        if setting.is_chain and parts and all(isinstance(one, nodes.Name | nodes.CallExpression) for one in parts):
            return writing(span, " -> ".join(one.span.text for one in parts), is_safe=True)
    if isinstance(kind, nodes.Number) and setting.name in _OF_A_NUMBER:
        return writing(span, f"{_OF_A_NUMBER[setting.name]}({kind.text})")
    call = kind if isinstance(kind, nodes.CallExpression) else None
    name = call.callee.text if call else hyphenated(kind) or span.text.strip('"')
    if isinstance(kind, nodes.String) and name in registry:
        return writing(span, name, is_safe=True)
    equivalent = table.get(name) if table else None
    if equivalent and equivalent.text and equivalent.text not in registry:
        arguments = source_of(call.arguments) if call else ""
        if "{}" in equivalent.text and not arguments:
            return Advice(f"write `{equivalent.text.replace('{}', '...')}`")
        return writing(span, equivalent.text.replace("{}", arguments), is_safe=equivalent.is_exact)
    if call is None:
        return intended(name, span, registry, table)
    return intended_call(call, intended(name, call.callee.span, registry, table), registry)


def chain(setting: Setting, given: nodes.Chain) -> Advice | None:
    """The advice for a chain in a setting that takes one value: a warm-up is an argument of the schedule after it."""
    match [element.kind for element in given.elements]:
        case [nodes.CallExpression(callee=first, arguments=[warmup]), nodes.Name(text=name)] if (
            setting.registry and name in setting.registry and folded(first.text) in {"warmup", "linearwarmup"}
        ):
            return writing(given.span, f"{name}(warmup={warmup.value.span.text})", is_safe=True)
        case _:
            return None


def plain_value(setting: Setting, kind: nodes.Expression, settings: Given) -> Advice | None:
    """The advice for a value that a setting doesn't accept."""
    assert setting.kind is not None
    text = kind.span.text.strip('"')
    number = f"fp{text}" if setting.name == "precision" else ""
    if number in setting.kind.symbols():
        return writing(kind.span, number, is_safe=True)
    if isinstance(kind, nodes.String) and (text in setting.kind.symbols() or text.replace(".", "", 1).isdigit()):
        return writing(kind.span, text, is_safe=True)
    if setting.name == "drop_last":
        value = foreign_names.VALUES.get(text)
        word = {"1": "true", "0": "false"}.get(text, value.text if value else "")
        return writing(kind.span, word, is_safe=True) if word in {"true", "false"} else None
    if setting.name == "validation" and isinstance(kind, nodes.Number) and 0 < kind.value < 1:
        chosen = _chosen(settings.get("data"))
        images = DATASETS[chosen].train_images if chosen in DATASETS else None
        why = "`validation` is a number of images"
        return writing(kind.span, str(round(images * kind.value)), why=why) if images else Advice(f"{why}, not a share")
    if not isinstance(kind, nodes.Name | nodes.String):
        return None
    return intended(text, kind.span, setting.kind.symbols(), foreign_names.CHOICES.get(setting.name))
