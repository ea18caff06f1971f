"""Drop schedules and global drop-path: what modules that drop are told before each step."""

import math
from types import SimpleNamespace

import pytest
import torch
from helpers.engines import Case
from helpers.training import meaning
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode

from cifar_dsl.training.drops import NO_COLUMN, Drops
from cifar_dsl.training.learner import Learner
from cifar_dsl.training.lowering.chance_modules import Dropping, MeanOfColumns, Mixed
from cifar_dsl.training.lowering.torch_module import build_module
from cifar_dsl.training.plan import Plan
from cifar_dsl.training.step_inputs import DeviceInputs

CELLS = """
arch cells
input 3x8x8
param p = 0.4
model {
    for i in 0..5 { add { relu -> conv(3, 1) -> drop_path(p * (i + 1) / 5) | identity } }
    shake_drop(0.5) -> dropout(0.25) -> flatten -> dense(10)
}
train {
    data npz("00")
    epochs 2.5
    batch 16
    optimizer sgd(lr=0.01)
    drop_schedule linear
}
"""
FRACTAL = """
arch fractal
input 3x8x8
block columns(n: int) {
    let short = conv(4, 3, pad=1)
    if n == 1 { [short] } else {
        let middle = mean(drop=0.15, global_share=0.5) { columns(n - 1) }
        let deep = middle -> columns(n - 1)
        [short] + deep
    }
}
model {
    repeat 2 { mean(drop=0.15, global_share=0.5) { columns(3) } -> relu }
    flatten
    dense(10)
}
train {
    data npz("00")
    epochs 40
    batch 4
    optimizer sgd(lr=0.01)
}
"""


def dropping(module: nn.Module) -> list[Dropping]:
    return [one for one in module.modules() if isinstance(one, Dropping)]


def probabilities(learner: Learner, epoch: int) -> list[list[float]]:
    """The probability to drop of each module, in each step of an epoch."""
    learner.epoch = epoch
    learner.begin_epoch()
    found = []
    for _ in range(learner.plan.steps_in(epoch)):
        with learner._drops.in_step(learner._inputs):
            found.append([float(one.p * one.factor) for one in dropping(learner.module)])
        learner._inputs.advance()
    return found


def keep_prob_of_nasnet(keep_prob: float, cell_num: int, num_cells: int, step: int, total_steps: int) -> float:
    """`_apply_drop_path` with `v3`, the default, of tensorflow/models, research/slim/nets/nasnet/nasnet_utils.py."""
    layer_ratio = (cell_num + 1) / float(num_cells)
    keep_prob = 1 - layer_ratio * (1 - keep_prob)
    current_ratio = min(1.0, step / total_steps)
    return 1 - current_ratio * (1 - keep_prob)


def test_a_linear_schedule_and_arithmetic_are_scheduled_drop_path_of_nasnet() -> None:
    learner = Case(CELLS).learner()
    steps = [step for epoch in (1, 2, 3) for step in probabilities(learner, epoch)]
    assert len(steps) == 10  # 4 in an epoch of 50 images
    for number, found in enumerate(steps):
        theirs = [1 - keep_prob_of_nasnet(0.6, cell, 5, number, 10) for cell in range(5)]
        # Probabilities of at most 1 as float32.
        assert found == pytest.approx([*theirs, 0.5 * number / 10], abs=1e-7)


def test_a_cosine_rises_from_start_to_all() -> None:
    learner = Case(CELLS, ("train.drop_schedule=cosine(start=0.2)", "p=0")).learner()
    found = [step[-1] / 0.5 for epoch in (1, 2, 3) for step in probabilities(learner, epoch)]
    expected = [0.2 + 0.8 * math.sin(math.pi / 2 * number / 10) ** 2 for number in range(10)]
    # Probabilities of at most 1 as float32, doubled.
    assert found == pytest.approx(expected, abs=2e-7)


def test_only_a_step_sees_the_factor_and_dropout_never_does() -> None:
    """Evaluation, and copies of the network such as averages of weights, use the full probability."""
    learner = Case(CELLS).learner()
    assert {one.factor for one in dropping(learner.module)} == {1.0}
    learner.begin_epoch()
    with learner._drops.in_step(learner._inputs):
        assert all(isinstance(one.factor, Tensor) for one in dropping(learner.module))
    assert {one.factor for one in dropping(learner.module)} == {1.0}
    assert [one.p for one in learner.module.modules() if isinstance(one, nn.Dropout)] == [0.25]


def test_a_constant_schedule_leaves_numbers_as_they_are() -> None:
    """`bernoulli_` draws otherwise for a probability in a tensor, so other trainings stay what they were."""
    learner = Case(CELLS, ("train.drop_schedule=constant",)).learner()
    learner.begin_epoch()
    with learner._drops.in_step(learner._inputs):
        assert {type(one.factor) for one in dropping(learner.module)} == {float}


