"""The global values of a spec: its params, its blocks, and the properties of its dataset."""

from collections.abc import Mapping

from cifar_dsl.compiler.data import GIVE_FILE, NAME_DATA
from cifar_dsl.compiler.evaluate import Evaluator
from cifar_dsl.compiler.names import Names
from cifar_dsl.compiler.program import Program
from cifar_dsl.compiler.values import BlockValue, Bound, Unknown, ValueScope
from cifar_dsl.foundation import limits
from cifar_dsl.foundation.records import define, evolve, field
from cifar_dsl.language.diagnostics import EvaluationFailed, Label, Reporter
from cifar_dsl.language.syntax import nodes


def with_classes(program: Program, names: Names, reporter: Reporter) -> Program:
    """The program with the value of `classes`, if it uses that of its dataset. Reports a dataset without one."""
    used = (mention for mention in names.mentions if mention.definition.kind == "dataset")
    use = next(used, None)
    if use is None:
        return program
    data, name = program.data, use.definition.name
    if data and data.shape and data.shape.classes is not None:
        count = data.shape.classes
        value = nodes.Number(count, f"{count}", data.span)
        return evolve(program, bound={name: nodes.Param(nodes.Identifier(name, data.span), value, data.span)})
    write = f"or write the number: `param {name} = 10`"
    if data is None:
        message = f"`{name}` is unknown, because the spec names no dataset"
        reporter.error("E0410", message, use.span, help=(NAME_DATA, write))
    elif data.shape is not None:
        message = f"`{name}` is unknown, because the file of the dataset isn't given"
        secondary = (Label(data.span, f"{data.shape.name} is a file"),)
        reporter.error("E0410", message, use.span, secondary=secondary, help=(GIVE_FILE, write))
    return program


def global_values(program: Program, evaluator: Evaluator) -> ValueScope:
    """The values of the spec's params and blocks, in a scope inside that of `classes` and the library's blocks.

    A param with an error gets a value that causes no further errors.
    """
    outer = ValueScope(values=_values_of(program.library))
    for name, bound in program.bound.items():
        outer.values[name] = evaluator.evaluate(bound.value, outer)
    found = ValueScope(outer, _values_of(program.blocks))
    params = _Params(program.params, evaluator, found)
    for name in params.params:
        params.evaluate(name)
    return found


def _values_of(blocks: Mapping[str, nodes.Block]) -> dict[str, Bound | Unknown]:
    return {name: BlockValue(block) for name, block in blocks.items()}


@define
class _Params:
    """Evaluates params. A param can use any other, in any order."""

    params: Mapping[str, nodes.Param]
    evaluator: Evaluator
    found: ValueScope
    _active: list[str] = field(factory=list)

    def evaluate(self, name: str) -> None:
        """Evaluate a param, after the params that it uses."""
        if name in self.found.values:
            return
        param = self.params[name]
        value = param.value
        self._active.append(name)
        for used in sorted(self._used(value)):
            if used in self._active:
                cycle = " -> ".join([*self._active[self._active.index(used) :], used])
                self._give_up(used, "E0210", f"`{used}` depends on itself: {cycle}")
            elif len(self._active) >= (most := limits.current().param_depth):
                self._give_up(used, "E0211", f"params depend on each other at most {most} deep")
            else:
                self.evaluate(used)
        self._active.pop()
        if name not in self.found.values:
            self.evaluator.reporter.at = param.span
            try:
                self.found.values[name] = self.evaluator.evaluate(value, self.found)
                self.found.origins[name] = self.found.origin(value)
            except EvaluationFailed:
                self.found.values[name] = Unknown()

    def _used(self, value: nodes.Expression) -> set[str]:
        """The params that a value mentions."""
        definitions = self.evaluator.names.definitions
        mentions = (definitions.get(one.span) for one in nodes.inside([value], nodes.Name))
        return {one.name for one in mentions if one and one.kind == "param"}

    def _give_up(self, name: str, code: str, message: str) -> None:
        self.evaluator.reporter.error(code, message, self.params[name].value.span)
        self.found.values[name] = Unknown()
