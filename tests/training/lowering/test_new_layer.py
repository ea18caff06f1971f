"""A trial: a new layer is one class, and without other changes a spec can use it, train it and look it up."""

import pytest
import torch
from helpers.specs import TRAIN, errors_of, text_of
from helpers.training import CPU, meaning

from cifar_dsl.analysis.activation_trace import kept_bytes
from cifar_dsl.compiler import analyze_text
from cifar_dsl.ir import Execution, Lowering, Shape, argument, declared
from cifar_dsl.ir.execution import INPUT
from cifar_dsl.operations.argument_types import Float
from cifar_dsl.operations.layers.base import LAYERS, Layer
from cifar_dsl.training.lowering.torch_module import build_module
from cifar_dsl.views.reference import entries

STAGES = "flatten -> threshold(0.25) -> dense(10)"


@pytest.fixture(autouse=True)
def threshold(monkeypatch: pytest.MonkeyPatch) -> None:
    """All that someone who adds a layer writes; in the package it would stand in a file of operations/layers."""
    monkeypatch.setattr(LAYERS, "_declared", {**LAYERS._declared})

    @LAYERS.register("threshold")
    @declared
    class Threshold(Layer):
        """x where it is greater than `least`, else `instead`: (...) -> (...).

        Torch: https://docs.pytorch.org/docs/stable/generated/torch.nn.Threshold.html
        """

        family = "activation"
        execution = Execution(saves=INPUT)
        least: float = argument(Float(), "what is replaced is not greater")
        instead: float = argument(Float(), "what replaces it", default=0.0)

        def lower(self, x: Shape) -> Lowering:
            return Lowering.to("torch.nn.Threshold", threshold=self.least, value=self.instead)


def test_a_spec_can_use_it() -> None:
    node = analyze_text(text_of(STAGES)).graph.nodes[1]
    assert (node.path, node.shape, node.operation.brief()) == ("threshold", Shape((192,)), "threshold(0.25)")


def test_its_arguments_are_checked() -> None:
    (error,) = errors_of(text_of(STAGES.replace("0.25", "least=0.25, insted=1")))
    assert (error.code, error.help) == ("E0301", ("did you mean `instead`?",))


def test_its_memory_is_counted() -> None:
    without = analyze_text(text_of(STAGES.replace("-> threshold(0.25)", ""))).graph
    # Nothing before it is trained, so nothing is saved for it; behind a dense layer its input is.
    assert kept_bytes(analyze_text(text_of(STAGES)).graph) == kept_bytes(without)
    behind = analyze_text(text_of("flatten -> dense(10) -> threshold(0.25)")).graph
    assert kept_bytes(behind) == kept_bytes(without) + 4 * 10


def test_it_computes_and_takes_a_step() -> None:
    graph, recipe = meaning(text_of(STAGES, size="3x32x32") + TRAIN)
    module = build_module(graph, "test", seed=0).to(CPU)
    x = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    assert torch.equal(module.threshold(x), torch.where(x > 0.25, x, torch.zeros(())))
    before = module.dense.weight.detach().clone()
    module(x).square().sum().backward()
    torch.optim.SGD(module.parameters(), lr=recipe.optimizer.lr).step()
    assert not torch.equal(module.dense.weight, before)


def test_the_reference_has_an_entry() -> None:
    entry = entries()["Layers"]["threshold"]
    assert "| `least` | a number |  | what is replaced is not greater |" in entry
