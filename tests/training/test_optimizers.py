"""Parameter groups with their own optimizer, schedule and number of epochs."""

import copy

import pytest
import torch
from helpers.pictures import images
from helpers.tolerances import TRAINED
from helpers.training import CPU, meaning, without_idle_biases
from helpers.waits import HostWaits
from torch import Tensor, nn

from cifar_dsl.training import draws
from cifar_dsl.training.device_momentum import DeviceAdam
from cifar_dsl.training.engines import EagerEngine
from cifar_dsl.training.images import Splits
from cifar_dsl.training.learner import Learner
from cifar_dsl.training.lion import Lion
from cifar_dsl.training.loop import Callbacks, fit
from cifar_dsl.training.lowering.torch_module import build_module
from cifar_dsl.training.muon import Muon
from cifar_dsl.training.optimizers import Optimizers
from cifar_dsl.training.plan import Plan
from cifar_dsl.training.step_inputs import DeviceInputs, HostInputs

COUNT, BATCH, STEPS = 40, 10, 4
SPEC = """
arch grouped
input 3x7x6
model {{ conv(4, 3) -> relu -> flatten -> dense(10) }}
train {{
    data npz("00")
    normalize unit
    epochs 3
    batch 10
    optimizer sgd(lr=0.001)
    {more}
}}
"""


def learner(text: str) -> Learner:
    graph, recipe = meaning(text)
    return Learner(without_idle_biases(graph), recipe, "grouped", 0, images(), EagerEngine(CPU))


def train(more: str, until: int = 3) -> dict[str, Tensor]:
    """The weights after some of three epochs."""
    made, kept = learner(SPEC.format(more=more)), {}

    def keep(trained: Learner, _epoch: object) -> None:
        kept[trained.epoch - 1] = {name: tensor.clone() for name, tensor in trained.module.state_dict().items()}

    fit([made], Splits(images(), images()), Callbacks(on_epoch=keep))
    return kept[until]


def by_hand(make, factors, changes=lambda _module, _done: None) -> dict[str, Tensor]:
    """The same training with torch's optimizers in a plain loop; `factors` scale each rate in each step."""
    module = build()
    optimizers = make(module)
    rates = [optimizer.param_groups[0]["lr"] for optimizer in optimizers]
    data = images()
    for done in range(3 * STEPS):
        epoch, step = divmod(done, STEPS)
        index = draws.permutation(0, epoch + 1, COUNT)[step * BATCH : (step + 1) * BATCH]
        module.zero_grad()
        nn.functional.cross_entropy(module(data.batch(index)), data.labels[index]).backward()
        changes(module, done)
        for optimizer, rate, factor in zip(optimizers, rates, factors(done / STEPS), strict=True):
            optimizer.param_groups[0]["lr"] = rate * factor
            if factor:
                optimizer.step()
    return module.state_dict()


def build() -> nn.Module:
    return build_module(meaning(SPEC.format(more=""))[0], "grouped", 0)


def close(ours: dict[str, Tensor], expected: dict[str, Tensor]) -> bool:
    return all(torch.allclose(tensor, expected[name], **TRAINED) for name, tensor in ours.items())


def group(name: str, *settings: str) -> str:
    return "\n".join([f"group {name} {{", *settings, "}"])


BIASES = group("biases", "select bias", "optimizer sgd(lr=0.01, momentum=0.9)", "schedule linear", "epochs 1.5")
HEAD = group("head", 'select "dense.*"', "optimizer adam(lr=1e-3, eps=1e-3)")
MUON = group("filters", "select filter", "optimizer muon(lr=0.05, momentum=0.6, steps=3, rescale=true)")


def test_each_group_has_its_own_optimizer_schedule_and_epochs():
    def make(module: nn.Module) -> list[torch.optim.Optimizer]:
        biases = [module.get_parameter("conv.bias"), module.get_parameter("dense.bias")]
        return [
            torch.optim.SGD(biases, 0.01, momentum=0.9),
            torch.optim.Adam([module.get_parameter("dense.weight")], 1e-3, eps=1e-3),
            torch.optim.SGD([module.get_parameter("conv.weight")], 0.001),
        ]

    expected = by_hand(make, lambda passed: (max(0, 1 - passed / 1.5), 1, 1))
    assert close(train(BIASES + "\n" + HEAD), expected)
    assert not close(train(BIASES), expected)
    assert not close(train(""), expected)


