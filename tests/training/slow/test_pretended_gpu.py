"""On tensors that pretend to lie on a CUDA GPU, our own loop does nothing that a real one would mind.

`python bench/pretended_gpu.py` does it for every shipped spec and recipe of every kind.
"""

import re

import pytest
import torch
from helpers.engines import SPEC
from helpers.pretended_gpu.device import GPU, Gpu
from helpers.pretended_gpu.findings import Ledger
from helpers.pretended_gpu.tensors import is_possible
from helpers.training import meaning

from cifar_dsl.foundation.errors import EngineError
from cifar_dsl.operations import recipe as declared
from cifar_dsl.training.device import is_memory_error
from cifar_dsl.training.engines import CudaGraphEngine, Step, choose_engine

if not is_possible():
    pytest.skip("this build of torch has no CUDA", allow_module_level=True)

from helpers.pretended_gpu.cases import PLANTED, RECIPES, SPECS, SUBSET, failing_recording, train_recipe, train_spec

# What reaches neither a step nor an evaluation, and what has a test of its own.
IRRELEVANT = {"data", "uses", "epochs", "schedule"}
REGISTRIES = (
    declared.AUGMENTATIONS,
    declared.AVERAGES,
    declared.CLIPS,
    declared.CONSTRAINTS,
    declared.DISTILLATIONS,
    declared.LOSSES,
    declared.OPTIMIZERS,
    declared.PERTURBATIONS,
    declared.SETTINGS,
    declared.TEST_AUGMENTATIONS,
)


def test_the_recipes_are_of_every_kind():
    text = "\n".join("\n".join((case.text, *case.overrides)) for case in RECIPES.values())
    named = {name for registry in REGISTRIES for name in registry} - IRRELEVANT
    assert {name for name in named if not re.search(rf"\b{name}\b", text)} == set()


@pytest.mark.parametrize("name", SUBSET)
def test_steps_of_a_recipe_neither_wait_nor_break_recordings(name):
    report = train_recipe(RECIPES[name])
    assert not report.faults, report.trace
    assert report.engine == "graph"
    assert report.replayed > 0


def test_steps_of_several_seeds_do_not_race():
    report = train_spec(SPECS / "baseline.arch", seeds=2)
    assert not report.faults, report.trace
    assert report.replayed > 0


def test_several_networks_that_draw_are_recorded_one_by_one():
    report = train_recipe(RECIPES["ragged last batch"], seeds=2)  # with dropout
    assert not report.faults, report.trace
    # Two batch sizes for each, and for the evaluations of both.
    assert (report.recorded, report.engine) == (2 * 2 + 2, "graph")


@pytest.mark.parametrize("seeds", [1, 2])
@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (RuntimeError("operation not permitted when stream is capturing\nmore"), "operation not permitted when stream"),
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 MiB"), "not enough memory"),
    ],
    ids=["forbidden", "memory"],
)
def test_where_recording_fails_the_training_goes_on_eagerly_with_a_note(seeds, error, reason):
    report = failing_recording(error, seeds=seeds).train()
    assert not report.faults, report.trace
    (failure,) = report.failures
    assert failure.startswith(reason)
    # Each step runs once, and again where its recording failed.
    assert report.steps["training"] == seeds * 7 + seeds
    assert report.replayed == 0


@pytest.mark.parametrize(
    ("raised", "expected"),
    [
        (RuntimeError("operation not permitted"), "the engine `graph` can't be used: recording failed: operation not"),
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 MiB"), "CUDA out of memory"),
    ],
    ids=["forbidden", "memory"],
)
def test_a_requested_engine_that_fails_is_an_error(raised, expected):
    report = failing_recording(raised, engine="graph").train()
    assert str(report.error).startswith(expected)
    assert isinstance(report.error, EngineError) or is_memory_error(report.error)


def test_memory_that_ran_out_in_a_recording_is_known_behind_the_error_of_its_end():
    error = RuntimeError("CUDA error: operation failed due to a previous error during capture")
    error.__context__ = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 MiB")
    assert is_memory_error(error)
    assert not is_memory_error(RuntimeError("CUDA error: an illegal memory access was encountered"))


def test_graphs_of_a_network_that_takes_no_more_steps_are_freed():
    gpu = Gpu(Ledger())
    with gpu.installed():
        engine = CudaGraphEngine(GPU)
        with engine.running():
            for owners in (["a", "b"], ["a", "b"], ["a"], ["a"]):
                engine.run([Step(owner, "size", lambda: None) for owner in owners])
            assert len(engine._graphs) == 2
            engine.release("b")
            assert list(engine._graphs) == [(("a", "size"),)]
            engine.release("a")
            assert not engine._graphs


def test_the_choice_of_an_engine_touches_no_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "_lazy_init", lambda: pytest.fail("CUDA is initialized"))
    _, recipe = meaning(SPEC)
    assert choose_engine("auto", GPU, recipe).engine.name == "graph"


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_fault_is_found(name):
    planted = PLANTED[name]
    report = planted.train()
    assert planted.expected <= {finding.kind for finding in report.findings if finding.is_fault}, report.trace
