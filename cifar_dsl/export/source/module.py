"""The printed file: a class of each block, the classes and functions that they use, and the network."""

import builtins
import re
from collections.abc import Iterator
from itertools import chain, count
from typing import Any

from cifar_dsl.compiler import Analysis
from cifar_dsl.export.source.batch_sizes import use_tensors_at_hand
from cifar_dsl.export.source.calls import inputs_of_call
from cifar_dsl.export.source.expressions import (
    Constant,
    Expression,
    Operation,
    Variable,
    is_constant,
    is_same,
    operands_of,
    variables,
    written,
)
from cifar_dsl.export.source.expressions import needed as values_needed
from cifar_dsl.export.source.initial_values import NAME as INITIALIZE
from cifar_dsl.export.source.initial_values import initialization
from cifar_dsl.export.source.layout import (
    INDENT,
    LOOP_VARIABLE,
    WIDTH,
    Call,
    conditional_lines,
    docstring,
    header,
    identifier,
    lines_of,
)
from cifar_dsl.export.source.names import class_name, class_names
from cifar_dsl.export.source.parts import Part, part_of
from cifar_dsl.export.source.repeats import Item
from cifar_dsl.export.source.statements import Assign, Condition, Loop, ModuleCall, Statement, Version, assigned_in
from cifar_dsl.export.source.ties import tied_modules
from cifar_dsl.export.source.torch_modules import REQUIRED, needed, own_classes, own_parameters, signatures
from cifar_dsl.export.source.training import training_script
from cifar_dsl.export.source.units import Units
from cifar_dsl.export.source.vocabulary import Vocabulary
from cifar_dsl.foundation.records import define, field
from cifar_dsl.foundation.text import listed
from cifar_dsl.foundation.version import __version__
from cifar_dsl.ir import trained_outputs

_CHAIN, _CHAIN_OF_INPUTS, _JOIN, _JOIN_OF_INPUTS = "Stages", "StagesOfInputs", "Join", "JoinOfInputs"
_NUMBERED = "numbered"
_AGAIN, _TIE = "Again", "tie"
_HELPERS = {
    _CHAIN: '''class Stages(nn.Sequential):
    """Stages that run in order, each under its name."""

    def __init__(self, **stages: nn.Module) -> None:
        super().__init__()
        for name, stage in stages.items():
            self.add_module(name, stage)''',
    _CHAIN_OF_INPUTS: '''class StagesOfInputs(Stages):
    """Stages that run in order, of which the first takes several inputs."""

    def forward(self, *inputs: Tensor) -> Any:
        first, *others = self.children()
        x = first(*inputs)
        for stage in others:
            x = stage(x)
        return x''',
    _JOIN: '''class Join(nn.Module):
    """Branches that all get the input, and the join of their outputs."""

    def __init__(self, join: nn.Module, **branches: nn.Module) -> None:
        super().__init__()
        for name, branch in branches.items():
            self.add_module(name, branch)
        self.join = join

    def forward(self, x: Tensor) -> Tensor:
        *branches, join = self.children()
        y: Tensor = join(*(branch(x) for branch in branches))
        return y''',
    _JOIN_OF_INPUTS: '''class JoinOfInputs(nn.Module):
    """Branches that each get an input, and the join of their outputs."""

    def __init__(self, join: nn.Module, **branches: nn.Module) -> None:
        super().__init__()
        for name, branch in branches.items():
            self.add_module(name, branch)
        self.join = join

    def forward(self, *inputs: Tensor) -> Tensor:
        *branches, join = self.children()
        pairs = zip(branches, inputs, strict=True)
        y: Tensor = join(*(branch(x) for branch, x in pairs))
        return y''',
    _NUMBERED: '''def numbered(name: str, number: int) -> str:
    """The name of a stage: conv, conv2, conv3 ..."""
    return name if number == 1 else f"{name}{number}"''',
    _AGAIN: '''class Again(nn.Module):
    """Another use of a stage, whose weights are under the name of its first use."""

    def __init__(self, stage: nn.Module) -> None:
        super().__init__()
        self._stage = (stage,)  # a tuple, so that the stage isn't a child here

    def forward(self, *inputs: Tensor) -> Tensor:
        y: Tensor = self._stage[0](*inputs)
        return y''',
    _TIE: '''def tie(network: nn.Module, first: str, *others: str) -> None:
    """Replace stages by other uses of the stage `first`."""
    for path in others:
        around, _, name = path.rpartition(".")
        again = Again(network.get_submodule(first))
        network.get_submodule(around).add_module(name, again)''',
}
_SEQUENTIAL = frozenset({"append", "extend", "insert", "pop"})  # names that nn.Sequential has, and nn.Module hasn't


