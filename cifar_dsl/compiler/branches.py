"""How many branches a call takes, and those that a join was meant to have where a `|` is missing between its stages.

A stage that only passes a tensor on, `identity` or the name of a tensor, does nothing among other stages: it was meant
to be a branch of its own.
"""

from collections.abc import Mapping

from cifar_dsl.compiler import translation
from cifar_dsl.compiler.invocation import Invocation
from cifar_dsl.compiler.names import Definition
from cifar_dsl.language.diagnostics import Edit, Fix, Label, Reporter, replacement
from cifar_dsl.language.source import Span
from cifar_dsl.language.syntax import nodes
from cifar_dsl.operations.layers import Branches

SEPARATE = "separate the branches with `|`"


def check_count(call: Invocation, takes: Branches | None, count: int, reporter: Reporter) -> None:
    """Report a wrong number of branches; `takes` is None if a call takes none. Raises EvaluationFailed."""
    if takes is not None and takes.fit(count):
        return
    notes = reporter.remarks_on(call.callee_span)
    if takes is None:
        raise reporter.error(
            "E0215",
            f"`{call.callee}` takes no branches",
            call.span,
            help="a sequence is written `conv(8, 1) -> relu`",
            meant=translation.join_meant(call.callee, call.callee_span),
            notes=notes,
        )
    message = f"`{call.callee}` takes {takes.describe()}, and gets {count or 'none'}"
    help_text = "every branch gives the empty list, which is no branch"
    if count:
        help_text = f"write `{takes.example(call.span.text)}`"
    raise reporter.error("E0215", message, call.span, help=help_text, notes=notes)


def meant_branches(
    bodies: tuple[nodes.Body, ...], join: str, definitions: Mapping[Span, Definition], reporter: Reporter
) -> tuple[nodes.Body, ...]:
    """Report a join of one branch and one tensor that can't be meant; the branches that were meant, if any."""
    (branch,) = bodies
    alone = next((stage for stage in branch.stages if passes_on(stage, definitions)), None)
    if alone is None:
        return ()
    branches = separated(branch, definitions)
    fixes, help_text = separation(branches), SEPARATE
    if len(branches) == 1:
        help_text = "write its other branches, or delete the join"
        if not is_identity(alone, definitions):
            both = f"identity | {alone.span.text}"
            fixes, help_text = replacement(alone.span, both), f"write its other branches, such as `{both}`"
    label = Label(alone.span, "a branch of its own" if len(branches) > 1 else "")
    reporter.error("E0311", f"this `{join}` has only one branch", label, help=help_text, fixes=fixes)
    return branches


def is_identity(stage: nodes.Stage, definitions: Mapping[Span, Definition]) -> bool:
    """Whether a stage is the bare layer `identity`."""
    name = _bare_name(stage)
    definition = definitions.get(name.span) if name else None
    return definition is not None and (definition.kind, definition.name) == ("layer", "identity")


def passes_on(stage: nodes.Stage, definitions: Mapping[Span, Definition]) -> bool:
    """Whether a stage only passes a tensor on: a bare `identity`, or the bare name of a tensor."""
    name = _bare_name(stage)
    definition = definitions.get(name.span) if name else None
    match definition:
        case Definition(kind="layer", name="identity"):
            return True
        case Definition(kind="let"):
            return not definition.is_tied
        case Definition(kind="parameter", node=nodes.BlockParameter(types=types)):
            return [one.text for one in types] == ["tensor"]
        case _:
            return False


def separated(branch: nodes.Body, definitions: Mapping[Span, Definition]) -> tuple[nodes.Body, ...]:
    """The branches of a body that lacks its `|`: each stage that only passes a tensor on, and the stages between."""
    parts: list[list[nodes.Stage]] = [[]]
    for stage in branch.stages:
        alone = passes_on(stage, definitions)
        is_complete = any(isinstance(one, nodes.Chain) for one in parts[-1])  # it outputs a tensor
        if is_complete and (alone or passes_on(parts[-1][-1], definitions)):
            parts.append([])
        parts[-1].append(stage)
    return tuple(_body(part) for part in parts)


def one_by_one(branch: nodes.Body) -> tuple[nodes.Body, ...]:
    """The branches of a body each of whose chains was meant to be one."""
    return tuple(_body([stage]) for stage in branch.stages)


def separation(branches: tuple[nodes.Body, ...]) -> tuple[Fix, ...]:
    """The fix that inserts a `|` between these parts of one branch; none if there is a single part."""
    edits = tuple(Edit(Span(part.span.source, part.span.start, part.span.start), "| ") for part in branches[1:])
    return (Fix(SEPARATE, edits),) if edits else ()


def _body(stages: list[nodes.Stage]) -> nodes.Body:
    first, last = stages[0].span, stages[-1].span
    return nodes.Body(tuple(stages), Span(first.source, first.start, last.end))


def _bare_name(stage: nodes.Stage) -> nodes.Name | None:
    match stage:
        case nodes.Chain(elements=(nodes.Element(kind=nodes.Name() as name, label=None, claim=None),)):
            return name
        case _:
            return None
