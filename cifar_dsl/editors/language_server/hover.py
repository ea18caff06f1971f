"""Hover: the meaning of a word, and the shapes and costs of a stage."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from lsprotocol import types

from cifar_dsl.compiler import Analysis
from cifar_dsl.compiler.builtin_names import BUDGETS, DATA_NAMES, FLOW_NAMES, FUNCTIONS
from cifar_dsl.compiler.names import Mention
from cifar_dsl.editors.language_server import vocabulary
from cifar_dsl.editors.language_server.cross_file import definition_site
from cifar_dsl.editors.language_server.documents import Documents
from cifar_dsl.editors.language_server.markdown import code, content, plain_text, table
from cifar_dsl.editors.language_server.stages import Stages
from cifar_dsl.editors.language_server.unchanged import Unchanged
from cifar_dsl.foundation.records import frozen
from cifar_dsl.foundation.text import in_short
from cifar_dsl.ir import trained_outputs
from cifar_dsl.ir.source_map import Visit
from cifar_dsl.language.source import Span, comment_above
from cifar_dsl.language.syntax import nodes
from cifar_dsl.operations.recipe import SETTINGS
from cifar_dsl.views.flatten import recipe_values

_MAX_ROWS = 12

_Row = tuple[str, str, str, str]


def hover(documents: Documents, path: Path, offset: int) -> types.Hover | None:
    """Describe the word at an offset; None if it has no description."""
    mention = documents.names(path).at(offset)
    if mention is not None:
        word = _Word(documents, path, mention)
        meaning = list(word.meaning())
        span, parts = mention.span, [*meaning[:1], *word.costs(), *meaning[1:]]
    else:
        name = _name_of_spec(documents, path, offset)
        if name is None:
            return None
        span, parts = name, list(_summary(documents, path))
    return types.Hover(content(parts), documents.positions.range(span)) if any(parts) else None


@frozen
class _Word:
    """The word under the cursor."""

    documents: Documents
    path: Path
    mention: Mention

    # ---- meaning

    def meaning(self) -> Iterator[str]:
        """The definition or documentation of the word."""
        definition = self.mention.definition
        match definition.kind:
            case "block" | "layer" | "join" | "scope" | "initialiser" | "weight function" | "function" | "choice":
                entry = vocabulary.callee(definition)
                yield from entry.markdown() if entry else ()
            case "setting":
                yield from self._setting(definition.name, definition.owner)
            case "argument":
                yield from self._argument(definition.name, definition.owner)
            case "param":
                yield code(vocabulary.head(definition))
                yield plain_text(vocabulary.comment(definition))
            case "parameter" if definition.node:
                yield code(vocabulary.head(definition))
                yield f"A parameter of the block `{definition.owner}`"
            case "let" | "loop variable":
                yield code(vocabulary.head(definition))
            case "axis":
                yield code(definition.name)
                yield "An axis of this pattern"
            case "base":
                yield from self._base()
            case _:
                yield from self._word(definition.name)
        if definition.kind in {"param", "block"}:
            site = definition_site(self.documents, self.path, definition)
            if site and site[0] != self.path:
                yield f"Defined in {_inline_code(self.documents.name(site[0]))}"
        if hidden := self.documents.names(self.path).hidden.get(self.mention.span):
            yield f"Hides the {hidden.noun} `{hidden.name}`"

    def _setting(self, name: str, section: str) -> Iterator[str]:
        setting = vocabulary.setting(name, section)
        if setting is None:
            return
        yield code(name)
        yield from vocabulary.setting_markdown(setting)
        analysis = self.documents.analysis(self.path)
        if section == "train" and analysis is not None and analysis.recipe is not None:
            yield f"Here: {_inline_code(recipe_values(analysis.recipe)[name])}"

    def _argument(self, name: str, owner: str) -> Iterator[str]:
        entry = self._callee(owner)
        argument = entry.argument(name) if entry else None
        if entry is not None and argument is not None:
            yield code(argument.text)
            yield f"{argument.markdown()}; an argument of `{entry.name}`"

    def _callee(self, owner: str) -> vocabulary.Entry | None:
        """The entry that an argument belongs to. If `owner` is a setting, it is the choice made there."""
        setting, _, choice = owner.partition(".")
        if setting in SETTINGS:
            chosen = [choice] if choice else self.documents.chosen(self.path, setting)
            return vocabulary.choice(setting, chosen[0]) if chosen else None
        if owner in FUNCTIONS:
            return vocabulary.function(owner)
        return vocabulary.layer(owner) or vocabulary.value(owner)

    def _base(self) -> Iterator[str]:
        bases = self.documents.bases(self.path)
        source = self.documents.source(bases[0]) if bases else None
        if source is None:
            return
        yield f"Extends {_inline_code(self.documents.name(bases[0]))}"
        head = source.text.find("arch ")
        yield plain_text(comment_above(source.text, max(head, 0)))
        analysis = self.documents.analysis(bases[0])
        if analysis is not None:
            yield _total(analysis)

    def _word(self, name: str) -> Iterator[str]:
        """A word that the text doesn't define; the value of an argument or a setting is described by that."""
        if doc := FLOW_NAMES.get(name) or DATA_NAMES.get(name) or BUDGETS.get(name):
            yield from (code(name), doc)
            return
        if (entry := vocabulary.value(name)) is not None:
            yield from entry.markdown()
            return
        outer = [
            other
            for other in self.documents.names(self.path).mentions
            if other.definition.kind in {"argument", "parameter", "setting"}
            and self.mention.span in other.call
            and other.definition.name != name
        ]
        if outer:
            yield from _Word(self.documents, self.path, outer[-1]).meaning()

    # ---- shapes and costs

    def costs(self) -> Iterator[str]:
        """A table of the shapes and costs of a stage, of a named tensor, or of all calls of a block."""
        source, stages = self.documents.source(self.path), self.documents.stages(self.path)
        if source is None or stages is None:
            return
        unchanged = Unchanged.between(stages.analysis.source.text, source.text)
        moved = ((unchanged.moved(*offsets), visits) for offsets, visits in stages.visits.items())
        visits = {offsets[0]: visits for offsets, visits in moved if offsets is not None}
        start = self.mention.call.start
        definition = self.mention.definition
        if self.mention.is_definition and isinstance(definition.node, nodes.Let):
            start = definition.node.chain.elements[-1].kind.span.start
        if definition.is_tied and self.mention.is_definition:
            uses = sorted(use.call.start for use in self.documents.names(self.path).uses_of(definition))
            yield from _table(stages, [visit for place in dict.fromkeys(uses) for visit in visits.get(place, ())])
        elif start in visits:
            yield from _table(stages, visits[start])
            yield from _exits(stages, visits[start])
        elif self.mention.is_definition and definition.kind == "block":
            yield from _table(stages, stages.calls.get(definition.name, ()))


