"""Advice for specs with the habits of PyTorch, Keras, timm and YAML; `operations.foreign_names` holds the names."""

import re
from collections.abc import Iterable, Sequence
from typing import Any

from cifar_dsl.compiler import argument_translation
from cifar_dsl.compiler.dataflow import Dataflow
from cifar_dsl.compiler.values import Bound
from cifar_dsl.language.diagnostics import Advice, Edit, Fix, nearest
from cifar_dsl.language.source import Span
from cifar_dsl.language.syntax import KEYWORDS, nodes
from cifar_dsl.operations import foreign_names
from cifar_dsl.operations.foreign_names import Equivalent, ForeignNames, folded
from cifar_dsl.operations.layers import JOINS, LAYERS
from cifar_dsl.operations.registry import Registry

_JOINS = {name: Equivalent(f"{name} {{ {{branches}} }}") for name in JOINS if JOINS[name].is_reserved}


def intended(name: str, span: Span, known: Iterable[str], foreign: ForeignNames | None = None) -> Advice | None:
    """The advice for an unknown name at `span`: a known name in other spelling, a foreign name, or a typo."""
    known = frozenset(known)
    if same := [one for one in sorted(known) if folded(one) == folded(name) and one != name]:
        return Advice.to_write(span, same[0], is_safe=True)
    equivalent = foreign.get(name) if foreign else None
    text = equivalent.text if equivalent else ""
    if equivalent and text and "{" not in text and (not equivalent.is_name or text in known | KEYWORDS):
        return Advice.to_write(span, equivalent.text, is_safe=equivalent.is_exact)
    if equivalent and not equivalent.text:
        return Advice(equivalent.note)
    near = nearest(name, known, foreign.names_of(known) if foreign else ())
    return Advice.to_write(span, near) if near else None


def intended_call(call: nodes.CallExpression, callee: Advice | None, known: Registry[Any]) -> Advice | None:
    """The advice for a call of an unknown name, for which there is the advice `callee`.

    If that is another name in `known`, the advice is to write the whole call with arguments as it takes them.
    """
    name = callee.fixes[0].edits[0].replacement if callee and callee.fixes else ""
    if callee is None or name not in known:
        return callee
    place = argument_translation.Call(name, call.callee.span.end, call.arguments, call.span)
    changes = argument_translation.foreign_changes(call.callee.text, place, known[name])
    return argument_translation.advice(changes, place, callee.fixes[0]) if changes else callee


def writing(span: Span, text: str, *, is_safe: bool = False, why: str = "") -> Advice:
    """The advice to write `text` at `span`."""
    return Advice(f"write `{text}`{why and f': {why}'}", (Fix(f"write `{text}`", (Edit(span, text),), is_safe),))


def source_of(arguments: Sequence[nodes.Argument]) -> str:
    """The arguments of a call as written."""
    return ", ".join(argument.span.text for argument in arguments)


def hyphenated(node: object) -> str | None:
    """The name that an expression spells with hyphens, with `_` instead: `layer_norm` for `layer-norm`; else None."""
    if not isinstance(node, nodes.Operation) or not re.fullmatch(r"[A-Za-z_]\w*(-\w+)+", node.span.text):
        return None
    return node.span.text.replace("-", "_")


# ---- stages


def joined(node: nodes.Operation | nodes.Prefixed, dataflow: Dataflow) -> Advice | None:
    """The advice for a sum, difference or product of tensors: a join."""
    text = dataflow.chain(node)
    return writing(node.span, text, is_safe=True) if text else None


def branches(
    call: nodes.CallExpression, block: nodes.Block, given: Sequence[nodes.Argument], dataflow: Dataflow
) -> Advice | None:
    """The advice for a block's call with the arguments `given`, calls of stages, for blocks: to write branches."""
    unnamed = [one for one in call.arguments if one.keyword is None]
    named = dict(zip(block.order, unnamed, strict=False))
    named |= {one.keyword.text: one for one in call.arguments if one.keyword}
    free = [
        one.name.text for one in block.parameters if one.is_for_block and named.get(one.name.text) in (None, *given)
    ]
    found = [named[name] for name in free if name in named]
    texts = [dataflow.chain(one.value) for one in found]
    if set(found) != set(given) or free[: len(found)] != [name for name in free if name in named] or None in texts:
        return None
    rest, is_any_left_out = [], False
    for name, one in zip(block.order, call.arguments, strict=False):
        is_any_left_out = is_any_left_out or one in given
        if one not in given:
            rest.append(f"{name}={one.span.text}" if is_any_left_out and one.keyword is None else one.span.text)
    head = f"{call.callee}({', '.join(rest)})" if rest else f"{call.callee}"
    return writing(call.span, f"{head} {{ {' | '.join(filter(None, texts))} }}")


def join_meant(name: str, span: Span) -> Advice | None:
    """The advice for a layer with branches that has the name of a join in other languages."""
    return Advice.to_write(span, "add") if name == "sum" else None


def stage_expression(node: nodes.Expression | nodes.Compound, dataflow: Dataflow) -> Advice | None:
    """The advice for an expression of layers where a stage is expected: a list, a comment, or a join."""
    if isinstance(node, nodes.Prefixed) and node.operator == "-" and _means_layer(node.operand, dataflow):
        return writing(node.span, node.operand.span.text, is_safe=True, why="stages have no `-` in front")
    if not isinstance(node, nodes.Operation) or not any(_is_stage(one, dataflow) for one in node.operands):
        return None
    first = node.operands[0]
    rest = Span(first.span.source, first.span.end, node.span.end).text
    if is_layer(first) and (comment := re.fullmatch(r"\s*(?://|--+)\s*(.*)", rest)):
        text = f"{first.span.text}  # {comment[1]}"
        return writing(node.span, text, is_safe=True, why="comments start with `#`")
    return joined(node, dataflow)


