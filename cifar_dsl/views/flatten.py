"""The expanded spec as text: one spec without blocks, loops, conditions or params. Tied blocks come first.

Its graph equals that of the original, except for the names of stages: the stages of a block are printed in the model,
after a comment with the call. Patterns that select parameters by their paths are rewritten for the new names.
"""

from collections.abc import Iterable, Mapping
from itertools import chain, count

from cifar_dsl.compiler import analyze_text
from cifar_dsl.foundation import limits
from cifar_dsl.foundation.errors import UserError
from cifar_dsl.foundation.records import define, evolve, field
from cifar_dsl.foundation.text import columns
from cifar_dsl.ir import Declaration, Graph, Group, Node, Recipe, Scope, Stage
from cifar_dsl.operations.layers import LAYERS
from cifar_dsl.operations.recipe import GROUP_SETTINGS, SETTINGS, Setting
from cifar_dsl.operations.recipe.groups import KINDS, matching

_INDENT = "    "
_EMPTY = "repeat 1 {}"  # stages that compute nothing; `identity` would be a layer more


def recipe_values(recipe: Recipe) -> dict[str, str]:
    """The spec text of each setting of a recipe, followed by the settings of its groups."""
    values = {name: _setting_text(setting, getattr(recipe, name)) for name, setting in SETTINGS.items()}
    for group in recipe.groups:
        values |= {f"group.{group.name}.{name}": text for name, text in group_values(group).items()}
    return values


def group_values(group: Group) -> dict[str, str]:
    """The spec text of each setting of a group."""
    values = {name: getattr(group, name) for name in GROUP_SETTINGS}
    return {name: _setting_text(GROUP_SETTINGS[name], value) for name, value in values.items() if value is not None}


def _setting_text(setting: Setting, value: object) -> str:
    if setting.is_chain:
        assert isinstance(value, tuple)
        return " -> ".join(_choice_text(setting, call) for call in value) or "none"
    return _choice_text(setting, value)


def _choice_text(setting: Setting, value: object) -> str:
    if isinstance(value, Declaration):
        return value.brief()
    assert setting.kind is not None
    return setting.kind.write(value)


def expanded(graph: Graph, recipe: Recipe | None, name: str) -> str:
    """The text of the expanded spec.

    Raises UserError if a group would need too many patterns to select the same parameters under their new names.
    """
    lines = [f"arch {name}", "", f"input {graph.input}", "", "model {"]
    lines += [_INDENT + line for line in _Printer(graph).model()]
    lines.append("}")
    if recipe is not None:
        groups = _renamed(recipe.groups, graph, "\n".join(lines))
        own = [[name, _setting_text(setting, getattr(recipe, name))] for name, setting in SETTINGS.items()]
        lines += ["", "train {", *columns(own, indent=_INDENT)]
        for group in groups:
            rows = list(group_values(group).items())
            lines += [f"{_INDENT}group {group.name} {{", *columns(rows, indent=2 * _INDENT), f"{_INDENT}}}"]
        lines.append("}")
    return "\n".join(lines) + "\n"


def _renamed(groups: Iterable[Group], graph: Graph, network: str) -> list[Group]:
    """The groups with patterns for the paths of the expanded network. Raises UserError."""
    if all(word in KINDS for group in groups for word in group.select):
        return list(groups)
    again = analyze_text(network).graph  # has the same layers, in the same order
    new = {
        f"{old.path}.{parameter.name}": f"{node.path}.{parameter.name}"
        for old, node in zip(graph.nodes, again.nodes, strict=True)
        for parameter in old.parameters
        if parameter.is_trained
    }
    return [evolve(group, select=_reselected(group, new)) for group in groups]


def _reselected(group: Group, new: Mapping[str, str]) -> tuple[str, ...]:
    """The selection of a group, given the new path of each parameter by its path. Raises UserError."""
    most = limits.current().selected
    paths = [*new.values()]
    words: list[str] = []
    for word in group.select:
        wanted = set() if word in KINDS else {new[path] for path in matching(word, new)}
        if matching(word, paths) == wanted:  # no path is a word of KINDS
            words.append(word)
            continue
        left = [path for path in paths if path in wanted]
        while left and len(words) <= most:
            words.append(_widest(left[0], wanted, paths))
            found = matching(words[-1], left)
            left = [path for path in left if path not in found]
    if len(words) > most:
        raise UserError(
            f"group `{group.name}` selects parameters by path, and their new paths need more than {most} patterns",
            "print the spec with --resolved, which keeps the names of stages",
        )
    return tuple(words)


