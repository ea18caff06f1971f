"""Modules that torch.fx traces: nothing in them depends on values or changes a tensor in place."""

import torch

from cifar_dsl.compiler import analyze_text
from cifar_dsl.training.lowering.torch_module import build_module

SHIFTED = """
arch shifted
input 8x8x8
model {
    windows(4, shift=2) { attention(2, before=relative_bias) }
    global_avgpool
    dense(10)
}
"""


def test_shifted_windows_can_be_traced() -> None:
    module = build_module(analyze_text(SHIFTED).graph, "shifted", seed=0).eval()
    images = torch.randn(3, 8, 8, 8, generator=torch.Generator().manual_seed(0))
    assert torch.equal(torch.fx.symbolic_trace(module)(images), module(images))
