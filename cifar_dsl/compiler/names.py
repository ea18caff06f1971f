"""Are all names known? Asked of the whole text, also of what is never expanded."""

from collections.abc import Iterable
from itertools import chain

from attrs import frozen

from cifar_dsl.compiler.evaluate import FLOW_NAMES, FUNCTIONS
from cifar_dsl.compiler.library import library_index
from cifar_dsl.compiler.program import LAYERS_AND_WORDS, Program
from cifar_dsl.compiler.types import TYPES, words
from cifar_dsl.language.diagnostics import Diagnostic, Fix, Label, Reporter, nearest, replacement
from cifar_dsl.language.syntax import KEYWORDS, nodes
from cifar_dsl.operations.layers import INITIALIZERS, LAYERS

# Attributes of torch.nn.Module that a part of a model can't be called after; tests hold this against torch.
MODULE_ATTRIBUTES = frozenset(
    [
        "T_destination",
        "add_module",
        "apply",
        "bfloat16",
        "buffers",
        "call_super_init",
        "children",
        "compile",
        "cpu",
        "cuda",
        "double",
        "dump_patches",
        "eval",
        "extra_repr",
        "float",
        "forward",
        "get_buffer",
        "get_extra_state",
        "get_parameter",
        "get_submodule",
        "half",
        "ipu",
        "load_state_dict",
        "modules",
        "mtia",
        "named_buffers",
        "named_children",
        "named_modules",
        "named_parameters",
        "parameters",
        "register_backward_hook",
        "register_buffer",
        "register_forward_hook",
        "register_forward_pre_hook",
        "register_full_backward_hook",
        "register_full_backward_pre_hook",
        "register_load_state_dict_post_hook",
        "register_load_state_dict_pre_hook",
        "register_module",
        "register_parameter",
        "register_state_dict_post_hook",
        "register_state_dict_pre_hook",
        "requires_grad_",
        "set_extra_state",
        "set_submodule",
        "share_memory",
        "state_dict",
        "to",
        "to_empty",
        "train",
        "training",
        "type",
        "xpu",
        "zero_grad",
    ]
)
# What other formats and PyTorch call things, where the nearest name would mislead.
_SAID_ELSEWHERE = {
    "true": "true",
    "false": "false",
    "none": "none",
    "linear": "dense",
    "fc": "dense",
    "conv2d": "conv",
    "batchnorm": "bn",
    "batch_norm": "bn",
    "batchnorm2d": "bn",
    "max_pool": "maxpool",
    "maxpool2d": "maxpool",
    "maxpooling2d": "maxpool",
    "avg_pool": "avgpool",
    "avgpool2d": "avgpool",
    "swish": "silu",
}
BUDGETS = ("params", "macs")  # what an `assert` may speak of


@frozen
class _Names:
    """The names in scope: values, and things that tensors flow through; and the words of blocks' types."""

    known: frozenset[str]
    words: frozenset[str]
    has_flow: bool = False  # whether there is a current tensor, for `in_channels` and the like

    def plus(self, *names: str) -> "_Names":
        return _Names(self.known.union(names), self.words, self.has_flow)

    def values(self) -> frozenset[str]:
        """What an expression may mention."""
        return self.known | self.words | LAYERS_AND_WORDS | (frozenset(FLOW_NAMES) if self.has_flow else frozenset())


def check_names(program: Program, reporter: Reporter) -> None:
    """Report every name that nothing defines, and every definition that takes a reserved name."""
    checker = _Checker(reporter, frozenset(program.blocks))
    globals_ = _Names(frozenset(program.params) | frozenset(program.blocks), words(program.blocks.values()))
    flowing = _Names(globals_.known, globals_.words, has_flow=True)
    for param in program.params.values():
        checker.check_new(param.name)
        checker.expression(param.value, globals_)
    for block in program.blocks.values():
        checker.block(block, flowing)
    checker.body(program.model.body, flowing)
    for assertion in program.assertions:
        checker.expression(assertion.condition, globals_.plus(*BUDGETS))
    group_settings = (setting for group in program.groups.values() for setting in group.settings.values())
    for setting in (*program.settings.values(), *group_settings):
        for element in setting.chain.elements:
            if isinstance(element.kind, nodes.CallExpression):
                for argument in element.kind.arguments:
                    checker.expression(argument.value, globals_)
            elif not isinstance(element.kind, nodes.Name | nodes.Compound):
                checker.expression(element.kind, globals_)


