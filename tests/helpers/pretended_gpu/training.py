"""The project's own training loop on a pretended GPU."""

import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from typing import Any
from unittest import mock

import numpy as np
import torch
from attrs import fields, frozen
from helpers.pretended_gpu.device import GPU, Gpu
from helpers.pretended_gpu.findings import Finding, Ledger, is_ours, shown
from helpers.pretended_gpu.tensors import pretended
from torch import Tensor, nn

from cifar_dsl.foundation.errors import StoppedError
from cifar_dsl.ir import Graph, Recipe
from cifar_dsl.training.artifacts import TeacherFile
from cifar_dsl.training.distillation import Teacher
from cifar_dsl.training.engines import choose_engine
from cifar_dsl.training.evaluation import Evaluator
from cifar_dsl.training.images import Images, Splits, load_images
from cifar_dsl.training.input_transform import InputTransform
from cifar_dsl.training.learner import Learner
from cifar_dsl.training.loop import Callbacks, fit
from cifar_dsl.training.plan import Plan

_STEPS = 2  # of full batches in an epoch; an incomplete batch follows
_TEST_IMAGES = 700  # evaluated in a full batch and an incomplete one
Place = tuple[int, int]  # an epoch, and its finished steps


@frozen
class Report:
    """What a training did, and what a real GPU would object to."""

    engine: str
    reason: str
    steps: dict[str, int]  # by phase
    recorded: int
    replayed: int
    findings: tuple[Finding, ...]
    failures: tuple[str, ...]  # of recordings
    error: Exception | None = None

    @property
    def trace(self) -> str:
        """Where the error was raised; empty without one."""
        return "".join(traceback.format_exception(self.error)) if self.error else ""

    @property
    def faults(self) -> list[Finding]:
        """The findings that are wrong, or slow in every step."""
        return [one for one in self.findings if one.is_fault]


def train(
    graph: Graph,
    recipe: Recipe,
    *,
    seeds: int = 1,
    engine: str = "auto",
    teacher: TeacherFile | None = None,
    resumes: bool = True,
) -> Report:
    """Train for a little more than two epochs, and, if it `resumes`, from there in a new process, as it were, one more.

    The first epoch runs each kind of step eagerly and records it, the second replays it.
    """
    ledger = Ledger()
    splits = _splits(graph, recipe)
    selection: Any = _FirstHalf(recipe, len(splits.train)) if recipe.keep.takes_selection else None
    choices: list[tuple[str, str]] = []
    failures: list[str] = []
    error: Exception | None = None
    _forget_tensors()
    gpu = Gpu(ledger)
    with pretended(gpu):
        on_gpu = Splits(*(one and _moved(one) for one in (splits.train, splits.test, splits.validation)))

        def process(states: Sequence[dict[str, Tensor]], at: Place, last: int) -> tuple[list[dict[str, Tensor]], Place]:
            choice = choose_engine(engine, GPU, recipe, failures.append)
            choices.append((choice.engine.name, choice.reason))
            taught = Teacher(teacher, GPU, choice.engine) if teacher else None
            learners = [
                Learner(
                    graph, recipe, "network", seed, on_gpu.train, choice.engine, teacher=taught, selection=selection
                )
                for seed in range(seeds)
            ]
            for learner, state in zip(learners, states, strict=False):
                learner.restore(state, *at)
            kept: list[dict[str, Tensor]] = []
            places: list[Place] = []

            def keep(learner: Learner) -> None:
                places.append((learner.epoch, learner.steps_done))
                kept.append({name: _saved(tensor) for name, tensor in learner.state().items()})

            def wants_stop() -> bool:
                return (learners[0].epoch, learners[0].steps_done) >= (last, 1)

            with suppress(StoppedError):
                fit(learners, on_gpu, Callbacks(wants_stop=wants_stop, on_stop=keep))
            return kept, places[0] if places else at

        with _watched(gpu):
            try:
                kept, at = process([], (1, 0), 3)
                if kept and resumes:
                    process(kept, at, 4)
            except Exception as exception:  # noqa: BLE001  # it would be one there
                ledger.note(
                    "error", f"{type(exception).__name__}: {str(exception).strip()[:300]}", _raised_at(exception)
                )
                error = exception
    _forget_tensors()
    name, reason = choices[0] if choices else ("none", "")
    return Report(
        name,
        reason,
        dict(ledger.steps),
        ledger.recorded,
        ledger.replayed,
        tuple(ledger.findings()),
        tuple(failures),
        error,
    )


