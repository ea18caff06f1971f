"""What is reported of names: unknown ones, reserved ones, and those of the wrong kind."""

from collections.abc import Iterable

from cifar_dsl.compiler.builtin_names import FLOW_NAMES, FUNCTIONS
from cifar_dsl.compiler.names.reserved import FOREIGN_NAMES, MODULE_ATTRIBUTES
from cifar_dsl.compiler.names.table import Definition
from cifar_dsl.compiler.types import TYPES
from cifar_dsl.foundation.records import frozen
from cifar_dsl.language.diagnostics import Label, Reporter, nearest
from cifar_dsl.language.source import Span
from cifar_dsl.language.syntax import KEYWORDS, nodes
from cifar_dsl.operations.layers import LAYERS


@frozen
class NameErrors:
    """Reports the errors of names; `blocks` are those that the spec may call."""

    reporter: Reporter
    blocks: frozenset[str]

    def check_new(self, name: nodes.Identifier, *, is_stage: bool = False) -> None:
        """Report a definition of a reserved name; `is_stage`: it may name a part of the module."""
        taken = ""
        if name.text in LAYERS:
            taken = "a layer has this name"
        elif name.text in FUNCTIONS:
            taken = "the language gives it a meaning"
        elif is_stage and (name.text in MODULE_ATTRIBUTES or name.text.startswith("_")):
            taken = "PyTorch uses it for its modules"
        if taken:
            self.reporter.error("E0209", f"`{name}` can't be defined: {taken}", name.span, help="choose another name")

    def check_label(self, label: nodes.Identifier) -> None:
        """Report a label that no stage can have."""
        if label.text in MODULE_ATTRIBUTES or label.text.startswith("_"):
            message = f"a stage can't be called `{label}`: PyTorch uses it for its modules"
            self.reporter.error("E0209", message, label.span, help="choose another name")

    def check_types(self, types: tuple[nodes.Identifier, ...]) -> None:
        """Report an unknown type that stands alone: more likely a slip than a parameter that takes one word only."""
        if len(types) == 1 and types[0].text not in TYPES:
            self.reporter.error(
                "E0202",
                f"unknown type `{types[0]}`",
                types[0].span,
                help=f"types: {', '.join(TYPES)}; or words: `none | before`",
                meant=nearest(types[0].text, TYPES),
            )

    def parameter_order(self, parameter: nodes.BlockParameter, with_default: nodes.BlockParameter) -> None:
        """Report a required parameter behind an optional one."""
        self.reporter.error(
            "E0214",
            f"`{parameter.name}` has no default and stands after `{with_default.name}`, which has one",
            parameter.span,
            secondary=(Label(with_default.span, "may be left out"),),
            help=f"put `{parameter.name}` before `{with_default.name}`, or give it a default",
        )

    def value_as_stage(self, function: nodes.Identifier) -> None:
        """Report a function that is called where a stage is expected."""
        message = f"a stage is expected here, and `{function}` works out a value"
        help_text = "stages are layers and blocks, as in `dense(64)`; values are named with `let`"
        self.reporter.error("E0213", message, function.span, help=help_text)

    def stage_as_value(self, callee: nodes.Identifier) -> None:
        """Report a layer or block that is called where a value is expected."""
        message = f"`{callee}` makes a tensor, and a value is expected here"
        help_text = f"to pass it on, wrap it: `block my_{callee}() {{ {callee}(...) }}`, and pass `my_{callee}`"
        self.reporter.error("E0213", message, callee.span, help=help_text)

    def unknown(self, code: str, message: str, name: str, span: Span, known: Iterable[str]) -> Definition:
        """Report a name that nothing defines; `known` are the names that could stand there."""
        near = FOREIGN_NAMES.get(name.casefold()) or nearest(name, set(known) - KEYWORDS)
        if name in FLOW_NAMES:
            help_text, near = "only stages have a current tensor: use it in a model's or a block's body", None
        elif code == "E0201":
            blocks = ", ".join(sorted(self.blocks)) or "none"
            help_text = f"blocks here: {blocks}; `cifar-dsl reference` lists all layers"
        else:
            help_text = "define it with `param`, `let` or as a block's parameter"
        self.reporter.error(code, message, span, help=help_text, meant=near)
        return Definition("unknown", name)
