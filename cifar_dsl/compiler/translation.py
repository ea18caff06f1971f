"""Advice for specs with the habits of PyTorch, Keras, timm and YAML; `operations.foreign_names` holds the names."""

import re
from collections.abc import Iterable, Sequence

from cifar_dsl.compiler.values import Bound
from cifar_dsl.ir import ArgumentInfo, Kind, Size, Symbol, Value
from cifar_dsl.language.diagnostics import Advice, Edit, Fix, nearest
from cifar_dsl.language.source import Span
from cifar_dsl.language.syntax import KEYWORDS, nodes
from cifar_dsl.operations import foreign_names
from cifar_dsl.operations.argument_types import Float, UnfitError
from cifar_dsl.operations.foreign_names import Equivalent, ForeignNames, folded
from cifar_dsl.operations.layers import LAYERS

# Norms and layers whose first argument in PyTorch is the number of input channels or features, and the position of that
# argument; here, the input decides it.
_INPUT_CHANNELS = {
    "conv": 0,
    "conv_transpose": 0,
    "dense": 0,
    "bn": 0,
    "layernorm": 0,
    "instancenorm": 0,
    "rmsnorm": 0,
    "prelu": 0,
    "groupnorm": 1,
}


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
    near = nearest(name, known)
    return Advice.to_write(span, near) if near else None


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


def joined(operation: nodes.Operation) -> Advice | None:
    """The advice for a sum or product of tensors: a join."""
    join = {"+": "add", "*": "mul"}.get(operation.operators[0])
    if join is None or len(set(operation.operators)) > 1:
        return None
    branches = " | ".join(operand.span.text for operand in operation.operands)
    return writing(operation.span, f"{join} {{ {branches} }}", is_safe=True)


def stage_expression(node: nodes.Expression | nodes.Compound) -> Advice | None:
    """The advice for an expression of layers where a stage is expected: a list, a comment, or a join."""
    if isinstance(node, nodes.Prefixed) and node.operator == "-" and _is_layer(node.operand):
        return writing(node.span, node.operand.span.text, is_safe=True, why="stages have no `-` in front")
    if not isinstance(node, nodes.Operation) or not any(map(_is_layer, node.operands)):
        return None
    first = node.operands[0]
    rest = Span(first.span.source, first.span.end, node.span.end).text
    if _is_layer(first) and (comment := re.fullmatch(r"\s*(?://|--+)\s*(.*)", rest)):
        text = f"{first.span.text}  # {comment[1]}"
        return writing(node.span, text, is_safe=True, why="comments start with `#`")
    return joined(node)


def _is_layer(node: nodes.Expression) -> bool:
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
    equivalent = foreign_names.LAYERS.get(name.text)
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


def assignment(stage: nodes.Assignment) -> Advice:
    """The advice for `x = stage`, where no tensor `x` is named."""
    first = stage.chain.elements[0].kind
    if isinstance(first, nodes.CallExpression) and _takes(first, stage.name.text):
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


# ---- arguments


def argument(
    given: nodes.Argument, names: Sequence[str], callee: str, arguments: Sequence[nodes.Argument], call: Span
) -> Advice | None:
    """The advice for an argument with an unknown name."""
    assert given.keyword
    name = given.keyword
    key = folded(name.text)
    if key in foreign_names.STAGE_ARGUMENTS and callee in LAYERS:
        return _stage_after(given, arguments, call)
    if key in foreign_names.NAME_ARGUMENTS:
        value = given.value
        text = value.value if isinstance(value, nodes.String) else value.span.text
        label = text if text.isidentifier() else "NAME"
        return Advice(
            f"name a stage with `as`: `{callee}(...) as {label}`", _moved(given, arguments, call, f" as {label}")
        )
    same = [one for one in names if folded(one) == key]
    equivalents = [one for written, one in foreign_names.ARGUMENTS.entries() if folded(written) == key]
    fitting = next((one for one in equivalents if one.text in names), None)
    if same or fitting:
        text = same[0] if same else fitting.text if fitting else ""
        return Advice.to_write(name.span, text, is_safe=bool(same) or bool(fitting and fitting.is_exact))
    if note := next((one.note for one in equivalents if not one.text), ""):
        return Advice(note, (Fix("delete the argument", (deletion(given, arguments),)),))
    near = nearest(name.text, names)
    return Advice.to_write(name.span, near) if near else None


def deletion(given: nodes.Argument, arguments: Sequence[nodes.Argument]) -> Edit:
    """The edit that deletes an argument with its comma."""
    place = next(i for i, one in enumerate(arguments) if one is given)
    start, end = given.span.start, given.span.end
    if place:
        start = arguments[place - 1].span.end
    elif len(arguments) > 1:
        end = arguments[1].span.start
    return Edit(Span(given.span.source, start, end), "")