class _FirstHalf:
    """A selection of images, without a choice that depends on values, which FakeTensors don't have."""

    seed, share = 7, 0.5

    def __init__(self, recipe: Recipe, images: int) -> None:
        self._plan = Plan.of(recipe, images, self.share)

    def of(self, order: Tensor, epoch: int) -> Tensor:
        """The first of these images, as many as are seen."""
        return order[: self._plan.images_in(epoch)]


def _splits(graph: Graph, recipe: Recipe) -> Splits:
    random = np.random.default_rng(0)
    channels, *extents = graph.input.extents
    classes = graph.shape_of(graph.output).extents[0]
    of_step = recipe.batch * recipe.accumulate
    train, test = (
        (random.integers(0, 256, (count, *extents, channels), np.uint8), random.integers(0, classes, count))
        for count in (_STEPS * of_step + max(2, of_step // 3) + recipe.validation, _TEST_IMAGES)
    )
    return load_images(recipe, train, test, torch.device("cpu"))


def _moved(images: Images) -> Images:
    """The images on the GPU."""

    def moved(value: Any) -> Any:
        return value.to(GPU) if isinstance(value, Tensor | InputTransform) else value

    return Images(**{one.name: moved(getattr(images, one.name)) for one in fields(Images) if one.init})


@contextmanager
def _watched(gpu: Gpu) -> Iterator[None]:
    """Tell steps apart from what is between them, and give graphs the steps that they record."""

    def watched(phase: str, step: Callable[..., None]) -> Callable[..., None]:
        def run(self: Any, *arguments: Any) -> None:
            ledger, capture = gpu.ledger, gpu.capture
            before, ledger.phase = ledger.phase, phase
            if capture:
                capture.steps.append(partial(run, self, *arguments))
            ledger.steps[phase] += 1
            state = _host_state(self) if capture else {}
            try:
                step(self, *arguments)
            finally:
                ledger.phase = before
            now = _host_state(self) if capture else {}
            for path in state.keys() & now.keys():
                if state[path] != now[path]:
                    ledger.note("lost", f"{path} changes in a recorded step", "recording")

        return run

    with ExitStack() as stack:
        for kind, name, phase in ((Learner, "step", "training"), (Evaluator, "step", "evaluation")):
            stack.enter_context(mock.patch.object(kind, name, watched(phase, getattr(kind, name))))
        yield


def _host_state(of: object) -> dict[str, object]:
    """Python's numbers that an object of the project and what it is made of keep, by path."""
    found: dict[str, object] = {}
    seen: set[int] = set()

    def look(value: object, path: str, depth: int) -> None:
        if isinstance(value, bool | int | float | str | None):
            found[path] = value
        elif depth > 5 or id(value) in seen or isinstance(value, Tensor | nn.Module | type) or callable(value):
            return
        seen.add(id(value))
        if isinstance(value, dict):
            for key, each in value.items():
                look(each, f"{path}[{key}]" if isinstance(key, str | int) else path, depth + 1)
        elif isinstance(value, list | tuple):
            for number, each in enumerate(value):
                look(each, f"{path}[{number}]", depth + 1)
        elif type(value).__module__.startswith(("cifar_dsl", "torch.optim")):
            is_ours_ = type(value).__module__.startswith("cifar_dsl")
            names = [*getattr(value, "__dict__", {})]
            names += [name for kind in type(value).__mro__ for name in getattr(kind, "__slots__", ())]
            for name in names:
                if is_ours_ or not name.startswith("_"):
                    look(getattr(value, name, None), f"{path}.{name}", depth + 1)

    look(of, type(of).__name__.lower(), 0)
    return found


def _saved(tensor: Tensor) -> Tensor:
    """The tensor as it comes back from a file; a constant of Python's keeps its value."""
    constant = getattr(tensor, "constant", None)
    return torch.tensor(constant.item()) if constant is not None else tensor.detach().cpu().contiguous().clone()


def _raised_at(exception: Exception) -> str:
    frames = [one for one in traceback.extract_tb(exception.__traceback__) if is_ours(one.filename)]
    return shown(frames[-1].filename, frames[-1].lineno or 0) if frames else "outside the package"


def _forget_tensors() -> None:
    """Clear the caches of the project, whose tensors are of one mode."""
    for module in [module for name, module in sys.modules.items() if name.startswith("cifar_dsl.training")]:
        for value in list(vars(module).values()):
            if hasattr(value, "cache_clear"):
                value.cache_clear()
