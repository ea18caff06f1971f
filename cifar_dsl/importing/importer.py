"""A module of PyTorch as a spec and its weights: trace, translate, fold, print, and compare."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from cifar_dsl.compiler import Analysis, analyze_text
from cifar_dsl.compiler.lints.inspection import warnings
from cifar_dsl.foundation.atomic import write_atomically
from cifar_dsl.foundation.records import evolve, frozen
from cifar_dsl.importing.folding import folded, looped
from cifar_dsl.importing.network import Network, unsupported
from cifar_dsl.importing.printing import printed
from cifar_dsl.importing.simplification import simplified
from cifar_dsl.importing.structure import head_of, steps_of, structure_of
from cifar_dsl.importing.ties import ties_of
from cifar_dsl.importing.tracing import quiet, trace
from cifar_dsl.importing.translation import translate
from cifar_dsl.importing.trees import Tree
from cifar_dsl.importing.verification import Agreement, load, verify
from cifar_dsl.ir import Graph, Operation, Shape
from cifar_dsl.language.diagnostics import SpecError
from cifar_dsl.language.diagnostics.render import visible

if TYPE_CHECKING:
    from torch import nn

_RECIPE = """\
train {
    data       cifar10
    augment    crop(4) -> flip
    epochs     100
    batch      128
    optimizer  sgd(lr=0.1, momentum=0.9, weight_decay=5e-4)
    schedule   cosine
}
"""


@frozen
class Imported:
    """A spec that computes what a module computes.

    Attributes:
        text: The text of the spec, without a recipe.
        analysis: The checked spec.
        keys: For each key of the spec's `state_dict`, that of the module.
        unused: The tensors of the module that its scores don't depend on.
        evaluation_only: Whether it was traced in evaluation mode, where layers that only act in training are missing.
        agreement: How the scores of both compare.
    """

    text: str
    analysis: Analysis
    keys: dict[str, str]
    unused: tuple[str, ...]
    evaluation_only: bool
    agreement: Agreement


def import_module(module: "nn.Module", image: Shape, name: str) -> Imported:
    """The spec of a module that takes a batch of such images.

    Leaves the module as it is, except for its mode. Raises UserError if torch can't trace it, the language can't say
    it, or the scores differ.
    """
    was_training = module.training
    try:
        traced = trace(module, image)
    finally:
        module.train(was_training)
    network = simplified(translate(traced, image))
    text, analysis = spec_of(network, name)
    keys = keys_of(network, analysis.graph)
    with quiet():
        agreement = verify(module, _network(analysis), keys, image)
    return Imported(text, analysis, keys, network.unused, not traced.in_training, agreement)


def spec_of(network: Network, name: str) -> tuple[str, Analysis]:
    """The text of a network, folded if that leaves the graph as it is."""
    if ties := ties_of(network):
        return _with_warnings_allowed(_tied(network, name, ties), name)
    body = structure_of(network)
    plain = printed(name, network.input, Tree(body))
    graph = analyze_text(plain, name).graph
    texts = [printed(name, network.input, tree) for tree in folded(body, network)]
    for text in sorted(texts, key=lambda text: text.count("\n")):
        if is_same(graph, analyze_text(text, name).graph):
            return _with_warnings_allowed(text, name)
    return _with_warnings_allowed(plain, name)


def _tied(network: Network, name: str, ties: Mapping[int, str]) -> str:
    """The text of a network with tied blocks, in loops if that leaves the graph as it is. Raises UserError."""
    body = structure_of(network, ties)
    heads = tuple({tied: head_of(network.steps[step].operation) for step, tied in ties.items()}.items())
    plain, short = (
        printed(name, network.input, evolve(tree, ties=heads)) for tree in (Tree(body), looped(body, network))
    )
    try:
        graph = analyze_text(plain, name).graph
    except SpecError as error:
        place = network.steps[min(ties)].place
        raise unsupported(f"layers share its weights: {error.diagnostics[0].message}", place) from error
    try:
        return short if is_same(graph, analyze_text(short, name).graph) else plain
    except SpecError:
        return plain


def _with_warnings_allowed(text: str, name: str) -> tuple[str, Analysis]:
    """The text with a comment that allows its warnings: the network is as it is."""
    analysis = analyze_text(text, name)
    codes = sorted({one.code for one in warnings(analysis)})
    if not codes:
        return text, analysis
    text = f"# allow: {', '.join(codes)} (as in the imported network)\n{text}"
    return text, analyze_text(text, name)


def is_same(first: Graph, second: Graph) -> bool:
    """Whether two graphs have the same operations on the same values, whatever the names of their stages."""
    return _calls(first) == _calls(second)


def _calls(graph: Graph) -> object:
    numbers = {node.path: node.output for node in graph.nodes}
    ties = [node.shares and numbers[node.shares] for node in graph.nodes]
    return [(node.operation, node.inputs) for node in graph.nodes], ties, graph.output, graph.input


def keys_of(network: Network, graph: Graph) -> dict[str, str]:
    """For each key of the graph's `state_dict` that of the module."""
    keys: dict[str, str] = {}
    nodes = [node for node in graph.nodes if node.operation.name != "identity"]
    steps = [network.steps[step] for step in steps_of(structure_of(network)) if step is not None]
    for node, step in zip(nodes, steps, strict=True):
        assert _is_alike(node.operation, step.operation), (node.operation, step.operation)
        if not node.shares:
            keys.update({f"{node.path}.{name}": key for name, key in step.weights})
    return keys


def _is_alike(first: Operation, second: Operation) -> bool:
    """Whether two operations are equal, or written alike: texts have the numbers of scales with 12 digits."""
    return first == second or first.brief() == second.brief()


def safetensors(imported: Imported, module: "nn.Module") -> bytes:
    """The weights of the module under the names of the spec, as a safetensors file."""
    from cifar_dsl.training.weights import packed

    return packed(network_of(imported, module), imported.text)


def save(imported: Imported, weights: bytes, spec_file: Path, weights_file: Path, origin: str) -> None:
    """Write the spec and the weights: both files, or none. `origin` tells what the spec was made of."""
    write_atomically(weights_file, weights)
    try:
        write_atomically(spec_file, (_comment(origin) + imported.text).encode())
    except BaseException:
        weights_file.unlink()
        raise


def _comment(origin: str) -> str:
    lines = [f"Imported from {origin}.", "To train it, add a recipe, such as this:", "", *_RECIPE.splitlines()]
    return "".join(f"# {visible(line)}".rstrip() + "\n" for line in lines)


def network_of(imported: Imported, module: "nn.Module") -> "nn.Module":
    """The network of the spec, with the weights of the module."""
    network = _network(imported.analysis)
    load(network, module.state_dict(), imported.keys)
    return network


def _network(analysis: Analysis) -> "nn.Module":
    from cifar_dsl.training.lowering.torch_module import build_module

    return build_module(analysis.graph, analysis.program.name.text, seed=0)
