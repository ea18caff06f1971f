"""Follows the advice of messages mechanically: what a reader makes of a text who does what `help:` says."""

import re
from collections.abc import Callable, Iterator

from cifar_dsl.language.diagnostics import Diagnostic, Edit
from cifar_dsl.language.source import Source, Span

Texts = Iterator[str]


def followed(diagnostic: Diagnostic) -> list[str]:
    """The texts that follow from the help and fixes of a diagnostic, in the order of its help."""
    if diagnostic.label is None:
        return []
    source = diagnostic.label.span.source
    fixed = [edited(source, *fix.edits) for fix in diagnostic.fixes if all(e.span.source is source for e in fix.edits)]
    if fixed:
        return fixed
    return list(dict.fromkeys(text for line in diagnostic.help for text in _by_hand(diagnostic, line)))


def is_explained(help_text: str) -> bool:
    """Whether this module knows what to do with a help that quotes code, or that it only informs."""
    return any(re.search(pattern, help_text) for pattern in (*_INFORMS, *(pattern for pattern, _ in _ACTIONS)))


def edited(source: Source, *edits: Edit) -> str:
    text = source.text
    for edit in sorted(edits, key=lambda edit: edit.span.start, reverse=True):
        text = text[: edit.span.start] + edit.replacement + text[edit.span.end :]
    return text


def _by_hand(diagnostic: Diagnostic, help_text: str) -> Texts:
    for pattern, action in _ACTIONS:
        if match := re.search(pattern, help_text):
            for proposal in re.findall(r"`([^`]+)`", match[0]):
                yield from action(diagnostic, _filled(proposal))
            return
    if diagnostic.severity == "warning" and re.search(_CHOICES, help_text):
        for label in filter(None, (diagnostic.label, *diagnostic.secondary)):
            yield from _without(label.span)


# What an author may fill in for the placeholders of a proposal, by pattern; the first that fits.
_FILLINGS = (
    (r"^group NAME", "group example"),
    (r"^(?P<kept>optimizer) \.\.\.$", r"\g<kept> adam(1e-3)"),
    (r"^(?P<kept>epochs) \.\.\.$", r"\g<kept> 2"),
    (r"^(?P<kept>batch) \.\.\.$", r"\g<kept> 8"),
    (r"^(?P<kept>data) \.\.\.$", r"\g<kept> cifar10"),
    (r"^(?P<kept>select) \.\.\.$", r"\g<kept> matrix"),
    (r"^(?P<kept>\w+=)\.\.\.$", r"\g<kept>2"),
    (r"^model \{ \.\.\. \}$", "model { flatten -> dense(10) }"),
    (r"^train \{ (?P<kept>.*) \.\.\. \}$", r"train {\n\g<kept>\nepochs 1\nbatch 8\noptimizer adam(1e-3)\n}"),
    (r"\{ \.\.\. (?=\|)", "{ relu "),
    (r"\.\.\.", "relu"),
)


def _filled(proposal: str) -> str:
    for pattern, text in _FILLINGS:
        if re.search(pattern, proposal):
            return re.sub(pattern, text, proposal)
    return proposal


def _without(span: Span) -> Texts:
    """The text without what is at a place, in each way that a reader may think of."""
    source, text = span.source, span.source.text
    start, end = span.start, span.end + len(_match(r"\([^()\n]*\)", text, span.end))

    def without(start: int, end: int, kept: str = "") -> str:
        return edited(source, Edit(Span(source, start, end), kept))

    if arrow := _match(r"\s*->\s*", text, end):
        yield without(start, end + len(arrow))
    if before := re.search(r"\s*->\s*$", text[:start]):
        yield without(before.start(), end)
    if before := re.search(r",\s*$", text[:start]):
        yield without(before.start(), end + len(_match(r"[^,()]*", text, end)))
    line = source.line_start(span.line)
    yield without(line, line + len(source.line_text(span.line)))
    if chosen := re.search(rf"(\w+) if {re.escape(span.text)} else (\w+)", text[line:]):
        yield from (without(line + chosen.start(), line + chosen.end(), one) for one in chosen.groups())
    bodies = r"(?:\{[^{}]*\}(?: else )?)+"
    if whole := re.search(rf"\b(?:for|if|repeat|add|concat|mul)\b[^\n{{}}]*{bodies}", text[line:]):
        for kept in ("", *re.findall(r"\{([^{}]*)\}", whole[0])):
            yield without(line + whole.start(), line + whole.end(), kept)