def pytorch_source(analysis: Analysis, *, train: bool = False) -> str:
    """The text of a Python file with the network as a module, which needs torch alone.

    `state_dict` has the keys of `Spec.build`, in their order. With `train`, the file trains the network if it is run,
    and needs numpy, too. Raises UserError for a recipe that it can't have.
    """
    vocabulary = Vocabulary(analysis)
    model = part_of(analysis.graph)
    use_tensors_at_hand(model, analysis.graph)
    units = Units(model, vocabulary)
    return _Printer(analysis, units, vocabulary).text(train=train)


@define
class _Printer:
    _analysis: Analysis
    _units: Units
    _vocabulary: Vocabulary
    _used: set[str] = field(factory=set)  # names of classes and functions that are printed in front
    _taken: set[str] = field(factory=set)
    _undeclared: set[str] = field(factory=set)  # names in a class that get modules of several classes, and no type yet
    _has_initialization: bool = False

    def text(self, *, train: bool) -> str:
        """The whole file."""
        versions = [version for unit in self._units.in_order for version in unit.versions]
        calls = [call for version in versions for call in version.calls()]
        targets = {call.target for call in calls} | {target for call in calls for _, target in call.functions}
        own = needed({own_classes()[target] for target in targets if target in own_classes()})
        self._taken = {*_HELPERS, *(one.name for one in own), "Tensor", "F"}
        self._units.model.name = self._unused(class_name(self._analysis.program.name.text))
        for version, name in class_names(versions, self._units.model, self._vocabulary).items():
            version.name = self._unused(name)
        self._has_initialization = bool(initialization(self._analysis.graph))
        classes = ["\n".join(self._class(version)) for version in versions]
        initial = initialization(self._analysis.graph)
        helpers = [text for name, text in _HELPERS.items() if name in self._used]
        body = [*helpers, *(definition.text for definition in own), *classes[:-1], *initial, *classes[-1:]]
        if train:
            body.append(training_script(self._analysis, self._units.model.name))
        code = "\n\n\n".join(body)
        return "\n".join([*self._head(), *_imports(code), "", "", code, ""])

    def _head(self) -> list[str]:
        graph = self._analysis.graph
        name = self._analysis.program.name.text
        summary = f"{name}: images (N, {', '.join(map(str, graph.input.extents))}) to scores "
        summary += (
            f"(N, {', '.join(map(str, graph.shape_of(graph.output).extents))}), {graph.cost.parameters:,} parameters."
        )
        written_by = f"Written by cifar-dsl {__version__} from the spec with fingerprint {self._analysis.fingerprint}."
        return [*docstring(f"{summary}\n\n{written_by}", ""), ""]

    def _unused(self, name: str) -> str:
        chosen = next(one for one in chain([name], (f"{name}{i}" for i in count(2))) if one not in self._taken)
        self._taken.add(chosen)
        return chosen

    # ---- classes

    def _class(self, version: Version) -> list[str]:
        names = [step.name for one in version.parts for step in one.steps]
        is_chain = version.is_chain and not _SEQUENTIAL & {*names}
        lines = [f"class {version.name}({'nn.Sequential' if is_chain else 'nn.Module'}):"]
        lines += [*docstring(self._description(version), INDENT), ""]
        lines += header("__init__", ["self", *self._parameters(version)], "None", INDENT)
        lines.append(f"{2 * INDENT}super().__init__()")
        self._undeclared = self._of_several_classes(version)
        for statement in version.statements:
            lines += self._statement(statement, 2 * INDENT)
        if version is self._units.model:
            lines += self._ties()
        if version is self._units.model and self._has_initialization:
            lines.append(f"{2 * INDENT}{INITIALIZE}(self)")
        if not is_chain:
            lines += ["", *(self._forward_in_order() if version.is_chain else _forward(version, self._units))]
        return lines

    def _ties(self) -> list[str]:
        """The statements that let later uses of tied blocks have the weights of the first use."""
        lines: list[str] = []
        for first, others in tied_modules(self._analysis.graph).items():
            self._used |= {_AGAIN, _TIE}
            paths = (("", f'"{path}"') for path in (first, *others))
            lines += lines_of(2 * INDENT, Call(_TIE, (("", "self"), *paths)))
        return lines

    def _description(self, version: Version) -> str:
        part = version.parts[0]
        inputs, outputs = (" and ".join(map(str, shapes)) for shapes in part.shapes)
        shapes = f"{inputs} -> {outputs}"
        comment = self._vocabulary.comment(part.scope)
        if part.scope.kind == "model":
            network = f"The network: (N, {', '.join(inputs.split('x'))}) -> (N, {', '.join(outputs.split('x'))})."
            exits = [f"`{one.name}`" for one in trained_outputs(self._analysis.graph)[1:]]
            if exits:
                network += (
                    f"\n\nIn training mode, it returns a tuple: these scores, then those of {listed(exits, 'and')}."
                )
            return network
        is_the_same = len({one.shapes for one in version.parts}) == 1
        comment = " ".join(filter(None, [comment, _given(comment, version, self._vocabulary.parameters(part.scope))]))
        if not comment:
            what = "" if part.scope.kind == "block" else f"`{part.scope.path}`: "
            return f"{what}{shapes}." if is_the_same else f"{what}{'such as' if what else 'For example,'} {shapes}."
        return f"{comment}\n\n{shapes}" if is_the_same else comment

    def _parameters(self, version: Version) -> list[str]:
        """The parameters of a class, those with defaults last."""
        defaults = self._defaults(version)
        ordered = sorted(version.parameters, key=lambda name: name in defaults)
        texts = []
        for name in ordered:
            kind = _type_of(values_needed([part.values[name] for part in version.parts]))
            default = f" = {written(Constant(defaults[name]))}" if name in defaults else ""
            texts.append(f"{identifier(name)}: {kind}{default}")
        return texts

    def _defaults(self, version: Version) -> dict[str, Any]:
        """The defaults of a block's parameters that some of its calls have."""
        defaults = self._vocabulary.defaults(version.parts[0].scope)
        used = {
            name: default
            for name, default in defaults.items()
            if name in version.parameters and any(is_same(part.values[name], default) for part in version.parts)
        }
        return used if len(version.parts) > 1 else {}

    def _statement(self, statement: Statement, indent: str) -> list[str]:
        match statement:
            case Assign(name=name, test=test) if test is not None:
                return [
                    *_test_lines(f"{indent}if ", test),
                    *self._assign(statement, indent + INDENT),
                    f"{indent}else:",
                    *self._assign(Assign(name, ModuleCall("torch.nn.Identity")), indent + INDENT),
                ]
            case Assign():
                return self._assign(statement, indent)
            case Loop():
                return self._loop(statement, indent)
            case Condition(test=test, chosen=chosen, otherwise=otherwise):
                return self._condition(test, chosen, otherwise, indent)

    def _of_several_classes(self, version: Version) -> set[str]:
        """The names that get modules of different classes, and so need a type."""
        classes: dict[str, set[str]] = {}
        for stage in (one for statement in version.statements for one in assigned_in(statement)):
            found = classes.setdefault(stage.name, set())
            found.add(self._call(stage.call).function)
            if stage.test is not None:
                found.add("nn.Identity")
        return {name for name, found in classes.items() if len(found) > 1}

    def _assign(self, stage: Assign, indent: str) -> list[str]:
        """The line that makes a stage."""
        name, call, shape = stage.name, self._call(stage.call), stage.shape
        kind = ": nn.Module" if name in self._undeclared else ""
        self._undeclared.discard(name)
        if identifier(name) != name or not name.isidentifier():
            return lines_of(indent, Call("self.add_module", (("", f'"{name}"'), ("", call))), comment=shape)
        return lines_of(f"{indent}self.{name}{kind} = ", call, comment=shape)

    def _condition(
        self,
        test: Expression,
        chosen: tuple[Statement, ...],
        otherwise: tuple[Statement, ...],
        indent: str,
        word: str = "if",
    ) -> list[str]:
        lines = _test_lines(f"{indent}{word} ", test)
        for one in chosen:
            lines += self._statement(one, indent + INDENT)
        if len(otherwise) == 1 and isinstance(inner := otherwise[0], Condition):
            return lines + self._condition(inner.test, inner.chosen, inner.otherwise, indent, "elif")
        if otherwise:
            lines.append(f"{indent}else:")
            for one in otherwise:
                lines += self._statement(one, indent + INDENT)
        return lines

    def _loop(self, loop: Loop, indent: str) -> list[str]:
        ((_, start, step), *_), calls = [name for name, _ in loop.stages], [call for _, call in loop.stages]
        uses = any(LOOP_VARIABLE in variables(one) for call in calls for one in _expressions(call))
        is_shifted = len(calls) == 1 and start > 1 and step == 1 and not uses and isinstance(loop.count, Constant)
        if is_shifted:
            assert isinstance(loop.count, Constant)
            lines = [f"{indent}for i in range({start}, {start + loop.count.value}):"]
        else:
            lines = [f"{indent}for i in range({written(loop.count)}):"]
        for (base, first, difference), call in loop.stages:
            number = _number(0 if is_shifted else first, difference)
            if first == 1:
                self._used.add(_NUMBERED)
            name = f'f"{base}{{{number}}}"' if is_shifted else _numbered_name(base, first, difference)
            lines += lines_of(indent + INDENT, Call("self.add_module", (("", name), ("", self._call(call)))))
        return lines

    # ---- calls

    def _call(self, call: ModuleCall) -> Call:
        if call.version is not None:
            return self._of_version(call.version, call.arguments)
        if not call.target:
            return self._in_place(call)
        if call.target in own_classes():
            name = own_classes()[call.target]
            order = own_parameters(name)
            values: dict[str, str | Call] = {key: written(one) for key, one in call.arguments if "." not in key}
            values |= {key: _function(key, target, call.arguments) for key, target in call.functions}
            flags = {key for key, value in call.arguments if _is_flag(value)}
            given = sorted(values.items(), key=lambda each: order.index(each[0]) if each[0] in order else len(order))
            return Call(
                name, tuple(("" if [key] == order[:1] and key not in flags else key, value) for key, value in given)
            )
        signature = signatures()[call.target].arguments
        required = [name for name, default in signature.items() if default == REQUIRED]
        by_name = dict(call.arguments)
        arguments = tuple(
            ("" if name in required else name, written(by_name[name])) for name in signature if name in by_name
        )
        return Call(call.target.replace("torch.nn.", "nn."), arguments)

    def _in_place(self, call: ModuleCall) -> Call:
        inner = [(name, self._call(one)) for name, one in call.steps]
        if call.is_join:
            *branches, (_, join) = inner
            helper = _JOIN_OF_INPUTS if call.is_join_of_inputs else _JOIN
            self._used.add(helper)
            return Call(helper, (("", join), *branches))
        if len(inner) == 1 and _has_no_tensors(call.steps[0][1]):
            return inner[0][1]
        if not inner:
            return Call("nn.Identity")
        self._used.add(_CHAIN)
        if call.is_chain_of_inputs:
            self._used.add(_CHAIN_OF_INPUTS)
            return Call(_CHAIN_OF_INPUTS, tuple(inner))
        return Call(_CHAIN, tuple(inner))

    def _of_version(self, version: Version, arguments: tuple[tuple[str, Expression], ...]) -> Call:
        defaults = self._defaults(version)
        required = [(name, value) for name, value in arguments if name not in defaults]
        by_position = len(required) if len(required) <= 2 else 1
        flags = {name for name, _ in required if _type_of([one.values[name] for one in version.parts]) == "bool"}
        texts = [
            ("" if place < by_position and name not in flags else identifier(name), written(value))
            for place, (name, value) in enumerate(required)
        ]
        for name, value in arguments:
            if name in defaults and not (isinstance(value, Constant) and is_same(value.value, defaults[name])):
                texts.append((identifier(name), written(value)))
        return Call(version.name, tuple(texts))

    def _forward_in_order(self) -> list[str]:
        return [
            *header("forward", ["self", "x: Tensor"], "Tensor", INDENT),
            f"{2 * INDENT}for stage in self.children():",
            f"{3 * INDENT}x = stage(x)",
            f"{2 * INDENT}return x",
        ]


