"""Advice for the wrong arguments of a call: what each was meant to be, and the whole call with all of them changed."""

import re
from collections.abc import Iterator, Sequence

from cifar_dsl.compiler.values import Bound
from cifar_dsl.foundation.records import evolve, frozen
from cifar_dsl.foundation.text import MOST_LISTED
from cifar_dsl.ir import ArgumentInfo, Declaration, Kind, Symbol, Value, arguments_of
from cifar_dsl.language.diagnostics import Advice, Edit, Fix, nearest
from cifar_dsl.language.source import Span
from cifar_dsl.language.syntax import nodes
from cifar_dsl.operations import foreign_names
from cifar_dsl.operations.argument_types import Float, UnfitError
from cifar_dsl.operations.foreign_names import folded
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


@frozen
class Call:
    """The text of a call, for rewriting: the span of all of it, and the offset of its parenthesis.

    Some of the arguments may be written elsewhere: `optimizer.lr 0.1` is an argument of the call in `optimizer`.
    """

    callee: str
    parenthesis: int
    arguments: tuple[nodes.Argument, ...]
    span: Span

    def holds(self, argument: nodes.Argument) -> bool:
        """Whether an argument is written between the parentheses."""
        return argument.span in self.span and argument.span.start > self.parenthesis


@frozen
class Change:
    """What becomes of an argument of a call, and the help that says so.

    `edits` change its text; if they change its name, it is `name` then. Instead, the argument can be deleted, and what
    it says can follow the call: as its `label`, or as a `stage`. Advice that only a person can follow has none of them.
    """

    argument: nodes.Argument
    help: str
    title: str = ""
    edits: tuple[Edit, ...] = ()
    name: str = ""
    is_deletion: bool = False
    label: str = ""
    stage: str = ""
    is_safe: bool = False

    def renamed(self) -> nodes.Argument | None:
        """The argument with the name that it was meant to have; None if the change is no other name."""
        keyword = self.argument.keyword
        if not (self.name and keyword):
            return None
        return nodes.replace(self.argument, keyword=nodes.Identifier(self.name, keyword.span))


def can_apply(change: Change, call: Call) -> bool:
    """Whether a program can make a change."""
    if not change.is_deletion:
        return bool(change.edits)
    rest = call.span.source.text[call.span.end :].lstrip(" \t")
    return call.holds(change.argument) and not ((change.label or change.stage) and rest.startswith(("as ", ":")))


def advice(changes: Sequence[Change], call: Call, renaming: Fix | None = None) -> Advice:
    """The advice to make the changes of a call, and to rename it: of several changes, the whole call as it is meant.

    A program must be able to make each of several changes. Its first fix makes all of them; if that isn't safe, the
    second makes those that are.
    """
    if len(changes) == 1 and renaming is None:
        (change,) = changes
        fixes = (Fix(change.title, tuple(_edits(changes, call)), change.is_safe),) if can_apply(change, call) else ()
        return Advice(change.help, fixes)
    whole = _whole_call(changes, call, renaming)
    if whole.is_safe:
        return Advice(whole.title, (whole,))
    safe = [change for change in changes if change.is_safe]
    partial = _whole_call(safe, call, renaming if renaming and renaming.is_safe else None)
    return Advice(whole.title, (whole, partial) if partial.edits else (whole,))


def _whole_call(changes: Sequence[Change], call: Call, renaming: Fix | None) -> Fix:
    edits = (*(renaming.edits if renaming else ()), *_edits(changes, call))
    is_safe = all(change.is_safe for change in changes) and (renaming is None or renaming.is_safe)
    return Fix(f"write `{rewritten(call.span, edits)}`", edits, is_safe)


def fed(given: nodes.Argument, start: str, call: Call) -> tuple[Edit, ...]:
    """The edits that write an argument, a tensor with the text `start`, as the start of a chain before the call."""
    here = Span(call.span.source, call.span.start, call.span.start)
    return (Edit(here, f"{start} -> "), *deletions({given.span}, call))


def without(deleted: set[Span], call: Call) -> str:
    """The text of a call without some of its arguments."""
    return rewritten(call.span, tuple(deletions(deleted, call)))


