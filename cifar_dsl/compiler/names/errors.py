"""Errors of names: unknown names, and names of the wrong kind."""

from collections.abc import Callable

from cifar_dsl.compiler import translation
from cifar_dsl.compiler.builtin_names import FLOW_NAMES, FUNCTIONS
from cifar_dsl.compiler.module_names import is_attribute, module_name
from cifar_dsl.compiler.names.table import Definition
from cifar_dsl.compiler.types import TYPES
from cifar_dsl.foundation.records import frozen
from cifar_dsl.foundation.text import shortened
from cifar_dsl.language.diagnostics import Advice, Label, Reporter, nearest
from cifar_dsl.language.source import Span
from cifar_dsl.language.syntax import KEYWORDS, nodes
from cifar_dsl.operations.foreign_names import ForeignNames
from cifar_dsl.operations.layers import JOINS, LAYERS, Branches


@frozen
class NameErrors:
    """Reports errors of names; `blocks` are the blocks that the spec can call."""

    reporter: Reporter
    blocks: frozenset[str]

    def check_label(self, label: nodes.Identifier) -> None:
        """Report a label that is an attribute of PyTorch modules."""
        if is_attribute(label.text):
            message = f"can't name a stage `{label}`: PyTorch modules have an attribute of this name"
            other = module_name(label.text)
            writing = translation.writing(label.span, other)
            self.reporter.error("E0209", message, label.span, meant=writing)

    def check_types(self, types: tuple[nodes.Identifier, ...]) -> None:
        """Report a single unknown type: most likely a typo, since a parameter with one allowed word is useless."""
        if len(types) == 1 and types[0].text not in TYPES:
            self.reporter.error(
                "E0202",
                f"unknown type `{types[0]}`",
                types[0].span,
                help=f"types: {', '.join(TYPES)}; or several words, such as `none | before`",
                meant=lambda: nearest(types[0].text, TYPES),
            )

    def parameter_order(self, parameter: nodes.BlockParameter, with_default: nodes.BlockParameter) -> None:
        """Report a required parameter after an optional one."""
        self.reporter.error(
            "E0214",
            f"`{parameter.name}` has no default but follows `{with_default.name}`, which has one",
            parameter.span,
            secondary=(Label(with_default.span, "has a default"),),
            help=f"move `{parameter.name}` before `{with_default.name}`, or give it a default",
        )

    def assigned_outside(self, name: nodes.Identifier, taker: str) -> None:
        """Report an assignment in a branch to a name outside of it, where `taker` decides when the branch runs."""
        self.reporter.error(
            "E0216",
            f"`{name}` is defined outside this branch, and only the branches of a join can change it",
            name.span,
            help=f"name a tensor inside the branch with `let`, or assign the output of `{taker}` to `{name}`",
        )

    def without_branches(self, name: nodes.Identifier, takes: Branches, call: nodes.CallExpression | None) -> None:
        """Report a join or scope that is called without branches."""
        span = call.span if call else name.span
        help_text = f"write `{takes.example(' '.join(span.text.split()))}`"
        self.reporter.error("E0215", f"`{name}` takes {takes.describe()}, and gets none", span, help=help_text)

    def value_as_stage(self, function: nodes.Identifier) -> None:
        """Report a function that is called where a stage is expected."""
        message = f"a stage is expected here, but `{function}` computes a value"
        help_text = "stages are layers and blocks, such as `dense(64)`; name a value with `let`"
        if function.text in JOINS:
            help_text = f"to join branches, write `{function} {{ ... | ... }}`; name a value with `let`"
        self.reporter.error("E0213", message, function.span, help=help_text)

    def expression_as_stage(self, span: Span, advice: Advice) -> None:
        """Report an expression where a stage is expected."""
        message = "a stage is expected here, but this computes a value"
        self.reporter.error("E0213", message, span, meant=advice)

    def stage_as_value(
        self,
        call: nodes.CallExpression,
        *,
        fits_tensor: bool = False,
        fits_block: bool = False,
        advice: Advice | None = None,
    ) -> None:
        """Report a layer or block that is called where a value is expected; `advice` is what was meant, if known."""
        callee = call.callee
        message = f"a value is expected here, but `{callee}` makes a tensor"
        text = " ".join(call.span.text.split())
        output = f"to use its output, name it before, `let y = {text}`, and write `y` here"
        itself = f"to pass it as an argument, define `block my_{callee}() {{ {text} }}` and pass `my_{callee}`"
        help_text = [output] * fits_tensor + [itself] * (fits_block or not fits_tensor)
        self.reporter.error("E0213", message, callee.span, help=tuple(help_text), meant=advice)

    def unknown(
        self,
        code: str,
        message: str,
        name: str,
        span: Span,
        known: Callable[[], set[str]],
        foreign: ForeignNames | None = None,
        advice: Advice | None = None,
        call: nodes.CallExpression | None = None,
        *,
        is_function: bool = False,
    ) -> Definition:
        """Report an undefined name; `foreign` are the names of other frameworks there.

        `known` lists the names that are valid there, if the error is shown. `advice`, if given, is better than the name
        that `name` resembles most. The arguments of `call`, if the name is that of a stage, are translated, too.
        """
        if self.reporter.work.is_used_up:  # by thousands of such errors
            return Definition("unknown", name)

        def meant() -> Advice | str | None:
            found = advice or translation.intended(name, span, known() - KEYWORDS, foreign)
            return translation.intended_call(call, found, LAYERS) if call else found

        if name in FLOW_NAMES:
            help_text = f"`{name}` is only available in the body of a model or block"
            self.reporter.error(code, message, span, help=help_text)
        elif code == "E0201":
            self.reporter.error(code, message, span, help=self._blocks_here, meant=meant)
        else:
            help_text = "define it with `param` or `let`, or as a block parameter"
            if is_function:
                help_text = f"functions: {', '.join(FUNCTIONS)}; a spec can't define others"
            self.reporter.error(code, message, span, help=help_text, meant=meant)
        return Definition("unknown", name)

    def _blocks_here(self) -> str:
        return f"blocks here: {shortened(sorted(self.blocks)) or 'none'}; `cifar-dsl reference` lists all layers"
