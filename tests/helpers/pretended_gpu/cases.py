"""What is trained on the pretended GPU: specs, a recipe of every kind, and faults that must be found there."""

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from attrs import evolve, frozen
from helpers.engines import KINDS, SPEC, Case
from helpers.pretended_gpu.training import Report, train
from helpers.training import meaning

import cifar_dsl
from cifar_dsl.training.engines import CudaGraphEngine, Step
from cifar_dsl.training.learner import Learner
from cifar_dsl.training.optimizers import Optimizers
from cifar_dsl.training.step_inputs import HostInputs, StepInputs

SPECS = Path(__file__).parents[3] / "specs"
# In addition to KINDS, for what computes differently on a GPU only, or takes no part in comparisons of engines.
_MORE = {
    "other losses": ("train.loss=mse",),
    "binary losses": ("train.loss=bce",),
    "focal loss": ("train.loss=focal(gamma=2)",),
    "adagrad": ("train.optimizer=adagrad(lr=0.003)",),
    "rmsprop with momentum": ("train.optimizer=rmsprop(lr=0.003, momentum=0.9)",),
    "grey translations": ("train.augment=translate(2) -> grayscale",),
}
# Exits, tied weights, chance, functions of weights, a teacher, and a recipe that bounds norms.
_EVERY = """
arch every
input 3x8x8
model {
    conv(4, 3, bias=false, weight=scaled(gamma=1.7)) -> bn -> relu
    let early = flatten -> dense(10) -> exit(0.25)
    let f = tied { conv(4, 3, pad=1, bias=false, weight=spectral) -> bn -> relu }
    mean(drop=0.3, global_share=0.5) { f | f -> f }
    shake { relu | tanh }
    shake_drop(0.3) -> drop_block(2, 0.3) -> relu -> stochastic_pool(2)
    flatten -> dense(10, weight=normalized(gain=learned))
}
train {
    data npz("00")
    epochs 3
    batch 16
    augment flip -> mixup
    optimizer sgd(lr=0.05, momentum=0.9)
    constrain max_norm(0.3)
    distill soft
    average ema(0.9)
    drop_schedule linear
}
"""
RECIPES = KINDS | {name: Case(SPEC, overrides) for name, overrides in _MORE.items()} | {"every mechanism": Case(_EVERY)}
# Together they use most of what a step can do; the suite trains these.
SUBSET = ("every mechanism",)


def shipped() -> dict[str, Path]:
    """The specs that the package ships and that have a recipe, by name."""
    paths = sorted(path for path in SPECS.rglob("*.arch") if path.parent.name != "library")
    return {str(path.relative_to(SPECS)): path for path in paths if cifar_dsl.load(path, root=SPECS).recipe}


def train_recipe(case: Case, *, seeds: int = 1, engine: str = "auto") -> Report:
    """Train one of RECIPES."""
    graph, recipe = meaning(case.text, case.overrides)
    return train(graph, recipe, seeds=seeds, engine=engine, teacher=case.teacher)


def train_spec(path: Path, *, seeds: int = 1, engine: str = "auto") -> Report:
    """Train a shipped spec."""
    spec = cifar_dsl.load(path, root=SPECS)
    assert spec.recipe is not None
    return train(spec.graph, spec.recipe, seeds=seeds, engine=engine)


# ---- planted faults

_TINY = """
arch tiny
input 3x4x4
model { flatten -> dense(4) }
train {
    data npz("00")
    epochs 4
    batch 4
    augment flip
    optimizer adam(lr=0.01)
}
"""
_step, _advance, _prepare = Learner.step, Learner.advance_epoch, Learner.prepare
_init = Optimizers.__init__
_Patch = tuple[type, str, Callable[..., Any]]


