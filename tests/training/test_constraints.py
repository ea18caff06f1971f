"""Max-norm equals a projection by hand after each step of torch's optimizer, for every layout of weights."""

import numpy as np
import pytest
import torch
from helpers.tolerances import TRAINED
from helpers.training import CPU, fitted, meaning

from cifar_dsl.compiler import analyze_text
from cifar_dsl.training import draws
from cifar_dsl.training.images import load_images
from cifar_dsl.training.lowering.torch_module import build_module

COUNT, BATCH, EPOCHS = 50, 16, 2  # the last batch holds 2 images
SPEC = """
arch limited
input 3x8x8
model {
    conv(4, 3) -> bn -> relu
    conv_transpose(6, 2, 2, groups=2) -> relu
    locally_connected(4, 4, 4)
    flatten
    dense(10)
}
train {
    data npz("00")
    normalize signed
    epochs 2
    batch 16
    optimizer sgd(lr=0.2, momentum=0.9)
    constrain max_norm(0.5)
    group last {
        select     "dense.*"
        constrain  max_norm(0.3)
    }
}
"""
NAMES = {"conv.weight": (1, 2, 3), "conv_transpose.weight": None, "locally_connected.weight": 2, "dense.weight": 1}


def pictures(seed: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    return random.integers(0, 256, (count, 8, 8, 3), np.uint8), random.integers(0, 10, count)


TRAIN, TEST = pictures(0, COUNT), pictures(1, 30)


def project(w: torch.Tensor, axes: int | tuple[int, ...], limit: float) -> torch.Tensor:
    """pylearn2/costs/mlp and models/mlp.py: `max_col_norm`; returns the norms before it."""
    norms = w.pow(2).sum(axes, keepdim=True).sqrt()
    w.mul_(norms.clamp(0, limit) / (1e-7 + norms))
    return norms


def rows_of(name: str, w: torch.Tensor) -> tuple[torch.Tensor, int | tuple[int, ...]]:
    """The weight as a tensor whose `axes` are those of a row."""
    if name == "conv_transpose.weight":
        return w.view(2, 2, 3, 2, 2), (1, 3, 4)  # groups, their inputs, their outputs, height, width
    return w, NAMES[name]


def trained_by_hand(graph, recipe, images) -> tuple[dict[str, torch.Tensor], int]:
    """The weights after training, and how many rows were too long."""
    module = build_module(graph, "network", 0)
    optimizer = torch.optim.SGD(module.parameters(), lr=0.2, momentum=0.9)
    limited = 0
    for epoch in range(1, EPOCHS + 1):
        for index in draws.permutation(0, epoch, COUNT).split(BATCH):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(module(images.batch(index)), images.labels[index]).backward()
            optimizer.step()
            for name in NAMES:
                limit = 0.3 if name == "dense.weight" else 0.5
                norms = project(*rows_of(name, module.get_parameter(name).data), limit)
                limited += int((norms > limit).sum())
    return module.state_dict(), limited


def test_max_norm_equals_projection_by_hand():
    graph, recipe = meaning(SPEC)
    splits = load_images(recipe, TRAIN, TEST, CPU)
    expected, limited = trained_by_hand(graph, recipe, splits.train)
    assert limited > 300
    weights = fitted(graph, recipe, splits)[0].weights
    for name, tensor in expected.items():
        torch.testing.assert_close(weights[name], tensor, **TRAINED, msg=name)
    for name in NAMES:
        rows, axes = rows_of(name, weights[name])
        limit = 0.3 if name == "dense.weight" else 0.5
        assert torch.linalg.vector_norm(rows, dim=axes).max() <= limit * (1 + 1e-6)


def test_capped_weights_are_another_function():
    graph, recipe = meaning(SPEC, ["train.constrain=none", "train.group.last.constrain=none"])
    weight = fitted(graph, recipe, load_images(recipe, TRAIN, TEST, CPU))[0].weights["dense.weight"]
    assert weight.norm(dim=1).max() > 0.3
    capped = SPEC.replace("dense(10)", "dense(10, weight=capped(0.3))")
    graph, recipe = meaning(capped, ["train.constrain=none", "train.group.last.constrain=none"])
    weight = fitted(graph, recipe, load_images(recipe, TRAIN, TEST, CPU))[0].weights["dense.weight"]
    assert weight.norm(dim=1).max() > 0.3  # the layer uses scaled rows, and the weight itself grows


@pytest.mark.parametrize("average", ["none", "ema(0.9)", "lookahead(every=3)"])
def test_averages_of_limited_weights_are_within_the_limit(average):
    graph, recipe = meaning(SPEC, [f"train.average={average}"])
    weight = fitted(graph, recipe, load_images(recipe, TRAIN, TEST, CPU))[0].weights["dense.weight"]
    assert weight.norm(dim=1).max() <= 0.3 * (1 + 1e-6)


def test_a_group_inherits_the_constraint_and_can_lift_it():
    recipe = analyze_text(SPEC).recipe
    assert recipe is not None
    assert (recipe.constrain.limit, recipe.groups[0].constrain.limit) == (0.5, 0.3)
    inherited = analyze_text(SPEC.replace("        constrain  max_norm(0.3)\n", ""))
    lifted = analyze_text(SPEC, overrides=["train.group.last.constrain=none"])
    assert (inherited.recipe.groups[0].constrain.limit, lifted.recipe.groups[0].constrain.name) == (0.5, "none")
    assert len({one.fingerprint for one in (analyze_text(SPEC), inherited, lifted)}) == 3
