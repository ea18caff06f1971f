"""The printed file: a class of each block, the classes and functions that they use, and the network."""

import re
from collections.abc import Iterator
from itertools import chain, count
from typing import Any

from cifar_dsl.compiler import Analysis
from cifar_dsl.export.source import helpers
from cifar_dsl.export.source.batch_sizes import use_tensors_at_hand
from cifar_dsl.export.source.expressions import (
    Constant,
    Expression,
    Operation,
    is_constant,
    is_same,
    operands_of,
    variables,
    written,
)
from cifar_dsl.export.source.expressions import needed as values_needed
from cifar_dsl.export.source.forward import forward
from cifar_dsl.export.source.initial_values import NAME as INITIALIZE
from cifar_dsl.export.source.initial_values import initialization
from cifar_dsl.export.source.layout import (
    INDENT,
    LOOP_VARIABLE,
    WIDTH,
    Call,
    docstring,
    header,
    identifier,
    lines_of,
)
from cifar_dsl.export.source.names import class_name, class_names
from cifar_dsl.export.source.parts import part_of
from cifar_dsl.export.source.stage_names import number_in_loop, numbered_name
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
        self._taken = {*helpers.HELPERS, *(one.name for one in own), "Tensor", "F"}
        self._units.model.name = self._unused(class_name(self._analysis.program.name.text))
        for version, name in class_names(versions, self._units.model, self._vocabulary).items():
            version.name = self._unused(name)
        initial = initialization(self._analysis.graph)
        self._has_initialization = bool(initial)
        classes = ["\n".join(self._class(version)) for version in versions]
        used = [text for name, text in helpers.HELPERS.items() if name in self._used]
        body = [*used, *(definition.text for definition in own), *classes[:-1], *initial, *classes[-1:]]
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
            lines += ["", *(self._forward_in_order() if version.is_chain else forward(version, self._units))]
        return lines

    def _ties(self) -> list[str]:
        """The statements that let later uses of tied blocks have the weights of the first use."""
        lines: list[str] = []
        for first, others in tied_modules(self._analysis.graph).items():
            self._used |= {helpers.AGAIN, helpers.TIE}
            paths = (("", f'"{path}"') for path in (first, *others))
            lines += lines_of(2 * INDENT, Call(helpers.TIE, (("", "self"), *paths)))
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
            number = number_in_loop(0 if is_shifted else first, difference)
            if first == 1:
                self._used.add(helpers.NUMBERED)
            name = f'f"{base}{{{number}}}"' if is_shifted else numbered_name(base, first, difference)
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
            helper = helpers.JOIN_OF_INPUTS if call.is_join_of_inputs else helpers.JOIN
            self._used.add(helper)
            return Call(helper, (("", join), *branches))
        if len(inner) == 1 and _has_no_tensors(call.steps[0][1]):
            return inner[0][1]
        if not inner:
            return Call("nn.Identity")
        self._used.add(helpers.CHAIN)
        if call.is_chain_of_inputs:
            self._used.add(helpers.CHAIN_OF_INPUTS)
            return Call(helpers.CHAIN_OF_INPUTS, tuple(inner))
        return Call(helpers.CHAIN, tuple(inner))

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