def _exits(stages: Stages, visits: Sequence[Visit]) -> Iterator[str]:
    """The exits that these visits mark, with what only training computes for each."""
    made = {value for visit in visits for value in visit.values if len(visit.values) == 1}
    for one in trained_outputs(stages.analysis.graph)[1:]:
        if one.value in made:
            yield (
                f"Exit `{one.name}` of weight {one.weight:g}; training alone computes {one.cost.parameters:,} "
                f"parameters and {in_short(one.cost.macs)} multiply-accumulates for it"
            )


def _table(stages: Stages, visits: Sequence[Visit]) -> Iterator[str]:
    """Input, output and costs of each visit and in total; equal visits share a row."""
    counts: dict[_Row, int] = {}
    for visit in visits:
        cost = stages.analysis.graph.cost_of(visit.values)
        inputs = ", ".join(map(str, visit.inputs))
        row = (inputs, ", ".join(map(str, visit.outputs)), _count(cost.parameters), _macs(cost.macs))
        counts[row] = counts.get(row, 0) + 1
    if not counts:
        return
    rows = [("times", "input", "output", "parameters", "multiply-accumulates")]
    rows += [(f"{count} x" if count > 1 else "once", *row) for row, count in counts.items()]
    shown = rows[: _MAX_ROWS + 1]
    if len(rows) > len(shown):
        shown.append((f"{len(rows) - len(shown)} more rows", "", "", "", ""))
    if len(visits) > 1:
        total = stages.analysis.graph.cost_of({value for visit in visits for value in visit.values})
        shown.append((f"{len(visits)} x", "", "", _count(total.parameters), _macs(total.macs)))
    yield table(shown)


def _count(number: int) -> str:
    return f"{number:,}" if number else ""


def _macs(number: int) -> str:
    return in_short(number) if number else ""


def _name_of_spec(documents: Documents, path: Path, offset: int) -> Span | None:
    """The span of the spec's name, if the offset is in it."""
    tree = documents.tree(path)
    name = tree.header.name.span if tree else None
    return name if name and name.start <= offset <= name.end else None


def _summary(documents: Documents, path: Path) -> Iterator[str]:
    """The shapes and costs of a whole spec, or the size of a library."""
    result = documents.inspection(path).found
    if isinstance(result, Analysis):
        yield code(f"arch {result.program.name.text}")
        yield _total(result)
        yield f"Fingerprint `{result.fingerprint}`"
    elif result is not None:
        yield code(f"library {result.name}")
        yield f"A library of {len(result.blocks)} blocks"


def _total(analysis: Analysis) -> str:
    graph, cost = analysis.graph, analysis.graph.cost
    return (
        f"{graph.input} to {graph.shape_of(graph.output)}, {cost.parameters:,} parameters, "
        f"{in_short(cost.macs)} multiply-accumulates"
    )


def _inline_code(text: str) -> str:
    """A text as inline code."""
    return f"`{text}`" if "`" not in text else plain_text(text.replace("`", "'"))
