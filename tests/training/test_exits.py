"""Networks with exits: what they return, and how they are trained."""

import pytest
import torch
from helpers.engines import pictures
from helpers.specs import graph_of
from helpers.tolerances import SAME_FORMULA, TRAINED, sums
from helpers.training import CPU, Outcome, fitted, meaning
from helpers.waits import HostWaits
from torch import nn
from torch.nn import functional as F  # noqa: N812

from cifar_dsl.training import draws
from cifar_dsl.training.engines import EagerEngine
from cifar_dsl.training.images import load_images
from cifar_dsl.training.learner import Learner
from cifar_dsl.training.lowering.torch_module import build_module

SPEC = """
arch small
input 3x8x8
block stage(c: int) {
    add { conv(c, 3, pad=1) -> relu | conv(c, 1) }
    let early = flatten -> dense(6) -> relu -> dense(10) -> exit(0.3)
    relu
}
model {
    stage(4)
    let late = global_avgpool -> dense(10) -> exit(0.5)
    flatten
    dense(10)
}
train {
    data npz("00")
    normalize signed
    epochs 2
    batch 16
    optimizer sgd(lr=0.05)
}
"""
WITHOUT_EXITS = SPEC.replace(" -> exit(0.3)", "").replace(" -> exit(0.5)", "")
TRAIN, TEST = pictures(0, 50), pictures(1, 30)


def train(*overrides: str, text: str = SPEC) -> Outcome:
    graph, recipe = meaning(text, overrides)
    return fitted(graph, recipe, load_images(recipe, TRAIN, TEST, CPU))[0]


def network(text: str = SPEC) -> nn.Module:
    return build_module(meaning(text)[0], "small", seed=0)


def images() -> torch.Tensor:
    return torch.randn(4, 3, 8, 8, generator=torch.Generator().manual_seed(0))


def test_training_returns_all_outputs_and_evaluation_the_last_one():
    module, x = network(), images()
    output, early, late = module(x)
    assert output.shape == early.shape == late.shape == (4, 10)
    assert module.eval()(x).shape == (4, 10)
    torch.testing.assert_close(module(x), output, **sums(output))
    # The stages have the same names, and so the same weights.
    assert torch.equal(network(WITHOUT_EXITS).eval()(x), module(x))


def test_an_evaluation_runs_no_stage_that_only_leads_to_exits():
    module, ran = network().eval(), []
    for name, child in module.named_modules():
        child.register_forward_hook(lambda _, __, ___, name=name: ran.append(name))
    module(images())
    assert "stage.relu" in ran
    assert not [name for name in ran if "early" in name or "late" in name]
    module.train()(images())
    assert {"stage.early.dense2", "late.dense"} <= {*ran}


def test_an_exit_on_the_way_to_the_output_is_evaluated():
    module = build_module(graph_of("flatten\nlet a = dense(10) -> exit(0.5)\nadd { a | dense(10) }"), "t", seed=0)
    output, exit_ = module(images())
    assert torch.equal(module.eval()(images()), output)
    assert not torch.equal(output, exit_)


def test_a_body_that_passes_its_input_on_beside_an_exit_is_evaluated():
    graph = graph_of(
        "flatten\nboth { dense(10) | let early = dense(10) -> exit(0.3) }", "block both(f: block, g: block) { f -> g }"
    )
    module = build_module(graph, "t", seed=0)
    output, _ = module(images())
    assert torch.equal(module.eval()(images()), output)


def test_a_stage_after_an_exit_does_not_overwrite_its_scores():
    module = build_module(graph_of("flatten -> dense(10) -> exit -> relu -> dense(10)"), "t", seed=0)
    _, scores = module(images())
    assert (scores < 0).any()


def gradients(text: str) -> dict[str, torch.Tensor]:
    """Those of the first step."""
    graph, recipe = meaning(text)
    splits = load_images(recipe, TRAIN, TEST, CPU)
    learner = Learner(graph, recipe, "small", 0, splits.train, EagerEngine(CPU))
    learner.begin_epoch()
    learner.prepare().run()
    return {name: p.grad for name, p in learner.module.named_parameters() if p.grad is not None}


def test_the_weight_of_an_exit_scales_its_part_of_the_gradient():
    one, two, other = (gradients(SPEC.replace("exit(0.3)", f"exit({weight})")) for weight in (0.3, 0.6, 0))
    for name, gradient in one.items():
        if "early" in name:
            torch.testing.assert_close(two[name], 2 * gradient, **SAME_FORMULA)
            assert name not in other
        elif "conv" in name:  # it has a part of each output
            of_early = gradient - other[name]
            assert of_early.norm() > 1e-3 * gradient.norm()
            torch.testing.assert_close(two[name] - other[name], 2 * of_early, **sums(gradient))
        else:
            assert torch.equal(two[name], gradient)


