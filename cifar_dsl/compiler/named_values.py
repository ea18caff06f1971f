"""Names that `let` defines and assignments change: what they stand for, and whether that can change."""

from cifar_dsl.compiler.evaluate import Evaluator
from cifar_dsl.compiler.names import Names
from cifar_dsl.compiler.slices import Slices
from cifar_dsl.compiler.types import is_stage
from cifar_dsl.compiler.values import BlockValue, Bound, Flow, Tensor, Unknown, ValueScope, describe
from cifar_dsl.ir import Size
from cifar_dsl.language.diagnostics import EvaluationFailed, Reporter
from cifar_dsl.language.source import Span
from cifar_dsl.language.syntax import nodes, print_chain


class NamedValues:
    """What the names of `let` and of assignments stand for, in the scopes of an expansion."""

    def __init__(self, evaluator: Evaluator, slices: Slices, names: Names, reporter: Reporter) -> None:
        self._evaluator = evaluator
        self._slices = slices
        self._definitions, self._passed = names.definitions, names.passed
        self._reporter = reporter
        self._reassigned: dict[int, list[nodes.Identifier]] = {}  # by the identity of a loop, condition or join

    def is_value(self, chain: nodes.Chain, scope: ValueScope) -> bool:
        """Whether a `let` defines a value, not a tensor."""
        (element, *rest) = chain.elements
        kind = element.kind
        if rest or element.label or element.claim or isinstance(kind, nodes.Compound):
            return False
        match kind:
            case nodes.CallExpression(callee=callee):
                return self._definitions[callee.span].kind in {"function", "initialiser", "weight function"}
            case nodes.Name():
                is_value = self._definitions[kind.span].kind in {"flow", "word"}
                return is_value or not (
                    self._slices.is_tensor(kind, scope) or is_stage(self._evaluator.bound(kind.text, kind.span, scope))
                )
            case nodes.Index():
                return self._slices.of_tensor(kind, scope) is None
            case _:
                return True

    def is_tied(self, let: nodes.Let) -> bool:
        """Whether a `let` names a tied block."""
        (element, *rest) = let.chain.elements
        is_alone = not (rest or element.label or element.claim)
        kind = element.kind
        return is_alone and isinstance(kind, nodes.Branched) and self._definitions[kind.name.span].makes_block

    def has_unknown_head(self, let: nodes.Let) -> bool:
        """Whether a `let` names what an unknown name makes of branches."""
        kind = let.chain.elements[-1].kind
        return isinstance(kind, nodes.Branched) and self._definitions[kind.name.span].kind == "unknown"

    def values(self, named: nodes.Let | nodes.Assignment, scope: ValueScope, flow: Flow) -> dict[str, Bound | Unknown]:
        """The value of an expression by its name, or the items of a list by their names; unknown after an error."""
        kind = named.chain.elements[0].kind
        assert not isinstance(kind, nodes.Compound)
        try:
            return self.each(named, self._evaluator.evaluate(kind, scope, flow))
        except EvaluationFailed:
            return {name.text: Unknown() for name in named.targets}

    def each(self, named: nodes.Let | nodes.Assignment, value: Bound) -> dict[str, Bound | Unknown]:
        """The values of names: a value for one name, the items of a list for several."""
        names = [name.text for name in named.targets]
        if len(names) == 1:
            return {names[0]: value}
        if isinstance(value, tuple) and len(value) == len(names):
            return dict(zip(names, value, strict=True))
        if not isinstance(value, Tensor) or value.shape is not None:
            message = f"{len(names)} names need a list of {len(names)}, but this is {describe(value)}"
            self._reporter.error("E0217", message, named.chain.span)
        return {name: Unknown() for name in names}

    def owner(self, name: nodes.Identifier, scope: ValueScope) -> ValueScope | None:
        """The scope whose value an assignment to a name changes; None if the resolver found none."""
        return scope.scope_of(name.text, self._passed.get(name.span, 0))

    def can_change(self, assignment: nodes.Assignment, name: nodes.Identifier, owner: ValueScope | None) -> bool:
        """Whether an assignment can change what `owner` holds under a name. Reports it if not."""
        if owner is None:
            return False  # reported by the resolver
        value = owner.values[name.text]
        is_param, is_list = self._definitions[name.span].kind == "param", _is_list(value)
        if isinstance(value, Tensor | Unknown) or (is_list and not is_param):
            return True
        what = "a param" if is_param else describe(value)
        span, help_text = name.span, "compute each value from the loop variable, such as `sum(depths[:i])`"
        if isinstance(value, BlockValue):
            help_text = "choose another name"
        if is_list and len(assignment.targets) == 1:
            span = assignment.span
            help_text = f"name the new list: `let more = {print_chain(assignment.chain)}`"
        message = f"only a named tensor or list can be reassigned, but `{name}` is {what}"
        self._reporter.error("E0213", message, span, help=help_text)
        return False

    def change(self, name: nodes.Identifier, owner: ValueScope, new: Bound | Unknown, at: Span) -> None:
        """Let a name of `owner` stand for another tensor or list. Reports a value of another kind, written at `at`."""
        old = owner.values[name.text]
        is_same_kind = isinstance(old, Tensor) if isinstance(new, Tensor) else _is_list(old) and _is_list(new)
        if isinstance(old, Unknown) or isinstance(new, Unknown) or is_same_kind:
            owner.values[name.text] = new
        elif isinstance(new, Tensor) and new.shape is None:  # after an error
            owner.values[name.text] = Unknown()
        else:
            message = f"`{name}` is {describe(old)}, and can't become {describe(new)}"
            self._reporter.error("E0213", message, at, help="choose another name")

    def forget_reassigned(self, kind: nodes.Expression | nodes.Compound, scope: ValueScope) -> None:
        """After an error, the tensors that a loop or condition reassigns have an unknown shape."""
        if not isinstance(kind, nodes.Compound):
            return
        if id(kind) not in self._reassigned:  # a loop may get here in every round
            assignments = nodes.inside([kind], nodes.Assignment)
            self._reassigned[id(kind)] = [name for one in assignments for name in one.targets]
        for name in self._reassigned[id(kind)]:
            owner = self.owner(name, scope)
            if owner and (isinstance(value := owner.values[name.text], Tensor) or _is_list(value)):
                owner.values[name.text] = Unknown()


def _is_list(value: Bound | Unknown) -> bool:
    return isinstance(value, tuple) and not isinstance(value, Size)