def _given(comment: str, version: Version, parameters: list[str]) -> str:
    """A sentence with the values of the parameters that a comment mentions, and the class doesn't have."""
    values = {
        name: version.parts[0].values[name]
        for name in parameters
        if name not in version.parameters
        and all(name in part.values for part in version.parts)  # lists of tensors aren't
        and (f"`{name}`" in comment or (len(name) > 1 and re.search(rf"\b{name}\b", comment)))
        and is_constant([part.values[name] for part in version.parts])
    }
    known = [f"`{name}` is {value}" for name, value in values.items() if isinstance(value, int | float)]
    return f"Here, {listed(known, 'and')}." if known else ""


def _function(name: str, target: str, arguments: tuple[tuple[str, Expression], ...]) -> Call:
    """The call that makes an argument of a module."""
    own = ((key.removeprefix(f"{name}."), written(value)) for key, value in arguments if key.startswith(f"{name}."))
    return Call(own_classes()[target], tuple(own))


def _test_lines(before: str, test: Expression) -> list[str]:
    """The lines of a condition: each operand on its own if they don't fit on one."""
    line = f"{before}{written(test)}:"
    if len(line) <= WIDTH or not isinstance(test, Operation):
        return [line]
    indent = before[: len(before) - len(before.lstrip())]
    return [f"{before}(", *(f"{indent}{INDENT}{one}" for one in operands_of(test)), f"{indent}):"]