def rewritten(span: Span, edits: Sequence[Edit]) -> str:
    """The text of a call after edits, on one line and without comments."""
    text, end = "", span.start
    for edit in sorted(edits, key=lambda edit: edit.span.start):
        if span.start <= edit.span.start:  # else an argument that is written elsewhere
            text += span.source.text[end : edit.span.start] + edit.replacement
            end = edit.span.end
    text += span.source.text[end : span.end]
    text = re.sub(r'("[^"\n]*")|#[^\n]*|\s+', lambda match: match[1] or " ", text)
    return re.sub(r"(?<=\() +| +(?=[ )])", "", text)


def _edits(changes: Sequence[Change], call: Call) -> Iterator[Edit]:
    """The edits of several changes, which don't overlap."""
    deleted = {change.argument.span for change in changes if change.is_deletion}
    for change in changes:
        if change.argument.span not in deleted:
            yield from change.edits
    yield from deletions(deleted, call)
    after = "".join(change.label for change in changes) + "".join(change.stage for change in changes)
    if after:
        yield Edit(Span(call.span.source, call.span.end, call.span.end), after)


def deletions(deleted: set[Span], call: Call) -> Iterator[Edit]:
    """The edits that delete arguments with their commas, and the parentheses with the last one. Comments stay."""
    source = call.span.source
    spans = [one.span for one in call.arguments if call.holds(one)]
    inside = Span(source, call.parenthesis, call.span.end)
    if deleted >= set(spans) and "#" not in inside.text and inside.text.startswith("("):
        yield Edit(inside, "")
        return
    is_any_kept = False
    for i, span in enumerate(spans):
        if span not in deleted:
            is_any_kept = True
            continue
        start, end = span.start, span.end
        if is_any_kept:
            start = spans[i - 1].end
        elif i + 1 < len(spans):
            end = spans[i + 1].start
        if "#" not in source.text[start : span.start] + source.text[span.end : end]:
            yield Edit(Span(source, start, end), "")
            continue
        following = spans[i + 1].start if i + 1 < len(spans) else call.span.end
        comma = re.match(r"(?:[^#,\n]|#[^\n]*|\n)*,", source.text[span.end : following])
        yield Edit(span, "")
        if comma:
            yield Edit(Span(source, span.end + comma.end() - 1, span.end + comma.end()), "")


# ---- single arguments


def unknown(given: nodes.Argument, names: Sequence[str], call: Call) -> Change | None:
    """The change of an argument with an unknown name."""
    assert given.keyword
    name = given.keyword
    key = folded(name.text)
    if key in foreign_names.STAGE_ARGUMENTS and call.callee in LAYERS:
        return stage_after(given)
    if key in foreign_names.NAME_ARGUMENTS:
        value = given.value
        text = value.value if isinstance(value, nodes.String) else value.span.text
        label = text if text.isidentifier() else "NAME"
        return Change(
            given,
            f"name a stage with `as`: `{without({given.span}, call)} as {label}`",
            f"write `as {label}` after the call",
            is_deletion=label != "NAME",
            label=f" as {label}",
        )
    if key in foreign_names.BETAS:
        return (
            _betas(given, call) if "betas" in names else _deleted(given, f"delete it: `{call.callee}` has no `betas`")
        )
    same = [one for one in names if folded(one) == key]
    equivalents = foreign_names.ARGUMENTS.meanings(name.text)
    fitting = next((one for one in equivalents if one.text in names), None)
    if same or fitting:
        text = same[0] if same else fitting.text if fitting else ""
        if any(one.keyword and one.keyword.text == text for one in call.arguments):
            return _deleted(given, f"delete it: `{text}` is given, too")
        return _renamed(given, text, is_safe=bool(same) or bool(fitting and fitting.is_exact))
    if note := next((one.note for one in equivalents if not one.text), ""):
        return _deleted(given, note)
    near = nearest(name.text, names)
    return _renamed(given, near) if near else None


def _betas(given: nodes.Argument, call: Call) -> Change:
    """The change of `beta1=0.9` or `beta2=0.99`: the first of them becomes `betas=[0.9, 0.99]`."""
    values = list(foreign_names.BETA_DEFAULTS)
    both = []
    for one in call.arguments:
        place = foreign_names.BETAS.get(folded(one.keyword.text)) if one.keyword else None
        if place is not None:
            values[place] = one.value.span.text
            both.append(one)
    text = f"betas=[{', '.join(values)}]"
    if both[0] is not given:
        return _deleted(given, f"write both as `{text}`")
    return _written(given, given.span, text, Advice(f"write both as `{text}`"), is_safe=True)


