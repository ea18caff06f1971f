"""What a word means, and what comes out of a stage."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from lsprotocol import types

from cifar_dsl.compiler import Analysis
from cifar_dsl.compiler.builtin_names import BUDGETS, FLOW_NAMES
from cifar_dsl.compiler.names import Mention
from cifar_dsl.editors.language_server import vocabulary
from cifar_dsl.editors.language_server.documents import Documents
from cifar_dsl.editors.language_server.markdown import code, content, plain_text, table
from cifar_dsl.editors.language_server.stages import Stages
from cifar_dsl.editors.language_server.unchanged import Unchanged
from cifar_dsl.foundation.records import frozen
from cifar_dsl.foundation.text import in_short
from cifar_dsl.ir.source_map import Visit
from cifar_dsl.language.source import Span, comment_above
from cifar_dsl.language.syntax import nodes
from cifar_dsl.operations.recipe import SETTINGS
from cifar_dsl.views.flatten import recipe_values

_MOST_ROWS = 12  # of a stage that is passed many times

_Row = tuple[str, str, str, str]


def hover(documents: Documents, path: Path, offset: int) -> types.Hover | None:
    """What is known of the word at a place."""
    mention = documents.names(path).at(offset)
    if mention is not None:
        asked = _Asked(documents, path, mention)
        meaning = list(asked.meaning())
        span, parts = mention.span, [*meaning[:1], *asked.figures(), *meaning[1:]]
    else:
        name = _name_of_spec(documents, path, offset)
        if name is None:
            return None
        span, parts = name, list(_summary(documents, path))
    shown = [part for part in parts if part]
    return types.Hover(content(shown), documents.positions.range(span)) if shown else None


@frozen
class _Asked:
    """A mention that is asked about."""

    documents: Documents
    path: Path
    mention: Mention

    # ---- meaning

    def meaning(self) -> Iterator[str]:
        """What the word stands for."""
        definition = self.mention.definition
        match definition.kind:
            case "block" | "layer" | "join" | "initialiser" | "function" | "choice":
                entry = vocabulary.called(definition)
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
            case "base":
                yield from self._base()
            case _:
                yield from self._word(definition.name)
        if definition.kind in {"param", "block"}:
            place, _ = self.documents.global_definitions(self.path)[definition.name]
            if place != self.path:
                yield f"Defined in {_code_in_line(self.documents.name(place))}"

    def _setting(self, name: str, place: str) -> Iterator[str]:
        setting = vocabulary.setting(name, place)
        if setting is None:
            return
        yield code(name)
        yield from vocabulary.setting_markdown(setting)
        analysis = self.documents.analysis(self.path)
        if place == "train" and analysis is not None and analysis.recipe is not None:
            yield f"Here: {_code_in_line(recipe_values(analysis.recipe)[name])}"

    def _argument(self, name: str, owner: str) -> Iterator[str]:
        entry = self._taker(owner)
        argument = entry.argument(name) if entry else None
        if entry is not None and argument is not None:
            yield code(argument.text)
            yield f"{argument.markdown()}; an argument of `{entry.name}`"

    def _taker(self, owner: str) -> vocabulary.Entry | None:
        """What takes an argument, by its owner in the table of names: a setting's is what the setting chooses."""
        setting, _, choice = owner.partition(".")
        if setting in SETTINGS:
            chosen = [choice] if choice else self.documents.chosen(self.path, setting)
            return vocabulary.choice(setting, chosen[0]) if chosen else None
        return vocabulary.layer(owner) or vocabulary.initialiser(owner) or vocabulary.function(owner)

    def _base(self) -> Iterator[str]:
        bases = self.documents.bases(self.path)
        source = self.documents.source(bases[0]) if bases else None
        if source is None:
            return
        yield f"Extends {_code_in_line(self.documents.name(bases[0]))}"
        head = source.text.find("arch ")
        yield plain_text(comment_above(source.text, max(head, 0)))
        analysis = self.documents.analysis(bases[0])
        if analysis is not None:
            yield _total(analysis)

    def _word(self, name: str) -> Iterator[str]:
        """A word without a definition in the text; one that an argument or a setting takes, by that."""
        if doc := FLOW_NAMES.get(name) or BUDGETS.get(name):
            yield from (code(name), doc)
            return
        if (entry := vocabulary.initialiser(name)) is not None:
            yield from entry.markdown()
            return
        around = [
            other
            for other in self.documents.names(self.path).mentions
            if other.definition.kind in {"argument", "parameter", "setting"}
            and self.mention.span in other.call
            and other.definition.name != name
        ]
        if around:
            yield from _Asked(self.documents, self.path, around[-1]).meaning()

    # ---- figures

    def figures(self) -> Iterator[str]:
        """What comes out of the stage here: of a call, of a named tensor, of all calls of a block."""
        source, stages = self.documents.source(self.path), self.documents.stages(self.path)
        if source is None or stages is None:
            return
        unchanged = Unchanged.between(stages.analysis.source.text, source.text)
        places = ((unchanged.moved(*place), visits) for place, visits in stages.visits.items())
        visits = {place[0]: visits for place, visits in places if place is not None}
        start = self.mention.call.start
        definition = self.mention.definition
        if self.mention.is_definition and isinstance(definition.node, nodes.Let):
            start = definition.node.chain.elements[-1].kind.span.start
        if start in visits:
            yield from _table(stages, visits[start])
        elif self.mention.is_definition and definition.kind == "block":
            yield from _table(stages, stages.calls.get(definition.name, ()))


def _table(stages: Stages, visits: Sequence[Visit]) -> Iterator[str]:
    """Input, output and costs of each visit, those that are alike in one row, and of all together."""
    counts: dict[_Row, int] = {}
    for visit in visits:
        cost = stages.analysis.graph.cost_of(visit.values)
        inputs = ", ".join(map(str, visit.inputs))
        row = (inputs, str(visit.output), _count(cost.parameters), _macs(cost.macs))
        counts[row] = counts.get(row, 0) + 1
    if not counts:
        return
    rows = [("passed", "input", "output", "parameters", "multiply-accumulates")]
    rows += [(f"{count} x" if count > 1 else "once", *row) for row, count in counts.items()]
    shown = rows[: _MOST_ROWS + 1]
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
    """The name in the head of a spec, where it stands at the place."""
    tree = documents.tree(path)
    name = tree.header.name.span if tree else None
    return name if name and name.start <= offset <= name.end else None


def _summary(documents: Documents, path: Path) -> Iterator[str]:
    """What the whole spec is."""
    found = documents.inspection(path).found
    if isinstance(found, Analysis):
        yield code(f"arch {found.program.name.text}")
        yield _total(found)
        yield f"Fingerprint `{found.fingerprint}`"
    elif found is not None:
        yield code(f"library {found.name}")
        yield f"A library of {len(found.blocks)} blocks"


def _total(analysis: Analysis) -> str:
    graph, cost = analysis.graph, analysis.graph.cost
    return (
        f"{graph.input} to {graph.shape_of(graph.output)}, {cost.parameters:,} parameters, "
        f"{in_short(cost.macs)} multiply-accumulates"
    )


def _code_in_line(text: str) -> str:
    """Text as code within a line."""
    return f"`{text}`" if "`" not in text else plain_text(text.replace("`", "'"))
