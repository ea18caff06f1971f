"""The edits that turn one network into another."""

from collections import Counter
from collections.abc import Sequence
from typing import Literal

from cifar_dsl.foundation.records import define, evolve, field, frozen
from cifar_dsl.ir import Graph, Node
from cifar_dsl.views.difference.alignment import Aligner, Pair, runs
from cifar_dsl.views.difference.calls import changed_arguments
from cifar_dsl.views.difference.stages import Reader, Stage, stages_text
from cifar_dsl.views.difference.wiring import Wiring

Kind = Literal["input", "added", "removed", "replaced", "moved", "changed", "calls", "rewired", "tied"]


@frozen
class Edit:
    """One edit of a stage.

    Attributes:
        kind: The kind of edit.
        block: The innermost block that contains the stage; "" for the model.
        call: The path of the call of that block.
        stage: The path of the stage.
        subject: Equal for edits that are the same except for arguments.
        text: The edit in words.
        general: The edit in words, without arguments.
        inside: The path of a changed layer, relative to the call.
        place: The position in words, such as "after conv2".
        general_place: The position in words, without numbers.
        parameters: The number of added parameters; negative if they are removed.
    """

    kind: Kind
    block: str
    call: str
    stage: str
    subject: str
    text: str
    general: str
    inside: str = ""
    place: str = ""
    general_place: str = ""
    parameters: int = 0


@frozen
class Rename:
    """A stage whose path changed; the stages inside it are not listed separately.

    `inside` are both paths relative to the enclosing call of `block`. `layers` counts the layers with weights in it.
    """

    block: str
    before: str
    after: str
    inside: tuple[str, str]
    layers: int


@define
class Edits:
    """All edits and renames. `consequences` are unedited layers whose shape or parameter count changed."""

    edits: list[Edit] = field(factory=list)
    renames: list[Rename] = field(factory=list)
    consequences: list[tuple[Node, Node]] = field(factory=list)


@frozen
class _Frame:
    """Two bodies under comparison: the innermost call that contains them, and their paths in both networks."""

    block: str = ""
    calls: tuple[str, str] = ("", "")
    bodies: tuple[str, str] = ("", "")

    @property
    def place(self) -> tuple[str, str]:
        """The block, and the path of its call in the second network."""
        return self.block, self.calls[1]


def find_edits(a: Graph, b: Graph) -> Edits:
    """The edits between two graphs; empty if and only if they are equal."""
    walk = _Walk(a, b)
    if a.input != b.input:
        text = f"input: {a.input} -> {b.input}"
        walk.found.edits.append(Edit("input", "", "", "input", "input", text, text))
    reader = Reader()
    first, second = reader.stages(a), reader.stages(b)
    walk.shared_blocks = called_blocks(a).keys() & called_blocks(b).keys()
    walk.bodies(first, second, _Frame())
    walk.inputs()
    return walk.found


def called_blocks(graph: Graph) -> Counter[str]:
    """How often each block is called."""
    return Counter(scope.label.partition("(")[0] for scope in graph.scopes if scope.kind == "block")


