"""The graph as a tree: which nodes lie in which block call, join, branch or named tensor."""

from attrs import define, field

from cifar_dsl.ir import Graph, Scope


@define
class Part:
    """What lies at a path: a node, or a scope with parts of its own, or (a join) both.

    `node` is an index into the graph's nodes. Parts stand in the order in which they are computed.
    """

    path: str
    node: int | None = None
    scope: Scope | None = None
    parts: "dict[str, Part]" = field(factory=dict)

    def nodes(self) -> list[int]:
        """The nodes here and below."""
        found: list[int] = []
        waiting = [self]
        while waiting:
            part = waiting.pop()
            if part.node is not None:
                found.append(part.node)
            waiting.extend(part.parts.values())
        return found

    def inputs(self, graph: Graph, output: int) -> tuple[int, ...]:
        """The values that flow in from outside to make the value `output`, in the order in which they are made."""
        indices = self.nodes()
        inside = {index + 1 for index in indices}
        needed = {value for index in indices for value in graph.nodes[index].inputs} | {output}
        return tuple(sorted(needed - inside))


def outline(graph: Graph) -> Part:
    """The whole graph as one part. Scopes without nodes are left out."""
    root = Part("")
    scopes = {scope.path: scope for scope in graph.scopes}
    for index, node in enumerate(graph.nodes):
        part = root
        for name in node.path.split("."):
            path = f"{part.path}.{name}" if part.path else name
            part = part.parts.setdefault(name, Part(path, scope=scopes.get(path)))
        part.node = index
    return root
