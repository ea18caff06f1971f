"""Which modules of a network are other uses of a module: those of tied blocks."""

from cifar_dsl.analysis.wiring import Wiring
from cifar_dsl.ir import Graph, Scope


def tied_modules(graph: Graph) -> dict[str, list[str]]:
    """The paths of the modules that are further uses of one, by the path of that.

    They are whole uses of tied blocks, or single layers, where others depend on the size of the image.
    """
    wiring = Wiring(graph)
    scopes = {scope.path: scope for scope in graph.scopes if scope.kind == "tied"}
    ties: dict[str, list[str]] = {}
    for use in {use.path: use for use in graph.later_uses.values()}.values():
        assert use.shares
        if _is_same(graph, wiring, scopes[use.shares], use):
            ties.setdefault(use.shares, []).append(use.path)
            continue
        for node in graph.makers(use.values):
            if node.shares:
                ties.setdefault(node.shares, []).append(node.path)
    return ties


def _is_same(graph: Graph, wiring: Wiring, first: Scope, use: Scope) -> bool:
    """Whether a use can be the module of the first use: with the same modules inside, and the same weights."""
    nodes = zip(graph.makers(first.values), graph.makers(use.values), strict=True)
    return all(
        wiring.lowering(a) == wiring.lowering(b) and (not b.shares or graph.owner(a) is graph.owner(b))
        for a, b in nodes
    )