def test_a_group_freezes_after_its_epochs():
    second, third = train(BIASES, 2), train(BIASES, 3)
    assert torch.equal(second["conv.bias"], third["conv.bias"])
    assert torch.equal(second["dense.bias"], third["dense.bias"])
    assert not torch.equal(train(BIASES, 1)["conv.bias"], second["conv.bias"])
    assert not torch.equal(second["conv.weight"], third["conv.weight"])


def test_lookahead_moves_no_group_after_its_epochs():
    # Updates follow steps 3, 6, 9 and 12; the group ends after step 4.
    more = BIASES.replace("epochs 1.5", "epochs 1") + "\naverage lookahead(every=3)"
    ended, later = train(more, 1), train(more, 2)
    assert torch.equal(ended["conv.bias"], later["conv.bias"])
    assert not torch.equal(ended["conv.weight"], later["conv.weight"])


@pytest.mark.parametrize("is_moved_first", [True, False])
def test_averages_follow_each_other_in_the_order_of_the_chain(is_moved_first):
    chain = ["lookahead(every=1, rate=0.25)", "ema(0.5)"]
    text = SPEC.format(more=f"average {' -> '.join(chain if is_moved_first else reversed(chain))}")
    made = learner(text.replace("epochs 3", "epochs 0.25"))  # one step: the first update of ema copies the weights
    fit([made], Splits(images(), images()), Callbacks())
    plain = learner(SPEC.format(more="").replace("epochs 3", "epochs 0.25"))
    fit([plain], Splits(images(), images()), Callbacks())
    expected = made.module if is_moved_first else plain.module
    averaged = made.evaluated.get_parameter("dense.weight")
    assert torch.equal(averaged, expected.get_parameter("dense.weight"))
    assert not torch.equal(made.module.get_parameter("dense.weight"), plain.module.get_parameter("dense.weight"))


def test_frozen_groups_are_excluded_from_the_clipped_norm():
    def clip(module: nn.Module, done: int) -> None:
        trained = [
            parameter for name, parameter in module.named_parameters() if done < 2 * STEPS or name.startswith("dense")
        ]
        nn.utils.clip_grad_norm_(trained, 0.1)

    def make(module: nn.Module) -> list[torch.optim.Optimizer]:
        conv = [module.get_parameter("conv.weight"), module.get_parameter("conv.bias")]
        dense = [module.get_parameter("dense.weight"), module.get_parameter("dense.bias")]
        return [torch.optim.SGD(conv, 0.02), torch.optim.SGD(dense, 0.001)]

    expected = by_hand(make, lambda passed: (passed < 2, 1), clip)
    stem = group("stem", 'select "conv.*"', "optimizer sgd(lr=0.02)", "epochs 2")
    assert close(train("clip norm(0.1)\n" + stem), expected)


def test_nothing_trains_after_the_epochs_of_every_group():
    more = group("everything", 'select "*"', "epochs 1")
    assert all(torch.equal(tensor, train(more, 1)[name]) for name, tensor in train(more, 3).items())


def test_frozen_parameters_are_in_no_optimizer_and_keep_their_values():
    text = SPEC.format(more=group("every", "select [filter, bias]")).replace("conv(4, 3)", "conv(4, 3, frozen=weight)")
    before = build().get_parameter("conv.weight")
    made = learner(text)
    fit([made], Splits(images(), images()), Callbacks())
    assert torch.equal(made.module.get_parameter("conv.weight"), before)
    optimizers = Optimizers(made.module, made.graph, made.recipe, made.plan)
    assert len(optimizers.parameters) == 3


def test_muon_and_sgd_train_one_network():
    first, second = train(MUON), train(MUON)
    assert all(torch.equal(tensor, second[name]) for name, tensor in first.items())
    assert not close(first, train(""))


