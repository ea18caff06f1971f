"""The method `forward` of printed classes in which tensors have names."""

import builtins
from itertools import chain, count

from cifar_dsl.export.source.calls import inputs_of_call
from cifar_dsl.export.source.layout import INDENT, Call, conditional_lines, header, identifier, lines_of
from cifar_dsl.export.source.parts import Part
from cifar_dsl.export.source.repeats import Item
from cifar_dsl.export.source.stage_names import numbered_name
from cifar_dsl.export.source.statements import Version
from cifar_dsl.export.source.units import Units


def forward(version: Version, units: Units) -> list[str]:
    """The lines of the method."""
    part = version.parts[0]
    aliases: dict[int, int] = {}
    labels: dict[int, str] = {}
    for step in part.steps:
        if units.is_alias(step):
            passed = step.part.outputs if step.part and not step.part.steps else (0,)
            for output, place in zip(step.outputs, passed, strict=True):
                aliases[output] = source = aliases.get(step.inputs[place], step.inputs[place])
                for label in step.labels[:1]:
                    labels.setdefault(source, label)
    calls = [
        (
            item,
            tuple(aliases.get(one, one) for one in inputs_of_call(item.step, units.of_part)),
            item.rounds[-1][-1].outputs,
        )
        for item in units.items_of(version)
    ]
    outputs = tuple(aliases.get(one, one) for one in part.outputs)
    last_uses = {value: number for number, (_, inputs, _) in enumerate(calls) for value in inputs}
    last_uses |= dict.fromkeys(outputs, len(calls))
    is_model = part.scope.kind == "model"
    names = _names_of_inputs(part, units, labels, last_uses)
    parameters = [f"{names[one]}: Tensor" for one in range(part.inputs)]
    result = _result([one in part.only_trained for one in part.outputs])
    if is_model and len(outputs) > 1:
        result = "Tensor | tuple[Tensor | None, ...]"
    lines = header("forward", ["self", *parameters], result, INDENT)
    known = {*names.values()}
    made_by: list[tuple[Item, list[str], tuple[tuple[str, str], ...]]] = []
    for number, (item, inputs, made) in enumerate(calls):
        live = {name for value, name in names.items() if last_uses.get(value, -1) > number}
        if item.step.only_trains:
            live |= {*names.values()}  # a name has one type
        given = [labels[one] for one in made if one in labels]
        wanted = [*item.rounds[-1][-1].labels] or (given if len(given) == len(made) else ["x"])
        if len(wanted) != len(made):
            wanted = [""] * len(made)
        chosen = [_free(label, item.step.name, live, index) for index, label in enumerate(wanted)]
        made_by.append((item, chosen, tuple(("", names[one]) for one in inputs)))
        names |= zip(made, chosen, strict=True)
    returned = [names[value] for value in outputs]
    for item, chosen, arguments in made_by:
        if item.step.only_trains:
            absent = "None" if len(chosen) == 1 else f"({', '.join(['None'] * len(chosen))})"
            lines += conditional_lines(
                f"{2 * INDENT}{', '.join(chosen)} = ", Call(_attribute(item.step.name), arguments), absent
            )
        elif item.names:
            lines += _loop_of_calls(item, arguments, chosen[0])
        else:
            # The call of a module has no type of its own.
            kind = ": Tensor" if len(chosen) == 1 and chosen == returned and chosen[0] not in known else ""
            lines += lines_of(f"{2 * INDENT}{', '.join(chosen)}{kind} = ", Call(_attribute(item.step.name), arguments))
        known |= {*chosen}
    if is_model and len(returned) > 1:
        lines += [f"{2 * INDENT}if not self.training:", f"{3 * INDENT}return {returned[0]}"]
    return [*lines, f"{2 * INDENT}return {', '.join(returned)}"]


def _attribute(name: str) -> str:
    is_plain = identifier(name) == name and name.isidentifier()
    return f"self.{name}" if is_plain else f'self.get_submodule("{name}")'


def _loop_of_calls(item: Item, arguments: tuple[tuple[str, str], ...], name: str) -> list[str]:
    """The rounds of stages that each take what the one before made."""
    lines = []
    if arguments != (("", name),):
        lines.append(f"{2 * INDENT}{name} = {arguments[0][1]}")
    lines.append(f"{2 * INDENT}for i in range({len(item.rounds)}):")
    for base, first, difference in item.names:
        stage = numbered_name(base, first, difference)
        lines.append(f"{3 * INDENT}{name} = self.get_submodule({stage})({name})")
    return lines


def _free(label: str, step: str, live: set[str], index: int) -> str:
    """A name for a tensor that isn't that of another one that is still needed."""
    for name in (_variable(label), _variable(step), f"{step}_{index + 1}"):
        if name.strip("_") and name not in live:
            live.add(name)
            return name
    return _free("", f"{step}_", live, index)


def _names_of_inputs(part: Part, units: Units, labels: dict[int, str], last_uses: dict[int, int]) -> dict[int, str]:
    """The names of the tensors that enter: `x`, unless it is used again after others got that name."""
    if part.inputs == 1:
        plain = "images" if part.scope.kind == "model" else "inputs"
        is_short = last_uses.get(0, 0) == 0 or all(step.labels for step in part.steps[:-1])
        return {0: identifier(labels.get(0, "x" if is_short else plain))}
    names: dict[int, str] = {}
    for number, origin in enumerate(units.origins(part)):
        wanted = labels.get(number, origin)
        numbered = chain([wanted], (f"{origin}{i}" for i in count(2)))
        names[number] = next(one for one in map(_variable, numbered) if one not in names.values())
    return names


def _variable(name: str) -> str:
    """A name of a spec as a local variable."""
    return f"{name}_" if hasattr(builtins, name) else identifier(name)


def _result(are_absent: list[bool]) -> str:
    """The type of outputs, of which tests leave out some."""
    types = ["Tensor | None" if is_absent else "Tensor" for is_absent in are_absent]
    return types[0] if len(types) == 1 else f"tuple[{', '.join(types)}]"