def test_half_of_the_steps_keep_one_column_everywhere() -> None:
    learner = Case(FRACTAL).learner()
    drawn = []
    for epoch in range(1, 41):
        learner.epoch = epoch
        learner.begin_epoch()
        for _ in range(learner.plan.steps):
            with learner._drops.in_step(learner._inputs):
                columns = {float(one.column) for one in learner.module.modules() if isinstance(one, MeanOfColumns)}
            assert len(columns) == 1
            drawn += columns
            learner._inputs.advance()
    shares = [drawn.count(column) / len(drawn) for column in (NO_COLUMN, 0, 1, 2)]
    assert len(drawn) == 520
    # Five standard deviations of a share of 520: 5 * sqrt(0.25 / 520).
    assert shares == pytest.approx([1 / 2, 1 / 6, 1 / 6, 1 / 6], abs=0.11)
    assert drawn != [float(next(iter(row))) for row in Case(FRACTAL).learner(1)._drops.hyperparameters(1)]


@pytest.mark.parametrize(
    ("column", "convolutions"),
    [(0, 4), (1, 2), (2, 1)],  # counted from the deepest
)
def test_a_column_alone_is_a_plain_network(column: int, convolutions: int) -> None:
    module = Case(FRACTAL).learner().module.train()
    joins = [one for one in module.modules() if isinstance(one, MeanOfColumns)]
    assert len(joins) == 4  # in each block one of three branches, and one of two
    for one in joins:
        one.column = torch.tensor(float(column))
    module(torch.randn(5, 3, 8, 8)).sum().backward()
    gradients = [one.weight.grad for one in module.modules() if isinstance(one, nn.Conv2d)]
    assert len(gradients) == 2 * 7
    assert sum(one is not None and bool(one.any()) for one in gradients) == 2 * convolutions


def test_the_layers_that_a_schedule_changes_say_so() -> None:
    """So `check` knows whether `drop_schedule` has an effect."""
    stages = """shake { tanh | relu } -> drop_path(0.3) -> shake_drop(0.3) -> drop_block(2, 0.3) -> channel_dropout(0.2)
    mean(drop=0.3, global_share=0.5) { tanh | relu } -> mean(drop=0.3) { tanh | relu } -> stochastic_pool(2)"""
    graph, _ = meaning(CELLS.replace("shake_drop(0.5)", stages))
    module = build_module(graph, "test", 0)
    for node in graph.nodes:
        own = module.get_submodule(node.path)
        assert isinstance(getattr(own, "join", own), Dropping) == (node.operation.scheduled_drop > 0), node.path


def test_on_pretended_cuda_tensors_everything_stays_on_the_device() -> None:
    """Each operation on tensors of two devices is an error, as on a GPU; autograd's engine requires a real one."""
    stages = """shake { tanh | relu } -> drop_path(0.3) -> shake_drop(0.3) -> drop_block(2, 0.3)
    mean(drop=0.3, global_share=0.5) { tanh | relu } -> mean(drop=0.3) { tanh | relu } -> stochastic_pool(2)"""
    graph, recipe = meaning(CELLS.replace("shake_drop(0.5)", f"conv(4, 1) -> {stages}"))
    module, device, plan = build_module(graph, "test", 0), torch.device("cuda", 0), Plan.of(recipe, 50)
    hyperparameters = Drops(recipe.drop_schedule, module, plan, 0, torch.device("cpu"), 0).hyperparameters(1)
    with FakeTensorMode():

        def pretended(tensor: Tensor) -> Tensor:
            return torch.empty(tensor.shape, dtype=tensor.dtype, device=device, requires_grad=tensor.requires_grad)

        tensors = {name: pretended(one) for name, one in [*module.named_parameters(), *module.named_buffers()]}
        drops = Drops(recipe.drop_schedule, module, plan, 0, device, 0)
        inputs, images = DeviceInputs(0, device), torch.rand(4, 3, 8, 8, device=device)
        inputs.begin_epoch(1, torch.arange(50, device=device), hyperparameters, 0, 0)
        for is_training in (True, False):
            with drops.in_step(inputs):
                scores = torch.func.functional_call(module.train(is_training), tensors, (images,))
            assert (scores.device, scores.shape) == (device, (4, 10))
        context = SimpleNamespace(saved_tensors=(torch.rand(4, 2, device=device),))
        gradients = Mixed.backward(context, images)[2:]
        assert [(one.device, one.shape) for one in gradients] == [(device, images.shape)] * 2