def _is_stage(node: nodes.Expression, dataflow: Dataflow) -> bool:
    """Whether an operand of an expression is a stage: a layer, in any spelling, or what layers compute."""
    if isinstance(node, nodes.Operation | nodes.Prefixed):
        operands = node.operands if isinstance(node, nodes.Operation) else (node.operand,)
        return any(_is_stage(one, dataflow) for one in operands)
    is_call = isinstance(node, nodes.CallExpression) and dataflow.sort(node) == "tensor"
    return is_call or _means_layer(node, dataflow)


def _means_layer(node: nodes.Expression, dataflow: Dataflow) -> bool:
    """Whether an operand spells a layer, and isn't a function's number, as `sum(depths)`, or a value of that name."""
    sort = dataflow.sort(node)
    return is_layer(node) and (sort == "tensor" if isinstance(node, nodes.Name) else sort != "number")


def is_layer(node: nodes.Expression) -> bool:
    """Whether an expression is a layer, in any spelling."""
    name = (
        node.text
        if isinstance(node, nodes.Name)
        else node.callee.text
        if isinstance(node, nodes.CallExpression)
        else ""
    )
    equivalent = foreign_names.LAYERS.get(name)
    return name in LAYERS or bool(equivalent and equivalent.is_name)


def whole_stage(name: nodes.Identifier, call: nodes.CallExpression | None) -> Advice | None:
    """The advice for an unknown stage that something else than a name replaces."""
    equivalent = _JOINS.get(name.text) or foreign_names.LAYERS.get(name.text)
    if equivalent is None or not equivalent.text or equivalent.is_name:
        return None
    arguments = call.arguments if call else ()
    text = _filled(equivalent, arguments)
    if text is None:
        if equivalent.text == "{}":
            return Advice("name the activation itself, such as `relu` or `gelu`")
        example = equivalent.text.replace("{branches}", "... | ...").replace("{chain}", "... -> ...")
        return Advice(f"write `{example.replace('{}', '...')}`")
    return writing(call.span if call else name.span, text.removesuffix("()"), is_safe=equivalent.is_exact)


def _filled(equivalent: Equivalent, arguments: Sequence[nodes.Argument]) -> str | None:
    """The text with the arguments filled in, or None if they don't fit it."""
    values = [argument.value for argument in arguments]
    if len(values) == 1 and isinstance(values[0], nodes.Sequence):
        values = list(values[0].items)
    texts = [value.span.text.strip('"') for value in values]
    needs_arguments = "{}" in equivalent.text or "{branches}" in equivalent.text or "{chain}" in equivalent.text
    if needs_arguments and (not texts or any(argument.keyword for argument in arguments)):
        return None
    branches = texts if len(texts) > 1 else ["identity", *texts]
    text = equivalent.text.replace("{branches}", " | ".join(branches)).replace("{chain}", " -> ".join(texts))
    return text.replace("{}", ", ".join(texts))


_SHORTEST = 3  # letters of a name that may be misspelt: `y` is none of `x`


def assignment(stage: nodes.Assignment, known: set[str]) -> Advice:
    """The advice for `x = stage`, where no tensor `x` is named, but those in `known` are."""
    first, name = stage.chain.elements[0].kind, stage.targets[0]
    near = nearest(name.text, known) if len(name.text) >= _SHORTEST else None
    if near:
        return Advice.to_write(name.span, near)
    if isinstance(first, nodes.CallExpression) and _takes(first, stage.targets[0].text):
        rest = source_of(first.arguments[1:])
        chain = Span(stage.span.source, first.span.end, stage.chain.span.end).text
        text = f"{first.callee}{f'({rest})' if rest else ''}{chain}"
        return writing(stage.span, text, why="each stage takes the current tensor")
    start = Span(stage.span.source, stage.span.start, stage.span.start)
    return Advice(f"write `let {stage.span.text}` to name a tensor", (Fix("insert `let`", (Edit(start, "let "),)),))


def _takes(call: nodes.CallExpression, name: str) -> bool:
    """Whether the first argument of a call is this name."""
    first = call.arguments[:1]
    return any(one.keyword is None and isinstance(one.value, nodes.Name) and one.value.text == name for one in first)


def loop_range(start: nodes.Expression) -> Advice | None:
    """The advice for `for i in range(n)`."""
    if not isinstance(start, nodes.CallExpression) or start.callee.text != "range":
        return None
    if not 1 <= len(start.arguments) <= 2 or any(argument.keyword for argument in start.arguments):
        return Advice("write a range such as `0..4`, or a list")
    bounds = ["0", *(argument.span.text for argument in start.arguments)][-2:]
    return writing(start.span, "..".join(bounds), is_safe=True)


def rounds(start: nodes.Expression, found: Bound) -> Advice | None:
    """The advice for `for i in n`, where n is a number."""
    is_count = isinstance(found, int) and not isinstance(found, bool) and found >= 0
    return writing(start.span, f"0..{start.span.text}") if is_count else None


def is_word(text: str) -> bool:
    """Whether a name is a foreign word for a value, such as `valid` or `he_normal`."""
    return any(table.get(text) for table in (foreign_names.VALUES, foreign_names.INITIALIZERS))
