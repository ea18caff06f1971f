"""Results are the same with every engine, beside other seeds, and after an interruption."""

import pytest
import torch
from helpers.engines import KINDS, SPEC, Case, pictures
from helpers.tolerances import FLOAT32, HALF, STORED_AS_FLOAT32
from helpers.training import CPU, Outcome, fitted, meaning, without_idle_biases

from cifar_dsl.foundation.errors import EngineError, StoppedError
from cifar_dsl.training import draws
from cifar_dsl.training.engines import CudaGraphEngine, EagerEngine, choose_engine
from cifar_dsl.training.images import load_images
from cifar_dsl.training.learner import Learner
from cifar_dsl.training.loop import Callbacks, fit
from cifar_dsl.training.step_inputs import DeviceInputs, HostInputs

CASES = [pytest.param(case, id=name) for name, case in KINDS.items()]


@pytest.fixture(scope="module", params=CASES)
def case(request: pytest.FixtureRequest) -> Case:
    """A recipe of each kind; as the fixture is the module's, all tests of one kind follow each other."""
    return request.param


@pytest.fixture(scope="module")
def alone(case: Case) -> Outcome:
    """Seed 0 of the case, trained alone and step by step, with one thread, as by each test."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    trained = case.train()[0]
    torch.set_num_threads(threads)
    return trained


def assert_equal(first: Outcome, second: Outcome) -> None:
    """Bit for bit."""
    for name, tensor in first.weights.items():
        assert torch.equal(tensor, second.weights[name]), name
    for one, other in zip(first.metrics, second.metrics, strict=True):
        assert (one.train_loss, one.test_loss, one.lr) == (other.train_loss, other.test_loss, other.lr)
        assert one.exits == other.exits


def test_steps_with_inputs_on_the_device_compute_the_same(case, alone):
    device = case.train(engine=EagerEngine(CPU, inputs_on_device=True))[0]
    for name, tensor in alone.weights.items():
        # A rate on the device is a float32 and on the host a float64: 6e-8 of each update, and of twelve at most 1e-6.
        # Such a difference may round an activation to the next float16, and so move a gradient by 5e-4 of its size.
        torch.testing.assert_close(
            tensor, device.weights[name], rtol=1e-6, atol=1e-4 if case.rounds_to_half else 1e-6, msg=name
        )
    tolerance = HALF if case.rounds_to_half else FLOAT32
    for one, other in zip(alone.metrics, device.metrics, strict=True):
        # As for a loss of such weights in either precision.
        assert (one.train_loss, one.test_loss) == pytest.approx((other.train_loss, other.test_loss), **tolerance)
        # The two best classes of one image of 50 may tie.
        assert one.train_accuracy == pytest.approx(other.train_accuracy, abs=0.021)


def test_a_seed_gives_the_same_result_alone_and_beside_others(case, alone):
    assert_equal(case.train(1, 0, 2)[1], alone)


def test_a_training_interrupted_between_steps_resumes_to_the_same_result(case, alone):
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
    for name, tensor in alone.weights.items():
        assert torch.equal(tensor, resumed.evaluated.state_dict()[name]), name
    last = alone.metrics[-len(epochs) :]
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
    _, recipe = meaning(SPEC)
    assert choose_engine("auto", CPU, recipe).reason == "only CUDA GPUs can record steps"
    assert choose_engine("eager", CPU, recipe).engine == EagerEngine(CPU)
    with pytest.raises(EngineError, match="only CUDA GPUs"):
        choose_engine("graph", CPU, recipe)
    with pytest.raises(EngineError, match="use auto, eager, graph, compile"):
        choose_engine("fast", CPU, recipe)


@pytest.mark.parametrize(
    ("overrides", "reason"),
    [
        (("train.optimizer=adagrad(lr=0.1)",), "`adagrad` waits"),
        (("train.optimizer=rmsprop(lr=0.1, momentum=0.9)",), "`rmsprop` waits"),
        (
            ("train.optimizer=nadam(lr=0.1)", "train.schedule=one_cycle(momentum=[0.85, 0.95])"),
            "`one_cycle` changes the momentum of `nadam`",
        ),
    ],
)
def test_steps_that_can_not_be_recorded_run_eagerly(overrides, reason):
    _, recipe = meaning(SPEC, overrides)
    choice = choose_engine("auto", torch.device("cuda", 0), recipe)
    assert isinstance(choice.engine, EagerEngine)
    assert reason in choice.reason


def test_a_missing_compiler_is_reported_before_training(monkeypatch):
    monkeypatch.setattr("shutil.which", lambda _: None)
    with pytest.raises(EngineError, match="requires a C\\+\\+ compiler"):
        choose_engine("compile", CPU, meaning(SPEC)[1])
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(EngineError, match="requires triton"):
        choose_engine("compile", torch.device("cuda", 0), meaning(SPEC)[1])


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
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