@pytest.mark.parametrize("optimizer", ["lion(lr=1e-3)", "nadam(lr=1e-3)", "adagrad(lr=1e-2)", "muon(lr=1e-2)"])
def test_rates_of_every_optimizer_follow_its_schedule(optimizer):
    schedule = "schedule piecewise(at=[0, 1, 3], factors=[0, 1, 0])"
    graph, recipe = meaning(SPEC.format(more=group("some", "select filter", f"optimizer {optimizer}", schedule)))
    module = build()
    optimizers = Optimizers(module, graph, recipe, Plan.of(recipe, COUNT))
    inputs = HostInputs(0, CPU)
    before = module.get_parameter("conv.weight").detach().clone()
    nn.functional.cross_entropy(module(images().batch(torch.arange(10))), images().labels[:10]).backward()
    inputs.begin_epoch(1, torch.arange(COUNT), optimizers.hyperparameters(1), 0, 0)
    optimizers.step(inputs)
    assert torch.equal(module.get_parameter("conv.weight"), before)
    inputs.begin_epoch(2, torch.arange(COUNT), optimizers.hyperparameters(2), 0, 0)
    optimizers.step(inputs)
    assert not torch.equal(module.get_parameter("conv.weight"), before)


CYCLED = [
    ("sgd(lr=0.02, momentum=0.5)", lambda weights: torch.optim.SGD(weights, 0.02, momentum=0.5)),
    (
        "sgd(lr=0.02, momentum=0.5, nesterov=true, weight_decay=0.1)",
        lambda weights: torch.optim.SGD(weights, 0.02, momentum=0.5, nesterov=True, weight_decay=0.1),
    ),
    (
        "adam(lr=1e-3, eps=1e-3, weight_decay=0.1)",
        lambda weights: torch.optim.Adam(weights, 1e-3, eps=1e-3, weight_decay=0.1),
    ),
    (
        "adamw(lr=1e-3, betas=[0.5, 0], eps=1e-3)",
        lambda weights: torch.optim.AdamW(weights, 1e-3, betas=(0.5, 0.0), eps=1e-3, weight_decay=0.01),
    ),
    ("nadam(lr=1e-3, eps=1e-3)", lambda weights: torch.optim.NAdam(weights, 1e-3, eps=1e-3)),
    (
        "rmsprop(lr=1e-3, momentum=0.5, eps=1e-3)",
        lambda weights: torch.optim.RMSprop(weights, 1e-3, momentum=0.5, eps=1e-3),
    ),
    ("lion(lr=0.0009765625)", lambda weights: Lion(weights, 0.0009765625)),
    ("muon(lr=0.0009765625)", lambda weights: Muon(weights, 0.0009765625)),
]


@pytest.mark.parametrize(("text", "make"), CYCLED, ids=[text for text, _ in CYCLED])
def test_a_momentum_is_cycled_as_torch_cycles_it(text, make):
    steps, cycle = 3 * STEPS, "one_cycle(peak=0.25, anneal=cosine, momentum=[0.85, 0.95])"
    text = SPEC.format(more=group("some", "select filter", f"optimizer {text}", f"schedule {cycle}"))
    graph, recipe = meaning(text)
    module, theirs = build(), nn.ParameterList([build().get_parameter("conv.weight")])
    optimizer = make(theirs.parameters())
    scheduler = torch.optim.lr_scheduler.OneCycleLR(
        optimizer,
        max_lr=recipe.groups[0].optimizer.lr,
        total_steps=steps + 1,
        pct_start=(0.25 * steps + 1) / (steps + 1),
        final_div_factor=1e12,
    )
    on_device = {False, recipe.groups[0].optimizer.momentum_on_device}
    modules = {flag: copy.deepcopy(module) for flag in on_device}
    plan = Plan.of(recipe, COUNT)
    optimizers = {flag: Optimizers(modules[flag], graph, recipe, plan, inputs_on_device=flag) for flag in on_device}
    inputs = {flag: DeviceInputs(0, CPU) if flag else HostInputs(0, CPU) for flag in on_device}
    random = torch.Generator().manual_seed(0)
    for done in range(steps):
        gradient = torch.randn(theirs[0].shape, generator=random)
        theirs[0].grad = gradient.clone()
        optimizer.step()
        scheduler.step()
        for flag in on_device:
            if done % STEPS == 0:
                epoch = done // STEPS + 1
                inputs[flag].begin_epoch(epoch, torch.arange(COUNT), optimizers[flag].hyperparameters(epoch), 0, 0)
            weight = modules[flag].get_parameter("conv.weight")
            weight.grad = gradient.clone()
            optimizers[flag].step(inputs[flag])
            inputs[flag].advance()
            torch.testing.assert_close(weight, theirs[0], **TRAINED)
    assert not torch.equal(theirs[0], module.get_parameter("conv.weight"))


