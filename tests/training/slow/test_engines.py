"""Results are the same with every engine, beside other seeds, and after an interruption."""

import pytest
import torch
from helpers.engines import SPEC, Case, pictures
from helpers.tolerances import FLOAT32, HALF, STORED_AS_FLOAT32
from helpers.training import CPU, Outcome, fitted, meaning, without_idle_biases

from cifar_dsl.foundation.errors import EngineError, StoppedError
from cifar_dsl.training import draws
from cifar_dsl.training.engines import CudaGraphEngine, EagerEngine, choose_engine
from cifar_dsl.training.images import load_images
from cifar_dsl.training.learner import Learner
from cifar_dsl.training.loop import Callbacks, fit
from cifar_dsl.training.step_inputs import DeviceInputs, HostInputs

GROUPS = """
    group whole {
        select filter
        optimizer sgd(lr=0.02, momentum=0.9, nesterov=true)
        epochs 1
    }
    group rest {
        select bias
        optimizer adamw(lr=1e-3, eps=1e-3)
        schedule cosine
        epochs 2
    }
"""
MUON = """
    group whole {
        select filter
        optimizer muon(lr=0.015625)
        epochs 2
    }
"""
CYCLED = """
    group whole {
        select filter
        optimizer adamw(lr=0.003, eps=1e-3)
        schedule one_cycle(momentum=[0.5, 0.9])
        epochs 1
    }
    group rest {
        select bias
        optimizer sgd(lr=0.02, momentum=0.5)
        schedule one_cycle(peak=0.5, momentum=[0.2, 0.9])
        epochs 2
    }
"""
# Each is trained in every way. Where a last bit can decide about more than itself (a sign, a rounding to 16 bits),
# rates are powers of two: these are the same in float32 and in float64, so that no last bit differs.
RECIPES = {
    "ragged last batch": (),
    "accumulated gradients": (
        "train.accumulate=2",
        "train.batch=8",
        "train.augment=flip -> mixup",
        "train.clip=norm(0.1)",
    ),
    "accumulated in fp16": ("train.accumulate=3", "train.batch=5", "train.precision=fp16", "train.optimizer.lr=0.0625"),
    "sam": ("train.perturb=sam(rho=0.5)", "train.average=ema(0.9)", "train.clip=norm(0.1)"),
    "adaptive sam in fp16": (
        "train.perturb=sam(rho=2, adaptive=true)",
        "train.accumulate=2",
        "train.batch=8",
        "train.precision=fp16",
        "train.optimizer.lr=0.0625",
    ),
    "no ragged batch": ("train.drop_last=true",),
    "a part of an epoch": ("train.epochs=2.5",),
    "clipping by norm": ("train.clip=norm(0.1)",),
    "clipping by value": ("train.clip=value(0.01)",),
    "limited norms": ("train.constrain=max_norm(0.3)", "train.average=ema(0.9)"),
    "no augmentation": ("train.augment=none",),
    "whitened images": ("train.normalize=zca(eps=0.1)", "train.augment=crop(1) -> flip -> cutout(2, mean)"),
    "mixing": ("train.augment=flip -> mixup(0.4) -> cutmix",),
    "colours and erasing": ("train.augment=color_jitter(brightness=0.5) -> random_erasing(p=0.5, fill=noise)",),
    "rotation and hue": ("train.augment=rotate(30, bilinear) -> color_jitter(hue=0.2)",),
    "ema": ("train.average=ema(0.9, every=2, start=0.5)",),
    "swa": ("train.average=swa(start=1)",),
    "lookahead and ema": ("train.average=lookahead(every=3) -> ema(0.8)",),
    "averages with rates that change": (
        "train.average=lookahead(every=3, growth=2, statistics=true, final=slow) -> ema(0.9, warmup_power=0.5)",
        "train.optimizer=adam(lr=0.003, eps=1e-3)",
    ),
    "adam": ("train.optimizer=adam(lr=0.003, eps=1e-3)",),
    "adamw": ("train.optimizer=adamw(lr=0.003, eps=1e-3)",),
    "rmsprop": ("train.optimizer=rmsprop(lr=0.003, eps=1e-3)",),
    "nadam": ("train.optimizer=nadam(lr=0.003, eps=1e-3)",),
    "lion": ("train.optimizer=lion(lr=0.0009765625)",),
    "nesterov and decay": ("train.optimizer=sgd(lr=0.05, momentum=0.9, nesterov=true, weight_decay=0.01)",),
    "cycled momentum": (
        "train.optimizer=sgd(lr=0.05, momentum=0.9, nesterov=true, weight_decay=0.01)",
        "train.schedule=one_cycle(anneal=cosine, momentum=[0.85, 0.95])",
    ),
    "cycled beta": (
        "train.optimizer=adam(lr=0.003, eps=1e-3, weight_decay=0.01)",
        "train.schedule=one_cycle(momentum=[0.5, 0.95])",
    ),
    "smoothed sum": ("train.loss=cross_entropy(label_smoothing=0.1, reduction=sum)", "train.optimizer.lr=0.003"),
    "balanced weights": ("train.loss=cross_entropy(weights=balanced)", "train.validation=12"),
    "views of test images": ("train.test_augment=mirror -> shift(1)",),
    "a teacher": ("train.distill=soft", "train.augment=flip -> mixup", "train.average=ema(0.9)", "train.perturb=sam"),
    "a teacher's classes in fp16": (
        "train.distill=hard",
        "train.loss=cross_entropy(label_smoothing=0.1, reduction=sum)",
        "train.accumulate=2",
        "train.batch=8",
        "train.precision=fp16",
        "train.optimizer.lr=0.001953125",
    ),
    "hard images": (
        "train.keep=hardest(0.5, every=2)",
        "train.optimizer.lr=0.0625",
        "train.augment=flip -> mixup",
        "train.average=ema(0.9)",
        "train.perturb=sam(rho=0.5)",
    ),
    "hard images in fp16": (
        "train.keep=hardest(0.3)",
        "train.accumulate=2",
        "train.batch=8",
        "train.precision=fp16",
        "train.optimizer.lr=0.0625",
    ),
    "chosen images": ("train.keep=chosen", "train.accumulate=2", "train.batch=8", "train.epochs=2.5"),
    "early stopping": ("train.validation=12", "train.early_stopping=loss(2)"),
    "held-out images": ("train.validation=12",),
    "bf16": ("train.precision=bf16", "train.optimizer.lr=0.0625"),
    "fp16": ("train.precision=fp16", "train.optimizer.lr=0.0625"),
    "fp16 and nadam": ("train.precision=fp16", "train.optimizer=nadam(lr=0.003, eps=1e-3)", "train.clip=norm(1)"),
}
# One exit before the dropout, one behind it, and the network's output with a weight of its own.
EXITS = SPEC.replace(
    "-> relu -> dropout", "\n let early = flatten -> dense(10) -> exit(0.25)\n relu -> dropout"
).replace("flatten\n    dense(10)", "flatten\n let late = dense(10) -> exit(0.5)\n dense(10) -> exit(0.75)")
GROUPED, GROUPED_CYCLES = (SPEC.replace("    schedule", groups + "    schedule") for groups in (GROUPS, CYCLED))