def test_training_equals_a_plain_pytorch_loop():
    module = network()
    x = torch.from_numpy(TRAIN[0]).permute(0, 3, 1, 2).float() / 127.5 - 1
    y = torch.from_numpy(TRAIN[1])
    optimizer = torch.optim.SGD(module.parameters(), lr=0.05)
    for epoch in (1, 2):
        losses, hits = [0.0] * 4, [0] * 3
        for index in draws.permutation(0, epoch, 50).split(16):
            optimizer.zero_grad()
            scores = module(x[index])
            each = [F.cross_entropy(one, y[index]) for one in scores]
            loss = each[0] + 0.3 * each[1] + 0.5 * each[2]
            loss.backward()
            optimizer.step()
            losses = [total + one.item() * len(index) for total, one in zip(losses, (loss, *each), strict=True)]
            hits = [count + int((one.argmax(1) == y[index]).sum()) for count, one in zip(hits, scores, strict=True)]
    outcome = train()
    torch.testing.assert_close(outcome.weights, module.state_dict(), **TRAINED)
    metrics = outcome.metrics[-1]
    found = [metrics.train_loss, *(one.train_loss for one in metrics.exits)]
    # Twelve steps whose sums are taken in another order, as with TRAINED.
    assert found == pytest.approx([losses[place] / 50 for place in (0, 2, 3)], rel=1e-5)
    assert [metrics.train_accuracy, *(one.train_accuracy for one in metrics.exits)] == [count / 50 for count in hits]
    assert [one.name for one in metrics.exits] == ["stage.early", "late"]


@pytest.mark.parametrize(
    "override",
    [
        "train.augment=flip -> mixup(0.4) -> cutmix",
        "train.loss=cross_entropy(label_smoothing=0.1, reduction=sum)",
        "train.loss=bce",
        "train.test_augment=mirror",
        "train.validation=10",
        "train.average=ema(0.9)",
        "train.average=swa(start=1)",
    ],
)
def test_exits_learn_what_the_network_learns(override):
    """An exit with the stages of the output has its metrics, whatever the recipe."""
    twin = "let last = dense(10)\n    let twin = last -> exit(0.5)\n    last"
    text = SPEC.replace("flatten\n    dense(10)\n}", f"flatten\n    {twin}\n}}")
    for one in train(override, text=text).metrics:
        twin = one.exits[-1]
        assert twin.name == "twin"
        assert twin.train_accuracy == one.train_accuracy
        others = 0.3 * one.exits[0].train_loss + 0.5 * one.exits[1].train_loss
        # A difference of losses in float32, each up to ten times as large, and so ten times the error of FLOAT32.
        assert one.train_loss - others == pytest.approx(1.5 * twin.train_loss, rel=2e-5)


def test_an_exit_of_weight_0_is_measured_and_not_trained():
    text = SPEC.replace("exit(0.5)", "exit(0)")
    outcome, start = train(text=text), network(text)
    assert outcome.metrics[-1].exits[1].train_loss > 0
    for name, weight in outcome.weights.items():
        assert torch.equal(weight, start.state_dict()[name]) == ("late" in name), name


def test_the_output_has_the_weight_of_the_exit_at_its_end():
    halved = SPEC.replace("flatten\n    dense(10)\n}", "flatten\n    dense(10) -> exit(0.5)\n}")
    whole, half = gradients(SPEC), gradients(halved)
    torch.testing.assert_close(half["dense.weight"], whole["dense.weight"] / 2, **SAME_FORMULA)
    assert torch.equal(half["late.dense.weight"], whole["late.dense.weight"])


def test_checkpoints_hold_the_sums_of_exits():
    graph, recipe = meaning(SPEC)
    splits = load_images(recipe, TRAIN, TEST, CPU)
    learner, other = (Learner(graph, recipe, "small", 0, splits.train, EagerEngine(CPU)) for _ in range(2))
    learner.begin_epoch()
    learner.prepare().run()
    other.restore({name: tensor.clone() for name, tensor in learner.state().items()}, 1, 1)
    assert other.exit_means() == learner.exit_means()
    assert all(loss > 0 for loss, _ in learner.exit_means())
    plain = Learner(*meaning(WITHOUT_EXITS), "small", 0, splits.train, EagerEngine(CPU))
    assert learner.state().keys() - plain.state().keys() == {"exits.losses", "exits.hits"}


def test_a_step_with_exits_never_waits_for_the_device():
    graph, recipe = meaning(SPEC)
    splits = load_images(recipe, TRAIN, TEST, CPU)
    learner = Learner(graph, recipe, "small", 0, splits.train, EagerEngine(CPU, inputs_on_device=True))
    learner.begin_epoch()
    learner.prepare().run()
    learner.prepare()
    with HostWaits() as waits:
        learner.step()
    assert waits.found == []