@define
class _Walk:
    """Walks both networks in parallel. `_partners` are pairs of nodes with their frame."""

    a: Graph
    b: Graph
    found: Edits = field(factory=Edits)
    shared_blocks: set[str] = field(factory=set)
    _aligner: Aligner = field(factory=Aligner)
    _partners: list[tuple[Node, Node, _Frame]] = field(factory=list)

    def bodies(self, a: Sequence[Stage], b: Sequence[Stage], frame: _Frame) -> None:
        """Compare the stages of two bodies."""
        pairs = self._aligner.pairs(a, b)
        before = _previous([stage for stage, _ in pairs if stage]) | _previous([stage for _, stage in pairs if stage])
        moved = _moved(pairs)
        arrived = set(moved.values())
        for removed, added, pair in runs(pairs):
            self._run(
                [stage for stage in removed if stage not in moved],
                [stage for stage in added if stage not in arrived],
                before,
                frame,
            )
            for stage in removed:
                if stage in moved:
                    self._move(stage, moved[stage], before, frame)
            if pair:
                self._pair(*pair, frame)

    # ---- stages without a partner

    def _run(
        self, removed: Sequence[Stage], added: Sequence[Stage], before: dict[Stage, Stage | None], frame: _Frame
    ) -> None:
        """Record that stages were removed, added or replaced."""
        if not removed and not added:
            return
        blocks = {stage.what if stage.kind == "block" else "" for stage in (*removed, *added)}
        if len(removed) == len(added) > 1 and "" not in blocks:
            for a, b in zip(removed, added, strict=True):  # call by call, so that equal edits can be combined
                self._run([a], [b], before, frame)
            return
        if not (removed and added) and len(blocks) == 1 and blocks <= self.shared_blocks:
            self._more_calls(removed, added)
            return
        parameters = _parameters(added) - _parameters(removed)
        text, general = (
            _edit_text(
                stages_text(removed, self.a, in_general=in_general), stages_text(added, self.b, in_general=in_general)
            )
            for in_general in (False, True)
        )
        kind: Kind = "replaced" if removed and added else "removed" if removed else "added"
        where = _place(removed[0], before, frame, 0) if removed else _place(added[0], before, frame, 1)
        if kind == "replaced" and not where[0].startswith("after"):
            where = "", ""  # the text names the replaced stages
        stage = (*added, *removed)[0].path
        self.found.edits.append(Edit(kind, *frame.place, stage, general, text, general, "", *where, parameters))

    def _more_calls(self, removed: Sequence[Stage], added: Sequence[Stage]) -> None:
        """Record added or removed calls of a block that both networks call."""
        for stages, graph, sign in ((removed, self.a, "-"), (added, self.b, "+")):
            for stage in stages:
                number = _parameters([stage]) * (1 if sign == "+" else -1)
                text = stages_text([stage], graph)
                self.found.edits.append(Edit("calls", "", "", stage.path, stage.what, text, sign, parameters=number))

    def _move(self, a: Stage, b: Stage, before: dict[Stage, Stage | None], frame: _Frame) -> None:
        (old, _), (new, _) = _place(a, before, frame, 0), _place(b, before, frame, 1)
        general = f"{stages_text([b], self.b, in_general=True)} moved"
        text = f"{stages_text([b], self.b)} moved from {old.removeprefix('as ')} to {new.removeprefix('as ')}"
        self.found.edits.append(Edit("moved", *frame.place, b.path, general, text, general))

    # ---- partners

    def _pair(self, a: Stage, b: Stage, frame: _Frame) -> None:
        if a.is_scope != b.is_scope:
            a, b = a.unwrapped(), b.unwrapped()
        paths = tuple(_relative(stage.path, body) for stage, body in zip((a, b), frame.bodies, strict=True))
        if paths[0] != paths[1]:
            inside = _relative(a.path, frame.calls[0]), _relative(b.path, frame.calls[1])
            layers = sum(bool(node.parameters) for node in a.nodes())
            self.found.renames.append(Rename(frame.block, a.path, b.path, inside, layers))
        if a.node is not None and b.node is not None:
            self._partners.append((a.node, b.node, frame))
            self._calls(a.node, b.node, frame)
        within = evolve(frame, bodies=(a.path, b.path))
        if a.kind == b.kind == "block":
            within = _Frame(b.what, (a.path, b.path), (a.path, b.path))
        self.bodies(a.stages, b.stages, within)

    def _calls(self, before: Node, after: Node, frame: _Frame) -> None:
        """Compare the name and arguments of two layers or joins."""
        old, new = before.operation, after.operation
        inside = _relative(after.path, frame.calls[1])
        parameters = after.cost.parameters - before.cost.parameters
        if old.name != new.name:
            text = f"{old.name} replaced by {new.name}"
            self.found.edits.append(Edit("replaced", *frame.place, after.path, text, text, text))
        elif changes := changed_arguments(old, new):
            text = ", ".join(f"{argument} {value} -> {other}" for argument, value, other in changes)
            subject = f"{old.name}: {', '.join(argument for argument, _, _ in changes)}"
            self.found.edits.append(
                Edit("changed", *frame.place, after.path, subject, text, old.name, inside, parameters=parameters)
            )
        elif (before.shape, before.cost.parameters) != (after.shape, after.cost.parameters):
            self.found.consequences.append((before, after))

    # ---- wiring

    def inputs(self) -> None:
        """Compare the inputs of partners, and the outputs of the networks."""
        wiring = Wiring(self.a, self.b, {a.output: b.output for a, b, _ in self._partners})
        for before, after, frame in self._partners:
            if wiring.is_changed(before.inputs, after.inputs):
                self._rewired(before.inputs, after.inputs, after.path, frame)
        self._ties()
        if wiring.is_changed((self.a.output,), (self.b.output,)):
            self._rewired((self.a.output,), (self.b.output,), "output", _Frame())

    def _ties(self) -> None:
        """Compare whose weights partners have."""
        partners = {a.path: b.path for a, b, _ in self._partners}
        compared: set[str] = set()
        uses: dict[str, dict[str, int]] = {}  # the added parameters of each use, by whose weights it has
        for before, after, _ in self._partners:
            old, new = self.a.owner(before), self.b.owner(after)
            if not (old.parameters or new.parameters) or partners.get(old.path) == new.path:
                continue
            use = (self.b.later_uses if after.shares else self.a.later_uses)[(after if after.shares else before).output]
            of_use = uses.setdefault((use.shares or "") if after.shares else "", {})
            of_use[use.path] = of_use.get(use.path, 0) + after.cost.parameters - before.cost.parameters
            compared.add(after.path)
        self.found.consequences = [pair for pair in self.found.consequences if pair[1].path not in compared]
        for first, of_use in uses.items():
            path, *more = of_use
            text = f"{path} {f'shares the weights of {first}' if first else 'has weights of its own'}"
            if more:
                what = f"share the weights of {first}" if first else "have weights of their own"
                text = f"{1 + len(more)} stages {what}"
            self.found.edits.append(Edit("tied", "", "", path, text, text, text, parameters=sum(of_use.values())))

    def _rewired(self, before: Sequence[int], after: Sequence[int], path: str, frame: _Frame) -> None:
        old = [_relative(self.a.name_of(value), frame.calls[0]) for value in before]
        new = [_relative(self.b.name_of(value), frame.calls[1]) for value in after]
        if len(old) == len(new) and old != new:
            old, new = (
                [name for name, other in zip(x, y, strict=True) if name != other] for x, y in ((old, new), (new, old))
            )
        inside = _relative(path, frame.calls[1])
        text = f"takes {', '.join(new)} in place of {', '.join(old)}"
        subject = f"{inside} {text}"
        self.found.edits.append(Edit("rewired", *frame.place, path, subject, text, text, inside))


