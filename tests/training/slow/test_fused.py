"""Batch norm and the activation behind it in one compiled region: where, what it computes, and what if that fails."""

import shutil
from collections.abc import Iterator

import pytest
import torch
from helpers.engines import SPEC, Case
from helpers.pretended_gpu.device import GPU
from helpers.pretended_gpu.tensors import is_possible
from helpers.pretended_gpu.training import train
from helpers.specs import graph_of
from helpers.tolerances import FLOAT32, TRAINED
from helpers.training import CPU, meaning
from torch._dynamo.utils import counters

import cifar_dsl
from cifar_dsl.analysis.reordering import fused_norms
from cifar_dsl.training.engines import EagerEngine, FusedEagerEngine, choose_engine, choose_working_engine
from cifar_dsl.training.events import Note
from cifar_dsl.training.lowering import fused_modules
from cifar_dsl.training.lowering.fused_modules import NormThenActivation, why_not_fused

NORMED = SPEC.replace("bn -> relu", "bn -> gelu").replace(
    "conv(6, 3, stride=2) -> relu",
    "conv(6, 3, stride=2, bias=false) -> bn(eps=1e-6, momentum=0.3, frozen=weight) -> relu",
)


@pytest.fixture
def tried() -> Iterator[None]:
    """What was found out about a device is forgotten, before the test and after it."""
    why_not_fused.cache_clear()
    yield
    why_not_fused.cache_clear()


@pytest.fixture
def uncompiled(monkeypatch, tried) -> None:
    """Regions run as they are."""
    monkeypatch.setattr(fused_modules, "_compiled", lambda: fused_modules._region)


@pytest.fixture
def broken(monkeypatch, tried) -> None:
    """The compiler fails."""

    def compiled() -> None:
        raise RuntimeError("Cannot find a working triton installation\nmore")

    monkeypatch.setattr(fused_modules, "_compiled", compiled)


@pytest.mark.parametrize(
    ("stages", "fused"),
    [
        ("conv(4, 3) -> bn -> gelu -> conv(4, 3) -> bn -> relu", ["bn", "bn2"]),
        ("conv(4, 3) -> bn -> conv(4, 3) -> gelu", []),
        ("conv(4, 3) -> bn -> relu -> maxpool(2)", []),  # the pooling comes first
        ("conv(4, 3) -> bn -> gelu -> maxpool(2)", ["bn"]),
        ("conv(4, 3) -> bn -> add { relu | identity }", []),  # another stage uses the norm
        ("conv(4, 3) -> groupnorm(2) -> relu", []),
        ("flatten -> dense(8) -> bn -> relu", []),  # not of images
        ("conv(4, 3) -> bn -> prelu", []),
    ],
)
def test_a_norm_takes_the_activation_that_alone_uses_it(stages, fused):
    graph = graph_of(f"{stages}\nflatten -> dense(10)")
    lowered = fused_norms(graph)
    assert [node.path for node in graph.nodes if _target(lowered, node) == "norm_then_activation"] == fused


def _target(lowered, node) -> str:
    return lowered[node.output].target if node.output in lowered else ""


@pytest.mark.filterwarnings("ignore")  # of torch's compiler
@pytest.mark.skipif(not (shutil.which("g++") or shutil.which("clang++")), reason="needs a C++ compiler")
def test_fused_regions_train_to_the_same_result(compiled_here, tried):
    case = Case(NORMED, ("train.epochs=2", "train.average=ema(0.9)"))
    torch.compiler.reset()
    eager = case.train()[0]
    counters.clear()
    fused = case.train(engine=FusedEagerEngine(CPU))[0]
    assert why_not_fused(CPU) is None
    assert sum(isinstance(one, NormThenActivation) for one in fused.module.modules()) == 2
    assert counters["stats"]["unique_graphs"] >= 2 * 2  # both norms, for whole batches and for the ragged one
    assert not counters["graph_break"]
    assert list(fused.weights) == list(eager.weights)
    for name, tensor in eager.weights.items():
        torch.testing.assert_close(tensor, fused.weights[name], **TRAINED, msg=name)
    for one, other in zip(eager.metrics, fused.metrics, strict=True):
        assert (one.train_loss, one.test_loss) == pytest.approx((other.train_loss, other.test_loss), **FLOAT32)


def test_regions_compute_what_norm_and_activation_do(uncompiled):
    case = Case(NORMED, ("train.average=swa(start=1)", "train.precision=bf16"))
    plain, fused = case.train()[0], case.train(engine=FusedEagerEngine(CPU))[0]
    for name, tensor in plain.weights.items():
        assert torch.equal(tensor, fused.weights[name]), name


def test_where_compiling_fails_a_training_goes_on_as_always_with_a_note(broken, tmp_path):
    text = NORMED.replace('npz("00")', "shapes").replace("3x8x8", "3x32x32").replace("linear(warmup=1)", "linear")
    (tmp_path / "normed.arch").write_text(text)
    heard: list[object] = []
    run = cifar_dsl.train(
        tmp_path / "normed.arch",
        engine="fused",
        epochs=0.02,
        device="cpu",
        threads=1,
        runs=tmp_path,
        listener=heard.append,
    )
    notes = [one.text for one in heard if isinstance(one, Note)]
    reason = "Cannot find a working triton installation"
    assert notes == [f"batch norm and activations can't be fused ({reason}); they run one by one"]
    assert run.record().environment.engine == "eager"


def test_an_engine_that_fuses_builds_ordinary_networks_where_compiling_fails(broken):
    made = Case(NORMED).train(engine=FusedEagerEngine(CPU))[0]
    assert not any(isinstance(one, NormThenActivation) for one in made.module.modules())


def test_no_other_engine_fuses(uncompiled):
    _, recipe = meaning(NORMED)
    names = ("auto", "eager", "fused")
    assert [choose_engine(name, CPU, recipe).engine.fuses for name in names] == [False, False, True]
    noted: list[str] = []
    chosen = choose_working_engine("fused", CPU, recipe, noted.append, noted.append)
    assert (chosen.engine.name, noted) == ("fused", [])
    assert isinstance(choose_engine("fused", CPU, recipe).engine, EagerEngine)
    assert choose_engine("fused", GPU, recipe).engine.inputs_on_device


@pytest.mark.skipif(not is_possible(), reason="this build of torch has no CUDA")
def test_steps_with_regions_are_recorded(uncompiled):
    graph, recipe = meaning(NORMED)
    report = train(graph, recipe, engine="fused")
    assert not report.faults, report.trace
    assert report.engine == "fused"
    assert report.replayed > 0