def _stage_after(given: nodes.Argument, arguments: Sequence[nodes.Argument], call: Span) -> Advice:
    """The advice to write the value of an argument as a stage after the call."""
    value = given.value
    name = value.value if isinstance(value, nodes.String) else value.span.text
    equivalent = foreign_names.LAYERS.get(name)
    layer = next((one for one in LAYERS if folded(one) == folded(name)), equivalent.text if equivalent else "")
    if layer == "softmax" or folded(name) in {"linear", "none", "identity"}:
        why = "the loss `cross_entropy` applies `softmax`" if layer == "softmax" else "a layer has no activation"
        return Advice(f"delete it: {why}", (Fix("delete the argument", (deletion(given, arguments),)),))
    if not layer.isidentifier():
        return Advice("write the activation as a stage of its own: `-> relu`")
    help_text = f"write the activation as a stage of its own: `-> {layer}`"
    return Advice(help_text, _moved(given, arguments, call, f" -> {layer}"))


def _moved(given: nodes.Argument, arguments: Sequence[nodes.Argument], call: Span, text: str) -> tuple[Fix, ...]:
    """The fix that deletes an argument and writes `text` after the call, unless a name or a shape stands there."""
    rest = call.source.text[call.end :].lstrip(" \t")
    if rest.startswith(("as ", ":")) or "NAME" in text:
        return ()
    after = Edit(Span(call.source, call.end, call.end), text)
    return (Fix(f"write `{text.strip()}` after the call", (deletion(given, arguments), after)),)


def value(
    info: ArgumentInfo,
    given: nodes.Argument,
    found: Bound,
    call: Span,
    arguments: Sequence[nodes.Argument],
    callee: str,
) -> Advice | None:
    """The advice for a value that an argument of `callee` doesn't accept."""
    node, kind = given.value, info.kind
    if isinstance(node, nodes.String) and _accepts(kind, Symbol(node.value)):
        return writing(node.span, node.value, is_safe=True)
    if advice := _word(node, kind):
        return advice
    if isinstance(found, Symbol):
        if found in LAYERS and callee in LAYERS:
            return _stage_after(given, arguments, call)
        near = nearest(found, kind.symbols())
        return Advice.to_write(node.span, near) if near else None
    if isinstance(found, int) and not isinstance(found, bool) and found in {0, 1} and _accepts(kind, value=True):
        return writing(node.span, "true" if found else "false", is_safe=True)
    if isinstance(node, nodes.Sequence) and isinstance(found, tuple):
        size = "x".join(map(str, found))
        is_size = all(isinstance(item, int) and not isinstance(item, bool) for item in found)
        return writing(node.span, size, is_safe=True) if is_size and _accepts(kind, Size(found)) else None  # type: ignore[arg-type]
    if isinstance(node, nodes.Operation) and isinstance(found, float) and _accepts(kind, int(found)):
        return _whole(node)
    if (
        isinstance(found, int | float)
        and 1 < found <= 100
        and isinstance(kind, Float)
        and kind.high == 1
        and kind.open_high
    ):
        return writing(node.span, f"{found / 100:g}")
    return None


def _accepts(kind: Kind, value: Value) -> bool:
    try:
        kind.accept(value)
    except UnfitError:
        return False
    return True


def _word(node: nodes.Expression, kind: Kind) -> Advice | None:
    """The advice for a foreign word, quoted or bare, whose equivalent an argument accepts."""
    word = node.value if isinstance(node, nodes.String) else node.text if isinstance(node, nodes.Name) else ""
    found = [table.get(word) for table in (foreign_names.VALUES, foreign_names.INITIALIZERS) if word]
    for equivalent in filter(None, found):
        if _accepts(kind, _plain(equivalent.text)):
            return Advice.to_write(node.span, equivalent.text, is_safe=True)
    return None


def _plain(text: str) -> Value:
    """The value that a text from `foreign_names.VALUES` or `INITIALIZERS` stands for; of a call, its name."""
    if text in {"true", "false"}:
        return text == "true"
    return int(text) if text.isdigit() else Symbol(text.partition("(")[0])


def _whole(node: nodes.Operation) -> Advice:
    """The advice to divide whole numbers with `//`."""
    help_text = "`/` computes a fraction; write `//` to divide whole numbers"
    text, start = node.span.text, node.span.start
    if "/" not in node.operators or text.count("/") != 1:
        return Advice(help_text)
    slash = start + text.index("/")
    span = Span(node.span.source, slash, slash + 1)
    return Advice(help_text, (Fix("write `//`", (Edit(span, "//"),)),))


def is_word(text: str) -> bool:
    """Whether a name is a foreign word for a value, such as `valid` or `he_normal`."""
    return any(table.get(text) for table in (foreign_names.VALUES, foreign_names.INITIALIZERS))


def input_argument(callee: str, arguments: Sequence[nodes.Argument]) -> nodes.Argument | None:
    """The argument of a layer's call at the place where PyTorch takes the number of input channels, or None."""
    place = _INPUT_CHANNELS.get(callee)
    if place is None or len(arguments) <= place or any(one.keyword for one in arguments[: place + 1]):
        return None
    return arguments[place]


def without_input_argument(given: nodes.Argument, arguments: Sequence[nodes.Argument], call: Span) -> Advice:
    """The advice to leave out the number of input channels: `conv(64, 3)` for `conv(3, 64, 3)`."""
    edit = deletion(given, arguments)
    text, start = call.text, edit.span.start - call.start
    kept = (text[:start] + text[edit.span.end - call.start :]).removesuffix("()")
    return writing(call, kept, why="the input decides the number of its channels")