def _widest(path: str, wanted: set[str], paths: list[str]) -> str:
    """A pattern that matches this path, and of all paths only wanted ones."""
    layer, _, parameter = path.rpartition(".")
    any_number = ".".join(f"{name.rstrip('0123456789')}*" for name in layer.split("."))
    candidates = (f"{any_number}.*", f"{layer}.*", f"{any_number}.{parameter}")
    return next((one for one in candidates if wanted.issuperset(matching(one, paths))), path)


@define
class _Printer:
    """Prints stages in order. `_named` holds the names of values that are used outside of the chain.

    No tensor gets the name of a layer: it would hide the layer in the lines after it.
    """

    graph: Graph
    _named: dict[int, str] = field(factory=dict)
    _taken: set[str] = field(factory=lambda: set(LAYERS))
    _ties: dict[str, str] = field(factory=dict)  # the names of tied blocks by the paths of their first uses
    _tied: list[str] = field(factory=list)  # the lines that define them
    _last_uses: dict[int, int] = field(init=False)  # of each value, the output of the last node that uses it

    def __attrs_post_init__(self) -> None:
        self._last_uses = {value: node.output for node in self.graph.nodes for value in node.inputs}

    def model(self) -> list[str]:
        lines, flow = self._body(self.graph.body, 0)
        lines = [*self._tied, *lines]
        return lines if flow == self.graph.output else [*lines, self._named[self.graph.output]]

    def _body(self, scope: Scope, flow: int) -> tuple[list[str], int]:
        """The lines of a body whose input is the value `flow`, and the value of its output."""
        lines: list[str] = []
        for stage in scope.stages:
            if isinstance(stage, Node):
                lines.append(self._from(stage, flow) + stage.operation.brief())
                flow = stage.output
            elif stage.kind == "let":
                lines += self._let(stage, flow)
            elif stage.kind == "join":
                lines += self._join(stage, flow)
                flow = stage.output
            elif stage.kind == "scope":
                lines += self._enclosed(stage, flow)
                flow = stage.output
            elif stage.kind == "tied":
                lines.append(self._use(stage, flow))
                flow = stage.output
            else:
                inside, flow = self._body(stage, flow)
                if stage.kind == "block" and inside:
                    lines.append(f"# {stage.name}: {stage.label}")
                lines += inside
        return lines, flow

    def _from(self, node: Node, flow: int) -> str:
        """The start of a chain whose first stage is this layer."""
        (value,) = node.used_inputs or (flow,)
        return self._at(value, flow)

    def _at(self, value: int, flow: int) -> str:
        """The start of a chain whose first stage takes a value."""
        return "" if value == flow else f"{self._named[value]} -> "

    def _use(self, scope: Scope, flow: int) -> str:
        """The line of a use of a tied block."""
        first = scope.shares or scope.path
        if first not in self._ties:
            (entering,) = scope.inputs
            inside, last = self._body(scope, entering)
            if last != scope.output:
                inside = [*inside, self._named[scope.output]]
            name = self._unused(scope.label, scope.path)
            self._ties[first] = name
            # All uses are on one tensor each, so the definition may stand before the first stage.
            self._tied += [f"let {name} = tied {{", *(_INDENT + line for line in inside or [_EMPTY]), "}"]
        return self._at(scope.inputs[0], flow) + self._ties[first]

    def _enclosed(self, scope: Scope, flow: int) -> list[str]:
        """The lines of a scope of the language: it enters its branch by its first node, and leaves it by its last."""
        enter, *_, leave = scope.stages
        assert isinstance(enter, Node)
        assert isinstance(leave, Node)
        inside, last = self._body(evolve(scope, stages=scope.stages[1:-1]), enter.output)
        if last != leave.inputs[0]:
            inside = [*inside, self._named[leave.inputs[0]]]
        head = self._from(enter, flow) + scope.label
        return [f"{head} {{", *(_INDENT + line for line in inside or [_EMPTY]), "}"]

    def _join(self, scope: Scope, flow: int) -> list[str]:
        *branches, node = scope.stages
        lines: list[str] = []
        if not all(isinstance(branch, Scope) and self._has_one_output(branch) for branch in branches):
            lines = [line for branch in branches for line in self._one_by_one(branch, flow)]
            branches = []
        bodies = [self._branch(branch, flow) for branch in branches if isinstance(branch, Scope)]
        return [*lines, *self._joined(scope.label, bodies or [self._passed(value, flow) for value in node.inputs])]

    def _branch(self, branch: Scope, flow: int) -> list[str]:
        inside, last = self._body(branch, flow)
        return inside if last == branch.output and inside else [*inside, *self._passed(branch.output, flow)]

    def _passed(self, value: int, flow: int) -> list[str]:
        """The branch of a join that passes on a value."""
        return [_EMPTY] if value == flow else [self._named[value]]

    def _joined(self, head: str, bodies: list[list[str]]) -> list[str]:
        lines = [f"{head} {{"]
        for i, body in enumerate(bodies):
            lines += [f"  {'| ' if i else '  '}{body[0]}", *(f"    {line}" for line in body[1:])]
        return [*lines, "}"]

    def _has_one_output(self, scope: Scope) -> bool:
        """Whether stages outside of a scope use its output alone, and not a list or a tensor named inside."""
        after = scope.values.stop
        used = {value for value in scope.values if self._last_uses.get(value, 0) >= after}
        return len(scope.outputs) == 1 and used <= {*scope.outputs}

    def _let(self, scope: Scope, flow: int) -> list[str]:
        if not self._has_one_output(scope):
            return self._one_by_one(scope, flow)
        if scope.output in self._named and not scope.values:
            return []
        lines, last = self._body(scope, flow)
        if last != scope.output:
            lines = [*lines, *self._passed(scope.output, flow)]
        return self._defined(scope.output, scope.label, scope.path, lines or [_EMPTY])

    def _defined(self, value: int, label: str, path: str, lines: list[str]) -> list[str]:
        """The lines that name a value, which these lines make."""
        name = self._unused(label, path)
        is_chain = not (
            any(line.startswith(("let ", "#")) for line in lines) or any(map(self._starts_chain, lines[1:]))
        )
        self._named[value] = name
        if not is_chain:
            # A `let` accepts a single chain, so several lines are wrapped into a loop with one iteration.
            return [f"let {name} = repeat 1 {{", *(_INDENT + line for line in lines), "}"]
        return _chained(f"let {name} = ", lines)

    def _starts_chain(self, line: str) -> bool:
        """Whether the first stage of a line, a named tensor or a layer, can only be the first of its chain."""
        name = line.partition("(")[0].partition(" ")[0]
        return name in self._named.values() or (name in LAYERS and LAYERS[name].takes_only_batch)

    def _unused(self, label: str, path: str) -> str:
        """A new name."""
        path = path.replace(".", "_")
        numbered = (f"{path}_{number}" for number in count(2))
        name = next(name for name in chain((label, path), numbered) if name not in self._taken)
        self._taken.add(name)
        return name

    def _one_by_one(self, stage: Stage, flow: int) -> list[str]:
        """The lines of a scope whose values are used outside of it: each gets a name; the chain continues as it is."""
        if isinstance(stage, Node):
            lines = [stage.operation.brief()]
            if stage.operation.is_join:
                lines = self._joined(lines[0], [self._passed(value, flow) for value in stage.inputs])
            else:
                lines[0] = self._from(stage, flow) + lines[0]
            return self._defined(stage.output, stage.path.replace(".", "_"), stage.path, lines)
        if stage.kind == "scope":
            return self._defined(stage.output, stage.name, stage.path, self._enclosed(stage, flow))
        if stage.kind == "tied":
            return self._defined(stage.output, stage.name, stage.path, [self._use(stage, flow)])
        return [line for inner in stage.stages for line in self._one_by_one(inner, flow)]


def _chained(start: str, lines: list[str]) -> list[str]:
    """Join the lines of stages into one chain; a join spans several lines."""
    chained = [start + lines[0]]
    for line in lines[1:]:
        if line.startswith((" ", "}")):
            chained.append(line)
        else:
            chained[-1] += f" -> {line}"
    return chained
