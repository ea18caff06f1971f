"""The difference of two specs, as text and as JSON data."""

from attrs import asdict

from cifar_dsl.analysis import kept_bytes
from cifar_dsl.compiler import Analysis
from cifar_dsl.foundation.records import frozen
from cifar_dsl.foundation.text import columns
from cifar_dsl.ir import Graph, Node
from cifar_dsl.views.difference.changes import Change, consequences_text, layer_counts, network_changes, renames_text
from cifar_dsl.views.difference.edits import Rename, find_edits
from cifar_dsl.views.difference.training import SettingChange, recipe_changes

_MOST_CHANGES = 30  # lines about the network; beyond it, the list is shortened
_FIRST_CHANGES = 12  # lines of a shortened list


@frozen
class Difference:
    """The differences in meaning between two specs: empty if and only if their fingerprints are equal."""

    a: Analysis
    b: Analysis
    network: tuple[Change, ...]
    renames: tuple[Rename, ...]
    consequences: tuple[tuple[Node, Node], ...]
    training: tuple[SettingChange, ...]

    @property
    def is_empty(self) -> bool:
        """Whether the specs have equal meaning."""
        return not (self.network or self.renames or self.training)


def difference(a: Analysis, b: Analysis) -> Difference:
    """Compare the networks and recipes of two specs, not their text."""
    edits = find_edits(a.graph, b.graph)
    return Difference(
        a,
        b,
        network_changes(a.graph, b.graph, edits),
        tuple(edits.renames),
        tuple(edits.consequences),
        recipe_changes(a.recipe, b.recipe),
    )


def as_lines(found: Difference, *, in_full: bool = False) -> list[str]:
    """The difference as text; `in_full` lists every change of the network."""
    if found.is_empty:
        return ["no difference in meaning"]
    lines = [f"{_title(found.a)} -> {_title(found.b)}"]
    network = _network_lines(found, in_full=in_full)
    lines += _section("network", network)
    if network:
        lines += _section("totals", _totals(found.a.graph, found.b.graph))
    return lines + _section("train", _training_lines(found))


def _title(analysis: Analysis) -> str:
    return f"{analysis.program.name} {analysis.fingerprint}"


def _section(name: str, lines: list[str]) -> list[str]:
    return ["", name, *(f"  {line}" for line in lines)] if lines else ["", f"{name}: unchanged"]


def _network_lines(found: Difference, *, in_full: bool) -> list[str]:
    total = found.a.graph.cost.parameters
    lines = [change.text + _cost(change.parameters, total) for change in found.network]
    if len(lines) > _MOST_CHANGES and not in_full:
        counts = layer_counts(found.a.graph, found.b.graph)
        hidden = f"... {len(lines) - _FIRST_CHANGES} more changes; --full lists them"
        lines = [*lines[:_FIRST_CHANGES], hidden, *([f"layers: {', '.join(counts)}"] if counts else [])]
    if found.renames:
        lines.append(f"renamed, with their weights: {renames_text(found.renames)}")
    return lines + consequences_text(found.consequences)


def _cost(parameters: int, total: int) -> str:
    return f"; {parameters:+,} parameters{_percent(parameters, total)}" if parameters else ""


def _percent(change: int, total: int) -> str:
    if not total:
        return ""
    share = 100 * change / total
    return f" ({share:+.2g} %)" if abs(share) < 1 else f" ({share:+,.1f} %)"


def _totals(a: Graph, b: Graph) -> list[str]:
    rows = []
    for name, before, after in (
        ("parameters", a.cost.parameters, b.cost.parameters),
        ("macs", a.cost.macs, b.cost.macs),
        ("activation bytes", kept_bytes(a), kept_bytes(b)),
    ):
        change = f"{after - before:+,}{_percent(after - before, before)}" if after != before else "unchanged"
        rows.append([name, f"{before:,}", "->", f"{after:,}", change])
    return columns(rows, right=frozenset({1, 3}))


def _training_lines(found: Difference) -> list[str]:
    for recipe, other in ((found.a.recipe, found.b), (found.b.recipe, found.a)):
        if recipe is None and other.recipe is not None:
            return [f"only {other.program.name} has a recipe"]
    return [str(change) for change in found.training]


def as_data(found: Difference) -> dict[str, object]:
    """The difference as JSON data."""
    return {
        "equal": found.is_empty,
        "a": _side(found.a),
        "b": _side(found.b),
        "network": [asdict(change) for change in found.network],
        "renamed": [{"before": rename.before, "after": rename.after} for rename in found.renames],
        "follows": [
            {
                "before": before.path,
                "after": after.path,
                "shape": [before.shape.extents, after.shape.extents],
                "parameters": [before.cost.parameters, after.cost.parameters],
            }
            for before, after in found.consequences
        ],
        "train": [asdict(change) for change in found.training],
    }


def _side(analysis: Analysis) -> dict[str, object]:
    graph = analysis.graph
    return {
        "name": analysis.program.name.text,
        "fingerprint": analysis.fingerprint,
        "input": graph.input.extents,
        "output": graph.shape_of(graph.output).extents,
        **asdict(graph.cost),
        "kept_bytes": kept_bytes(graph),
    }
