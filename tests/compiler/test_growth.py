"""Networks of the literature that branches, lists of tensors and recursion express."""

import pytest
from helpers.specs import parse

from cifar_dsl.compiler import analyze_text
from cifar_dsl.language.syntax import print_spec
from cifar_dsl.views.flatten import expanded

METAFORMER = """\
arch metaformer
input 3x32x32
block metaformer_layer(mixer: block, mlp: block) {
    add { groupnorm(1) -> mixer -> layer_scale(1e-5) | identity }
    add { groupnorm(1) -> mlp -> layer_scale(1e-5) | identity }
}
model {
    for (c, n) in [(64, 2), (128, 2), (320, 6), (512, 2)] {
        conv(c, 3, 2, pad=1)
        repeat n {
            metaformer_layer {
                add { avgpool(3, 1, pad=1, count_pad=false) | scale(-1) }
              | conv(4 * c, 1) -> gelu -> conv(c, 1)
            }
        }
    }
    layernorm -> global_avgpool -> dense(10)
}
"""
STREAMS = """\
arch streams
input 3x32x32
block rep(c: int) {
    add {
        conv(c, 3, pad=1, bias=false) -> bn
      | conv(c, 1, bias=false) -> bn
      | if in_channels == c { bn } else { [] }
    }
    relu
}
block down(c: int, steps: int) {
    for i in 1..steps + 1 {
        conv(c if i == steps else in_channels, 3, 2, pad=1, bias=false) -> bn
        if i < steps { relu }
    }
}
block up(c: int, factor: int) { conv(c, 1, bias=false) -> bn -> upsample(factor) }
block exchange(streams: list, widths: list) {
    let mixed = []
    for to in 0..len(streams) {
        let total = add for from in 0..len(streams) {
            if from < to { streams[from] -> down(widths[to], to - from) }
            else if from == to { streams[from] }
            else { streams[from] -> up(widths[to], 2 * (from - to)) }
        }
        total = total -> relu
        mixed = mixed + [total]
    }
    mixed
}
model {
    rep(16) -> rep(16)
    let fine = conv(16, 3, pad=1) -> relu
    let coarse = conv(32, 3, 2, pad=1) -> relu
    let (a, b) = exchange([fine, coarse], [16, 32])
    a = a -> basic_block(16)
    (a, b) = exchange([a, b], [16, 32])
    concat { a -> avgpool(2) | b } -> global_avgpool -> dense(10)
}
"""
CELLS = """\
arch cells
input 3x32x32
block sep3(c: int, stride: int) { relu -> depthwise(3, stride) -> conv(c, 1, bias=false) -> bn }
block avg(c: int, stride: int) { avgpool(3, stride, pad=1, count_pad=false) }
block skip(c: int, stride: int) { identity }
param normal = [(1, sep3, 1, skip), (0, sep3, 1, sep3), (1, avg, 0, skip), (0, avg, 0, avg), (2, sep3, 3, sep3)]
param reduction = [(0, sep3, 1, sep3), (1, avg, 0, sep3), (2, avg, 3, skip)]
block fit(c: int, size: int) {
    relu
    if height == size { conv(c, 1, bias=false) } else {
        concat {
            identity[:, ::2, ::2] -> conv(c // 2, 1, bias=false)
          | identity[:, 1::2, 1::2] -> conv(c // 2, 1, bias=false)
        }
    }
    bn
}
block cell(c: int, stride: int, before: tensor, pairs: list, shown: list) {
    let size = height
    let older = before -> fit(c, size)
    let newer = fit(c, size)
    let all = [older, newer]
    for (i, f, j, g) in pairs {
        let pair = add { all[i] -> f(c, stride if i < 2 else 1) | all[j] -> g(c, stride if j < 2 else 1) }
        all = all + [pair]
    }
    concat for i in shown { all[i] }
}
model {
    conv(12, 3, pad=1, bias=false) -> bn
    let before = identity
    for (c, stride, pairs, shown) in [
        (4, 1, normal, [0, 4, 5, 6]),
        (8, 2, reduction, [3, 4]),
        (8, 1, normal, [4, 5, 6])
    ] {
        let here = identity
        cell(c, stride, before, pairs, shown)
        before = here
    }
    relu -> global_avgpool -> dense(10)
}
"""


@pytest.mark.parametrize(
    ("text", "parameters"),
    [
        # By hand: four convolutions between stages, and in each layer two scales, two norms and the MLP.
        (
            METAFORMER,
            sum(9 * a * c + c + n * (6 * c + 8 * c * c + 5 * c)
                for a, c, n in [(3, 64, 2), (64, 128, 2), (128, 320, 6), (320, 512, 2)]) + 1024 + 5130,
        ),
        # rep: (27 + 3) * 16 + 64, then (144 + 16) * 16 + 96; the streams' 2320 and 4640; the blocks' 4672 + 64;
        # each exchange 32 * 16 + 32 up and 16 * 9 * 32 + 64 down; dense 490.
        (STREAMS, 544 + 2656 + 2320 + 4640 + 4672 + 2 * (544 + 4672) + 490),
    ],
)  # fmt: skip
def test_counts_are_those_worked_out_by_hand(text: str, parameters: int) -> None:
    assert analyze_text(text).graph.cost.parameters == parameters


@pytest.mark.parametrize("text", [METAFORMER, STREAMS, CELLS], ids=["metaformer", "streams", "cells"])
def test_printed_and_expanded_texts_mean_the_same(text: str) -> None:
    found = analyze_text(text)
    assert analyze_text(print_spec(parse(text))).fingerprint == found.fingerprint
    again = analyze_text(expanded(found.graph, None, "test")).graph
    plain = [(node.operation, node.inputs) for node in found.graph.nodes]
    assert [(node.operation, node.inputs) for node in again.nodes] == plain


def test_cells_read_the_last_two_cells() -> None:
    graph = analyze_text(CELLS).graph
    shapes = [str(node.shape) for node in graph.nodes if node.operation.name == "concat" and "fit" not in node.path]
    assert shapes == ["16x32x32", "16x16x16", "24x16x16"]
    assert "cell2.pair3.add.branch2.skip.identity" in [node.path for node in graph.nodes]