@frozen
class Planted:
    """A fault in the code, and the kinds of findings that it must lead to."""

    patches: tuple[_Patch, ...]
    expected: frozenset[str]
    seeds: int = 1
    engine: str = "auto"

    def train(self) -> Report:
        """Train a tiny network with the fault."""
        graph, recipe = meaning(_TINY)
        with ExitStack() as stack:
            for where, name, planted in self.patches:
                stack.enter_context(mock.patch.object(where, name, planted))
            return train(graph, recipe, seeds=self.seeds, engine=self.engine, resumes=False)


def _after_step(extra: Callable[[Learner], object], *expected: str) -> Planted:
    def planted(learner: Learner) -> None:
        _step(learner)
        extra(learner)

    return Planted(((Learner, "step", planted),), frozenset(expected))


def failing_recording(error: Exception, *, seeds: int = 1, engine: str = "auto") -> Planted:
    """A step of the last seed that raises an error while it is recorded."""

    def planted(learner: Learner) -> None:
        _step(learner)
        if torch.cuda.is_current_stream_capturing() and learner.seed == seeds - 1:
            raise error

    return Planted(((Learner, "step", planted),), frozenset(), seeds, engine)


def _count(learner: Learner) -> None:
    learner.epoch_time_s += 1


def _on_gpu(value: object) -> torch.Tensor:
    return torch.tensor(value, device="cuda")


def _host_inputs(engine: CudaGraphEngine, seed: int) -> StepInputs:
    return HostInputs(seed, engine.device)


def _not_capturable(self: Optimizers, *args: Any, **_: Any) -> None:
    _init(self, *args, inputs_on_device=False)


def _with_new_state(learner: Learner) -> None:
    """The tensors that optimizers keep are other ones in the next epoch."""
    _advance(learner)
    for part in learner._optimizers._all:
        for state in part.optimizer.state.values():
            state.update({name: value.clone() for name, value in state.items()})


def _without_size(learner: Learner) -> Step:
    return evolve(_prepare(learner), variant="any size")


def _branches(*, forks: bool, joins: bool) -> Planted:
    def fork(engine: CudaGraphEngine, steps: Any) -> None:
        branches = [torch.cuda.Stream(engine.device) for _ in steps]
        for branch, step in zip(branches, steps, strict=True):
            if forks:
                branch.wait_stream(engine._stream)
            with torch.cuda.stream(branch):
                step.launch()
        for branch in branches if joins else ():
            engine._stream.wait_stream(branch)

    return Planted(((CudaGraphEngine, "_fork", fork),), frozenset({"race", "forbidden"}), seeds=2)


def _index_by_mask(learner: Learner) -> None:
    learner.images.labels[learner.images.labels > 3]


PLANTED = {
    "item in a step": _after_step(lambda learner: learner.loss_sum.item(), "wait", "forbidden"),
    "tolist in a step": _after_step(lambda learner: learner.correct.view(1).tolist(), "wait", "forbidden"),
    "mask as an index": _after_step(_index_by_mask, "shape"),
    "two devices": _after_step(lambda _: _on_gpu([1.0, 2.0]) + torch.ones(2), "error"),
    "number of the host": _after_step(lambda learner: learner.loss_sum.add_(torch.ones(3).sum()), "baked"),
    "random number of the host": _after_step(lambda learner: learner.loss_sum.mul_(float(torch.rand(()))), "baked"),
    "tensor of Python's numbers": _after_step(lambda one: one.loss_sum.add_(_on_gpu(1.0)), "forbidden"),
    "counter in a step": _after_step(_count, "lost"),
    "keys and rates of the host": Planted(((CudaGraphEngine, "new_inputs", _host_inputs),), frozenset({"baked"})),
    "optimizer that can't be recorded": Planted(
        ((Optimizers, "__init__", _not_capturable),), frozenset({"error"}), engine="graph"
    ),
    "state that moves": Planted(((Learner, "advance_epoch", _with_new_state),), frozenset({"baked"})),
    "variant without the batch size": Planted(((Learner, "prepare", _without_size),), frozenset({"baked"})),
    "no fork": _branches(forks=False, joins=True),
    "no join": _branches(forks=True, joins=False),
}