CASES = [pytest.param(Case(SPEC, overrides, name == "fp16 and nadam"), id=name) for name, overrides in RECIPES.items()]
CASES += [
    pytest.param(Case(EXITS, ("train.average=ema(0.9)", "train.augment=flip -> mixup(0.4)")), id="exits"),
    pytest.param(Case(EXITS, ("train.accumulate=2", "train.batch=8")), id="exits and accumulated gradients"),
    pytest.param(
        Case(EXITS, ("train.keep=hardest(0.5)", "train.distill=soft", "train.optimizer.lr=0.0625")),
        id="hard images of exits with a teacher",
    ),
]
CASES += [pytest.param(Case(GROUPED), id="groups that freeze")]
CASES += [pytest.param(Case(GROUPED_CYCLES), id="groups with cycled momenta")]
CASES += [
    pytest.param(Case(SPEC.replace("lr=0.05", "lr=0.0625").replace("    schedule", MUON + "    schedule")), id="muon")
]
GROWING = SPEC.replace("flatten", "global_avgpool")
CASES += [
    pytest.param(
        Case(GROWING, ("train.augment=flip -> mixup -> resize([0, 1, 2], [5, 6, 8])", "train.distill=soft")),
        id="images that grow, and a teacher",
    )
]
WEIGHTS = (
    SPEC.replace("conv(4, 3, bias=false)", "conv(4, 3, bias=false, weight=scaled(gamma=1.7))")
    .replace("conv(6, 3, stride=2)", "conv(6, 3, stride=2, weight=spectral)")
    .replace("dense(10)", "dense(10, weight=normalized(gain=learned))")
)
CASES += [
    pytest.param(Case(WEIGHTS), id="functions of weights"),
    pytest.param(Case(WEIGHTS, ("train.average=ema(0.9)", "train.accumulate=2", "train.batch=8")), id="their averages"),
]
TIED = SPEC.replace(
    "conv(6, 3, stride=2) -> relu", "let f = tied { conv(4, 3, pad=1, bias=false) -> bn -> relu }\n    f -> f"
)
CASES += [
    pytest.param(Case(TIED, RECIPES["sam"]), id="tied weights"),
    pytest.param(
        Case(
            TIED.replace("lr=0.05", "lr=0.0625").replace("    schedule", MUON + "    schedule"),
            RECIPES["accumulated in fp16"][:2],
        ),
        id="tied weights and muon",
    ),
]
CHANCE = SPEC.replace(
    "dropout(0.3)",
    """mean(drop=0.3, global_share=0.5) { tanh | relu | identity }
    shake { relu | tanh }
    drop_path(0.3) -> shake_drop(0.3) -> drop_block(2, 0.3)
    relu -> stochastic_pool(2)""",
)
CHANCE_GROWS = ("train.drop_schedule=linear", "train.average=swa(start=1)", "train.accumulate=2", "train.batch=8")
CASES += [pytest.param(Case(CHANCE, CHANCE_GROWS), id="chance that grows")]