def _has_no_tensors(call: ModuleCall) -> bool:
    """Whether a module is a single one without weights, whose name is in no key."""
    return bool(call.target) and not call.has_tensors


def _expressions(call: ModuleCall) -> Iterator[Expression]:
    yield from (expression for _, expression in call.arguments)
    for _, inner in call.steps:
        yield from _expressions(inner)


def _number(first: int, difference: int) -> str:
    i = Variable(LOOP_VARIABLE)
    grown: Expression = i if difference == 1 else Operation(("*",), (Constant(difference), i))
    return (
        "i"
        if not first and difference == 1
        else written(Operation(("+",), (grown, Constant(first))) if first else grown)
    )


def _is_flag(expression: Expression) -> bool:
    return isinstance(expression, Constant) and isinstance(expression.value, bool)


def _type_of(values: list[Any]) -> str:
    """The type of a parameter with these values."""
    kinds = {type(value) for value in values}
    if any(issubclass(kind, tuple) for kind in kinds):
        if len({len(value) for value in values}) == 1 and values[0]:
            return f"tuple[{', '.join(_type_of([*items]) for items in zip(*values, strict=True))}]"
        inner = [item for value in values for item in value]
        return f"tuple[{_type_of(inner) if inner else 'int'}, ...]"
    if any(issubclass(kind, str) for kind in kinds):
        return "str"
    if kinds == {bool}:
        return "bool"
    return "int" if kinds <= {int} else "float"