def _match(pattern: str, text: str, place: int) -> str:
    match = re.compile(pattern).match(text, place)
    return match[0] if match else ""


def _span(diagnostic: Diagnostic) -> Span:
    assert diagnostic.label
    return diagnostic.label.span


def _insert(source: Source, offset: int, text: str) -> str:
    return edited(source, Edit(Span(source, offset, offset), text))


def _replace(diagnostic: Diagnostic, proposal: str) -> Texts:
    """The proposal in place of the underlined text; if that is a part of a line, of one that starts with its word."""
    span = _span(diagnostic)
    source, word = span.source, proposal.split(maxsplit=1)[0]
    lines = list(re.finditer(rf"(?:^|(?<=\{{))[ \t]*{re.escape(word)}\b[^\n#}}]*", source.text, re.MULTILINE))
    is_line = span.text in map(str.strip, source.text.splitlines())
    if " " in proposal and lines and not is_line:
        nearest = min(lines, key=lambda match: abs(match.end() - span.end))
        yield edited(source, Edit(Span(source, nearest.start(), nearest.end()), f" {proposal} "))
        return
    if (named := re.match(r"\w+=", proposal)) and source.text[: span.start].endswith(named[0]):
        span = Span(source, span.start - len(named[0]), span.end)
    if proposal[0] == ":" and source.text[: span.start].rstrip()[-1] not in "[,":  # of a shape, not of a slice
        start = source.text.rindex(":", 0, span.start)
        span = Span(source, start, span.end)
    yield edited(source, Edit(span, proposal))


def _quoted(diagnostic: Diagnostic, proposal: str) -> Texts:
    quote = '"' if _span(diagnostic).text.startswith('"') else ""
    yield edited(_span(diagnostic).source, Edit(_span(diagnostic), f"{quote}{proposal}{quote}"))


def _callee(diagnostic: Diagnostic, proposal: str) -> Texts:
    """The proposed layer, or the call with the proposed argument."""
    span = _span(diagnostic)
    name = re.match(r"\w+", span.text)
    if "=" in proposal:
        end = span.end - 1 if span.text.endswith(")") else span.end
        comma = "" if span.text.endswith("()") else ", "
        yield _insert(span.source, end, f"{comma}{proposal}" if span.text.endswith(")") else f"({proposal})")
    elif name:
        yield edited(span.source, Edit(Span(span.source, span.start, span.start + name.end()), proposal))


def _before(diagnostic: Diagnostic, proposal: str) -> Texts:
    """The proposed stage before the stage that is underlined, or in which something is."""
    span = _span(diagnostic)
    line = span.source.line_start(span.line)
    start = max(span.source.text.rfind(mark, line, span.start) for mark in ("-> ", "{ ", "| "))
    offset = start + (3 if span.source.text[start : start + 2] == "->" else 2) if start >= line else line
    yield _insert(span.source, offset, f"{proposal} -> ")


def _connect(diagnostic: Diagnostic, proposal: str) -> Texts:
    yield _insert(_span(diagnostic).source, _span(diagnostic).start, f" {proposal} ")


def _end_branch(diagnostic: Diagnostic, proposal: str) -> Texts:
    """The proposed stage at the end of a branch that is underlined."""
    shape = re.search(r"shape (\S+)|smaller", " ".join(diagnostic.help))
    labels = [label for label in (diagnostic.label, *diagnostic.secondary) if label]
    for label in labels:
        if shape is None or shape[1] is None or shape[1] in label.text:
            yield _insert(label.span.source, label.span.end, f" -> {proposal}")


def _close(diagnostic: Diagnostic, proposal: str) -> Texts:
    """The bracket or quote at each place that a reader may think of."""
    span = _span(diagnostic)
    source = span.source
    end = source.text.find("\n", span.end)
    end = len(source.text) if end < 0 else end
    yield _insert(source, span.start, proposal)
    for match in re.finditer(r"^|(?<=\S)(?=\W)|$", source.text[span.end : end]):
        yield _insert(source, span.end + match.start(), proposal)
    if proposal == "}":
        for match in re.finditer(r"^(?=\S)", source.text[end:], re.MULTILINE):
            yield _insert(source, end + match.start(), "}\n")
    yield _insert(source, len(source.text.rstrip()), f"\n{proposal}")