def assert_equal(first: Outcome, second: Outcome) -> None:
    """Bit for bit."""
    for name, tensor in first.weights.items():
        assert torch.equal(tensor, second.weights[name]), name
    for one, other in zip(first.metrics, second.metrics, strict=True):
        assert (one.train_loss, one.test_loss, one.lr) == (other.train_loss, other.test_loss, other.lr)
        assert one.exits == other.exits


@pytest.mark.parametrize("case", CASES)
def test_steps_with_inputs_on_the_device_compute_the_same(case):
    host, device = case.train()[0], case.train(engine=EagerEngine(CPU, inputs_on_device=True))[0]
    for name, tensor in host.weights.items():
        # A rate on the device is a float32 and on the host a float64: 6e-8 of each update, and of twelve at most 1e-6.
        # Such a difference may round an activation to the next float16, and so move a gradient by 5e-4 of its size.
        torch.testing.assert_close(
            tensor, device.weights[name], rtol=1e-6, atol=1e-4 if case.rounds_to_half else 1e-6, msg=name
        )
    tolerance = HALF if case.rounds_to_half else FLOAT32
    for one, other in zip(host.metrics, device.metrics, strict=True):
        # As for a loss of such weights in either precision.
        assert (one.train_loss, one.test_loss) == pytest.approx((other.train_loss, other.test_loss), **tolerance)
        # The two best classes of one image of 50 may tie.
        assert one.train_accuracy == pytest.approx(other.train_accuracy, abs=0.021)


@pytest.mark.parametrize("case", CASES)
def test_a_seed_gives_the_same_result_alone_and_beside_others(case):
    together = case.train(0, 1, 2)
    for outcome in together[1:2]:
        assert_equal(outcome, case.train(outcome.learner.seed)[0])


@pytest.mark.parametrize("case", CASES)
def test_a_training_interrupted_between_steps_resumes_to_the_same_result(case):
    expected = case.train()[0]
    broken = case.learner()
    remaining = iter(range(5))  # steps: the second epoch has begun, and a group has ended
    state: dict[str, torch.Tensor] = {}

    def keep(learner: Learner) -> None:
        state.update({name: tensor.contiguous().clone() for name, tensor in learner.state().items()})

    callbacks = Callbacks(wants_stop=lambda: next(remaining, None) is None, on_stop=keep)
    with pytest.raises(StoppedError):
        fit([broken], case.splits(), callbacks)
    assert broken.epoch > 1
    assert broken.steps_done > 0
    torch.manual_seed(5)  # whatever happened to torch's generator meanwhile
    resumed = case.learner()
    resumed.restore(state, broken.epoch, broken.steps_done)
    epochs = []
    fit([resumed], case.splits(), Callbacks(on_epoch=lambda _, epoch: epochs.append(epoch)))
    for name, tensor in expected.weights.items():
        assert torch.equal(tensor, resumed.evaluated.state_dict()[name]), name
    last = expected.metrics[-len(epochs) :]
    assert [(one.metrics.train_loss, one.metrics.exits) for one in epochs] == [(m.train_loss, m.exits) for m in last]