@pytest.mark.parametrize("text", [text for text, _ in CYCLED[:4]] + ["lion(lr=1e-3)"])
def test_a_step_with_a_cycled_momentum_on_the_device_never_waits_for_it(text):
    text = SPEC.format(more="").replace("sgd(lr=0.001)", text)
    graph, recipe = meaning(text, ("train.schedule=one_cycle(momentum=[0.85, 0.95])",))
    module, inputs = build(), DeviceInputs(0, CPU)
    optimizers = Optimizers(module, graph, recipe, Plan.of(recipe, COUNT), inputs_on_device=True)
    inputs.begin_epoch(1, torch.arange(COUNT), optimizers.hyperparameters(1), 0, 0)
    for parameter in module.parameters():
        parameter.grad = torch.ones_like(parameter)
    before = module.get_parameter("dense.weight").detach().clone()
    with HostWaits() as waits:
        optimizers.step(inputs)
        inputs.advance()
        optimizers.step(inputs)
    assert waits.found == []
    assert not torch.equal(module.get_parameter("dense.weight"), before)


@pytest.mark.parametrize("text", [text for text, _ in CYCLED[:4]] + ["lion(lr=1e-3)"])
@pytest.mark.parametrize("was_on_device", [True, False])
def test_a_restored_optimizer_on_the_device_continues_with_the_same_momentum(text, was_on_device):
    text = SPEC.format(more="schedule one_cycle(momentum=[0.5, 0.95])").replace("sgd(lr=0.001)", text)
    graph, recipe = meaning(text)
    plan = Plan.of(recipe, COUNT)

    def step(optimizers: Optimizers, inputs: DeviceInputs | HostInputs, module: nn.Module, epoch: int) -> None:
        inputs.begin_epoch(epoch, torch.arange(COUNT), optimizers.hyperparameters(epoch), 0, 0)
        for parameter in module.parameters():
            parameter.grad = torch.linspace(-1, 1, parameter.numel()).view(parameter.shape)
        optimizers.step(inputs)

    first, inputs = build(), DeviceInputs(0, CPU) if was_on_device else HostInputs(0, CPU)
    optimizers = Optimizers(first, graph, recipe, plan, inputs_on_device=was_on_device)
    for epoch in (1, 2):
        step(optimizers, inputs, first, epoch)
    second = copy.deepcopy(first)
    restored = Optimizers(second, graph, recipe, plan, inputs_on_device=True)
    restored.restore({name: tensor.clone() for name, tensor in optimizers.state().items()})
    step(optimizers, inputs, first, 3)
    step(restored, DeviceInputs(0, CPU), second, 3)
    for one, other in zip(first.parameters(), second.parameters(), strict=True):
        torch.testing.assert_close(one, other, **TRAINED)
        assert torch.equal(one, other) or not was_on_device


def test_the_step_counter_of_a_checkpoint_moves_to_the_device():
    weight = nn.Parameter(torch.zeros(2, device="meta"))
    optimizer = DeviceAdam([weight], lr=0.1)
    state = {"step": torch.ones(()), "exp_avg": torch.zeros(2), "exp_avg_sq": torch.zeros(2)}
    optimizer.load_state_dict({"state": {0: state}, "param_groups": optimizer.state_dict()["param_groups"]})
    assert {name: tensor.device.type for name, tensor in optimizer.state[weight].items()} == dict.fromkeys(
        state, "meta"
    )


def test_a_group_without_epochs_is_frozen_with_the_running_statistics_of_its_norms():
    text = SPEC.replace("conv(4, 3) -> relu", "conv(4, 3, bias=false) as stem -> bn as first -> relu -> bn as second")
    groups = group("still", 'select ["stem.*", "first.*"]', "schedule cosine", "epochs 0")
    made = learner(text.format(more=groups))
    before = {name: tensor.clone() for name, tensor in made.module.state_dict().items()}
    fit([made], Splits(images(), images()), Callbacks())
    changed = {name for name, tensor in made.module.state_dict().items() if not tensor.equal(before[name])}
    assert not {name for name in changed if name.startswith(("stem.", "first."))}
    assert {"second.running_mean", "second.weight", "dense.weight"} <= changed