# ---- forward


def _forward(version: Version, units: Units) -> list[str]:
    """The method `forward` of a class in which tensors have names."""
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


def _loop_of_calls(item: "Item", arguments: tuple[tuple[str, str], ...], name: str) -> list[str]:
    """The rounds of stages that each take what the one before made."""
    lines = []
    if arguments != (("", name),):
        lines.append(f"{2 * INDENT}{name} = {arguments[0][1]}")
    lines.append(f"{2 * INDENT}for i in range({len(item.rounds)}):")
    for base, first, difference in item.names:
        stage = _numbered_name(base, first, difference)
        lines.append(f"{3 * INDENT}{name} = self.get_submodule({stage})({name})")
    return lines


def _numbered_name(base: str, first: int, difference: int) -> str:
    number = _number(first, difference)
    return f'numbered("{base}", {number})' if first == 1 else f'f"{base}{{{number}}}"'


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


def _imports(code: str) -> list[str]:
    lines = [f"import {name}" for name in ("argparse", "math") if re.search(rf"\b{name}\.", code)]
    if re.search(r"\bIterable\b", code):
        lines.append("from collections.abc import Iterable")
    standard = [name for name in ("fnmatch", "reduce") if re.search(rf"\b{name}\(", code)]
    if "fnmatch" in standard:
        lines.append("from fnmatch import fnmatch")
    if "reduce" in standard:
        lines.append("from functools import reduce")
    if re.search(r"\bPath\(", code):
        lines.append("from pathlib import Path")
    if re.search(r"\bAny\b", code):
        lines.append("from typing import Any")
    lines += [""] if lines else []
    if re.search(r"\bnp\.", code):
        lines.append("import numpy as np")
    if re.search(r"\btorch\.", code):
        lines.append("import torch")
    names = [name for name in ("Tensor", "nn") if re.search(rf"\b{name}\b", code)]
    lines.append(f"from torch import {', '.join(names)}")
    if re.search(r"\bF\.", code):
        lines.append("from torch.nn import functional as F")
    return lines
