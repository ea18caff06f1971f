"""The names, expressions and conditions that a spec's text has for a block, and the defaults of modules."""

import re
from collections.abc import Mapping
from typing import Any

from cifar_dsl.compiler import Analysis
from cifar_dsl.compiler.builtin_names import FLOW_NAMES
from cifar_dsl.export.source.expressions import Constant, Expression, UnknownValueError, Variable, translate, value_of
from cifar_dsl.export.source.torch_modules import own_defaults, signatures, torch_class
from cifar_dsl.ir import Scope, Stage, arguments_of
from cifar_dsl.language.syntax import nodes

# By the argument of a module, the argument of a layer that sets it, where the names differ.
_OF_LAYERS = {
    "out_channels": "channels",
    "num_features": "channels",
    "out_features": "features",
    "kernel_size": "kernel",
    "padding": "pad",
    "num_groups": "groups",
    "scale_factor": "factor",
}
_POOLS = ("torch.nn.MaxPool2d", "torch.nn.AvgPool2d")


class Vocabulary:
    """What the text of a spec says, by block."""

    def __init__(self, analysis: Analysis) -> None:
        program = analysis.program
        self._model = program.model
        self._blocks: Mapping[str, nodes.Block] = {**program.library, **program.blocks}
        self._globals: dict[str, Expression] = {}
        for name, param in program.params.items():
            translated = translate(param.value, self._globals)
            try:
                value = value_of(translated, {}) if translated is not None else None
            except UnknownValueError:
                continue
            if value is not None:
                self._globals[name] = Constant(value)
        self._definitions: dict[str, dict[str, Expression]] = {}

    def block(self, scope: Scope) -> nodes.Block | None:
        """The block that a scope is a call of."""
        return self._blocks.get(scope.label.partition("(")[0]) if scope.kind == "block" else None

    def parameters(self, scope: Scope) -> list[str]:
        """The names of the parameters of a block."""
        block = self.block(scope)
        return [parameter.name.text for parameter in block.parameters] if block else []

    def defaults(self, scope: Scope) -> dict[str, Any]:
        """The defaults of a block's parameters that are written as numbers or truth values."""
        block = self.block(scope)
        return {
            one.name.text: one.default.value
            for one in (block.parameters if block else ())
            if isinstance(one.default, nodes.Number | nodes.Truth)
        }

    def comment(self, scope: Scope) -> str:
        """The first sentence of the comment above a block; empty if there is none."""
        block = self.block(scope)
        if block is None:
            return ""
        before = block.span.source.text[: block.span.start].rstrip(" ").removesuffix("\n").split("\n")
        lines: list[str] = []
        while before and before[-1].startswith("#"):
            lines.insert(0, before.pop().lstrip("# ").rstrip())
        sentence = re.split(r"(?<!\bal\.)(?<=\.)\s+(?=[A-Z`])", " ".join(lines))[0]
        return sentence if not sentence.startswith("allow:") else ""

    def expressions(self, scope: Scope) -> list[Expression]:
        """The expressions in the arguments of a block's stages."""
        return [
            translated
            for call in self._inside(scope, nodes.CallExpression)
            for argument in call.arguments
            if (translated := translate(argument.value, self._names(scope))) is not None
        ]

    def conditions(self, scope: Scope) -> list[Expression]:
        """The conditions in a block."""
        tests = [test for one in self._inside(scope, nodes.If) for test, _ in one.arms]
        tests += [test for one in self._inside(scope, nodes.Conditional) for _, test in one.arms]
        return [one for test in tests if (one := translate(test, self._names(scope))) is not None]

    def arguments(self, stage: Stage, scope: Scope) -> dict[str, Expression]:
        """The expressions that a call in a block's text has as arguments, by the names of the parameters."""
        call = self._calls(scope).get((stage.span.start, stage.span.end)) if stage.span else None
        if call is None:
            return {}
        if isinstance(stage, Scope):
            order = self.parameters(stage)
        else:
            order = [info.name for info in arguments_of(type(stage.operation))]
        named: dict[str, Expression] = {}
        for place, argument in enumerate(call.arguments):
            name = argument.keyword.text if argument.keyword else (order[place] if place < len(order) else "")
            if name and (translated := translate(argument.value, self._names(scope))) is not None:
                named[name] = translated
        return named

    def of_argument(self, expressions: Mapping[str, Expression], name: str) -> tuple[Expression, ...]:
        """The expression of the layer's argument that sets an argument of a module."""
        found = expressions.get(name, expressions.get(_OF_LAYERS.get(name, "")))
        return (found,) if found is not None else ()

    def is_default(self, target: str, arguments: tuple[tuple[str, Any], ...], place: int) -> bool:
        """Whether a module has this value of an argument anyway."""
        name, value = arguments[place]
        if name in (own := own_defaults(target)):
            return bool(own[name] == value)
        signature = signatures().get(torch_class(target))
        if signature is None:
            return False
        if name == "stride" and target in _POOLS:  # torch's default is the kernel's size
            return bool(value == dict(arguments)["kernel_size"])
        return name in signature.arguments and signature.has_default(name, value)

    # ---- the text

    def _names(self, scope: Scope) -> dict[str, Expression]:
        """The definitions of the names in a block that aren't its parameters."""
        block = self.block(scope)
        key = block.name.text if block else ""
        if key not in self._definitions:
            names: dict[str, Expression] = {name: Variable(name) for name in FLOW_NAMES} | self._globals
            names |= {name: Variable(name) for name in self.parameters(scope)}
            for let in sorted(self._inside(scope, nodes.Let), key=lambda one: one.span.start):
                (element, *rest) = let.chain.elements
                if len(let.targets) > 1 or rest or isinstance(element.kind, nodes.Compound):
                    continue
                if not isinstance(element.kind, nodes.CallExpression) or element.kind.callee.text in {"min", "max"}:
                    translated = translate(element.kind, names)
                    if translated is not None:
                        names[let.targets[0].text] = translated
            self._definitions[key] = names
        return self._definitions[key]

    def _calls(self, scope: Scope) -> dict[tuple[int, int], nodes.CallExpression]:
        return {(one.span.start, one.span.end): one for one in self._inside(scope, nodes.CallExpression)}

    def _inside(self, scope: Scope, kind: Any) -> list[Any]:
        if scope.kind == "model":
            return [*nodes.inside([self._model.body], kind)]
        block = self.block(scope)
        return [*nodes.inside([block.body], kind)] if block else []
