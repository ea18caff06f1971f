"""Slices of tensors: `x[:16]` of the channels, `x[:, 1::2, 1::2]` of every axis."""

from collections.abc import Mapping
from itertools import takewhile

from cifar_dsl.compiler.evaluate import Evaluator
from cifar_dsl.compiler.names import Definition
from cifar_dsl.compiler.values import Bound, Tensor, Unknown, ValueScope
from cifar_dsl.foundation.records import frozen
from cifar_dsl.ir import Shape
from cifar_dsl.language.diagnostics import Reporter
from cifar_dsl.language.source import Span
from cifar_dsl.language.syntax import nodes, print_expression
from cifar_dsl.operations.layers.shaping import Slice

_FORMS = "write `:16`, `16:`, `16:32` or, with a step, `::2`; `0:1` selects one"


@frozen
class Slices:
    """Tells slices of tensors from other indices, and reads them."""

    evaluator: Evaluator
    reporter: Reporter
    definitions: Mapping[Span, Definition]

    def of_tensor(self, index: nodes.Index, scope: ValueScope) -> nodes.Index | None:
        """A slice of a tensor, with the tensor as its value: `x[:16]`, `states[0][:16]`; None for other indices."""
        value = index.value
        if self.is_current(value) or self.is_tensor(value, scope):
            return index
        items = tuple(takewhile(lambda one: not isinstance(one, nodes.Slice | nodes.Places), index.indices))
        if not isinstance(value, nodes.Name) or not 0 < len(items) < len(index.indices):
            return None
        level: Bound | Unknown | None = self.evaluator.bound(value.text, value.span, scope)
        for _ in items:  # the lists of a list are alike
            level = level[0] if isinstance(level, tuple) and level else None
        if not isinstance(level, Tensor):
            return None
        return nodes.replace(index, value=nodes.Index(value, items, index.span), indices=index.indices[len(items) :])

    def is_current(self, expression: nodes.Expression) -> bool:
        """Whether an expression is the layer `identity`, which names the current tensor where it is sliced."""
        return isinstance(expression, nodes.Name) and self.definitions[expression.span].kind == "layer"

    def is_tensor(self, expression: nodes.Expression, scope: ValueScope) -> bool:
        """Whether an expression is the name of a tensor."""
        return isinstance(expression, nodes.Name) and isinstance(
            self.evaluator.bound(expression.text, expression.span, scope), Tensor
        )

    def layer(self, index: nodes.Index, tensor: Tensor, shape: Shape, scope: ValueScope) -> Slice:
        """The layer that slices a tensor of this shape. Raises EvaluationFailed."""
        self.evaluator.shape_reads += 1
        chosen = self._chosen(index, tensor, shape, scope)
        return Slice.of(chosen[0]) if len(chosen) == 1 else Slice.of_axes(chosen, shape)

    def _chosen(self, index: nodes.Index, tensor: Tensor, shape: Shape, scope: ValueScope) -> list[range]:
        """The indices that a slice selects: of the channels, or of each axis. Raises EvaluationFailed."""
        subscript, *rest = index.indices
        items = subscript.items if isinstance(subscript, nodes.Places) else (subscript,)
        lengths = shape.extents if isinstance(subscript, nodes.Places) else (shape.channels,)
        if rest:
            message, help_text = (
                "a slice of a tensor has one pair of brackets",
                "slice again after it: `-> identity[:16]`",
            )
            raise self.reporter.error("E0210", message, index.span, help=help_text)
        if len(items) != len(lengths):
            raise self.reporter.error(
                "E0210",
                f"{shape} has {len(lengths)} {'axis' if len(lengths) == 1 else 'axes'}, and this slice {len(items)}",
                index.span,
                help=f"write one slice for each axis: `{print_expression(index.value)}[{_axes_of(shape)}]`",
            )
        chosen = []
        for item, length in zip(items, lengths, strict=True):
            if not isinstance(item, nodes.Slice):
                raise self.reporter.error(
                    "E0210", "a tensor is sliced with a start, a stop or both", item.span, help=_FORMS
                )
            taken = self.evaluator.slice(item, length, scope, tensor)
            if not taken:
                raise self.reporter.error("E0210", f"the slice {taken.start}:{taken.stop} is empty", item.span)
            chosen.append(taken)
        return chosen


def _axes_of(shape: Shape) -> str:
    """The subscripts that select everything of each axis but the last, for a help text."""
    return ", ".join([*[":"] * (len(shape.extents) - 1), f":{shape.extents[-1]}"])