def _swap(diagnostic: Diagnostic, proposal: str) -> Texts:
    first, _, second = proposal.partition(", ")
    yield edited(_span(diagnostic).source, Edit(_span(diagnostic), f"{second}, {first}"))


def _cut(diagnostic: Diagnostic, proposal: str) -> Texts:
    kept = _span(diagnostic).text.partition(proposal)[0].rstrip()
    yield edited(_span(diagnostic).source, Edit(_span(diagnostic), kept))


def _setting(diagnostic: Diagnostic, proposal: str) -> Texts:
    """The proposed setting in the body whose head is underlined."""
    span = _span(diagnostic)
    yield _insert(span.source, span.source.text.index("{", span.start) + 1, f"\n{proposal}\n")


def _group(diagnostic: Diagnostic, proposal: str) -> Texts:
    """A group with the proposed settings, at the end of `train`: the proposals are those of one help."""
    kind = " ".join(re.findall(r"`(select \w+)`", " ".join(diagnostic.help)))
    text = _span(diagnostic).source.text
    if proposal.startswith("optimizer"):
        yield _insert(_span(diagnostic).source, text.rindex("}"), f"\ngroup example {{\n{kind}\n{proposal}\n}}\n")


def _item(diagnostic: Diagnostic, proposal: str) -> Texts:
    """The proposed item at the end."""
    source = _span(diagnostic).source
    yield _insert(source, len(source.text), f"\n{proposal}\n")


def _nothing(_diagnostic: Diagnostic, _proposal: str) -> Texts:
    yield from ()


# What to do, by how a help begins; the first that fits. Proposals are the code that the pattern covers.
_ACTIONS: list[tuple[str, Callable[[Diagnostic, str], Texts]]] = [
    (r"^did you mean `.*`\?", _quoted),
    (r"^close it with `.*`", _close),
    (r"^swap the arguments in `.*`", _swap),
    (r"^delete everything after `.*`", _cut),
    (r"end (the|each) (smaller )?branch.* with `[^`]*`", _end_branch),
    (r"^end the model with `.*`", _replace),
    (r"^(put|turn) .*`[^`]*`( or `[^`]*`)?( before it)?", _before),
    (r"^put each stage .*`->`", _connect),
    (r"^set height and width, e\.g\. `.*`", _replace),
    (r"^use `[^`]*`", _callee),
    (r"^add `\w+=[^`]*`", _callee),
    (r"^add `\w+ \.\.\.`", _setting),
    (r"^(add `model|name the dataset: `).*\}`", _item),
    (r"add a group with `[^`]*` and `[^`]*`", _group),
    (r"^join with the input: `.*`", _replace),
    (r"^put it where .*`[^`]*`", _callee),
    (r"^to extend a shipped spec, omit the quotes: `.*`", _nothing),  # the name is an example
    (r"^set `\w+` as a whole", _nothing),
    (r"^write the smaller number first, e\.g\. `.*`", _nothing),  # numbers of a declaration, not of the text
    (r"^write the channels of the input first: `.*`", _replace),
    (r"^(write|add|start|set|give|name|stack) .*`[^`]*`", _replace),
]
# Help of warnings that leaves a choice of what to delete.
_CHOICES = r"\bdelete (it|one of the two|the loop)\b|^keep only the branch|without the join"
# Help that explains, lists what there is, or needs a choice of the author.
_INFORMS = (
    r"^or ",
    r"is a keyword; choose another name$",
    r"^`cifar-dsl [\w ]+` (lists|prints)",
    r"separates the branches of a join",
    r"^`\w+`: ",  # what an argument is
    r"^\w+: ",  # what a setting is
    r"^(arguments of|its arguments|blocks here|settings|choices|types|params|groups|specs in)",
    r"^(compare it|define it with|if this is intended|increase|delete it|remove|move|pass|keep|make|to )",
    r"^there is (no|an)",
    r"^(stages are|comments start|separate|use (a|an|the|another|size=|factor=)|`/` computes|name the activation)",
    r"(write|join) ",
    r"^`\w+` (takes|is|names)",
    r"^(compute each value|count |a slice keeps|the names of a loop|numbers don't|if `\w+` is a divisor)",
    r"^(functions:|list the values|there is no power|branches stand after)",
    r"^(import|enclose|`validation` is|`\w+` of)",
)
