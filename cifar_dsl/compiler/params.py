"""Evaluates the params of a spec. A param can use any other, in any order."""

from attrs import define, field

from cifar_dsl.compiler.evaluate import Evaluator
from cifar_dsl.compiler.program import Program
from cifar_dsl.compiler.values import BlockValue, Unknown, ValueScope
from cifar_dsl.foundation import limits
from cifar_dsl.language.diagnostics import EvaluationFailed
from cifar_dsl.language.syntax import nodes


def global_values(program: Program, evaluator: Evaluator) -> ValueScope:
    """The values of params and blocks. A param with an error gets a value that causes no further errors."""
    found = ValueScope(values={name: BlockValue(block) for name, block in program.blocks.items()})
    params = _Params(program, evaluator, found)
    for name in program.params:
        params.evaluate(name)
    return found


@define
class _Params:
    program: Program
    evaluator: Evaluator
    found: ValueScope
    _active: list[str] = field(factory=list)

    def evaluate(self, name: str) -> None:
        """Evaluate a param, after the params that it uses."""
        if name in self.found.values:
            return
        value = self.program.params[name].value
        self._active.append(name)
        for used in sorted(nodes.references([value]) & self.program.params.keys()):
            if used in self._active:
                cycle = " -> ".join([*self._active[self._active.index(used) :], used])
                self._give_up(used, "E0210", f"`{used}` depends on itself: {cycle}")
            elif len(self._active) >= (most := limits.current().param_depth):
                self._give_up(used, "E0211", f"params depend on each other at most {most} deep")
            else:
                self.evaluate(used)
        self._active.pop()
        if name not in self.found.values:
            try:
                self.found.values[name] = self.evaluator.evaluate(value, self.found)
                self.found.origins[name] = self.found.origin(value)
            except EvaluationFailed:
                self.found.values[name] = Unknown()

    def _give_up(self, name: str, code: str, message: str) -> None:
        self.evaluator.reporter.error(code, message, self.program.params[name].value.span)
        self.found.values[name] = Unknown()