def _deleted(given: nodes.Argument, help_text: str) -> Change:
    return Change(given, help_text, "delete the argument", is_deletion=True)


def _renamed(given: nodes.Argument, name: str, *, is_safe: bool = False) -> Change:
    assert given.keyword
    span = given.keyword.span
    return evolve(_written(given, span, name, Advice.to_write(span, name), is_safe=is_safe), name=name)


def _written(given: nodes.Argument, span: Span, text: str, said: Advice, *, is_safe: bool = False) -> Change:
    return Change(given, said.help, f"write `{text}`", (Edit(span, text),), is_safe=is_safe)


def _value(given: nodes.Argument, text: str, *, is_safe: bool = False) -> Change:
    return _written(given, given.value.span, text, Advice(f"write `{text}`"), is_safe=is_safe)


def superfluous(given: nodes.Argument) -> Change:
    """The change of an argument of a call that takes none."""
    return _deleted(given, "delete it")


def stage_after(given: nodes.Argument) -> Change:
    """The change that writes the value of an argument as a stage after the call."""
    value = given.value
    name = value.value if isinstance(value, nodes.String) else value.span.text
    equivalent = foreign_names.LAYERS.get(name)
    layer = next((one for one in LAYERS if folded(one) == folded(name)), equivalent.text if equivalent else "")
    if layer == "softmax" or folded(name) in {"linear", "none", "identity"}:
        why = "the loss `cross_entropy` applies `softmax`" if layer == "softmax" else "a layer has no activation"
        return _deleted(given, f"delete it: {why}")
    if not layer.isidentifier():
        return Change(given, "write the activation as a stage of its own: `-> relu`")
    help_text = f"write the activation as a stage of its own: `-> {layer}`"
    return Change(given, help_text, f"write `-> {layer}` after the call", is_deletion=True, stage=f" -> {layer}")


def unfit(info: ArgumentInfo, given: nodes.Argument, found: Bound, callee: str) -> Change | None:
    """The change of an argument of `callee` whose value `found` isn't accepted."""
    node, kind = given.value, info.kind
    if isinstance(node, nodes.String) and _accepts(kind, Symbol(node.value)):
        return _value(given, node.value, is_safe=True)
    if text := _word(node, kind):
        return _written(given, node.span, text, Advice.to_write(node.span, text), is_safe=True)
    if isinstance(found, Symbol):
        if found in LAYERS and callee in LAYERS:
            return stage_after(given)
        if not given.keyword and (named := _named(given, found, callee)):
            return named
        near = nearest(found, kind.symbols())
        return _written(given, node.span, near, Advice.to_write(node.span, near)) if near else None
    if isinstance(found, int) and not isinstance(found, bool) and found in {0, 1} and _accepts(kind, value=True):
        return _value(given, "true" if found else "false", is_safe=True)
    is_computed = isinstance(node, nodes.Operation | nodes.CallExpression)
    if is_computed and isinstance(found, float) and _accepts(kind, int(found)):
        return whole_number(given)
    if (
        isinstance(found, int | float)
        and 1 < found <= 100
        and isinstance(kind, Float)
        and kind.high == 1
        and kind.open_high
    ):
        return _value(given, f"{found / 100:g}")
    return None


def _named(given: nodes.Argument, word: Symbol, callee: str) -> Change | None:
    """The change that passes a word by name, if it is the word of exactly one argument of the layer `callee`."""
    infos = arguments_of(LAYERS[callee]) if callee in LAYERS else ()
    names = [info.name for info in infos if word in info.kind.symbols()]
    if len(names) != 1:
        return None
    text = f"{names[0]}={word}"
    return _written(given, given.value.span, text, Advice.to_write(given.value.span, text))


def _accepts(kind: Kind, value: Value) -> bool:
    try:
        kind.accept(value)
    except UnfitError:
        return False
    return True


