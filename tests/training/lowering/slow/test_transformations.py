"""What torch does with networks: compile, export and differentiate them."""

import copy
import pickle
import warnings
from collections.abc import Iterator

import pytest
import torch
from helpers.specs import graph_of
from helpers.tolerances import SAME_FORMULA
from torch import Tensor, nn

from cifar_dsl.compiler import analyze
from cifar_dsl.foundation.resources import specs_directory
from cifar_dsl.training.lowering.torch_module import build_module

EVERYTHING = [
    "blurpool -> lppool(3, 2) -> upsample(2, bilinear) -> shuffle(2) -> pad_channels(1) -> slice(0, 4) -> glu -> prelu",
    "mul { layernorm | global_maxpool | global_avgpool(keep=true) } -> layer_scale(0.5) -> scale(3) -> drop_path(0.5)",
    "pad_image([0, 2, 1, 1], reflect) -> patches(8, 2) -> class_token -> position_embedding -> prelu -> attention(2)\n"
    "concat { token(0) | global_maxpool }",
    "power(2) -> scale(2, offset=1) -> log -> exp -> affine -> l2norm -> unfold(3, pad=1) -> locally_connected(4, 3)",
    "concat(rows) { identity[:, 3:, :] | identity[:, :3, :] } -> softmax(columns) -> identity[:, ::2, 1::2]\n"
    "add { identity | learned((4, 1, 3)) | global_avgpool } -> tokens -> bn -> position_embedding(sine)",
    "conv(4, 1)\nlet x = tanh\nshake { x | x | relu }\nmean(drop=0.5) { x | x | identity }",
    "tokens -> transpose -> softmax -> transpose -> layer_scale(0.5) -> attention(2, dropout=0.5) -> grid(4x9)",
    "conv(4, 1) -> shake { relu | tanh } -> mean(drop=0.5) { relu | tanh } -> shake_drop(0.5) -> drop_block(2, 0.2)\n"
    "mean(drop=0.5, global_share=0.5) { relu | sigmoid } -> stochastic_pool(2)",
]


def built(stages: str) -> nn.Module:
    return build_module(graph_of(stages, size="4x6x6"), "test", seed=0)


def shipped(name: str) -> nn.Module:
    return build_module(analyze(specs_directory() / f"{name}.arch").graph, name, seed=0).eval()


def images(count: int = 3, size: tuple[int, ...] = (4, 6, 6)) -> Tensor:
    return torch.randn(count, *size, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def _fresh_compiler() -> Iterator[None]:
    """Torch compiles a method for a few modules only, and `Body.forward` is that of all networks."""
    torch.compiler.reset()
    yield
    torch.compiler.reset()


@pytest.mark.usefixtures("_fresh_compiler")
@pytest.mark.parametrize("stages", EVERYTHING)
@pytest.mark.parametrize("training", [False, True])
def test_it_is_compiled_as_one_graph(stages: str, training: bool) -> None:
    module = built(stages).train(training)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"torch\..*")  # torch's own deprecations
        warnings.filterwarnings("ignore", category=DeprecationWarning)
        compiled = torch.compile(module, fullgraph=True, backend="aot_eager")
        y = compiled(images())
        if not training:
            torch.testing.assert_close(y, module(images()), **SAME_FORMULA)
        y.sum().backward()
    assert all(p.grad is not None for p in module.parameters())


@pytest.mark.usefixtures("_fresh_compiler")
@pytest.mark.parametrize("name", ["baseline", "residual"])
def test_a_shipped_spec_is_compiled_as_one_graph(name: str) -> None:
    module = shipped(name)
    x = images(2, (3, 32, 32))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"torch\..*")  # torch's own deprecations
        warnings.filterwarnings("ignore", category=DeprecationWarning)
        compiled = torch.compile(module, fullgraph=True, backend="aot_eager")
        torch.testing.assert_close(compiled(x), module(x), **SAME_FORMULA)


@pytest.mark.parametrize("stages", EVERYTHING)
def test_it_is_exported_for_any_number_of_images(stages: str) -> None:
    _export(built(stages).eval(), images(), images(5))


def test_a_shipped_spec_is_exported() -> None:
    _export(shipped("residual"), images(2, (3, 32, 32)), images(3, (3, 32, 32)))


def _export(module: nn.Module, x: Tensor, more: Tensor) -> None:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"torch\..*")  # torch's own deprecations
        warnings.filterwarnings("ignore", category=DeprecationWarning)
        shapes = {"x": {0: torch.export.Dim("batch")}}
        exported = torch.export.export(module, (x,), dynamic_shapes=shapes).module()
    for batch in (x, more):
        torch.testing.assert_close(exported(batch), module(batch), **SAME_FORMULA)


@pytest.mark.parametrize("stages", EVERYTHING)
def test_it_is_traced_for_any_number_of_images(stages: str) -> None:
    module = built(stages).eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch.jit is deprecated, and the tracer warns of each Python number
        traced = torch.jit.trace(module, images())  # type: ignore[no-untyped-call]
    torch.testing.assert_close(traced(images(5)), module(images(5)), **SAME_FORMULA)


def test_what_fx_and_torchscript_can_do() -> None:
    """As docs/api.md says."""
    module, x = shipped("residual"), images(2, (3, 32, 32))
    assert torch.equal(torch.fx.symbolic_trace(module)(x), module(x))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch.jit is deprecated
        with pytest.raises(torch.jit.frontend.NotSupportedError, match="variable number of arguments"):
            torch.jit.script(module)


@pytest.mark.parametrize("stages", EVERYTHING)
def test_it_can_be_copied_pickled_and_called_by_keyword(stages: str) -> None:
    module = built(stages).eval()
    for other in (copy.deepcopy(module), pickle.loads(pickle.dumps(module))):
        assert torch.equal(other(x=images()), module(images()))


@pytest.mark.parametrize("stages", EVERYTHING)
def test_gradients_are_those_of_finite_differences(stages: str) -> None:
    module = built(stages).double().eval()
    assert torch.autograd.gradcheck(module, images(count=1).double().requires_grad_())
