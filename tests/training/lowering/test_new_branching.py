"""A trial: a new join and a new scope are one class each, and without other changes a spec can use and train them."""

from typing import ClassVar

import pytest
import torch
from helpers.specs import errors_of, graph_of, text_of
from helpers.tolerances import SAME_FORMULA

from cifar_dsl.compiler import analyze_text
from cifar_dsl.ir import Execution, Lowering, Shape, argument, declared
from cifar_dsl.ir.execution import INPUT, NOTHING
from cifar_dsl.operations.argument_types import Bool, Float, Int
from cifar_dsl.operations.layers import JOINS, SCOPES, Branches, Enclosure, Join, JoinError, Layer
from cifar_dsl.operations.registry import MisfitError
from cifar_dsl.training.lowering.torch_module import build_module
from cifar_dsl.views.flatten import expanded
from cifar_dsl.views.reference import entries


@pytest.fixture(autouse=True)
def operations(monkeypatch: pytest.MonkeyPatch) -> None:
    """All that someone who adds the two writes; in the package it would stand in files of operations/layers."""
    for registry in (JOINS, SCOPES):
        monkeypatch.setattr(registry, "_declared", {**registry._declared})

    @JOINS.register("similarity")
    @declared
    class Similarity(Join):
        """The cosine between the tokens of two branches: (T, D), (T, D) -> (T,)."""

        branches: ClassVar[Branches] = Branches.named("left", "right")
        execution = Execution(saves=INPUT)
        eps: float = argument(Float(0, open_low=True), "the least product of norms")

        def infer(self, left: Shape, right: Shape) -> Shape:
            if left != right:
                raise JoinError("similarity needs branches of the same shape", 0, 1)
            return Shape(left.extents[:1])

        def macs(self, left: Shape, right: Shape, y: Shape) -> int:
            return left.elements

        def lower(self, left: Shape, right: Shape) -> Lowering:
            return Lowering.to("torch.nn.CosineSimilarity", dim=2, eps=self.eps)

    @declared
    class Moved(Layer):
        name = "moved"
        execution = Execution(saves=NOTHING)
        factor: int = argument(Int(1), "of the extents")
        back: bool = argument(Bool(), "whether channels become places")

        def infer(self, x: Shape) -> Shape:
            (channels, height, width), factor = x.extents, self.factor
            if self.back:
                return Shape((channels // factor**2, height * factor, width * factor))
            if height % factor:
                raise MisfitError("E0304", f"{height} rows aren't divisible by {factor}", argument="factor")
            return Shape((channels * factor**2, height // factor, width // factor))

        def lower(self, x: Shape) -> Lowering:
            if self.back:
                return Lowering.to("torch.nn.PixelShuffle", upscale_factor=self.factor)
            return Lowering.to("torch.nn.PixelUnshuffle", downscale_factor=self.factor)

    @SCOPES.register("unshuffled")
    @declared
    class Unshuffled(Enclosure):
        """Runs its branch on an image whose places are channels."""

        factor: int = argument(Int(1), "of the extents")

        def enter(self, x: Shape) -> Layer:
            return Moved(self.factor, False)

        def leave(self, x: Shape) -> Layer:
            return Moved(self.factor, True)


SCOPE = "unshuffled(2) { conv(8, 1) -> relu }"
JOIN = "tokens\nsimilarity(1e-6) { identity | dense(2) as other }"


def test_a_spec_can_use_them() -> None:
    graph = analyze_text(text_of(f"{SCOPE}\n{JOIN}")).graph
    assert [(node.path, str(node.shape)) for node in graph.nodes] == [
        ("unshuffled.enter", "12x4x4"),
        ("unshuffled.conv", "8x4x4"),
        ("unshuffled.relu", "8x4x4"),
        ("unshuffled.leave", "2x8x8"),
        ("tokens", "64x2"),
        ("similarity.branch1.identity", "64x2"),
        ("similarity.branch2.other", "64x2"),
        ("similarity", "64"),
    ]
    assert graph.nodes[-1].cost.macs == 128


def test_they_compute() -> None:
    graph = analyze_text(text_of(f"{SCOPE}\n{JOIN}")).graph
    module = build_module(graph, "test", seed=0)
    assert {"unshuffled.conv.weight", "similarity.branch2.other.weight"} <= module.state_dict().keys()
    x = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    inside = torch.relu(module.unshuffled.conv(torch.nn.functional.pixel_unshuffle(x, 2)))
    tokens = torch.nn.functional.pixel_shuffle(inside, 2).flatten(2).transpose(1, 2)
    other = module.similarity.branch2.other(tokens)
    expected = torch.nn.functional.cosine_similarity(tokens, other, dim=2, eps=1e-6)
    torch.testing.assert_close(module(x), expected, **SAME_FORMULA)


@pytest.mark.parametrize(
    ("stages", "code", "message"),
    [
        ("unshuffled(2) { relu | bn }", "E0215", "`unshuffled` takes 1 branch, and gets 2"),
        ("tokens -> similarity(3) { relu }", "E0215", "`similarity` takes 2 branches (left, right), and gets 1"),
        ("tokens -> similarity(3) { relu | dense(2) }", "E0308", "similarity needs branches of the same shape"),
        ("unshuffled(3) { relu }", "E0304", "8 rows aren't divisible by 3"),
        ("unshuffled(0) { relu }", "E0304", "`factor` of `unshuffled` must be an integer of at least 1"),
        ("tokens -> similarity { relu | relu }", "E0303", "`similarity` is missing `eps`"),
        ("tokens -> similarity(3, 4) { relu | relu }", "E0301", "`similarity` takes at most 1 argument"),
    ],
)
def test_their_arguments_and_branches_are_checked(stages: str, code: str, message: str) -> None:
    (error,) = errors_of(text_of(stages))
    assert (error.code, error.message) == (code, message)


def test_the_expanded_text_keeps_them() -> None:
    graph = graph_of(f"let y = {SCOPE}\nadd {{ y -> conv(2, 1) | {SCOPE} }}\n{JOIN}")
    again = analyze_text(expanded(graph, None, "test")).graph
    assert [(one.operation, one.inputs) for one in again.nodes] == [(one.operation, one.inputs) for one in graph.nodes]


def test_a_spec_may_have_blocks_of_their_names() -> None:
    items = "block unshuffled(c: int, f: block) { f -> conv(c, 1) }\nblock similarity(c: int) { conv(c, 1) }"
    stages = "unshuffled(4) { relu } -> similarity(5) -> tokens -> similarity(3) { relu | relu }"
    names = [node.operation.brief() for node in graph_of(stages, items).nodes]
    assert names == ["relu", "conv(4, 1)", "conv(5, 1)", "tokens", "relu", "relu", "similarity(3)"]


def test_the_reference_has_entries() -> None:
    assert "least product" in entries()["Joins"]["similarity"]
    assert "of the extents" in entries()["Scopes"]["unshuffled"]