def _word(node: nodes.Expression, kind: Kind) -> str:
    """The equivalent of a foreign word, quoted or bare, that an argument accepts; "" for none."""
    word = node.value if isinstance(node, nodes.String) else node.text if isinstance(node, nodes.Name) else ""
    found = [table.get(word) for table in (foreign_names.VALUES, foreign_names.INITIALIZERS) if word]
    return next((one.text for one in found if one and _accepts(kind, _plain(one.text))), "")


def _plain(text: str) -> Value:
    """The value that a text from `foreign_names.VALUES` or `INITIALIZERS` stands for; of a call, its name."""
    if text in {"true", "false"}:
        return text == "true"
    return int(text) if text.isdigit() else Symbol(text.partition("(")[0])


def whole_number(given: nodes.Argument) -> Change:
    """The change that makes a computed fraction a whole number: `//` for `/`, or `round`."""
    node = given.value
    if isinstance(node, nodes.Operation) and "/" in node.operators:
        return _divided(given, node)
    return _value(given, f"round({node.span.text})")


def _divided(given: nodes.Argument, node: nodes.Operation) -> Change:
    """The change that divides whole numbers with `//`."""
    help_text = "`/` computes a fraction; write `//` to divide whole numbers"
    text, start = node.span.text, node.span.start
    if "/" not in node.operators or text.count("/") != 1:
        return Change(given, help_text)
    slash = start + text.index("/")
    return Change(given, help_text, "write `//`", (Edit(Span(node.span.source, slash, slash + 1), "//"),))


# ---- whole calls


def input_argument(callee: str, arguments: Sequence[nodes.Argument]) -> nodes.Argument | None:
    """The argument of a layer's call at the place where PyTorch takes the number of input channels, or None."""
    place = _INPUT_CHANNELS.get(callee)
    if place is None or len(arguments) <= place or any(one.keyword for one in arguments[: place + 1]):
        return None
    return arguments[place]


def without_input(given: nodes.Argument, call: Call) -> Change:
    """The change that leaves out the number of input channels: `conv(64, 3)` for `conv(3, 64, 3)`."""
    title = f"write `{without({given.span}, call)}`"
    return Change(given, f"{title}: the input decides the number of its channels", title, is_deletion=True)


def foreign_changes(written: str, call: Call, target: type[Declaration]) -> list[Change]:
    """What a program can change in the arguments of a call, as far as its text alone shows.

    `written` is the name in the text, which stands for `target` and `call.callee`.
    """
    if len(call.arguments) > MOST_LISTED:
        return []
    infos = {info.name: info for info in arguments_of(target)}
    foreign = {
        given.span: change
        for given in call.arguments
        if given.keyword and given.keyword.text not in infos and (change := unknown(given, tuple(infos), call))
    }
    meant = [foreign[one.span].renamed() if one.span in foreign else one for one in call.arguments]
    required = {info.name for info in infos.values() if info.is_required}
    named = {one.keyword.text for one in meant if one and one.keyword}
    unnamed = sum(one.keyword is None for one in call.arguments)
    is_input = foreign_names.takes_input_channels(written) and unnamed > len(required - named)
    channels = input_argument(call.callee, call.arguments) if is_input else None
    changes = [*foreign.values(), *([without_input(channels, call)] if channels else [])]
    order = iter(infos)
    for one in meant:
        if one is None or one is channels:
            continue
        name = one.keyword.text if one.keyword else next(order, "")
        if one.keyword is None and name in named:  # it has another meaning there: `RandomCrop(32, padding=4)`
            changes.append(_deleted(one, "delete it"))
            continue
        if name in infos and (change := _unfit_text(infos[name], one, call.callee)):
            changes.append(change)
    return [change for change in changes if can_apply(change, call)]


def _unfit_text(info: ArgumentInfo, given: nodes.Argument, callee: str) -> Change | None:
    """The change of an argument whose value, as far as the text shows it, isn't accepted."""
    node = given.value
    found: Bound
    match node:
        case nodes.Number(value=number):
            found = number
        case nodes.Name(text=text) if any(
            table.get(text) for table in (foreign_names.VALUES, foreign_names.INITIALIZERS)
        ):
            found = Symbol(text)
        case nodes.String(value=text):
            found = text
        case _:
            return None
    return None if _accepts(info.kind, found) else unfit(info, given, found, callee)