def test_a_diverging_seed_does_not_stop_the_others():
    case = Case(SPEC, ("train.optimizer.lr=0.02",))
    spoilt = case.learner(0)
    with torch.no_grad():
        spoilt.module.get_parameter("dense.weight").fill_(float("nan"))
    other, kept, diverged = case.learner(1), [], []
    callbacks = Callbacks(on_epoch=lambda learner, epoch: kept.append(learner), on_divergence=diverged.append)
    fit([spoilt, other], case.splits(), callbacks)
    assert (diverged, kept) == ([spoilt], [other] * 3)
    assert (spoilt.epoch, spoilt.steps_done) == (1, 1)
    for name, tensor in case.train(1)[0].weights.items():
        assert torch.equal(tensor, other.module.state_dict()[name])


@pytest.mark.parametrize("inputs", [HostInputs(3, CPU), DeviceInputs(3, CPU)], ids=lambda inputs: type(inputs).__name__)
def test_step_inputs_start_an_epoch_at_any_step(inputs):
    order = torch.tensor([5, 3, 1, 0, 2, 4, 6])
    rates = [[0.1, 1.0], [0.2, 2.0], [0.3, 3.0], [0.4, 4.0]]
    for epoch, start in ((1, 0), (2, 2), (3, 1)):
        inputs.begin_epoch(epoch, order, rates, start, 2 * start)
        for step in range(start, 4):
            assert inputs.next_images(min(2, 7 - 2 * step)).tolist() == order.tolist()[2 * step : 2 * step + 2]
            assert [float(inputs.hyperparameter(number)) for number in (0, 1)] == pytest.approx(
                rates[step], **STORED_AS_FLOAT32
            )
            inputs.advance()
        assert int(inputs.keys.of_epoch("x")) == draws.key(3, epoch, "x")
        assert bool(inputs.keys.is_odd) == (epoch % 2 == 1)


def test_only_a_gpu_records_and_the_choice_has_a_reason():
    graph, recipe = meaning(SPEC)
    assert choose_engine("auto", CPU, graph, recipe).reason == "only CUDA GPUs can record steps"
    assert choose_engine("eager", CPU, graph, recipe).engine == EagerEngine(CPU)
    with pytest.raises(EngineError, match="only CUDA GPUs"):
        choose_engine("graph", CPU, graph, recipe)
    with pytest.raises(EngineError, match="use auto, eager, graph, compile"):
        choose_engine("fast", CPU, graph, recipe)


@pytest.mark.parametrize(
    ("overrides", "networks", "reason"),
    [
        (("train.augment=randaugment",), 1, "`randaugment` runs on the CPU"),
        (("train.optimizer=adagrad(lr=0.1)",), 1, "`adagrad` waits"),
        (("train.optimizer=rmsprop(lr=0.1, momentum=0.9)",), 1, "`rmsprop` waits"),
        (
            ("train.optimizer=nadam(lr=0.1)", "train.schedule=one_cycle(momentum=[0.85, 0.95])"),
            1,
            "`one_cycle` changes the momentum of `nadam`",
        ),
        ((), 2, "random layers"),
    ],
)
def test_steps_that_can_not_be_recorded_run_eagerly(overrides, networks, reason):
    graph, recipe = meaning(SPEC, overrides)
    choice = choose_engine("auto", torch.device("cuda", 0), graph, recipe, networks)
    assert isinstance(choice.engine, EagerEngine)
    assert reason in choice.reason


def test_a_missing_compiler_is_reported_before_training(monkeypatch):
    monkeypatch.setattr("shutil.which", lambda _: None)
    with pytest.raises(EngineError, match="requires a C\\+\\+ compiler"):
        choose_engine("compile", CPU, *meaning(SPEC))
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(EngineError, match="requires triton"):
        choose_engine("compile", torch.device("cuda", 0), *meaning(SPEC))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
@pytest.mark.parametrize("case", CASES)
def test_recorded_steps_compute_the_same(case):
    device = torch.device("cuda", 0)
    graph, recipe = meaning(case.text, case.overrides)
    splits = load_images(recipe, pictures(0, 50), pictures(1, 30), device)
    uses = {"teacher": case.teacher, "selection": case.selection}
    eager = fitted(without_idle_biases(graph), recipe, splits, engine=EagerEngine(device), **uses)[0]
    engine = CudaGraphEngine(device)
    recorded = fitted(graph, recipe, splits, engine=engine, **uses)[0]
    assert engine.recordings > 0
    for name, tensor in eager.weights.items():
        # Kernels of a GPU may add in any order, also in two runs of the same kind, and round products to TF32.
        torch.testing.assert_close(tensor, recorded.weights[name], rtol=1e-3, atol=1e-4, msg=name)