def check_block_names(blocks: dict[str, nodes.Block], reporter: Reporter) -> None:
    """The same for blocks that no spec is built from, those of a library."""
    checker = _Checker(reporter, frozenset(blocks))
    names = _Names(frozenset(blocks), words(blocks.values()), has_flow=True)
    for block in blocks.values():
        checker.block(block, names)


@frozen
class _Checker:
    reporter: Reporter
    blocks: frozenset[str]

    def check_new(self, name: nodes.Identifier, *, is_stage: bool = False) -> None:
        taken = ""
        if name.text in LAYERS:
            taken = "a layer has this name"
        elif name.text in FUNCTIONS:
            taken = "the language gives it a meaning"
        elif is_stage and (name.text in MODULE_ATTRIBUTES or name.text.startswith("_")):
            taken = "PyTorch uses it for its modules"
        if taken:
            self.reporter.report(
                Diagnostic(
                    "E0209",
                    f"`{name}` can't be defined: {taken}",
                    Label(name.span),
                    help=("choose another name",),
                )
            )

    def block(self, block: nodes.Block, names: _Names) -> None:
        self.check_new(block.name, is_stage=True)
        with_default: nodes.BlockParameter | None = None
        for parameter in block.parameters:
            self.check_new(parameter.name)
            self.types(parameter.types)
            if parameter.default:
                self.expression(parameter.default, names)
                with_default = with_default or parameter
            elif with_default:
                self._stands_after(parameter, with_default)
            names = names.plus(parameter.name.text)
        self.body(block.body, names)

    def _stands_after(self, parameter: nodes.BlockParameter, with_default: nodes.BlockParameter) -> None:
        self.reporter.report(
            Diagnostic(
                "E0214",
                f"`{parameter.name}` has no default and stands after `{with_default.name}`, which has one",
                Label(parameter.span),
                secondary=(Label(with_default.span, "may be left out"),),
                help=(f"put `{parameter.name}` before `{with_default.name}`, or give it a default",),
            )
        )

    def types(self, types: tuple[nodes.Identifier, ...]) -> None:
        """A single unknown type is more likely a slip than a parameter that takes one word alone."""
        if len(types) == 1 and types[0].text not in TYPES:
            near = nearest(types[0].text, TYPES)
            help_text = f"did you mean `{near}`?" if near else f"types: {', '.join(TYPES)}; or words: `none | before`"
            message = f"unknown type `{types[0]}`"
            fixes = replacement(types[0].span, near)
            self.reporter.report(Diagnostic("E0202", message, Label(types[0].span), help=(help_text,), fixes=fixes))

    def body(self, body: nodes.Body, names: _Names) -> None:
        for stage in body.stages:
            if isinstance(stage, nodes.Let):
                self.check_new(stage.name, is_stage=True)
                self.let(stage.chain, names)
                names = names.plus(stage.name.text)
            elif isinstance(stage, nodes.Assignment):
                self.name(stage.name, names, is_stage=True)
                self.chain(stage.chain, names)
            else:
                self.chain(stage, names)

    def let(self, chain_node: nodes.Chain, names: _Names) -> None:
        """What a `let` names: a tensor, or (only this differs from a chain) a value that has a name or a function."""
        match chain_node.elements:
            case [nodes.Element(kind=nodes.Name(text=text))] if text in names.values():
                pass
            case [nodes.Element(kind=nodes.CallExpression(callee=callee) as call, label=None, claim=None)] if (
                callee.text in FUNCTIONS and callee.text not in names.known
            ):
                self.expression(call, names)
            case _:
                self.chain(chain_node, names)

    def chain(self, chain_node: nodes.Chain, names: _Names) -> None:
        for element in chain_node.elements:
            if element.label:
                self.check_label(element.label)
            match element.kind:
                case nodes.Join(branches=branches):
                    for branch in branches:
                        self.body(branch, names)
                case nodes.For():
                    self.loop(element.kind, names)
                case nodes.Repeat(count=count, body=body):
                    self.expression(count, names)
                    self.body(body, names)
                case nodes.If(arms=arms, otherwise=otherwise):
                    for condition, body in arms:
                        self.expression(condition, names)
                        self.body(body, names)
                    if otherwise:
                        self.body(otherwise, names)
                case nodes.Name(text=text):
                    if text not in LAYERS:
                        self.name(nodes.Identifier(text, element.kind.span), names, is_stage=True)
                case nodes.CallExpression(callee=callee, arguments=arguments):
                    if callee.text in FUNCTIONS and callee.text not in names.known:
                        self.not_a_stage(callee)
                    elif callee.text not in LAYERS:
                        self.name(callee, names, is_stage=True)
                    for argument in arguments:
                        self.expression(argument.value, names)
                case _:
                    self.expression(element.kind, names)

    def check_label(self, label: nodes.Identifier) -> None:
        if label.text in MODULE_ATTRIBUTES or label.text.startswith("_"):
            message = f"a stage can't be called `{label}`: PyTorch uses it for its modules"
            self.reporter.report(Diagnostic("E0209", message, Label(label.span), help=("choose another name",)))

    def loop(self, loop: nodes.For, names: _Names) -> None:
        self.expression(loop.start, names)
        if loop.stop:
            self.expression(loop.stop, names)
        for target in loop.targets:
            self.check_new(target)
        self.body(loop.body, names.plus(*(target.text for target in loop.targets)))

    def expression(self, root: nodes.Expression, names: _Names) -> None:
        waiting: list[nodes.Expression] = [root]
        while waiting:
            node = waiting.pop()
            match node:
                case nodes.Name(text=text):
                    self.name(nodes.Identifier(text, node.span), names, is_stage=False)
                case nodes.CallExpression(callee=callee, arguments=arguments):
                    if callee.text not in FUNCTIONS and callee.text not in INITIALIZERS:
                        self.function(callee, names)
                    waiting.extend(argument.value for argument in arguments)
                case nodes.Sequence(items=items):
                    waiting.extend(items)
                case nodes.Prefixed(operand=operand):
                    waiting.append(operand)
                case nodes.Operation(operands=operands):
                    waiting.extend(operands)
                case nodes.Conditional(arms=arms, otherwise=otherwise):
                    waiting.extend((*chain.from_iterable(arms), otherwise))
                case nodes.Index(value=value, indices=indices):
                    waiting.append(value)
                    for index in indices:
                        ends = (index.start, index.stop) if isinstance(index, nodes.Slice) else (index,)
                        waiting.extend(end for end in ends if end is not None)
                case _:
                    pass

    def name(self, name: nodes.Identifier, names: _Names, *, is_stage: bool) -> None:
        if name.text in (names.known if is_stage else names.values()):
            return
        if is_stage:
            known: Iterable[str] = names.known.union(LAYERS, library_index())
            self._unknown("E0201", f"unknown layer or block `{name}`", name, known)
        else:
            self._unknown("E0202", f"unknown name `{name}`", name, names.values())

    def not_a_stage(self, function: nodes.Identifier) -> None:
        message = f"a stage is expected here, and `{function}` works out a value"
        help_text = "stages are layers and blocks, as in `dense(64)`; values are named with `let`"
        self.reporter.report(Diagnostic("E0213", message, Label(function.span), help=(help_text,)))

    def function(self, callee: nodes.Identifier, names: _Names) -> None:
        if callee.text in names.known or callee.text in LAYERS:
            message = f"`{callee}` makes a tensor, and a value is expected here"
            help_text = f"to pass it on, wrap it: `block my_{callee}() {{ {callee}(...) }}`, and pass `my_{callee}`"
            self.reporter.report(Diagnostic("E0213", message, Label(callee.span), help=(help_text,)))
        else:
            self._unknown("E0202", f"unknown function `{callee}`", callee, FUNCTIONS)

    def _unknown(self, code: str, message: str, name: nodes.Identifier, known: Iterable[str]) -> None:
        near = _SAID_ELSEWHERE.get(name.text.casefold()) or nearest(name.text, set(known) - KEYWORDS)
        fixes: tuple[Fix, ...] = ()
        if name.text in FLOW_NAMES:
            help_text = "only stages have a current tensor: use it in a model's or a block's body"
        elif near:
            help_text, fixes = f"did you mean `{near}`?", replacement(name.span, near)
        elif code == "E0201":
            help_text = (
                f"blocks here: {', '.join(sorted(self.blocks)) or 'none'}; `cifar-dsl reference` lists all layers"
            )
        else:
            help_text = "define it with `param`, `let` or as a block's parameter"
        self.reporter.report(Diagnostic(code, message, Label(name.span), help=(help_text,), fixes=fixes))