def _edit_text(removed: str, added: str) -> str:
    if removed and added:
        return f"{removed} replaced by {added}"
    return f"- {removed}" if removed else f"+ {added}"


def _moved(pairs: Sequence[Pair]) -> dict[Stage, Stage]:
    """The stages that moved within a body, with their partners."""
    removed = [a for a, b in pairs if a and not b]
    added = [b for a, b in pairs if b and not a]
    counts = Counter(stage.content for stage in removed), Counter(stage.content for stage in added)
    partners = {stage.content: stage for stage in added}
    return {a: partners[a.content] for a in removed if counts[0][a.content] == counts[1][a.content] == 1}


def _previous(stages: Sequence[Stage]) -> dict[Stage, Stage | None]:
    return dict(zip(stages, [None, *stages], strict=False))


def _place(stage: Stage, before: dict[Stage, Stage | None], frame: _Frame, side: int) -> tuple[str, str]:
    """The position of a stage in words, exact and without numbers."""
    if stage.kind == "branch":
        return f"as {_relative(stage.path, frame.calls[side])}", "as a branch"
    if previous := before[stage]:
        return f"after {_relative(previous.path, frame.calls[side])}", f"after {previous.what}"
    body = _relative(frame.bodies[side], frame.calls[side])
    return (f"at the start of {body}", "at a start") if body else ("at the start", "at the start")


def _relative(path: str, start: str) -> str:
    """A path relative to the stage `start`; the whole path if it isn't inside."""
    if path == start:
        return ""
    return path.removeprefix(f"{start}.") if start else path


def _parameters(stages: Sequence[Stage]) -> int:
    return sum(node.cost.parameters for stage in stages for node in stage.nodes())
