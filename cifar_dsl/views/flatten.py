"""What a spec expands to, as text: one spec without blocks, loops, conditions or params.

The text means what the graph means, but for the names of stages: what a block holds stands right in the model,
after a comment that names the call.
"""

from attrs import define, field

from cifar_dsl.foundation.text import columns
from cifar_dsl.ir import Declaration, Graph, Group, Recipe
from cifar_dsl.ir.outline import Part, outline
from cifar_dsl.operations.recipe import GROUP_SETTINGS, SETTINGS, Setting

_INDENT = "    "


def recipe_values(recipe: Recipe) -> dict[str, str]:
    """The settings of a recipe, each as a spec would say it; those of groups after them."""
    values = {name: _setting_text(setting, getattr(recipe, name)) for name, setting in SETTINGS.items()}
    for group in recipe.groups:
        values |= {f"group.{group.name}.{name}": text for name, text in group_values(group).items()}
    return values


def group_values(group: Group) -> dict[str, str]:
    """The settings of a group, each as a spec would say it."""
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
    """The text of the expanded spec."""
    lines = [f"arch {name}", "", f"input {graph.input}", "", "model {"]
    lines += [_INDENT + line for line in _Printer(graph).model()]
    lines.append("}")
    if recipe is not None:
        own = [[name, _setting_text(setting, getattr(recipe, name))] for name, setting in SETTINGS.items()]
        lines += ["", "train {", *columns(own, indent=_INDENT)]
        for group in recipe.groups:
            rows = list(group_values(group).items())
            lines += [f"{_INDENT}group {group.name} {{", *columns(rows, indent=2 * _INDENT), f"{_INDENT}}}"]
        lines.append("}")
    return "\n".join(lines) + "\n"


@define
class _Printer:
    """Prints nodes in their order. `_named` holds what values are called that are used out of the flow."""

    graph: Graph
    _named: dict[int, str] = field(factory=dict)
    _taken: set[str] = field(factory=set)

    def model(self) -> list[str]:
        lines, flow = self._body(outline(self.graph), 0)
        return lines if flow == self.graph.output else [*lines, self._named[self.graph.output]]

    def _body(self, part: Part, flow: int) -> tuple[list[str], int]:
        """The lines of a body into which the value `flow` comes, and the value that comes out."""
        lines: list[str] = []
        for name, inner in part.parts.items():
            if inner.scope is not None and inner.scope.kind == "let":
                lines += self._let(inner, flow)
                continue
            inner_lines, flow_after = self._stage(inner, flow)
            if inner.scope is not None and inner.scope.kind == "block":
                lines.append(f"# {name}: {inner.scope.label}")
            lines += inner_lines
            flow = flow_after
        return lines, flow

    def _stage(self, part: Part, flow: int) -> tuple[list[str], int]:
        """The lines of a stage, and the value that it gives."""
        if part.node is None:
            return self._body(part, flow)
        node = self.graph.nodes[part.node]
        if node.operation.is_join:
            return self._join(part, part.node, flow), part.node + 1
        (value,) = node.inputs
        start = "" if value == flow else f"{self._named[value]} -> "
        return [start + node.operation.brief()], part.node + 1

    def _join(self, part: Part, index: int, flow: int) -> list[str]:
        node = self.graph.nodes[index]
        lines = [f"{node.operation.name} {{"]
        for i, output in enumerate(node.inputs):
            branch = part.parts.get(f"branch{i + 1}")
            inside, last = self._body(branch, flow) if branch else ([], flow)
            if last != output:
                inside = [*inside, self._named[output]]
            inside = inside or ["identity"]
            mark = "| " if i else "  "
            lines += [f"  {mark}{inside[0]}", *(f"    {line}" for line in inside[1:])]
        return [*lines, "}"]

    def _let(self, part: Part, flow: int) -> list[str]:
        assert part.scope is not None
        if part.node is None:
            lines, _ = self._body(part, flow)
        else:
            lines, _ = self._stage(part, flow)
        name = part.scope.label
        if name in self._taken:
            name = part.path.replace(".", "_")
        self._taken.add(name)
        self._named[part.scope.output] = name
        if any(line.startswith(("let ", "#")) for line in lines):
            # A let holds one chain; a body of several lines is one stage of it in a loop of one round.
            return [f"let {name} = repeat 1 {{", *(_INDENT + line for line in lines), "}"]
        return _chained(f"let {name} = ", lines)


def _chained(start: str, lines: list[str]) -> list[str]:
    """Stages, a line each or (joins) several, as one chain."""
    chained = [start + lines[0]]
    for line in lines[1:]:
        if line.startswith((" ", "}")):
            chained.append(line)
        else:
            chained[-1] += f" -> {line}"
    return chained
