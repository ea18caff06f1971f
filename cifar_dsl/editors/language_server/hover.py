"""What a word means, and what comes out of a stage."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from attrs import frozen
from lsprotocol import types

from cifar_dsl.compiler import Analysis
from cifar_dsl.compiler.builtin_names import BUDGETS, FLOW_NAMES
from cifar_dsl.editors.language_server import vocabulary
from cifar_dsl.editors.language_server.documents import Documents
from cifar_dsl.editors.language_server.families import global_names
from cifar_dsl.editors.language_server.lookup import mention_in, taking
from cifar_dsl.editors.language_server.markdown import code, content, plain_text, table
from cifar_dsl.editors.language_server.references import Meaning, Mention
from cifar_dsl.editors.language_server.sketch import Named, Sketch
from cifar_dsl.editors.language_server.stages import Stages
from cifar_dsl.editors.language_server.tokens import comment_above
from cifar_dsl.editors.language_server.unchanged import Unchanged
from cifar_dsl.foundation.text import in_short
from cifar_dsl.language.source import Span
from cifar_dsl.language.syntax import nodes
from cifar_dsl.views.flatten import recipe_values
from cifar_dsl.views.source_map import Visit

_MOST_ROWS = 12  # of a stage that is passed many times

_Row = tuple[str, str, str, str]


def hover(documents: Documents, path: Path, offset: int) -> types.Hover | None:
    """What is known of the word at a place."""
    mention = mention_in(documents, path, offset)
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
        match self.mention.meaning:
            case Meaning("layer" | "join", name):
                yield from _entry(vocabulary.layer(name))
            case Meaning("initialiser", name):
                yield from _entry(vocabulary.initialiser(name))
            case Meaning("function", name):
                yield from _entry(vocabulary.function(name))
            case Meaning("choice", name, setting):
                yield from _entry(vocabulary.choice(setting, name))
            case Meaning("setting", name, place):
                yield from self._setting(name, place)
            case Meaning("argument", name, owner):
                yield from self._argument(name, owner)
            case Meaning("parameter", name, owner):
                yield from self._parameter(name, owner)
            case Meaning("local", name):
                yield from self._local(name)
            case Meaning("base"):
                yield from self._base()
            case Meaning(name=name):
                yield from self._global(name)

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
        """What takes an argument: a layer, an initialiser, a choice, or that which a setting names."""
        named = self._settings().get(owner)
        return vocabulary.choice(owner, named[0]) if named else taking(owner)

    def _settings(self) -> dict[str, list[str]]:
        """The words of the settings of `train`, the nearest that names each."""
        found: dict[str, list[str]] = {}
        for place in (self.path, *self.documents.bases(self.path)):
            for setting, words in self.documents.sketch(place).settings.items():
                found.setdefault(setting, words)
        return found

    def _parameter(self, name: str, owner: str) -> Iterator[str]:
        _, block = global_names(self.documents, self.path).get(owner, (self.path, None))
        parameter = next((one for one in block.parameters if one.name == name), None) if block else None
        if block is not None and parameter is not None:
            yield code(parameter.text + (f" = {parameter.default}" if parameter.default else ""))
            yield f"A parameter of the block `{owner}`"

    def _local(self, name: str) -> Iterator[str]:
        source = self.documents.source(self.path)
        start = int(self.mention.meaning.owner)
        if source is None:
            return
        frames = Sketch.of(source.text, self.mention.span.start).local_names()
        named = frames.get(name)
        if named is None or named.start != start:  # where it is defined
            line = source.line_text(source.position(start)[0]).strip()
            yield code(line.split("#", 1)[0].rstrip(" {"))
        else:
            yield code(named.text)

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

    def _global(self, name: str) -> Iterator[str]:
        place, named = global_names(self.documents, self.path).get(name, (self.path, None))
        if named is not None:
            yield from self._defined(named)
            if place != self.path:
                yield f"Defined in {_code_in_line(self.documents.name(place))}"
            return
        if name in FLOW_NAMES:
            yield from (code(name), FLOW_NAMES[name])
        elif name in BUDGETS:
            yield from (code(name), BUDGETS[name])
        elif (entry := vocabulary.initialiser(name)) is not None:
            yield from entry.markdown()
        else:
            yield from self._word(name)

    def _defined(self, named: Named) -> Iterator[str]:
        if named.kind == "block":
            yield from vocabulary.block(named).markdown()
        else:
            yield code(named.text)
            yield plain_text(named.doc)

    def _word(self, name: str) -> Iterator[str]:
        """A word that an argument or a setting takes, by that."""
        around = [
            other
            for other in self.documents.mentions(self.path)
            if other.meaning.kind in {"argument", "parameter", "setting"}
            and other.call.start <= self.mention.span.start
            and self.mention.span.end <= other.call.end
            and other.meaning.name != name
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
        places = ((unchanged.now(*place), visits) for place, visits in stages.visits.items())
        visits = {place[0]: visits for place, visits in places if place is not None}
        start = self.mention.call.start
        if self.mention.is_definition:
            chain = self._chain()
            start = chain.elements[-1].kind.span.start if chain else start
        if start in visits:
            yield from _table(stages, visits[start])
        elif self.mention.is_definition and self.mention.meaning.kind == "global":
            yield from _table(stages, stages.calls.get(self.mention.meaning.name, ()))

    def _chain(self) -> nodes.Chain | None:
        """What the `let` here names."""
        waiting: list[object] = [self.documents.tree(self.path)]
        while waiting:
            node = waiting.pop()
            if isinstance(node, nodes.Let) and node.name.span == self.mention.span:
                return node.chain
            waiting.extend(nodes.children(node))
        return None


def _entry(entry: vocabulary.Entry | None) -> Iterator[str]:
    if entry is not None:
        yield from entry.markdown()


def _table(stages: Stages, visits: Sequence[Visit]) -> Iterator[str]:
    """Input, output and costs of each visit, those that are alike in one row, and of all together."""
    counts: dict[_Row, int] = {}
    for visit in visits:
        cost = stages.analysis.graph.cost_of(visit.nodes)
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
        total = stages.analysis.graph.cost_of({index for visit in visits for index in visit.nodes})
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
