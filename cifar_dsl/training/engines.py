"""Engines run training steps: one kernel at a time, or recorded as CUDA graphs and replayed.

Three kinds of objects work together in every step:

    Engine        decides how a step runs (this file)
    StepInputs    holds what changes from step to step: images, hyperparameters, random keys (`step_inputs`)
    Keys, Draws   map (seed, epoch, purpose, image) to random numbers; no generator has a state (`draws`)

Example: 2 training images, a batch of 2, 2 epochs of one step each, seed 0, and `augment [flip]`.

    inputs = engine.new_inputs(seed=0)

    Epoch 1, images in the order [1, 0]:
    inputs.begin_epoch(1, torch.tensor([1, 0]), hyperparameters=[[0.1]], step=0, position=0)
    engine.run([step])
        index = inputs.next_images(2)                                 # [1, 0]
        Draws(inputs.keys, "augment 0 flip", index).uniform() < 0.5   # of [0.731, 0.982]: flip neither
        ...                                                           # forward, backward
        inputs.hyperparameter(0)                                      # 0.1, the learning rate of optimizer 0
        inputs.advance()

    Epoch 2, images in the order [0, 1]:
    inputs.begin_epoch(2, torch.tensor([0, 1]), hyperparameters=[[0.05]], step=0, position=0)
    engine.run([step])                                                # the same step with other inputs

`EagerEngine` runs `step` each time, and its inputs are Python numbers (`HostInputs`). `CudaGraphEngine` launches the
recorded kernels again, so its inputs lie on the device (`DeviceInputs`): `begin_epoch` overwrites them in place, and
the kernels read the new values from the same addresses. Small networks need about 60 kernels a step, and launching
them one by one takes longer than computing them; a CUDA graph launches all of them at once.

A step is recorded once for each `variant`: everything that decides which kernels it launches, such as the batch size
and the optimizers in use. The first step of a variant runs eagerly, because libraries choose their kernels and
optimizers allocate their state then. The second is recorded, which computes nothing, and replayed, as are all later
ones. So every step runs exactly once, in its turn, and recording doesn't change the result. In the example, epoch 1
runs eagerly, and epoch 2 records and replays.

Steps of several networks are recorded together, each on a stream of its own, so that their kernels run in parallel.
Networks that draw from torch's generator are recorded one by one: a graph has one generator, whose state is set before
each replay.

If a recording fails, its step and all later ones that aren't recorded yet run eagerly; nothing has been computed, so
the result stays the same.

`CompiledEngine` runs steps eagerly, with the network compiled by torch.compile. `auto` never chooses it
(docs/decisions/0019-compiled-on-request.md), nor the engines that only compile batch norms with their activations, and
else do what `auto` would (docs/decisions/0116-fused-on-request.md).
"""

import importlib.util
import os
import shutil
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, Protocol

import torch
from torch import nn

from cifar_dsl.foundation.errors import EngineError
from cifar_dsl.foundation.records import define, field, frozen
from cifar_dsl.ir import Graph, Group, Recipe
from cifar_dsl.training.device import is_memory_error
from cifar_dsl.training.lowering.fused_modules import why_not_fused
from cifar_dsl.training.step_inputs import DeviceInputs, HostInputs, StepInputs

ENGINES = ("auto", "eager", "graph", "compile", "fused")
_COMPILATIONS = 64  # of a network: whole and ragged batches of each size of image, evaluation, its average, a teacher
_REGIONS = 1024  # batch norms of different shape, each for the same
_ADVICE = "use `--engine auto` to pick the best available engine"
_RECORDED = "steps are recorded as CUDA graphs"


@frozen
class Step:
    """A step of one network, to be run once.

    Attributes:
        owner: The network, or whatever else the step works for. Each has one step at a time.
        variant: Everything that decides which kernels the step launches. Equal ones launch the same.
        launch: Launches them.
        context: A context that the step needs and that can't be recorded; such a step is recorded alone.
    """

    owner: Hashable
    variant: Hashable
    launch: Callable[[], None]
    context: Callable[[], AbstractContextManager[None]] | None = None

    def run(self) -> None:
        """Run the step eagerly."""
        with self.context() if self.context else nullcontext():
            self.launch()


Steps = Sequence[Step]


class Engine(Protocol):
    """Runs the steps of one network, or of several side by side that share no tensors."""

    @property
    def name(self) -> str:
        """The engine's name for `--engine`."""

    @property
    def inputs_on_device(self) -> bool:
        """Whether steps read their inputs from tensors on the device, as recorded steps must."""

    @property
    def fuses(self) -> bool:
        """Whether networks are built with batch norms and activations in compiled regions, if that is possible."""

    def prepare_module(self, module: nn.Module) -> None:
        """Prepare a new network, in place, for training with this engine."""

    def new_inputs(self, seed: int) -> StepInputs:
        """The inputs for the steps of one network."""

    def running(self) -> AbstractContextManager[None]:
        """The context in which all steps run, and everything between them."""

    def run(self, steps: Steps) -> None:
        """Run one step of each network."""

    def release(self, owner: Hashable) -> None:
        """Free what is kept for the steps of a network that takes no more steps."""


@define
class EagerEngine:
    """Calls the steps one after another. `inputs_on_device` makes them read their inputs as recorded steps do."""

    device: torch.device
    inputs_on_device: bool = False
    name: str = field(default="eager", init=False)
    fuses: bool = field(default=False, init=False)

    def prepare_module(self, module: nn.Module) -> None:
        pass

    def new_inputs(self, seed: int) -> StepInputs:
        return DeviceInputs(seed, self.device) if self.inputs_on_device else HostInputs(seed, self.device)

    @contextmanager
    def running(self) -> Iterator[None]:
        yield

    def run(self, steps: Steps) -> None:
        for step in steps:
            step.run()

    def release(self, owner: Hashable) -> None:
        pass


@define
class CompiledEngine(EagerEngine):
    """Calls the steps one after another. Compiles each network for each size of batch and image, and for evaluation."""

    name: str = field(default="compile", init=False)

    def prepare_module(self, module: nn.Module) -> None:
        # The fallback draws the random numbers that the network draws without compilation.
        module.compile(dynamic=False, options={"fallback_random": True})

    @contextmanager
    def running(self) -> Iterator[None]:
        with _compiling(_COMPILATIONS):
            yield


@define
class FusedEagerEngine(EagerEngine):
    """Calls the steps one after another, with batch norms and activations in compiled regions."""

    name: str = field(default="fused", init=False)
    fuses: bool = field(default=True, init=False)

    @contextmanager
    def running(self) -> Iterator[None]:
        with _compiling(_REGIONS):
            yield


@contextmanager
def _compiling(most: int) -> Iterator[None]:
    """The context in which torch compiles a function up to `most` times."""
    from torch._dynamo import config  # only some engines need it, and it takes a while

    # Beyond the limit, torch would run the rest uncompiled: the steps in full size, and others after a resumption.
    with config.patch(recompile_limit=most, accumulated_recompile_limit=max(most, config.accumulated_recompile_limit)):
        yield


_Key = tuple[tuple[Hashable, Hashable], ...]  # owner and variant of each step that a graph holds


@define
class CudaGraphEngine:
    """Records steps as CUDA graphs, each network on a stream of its own.

    `on_failure` is called with the reason when a recording fails, after which steps run eagerly. If it is None, the
    failure is an error.
    """

    device: torch.device
    on_failure: Callable[[str], None] | None = None
    name: str = field(default="graph", init=False)
    inputs_on_device: bool = field(default=True, init=False)
    fuses: bool = field(default=False, init=False)
    recordings: int = field(default=0, init=False)
    _records: bool = field(default=True, init=False)
    _graphs: dict[_Key, torch.cuda.CUDAGraph] = field(factory=dict, init=False)
    _seen: set[_Key] = field(factory=set, init=False)  # steps that ran eagerly
    _stream: torch.cuda.Stream | None = field(default=None, init=False)  # while steps run: choosing touches no GPU
    _branches: list[torch.cuda.Stream] = field(factory=list, init=False)
    _pool: Any = field(default=None, init=False)

    def prepare_module(self, module: nn.Module) -> None:
        pass

    def new_inputs(self, seed: int) -> StepInputs:
        return DeviceInputs(seed, self.device)

    @contextmanager
    def running(self) -> Iterator[None]:
        # The default stream can't be recorded.
        outer = torch.cuda.current_stream(self.device)
        stream = self._stream = torch.cuda.Stream(self.device)  # type: ignore[no-untyped-call]
        stream.wait_stream(outer)
        try:
            with torch.cuda.device(self.device), torch.cuda.stream(stream):
                yield
        finally:
            outer.wait_stream(stream)
            self._graphs.clear()
            self._seen.clear()
            self._branches.clear()
            self._pool = self._stream = None

    def run(self, steps: Steps) -> None:
        if not any(step.context for step in steps):
            self._run_together(steps)
            return
        # One after another, on one stream: their graphs share torch's generator, and the memory pool.
        for step in steps:
            with step.context() if step.context else nullcontext():
                self._run_together([step])

    def release(self, owner: Hashable) -> None:
        for kept in (self._graphs, self._seen):
            for key in [key for key in kept if any(one == owner for one, _ in key)]:
                self._graphs.pop(key, None)
                self._seen.discard(key)

    def _run_together(self, steps: Steps) -> None:
        key = tuple((step.owner, step.variant) for step in steps)
        graph = self._graphs.get(key)
        if graph is None and key in self._seen and self._records:
            graph = self._recorded(steps)
            if graph is not None:
                self._graphs[key] = graph
        if graph is None:
            self._seen.add(key)
            self._fork(steps)
        else:
            graph.replay()

    def _recorded(self, steps: Steps) -> torch.cuda.CUDAGraph | None:
        """The steps as a graph, with nothing computed; None if that failed."""
        graph = torch.cuda.CUDAGraph()
        # Graphs share one memory pool: they replay one after another, and none reads another's tensors.
        self._pool = self._pool or torch.cuda.graph_pool_handle()
        try:
            with torch.cuda.graph(graph, pool=self._pool, stream=self._stream):
                self._fork(steps)
        except RuntimeError as error:  # also torch.OutOfMemoryError
            reason = "not enough memory" if is_memory_error(error) else str(error).partition("\n")[0]
            if self.on_failure is None:
                if is_memory_error(error):
                    raise
                raise EngineError(f"the engine `graph` can't be used: recording failed: {reason}", _ADVICE) from error
            self._records = False
            self.on_failure(reason)
            return None
        self.recordings += 1
        return graph

    def _fork(self, steps: Steps) -> None:
        """Launch the steps: one on the current stream, several in parallel on streams of their own."""
        if len(steps) == 1:
            steps[0].launch()
            return
        stream = self._stream
        assert stream
        while len(self._branches) < len(steps):
            self._branches.append(torch.cuda.Stream(self.device))  # type: ignore[no-untyped-call]
        forked: list[torch.cuda.Stream] = []
        try:
            for branch, step in zip(self._branches, steps, strict=False):
                branch.wait_stream(stream)
                forked.append(branch)
                with torch.cuda.stream(branch):
                    step.launch()
        finally:  # a recording with a stream that isn't joined would hide the error of a step
            for branch in forked:
                stream.wait_stream(branch)


@define
class FusedGraphEngine(CudaGraphEngine):
    """Records steps as CUDA graphs, with batch norms and activations in compiled regions."""

    name: str = field(default="fused", init=False)
    fuses: bool = field(default=True, init=False)

    @contextmanager
    def running(self) -> Iterator[None]:
        with _compiling(_REGIONS), super().running():
            yield


@frozen
class EngineChoice:
    """The engine that runs the steps, and the reason for the choice."""

    engine: Engine
    reason: str


def choose_engine(
    wanted: str, device: torch.device, recipe: Recipe, on_failure: Callable[[str], None] = lambda _: None
) -> EngineChoice:
    """The engine for a name in ENGINES.

    `on_failure` gets the reason if steps can't be recorded after all, and run eagerly. If `graph` is wanted, that is an
    error instead. Raises EngineError.
    """
    if wanted not in ENGINES:
        raise EngineError(f"{wanted!r} is not an engine; use {', '.join(ENGINES)}")
    if wanted == "eager":
        return EngineChoice(EagerEngine(device), "requested")
    if wanted == "compile":
        _require_compiler(device)
        return EngineChoice(CompiledEngine(device), "requested")
    obstacle = _obstacle(device, recipe)
    if wanted == "fused":
        fused = FusedEagerEngine(device) if obstacle else FusedGraphEngine(device, on_failure)
        return EngineChoice(fused, obstacle or _RECORDED)
    if obstacle is None:
        return EngineChoice(CudaGraphEngine(device, None if wanted == "graph" else on_failure), _RECORDED)
    if wanted == "graph":
        raise EngineError(f"the engine `graph` can't be used: {obstacle}", _ADVICE)
    return EngineChoice(EagerEngine(device), obstacle)


def choose_working_engine(
    wanted: str, device: torch.device, recipe: Recipe, on_failure: Callable[[str], None], note: Callable[[str], None]
) -> EngineChoice:
    """As `choose_engine`, or what `auto` chooses, after a `note`, if `fused` is wanted and compiling fails.

    Only where that is wanted does it take seconds and use the device.
    """
    choice = choose_engine(wanted, device, recipe, on_failure)
    if choice.engine.fuses and (reason := why_not_fused(device)):
        note(f"batch norm and activations can't be fused ({reason}); they run one by one")
        return choose_engine("auto", device, recipe, on_failure)
    return choice


def _require_compiler(device: torch.device) -> None:
    """Raise EngineError if torch.compile has no compiler for the device."""
    if device.type == "cuda":
        if importlib.util.find_spec("triton") is None:
            raise EngineError("the engine `compile` can't be used: it requires triton on a GPU", _ADVICE)
    elif not any(shutil.which(name) for name in (os.environ.get("CXX", ""), "g++", "clang++")):
        raise EngineError("the engine `compile` can't be used: it requires a C++ compiler such as g++", _ADVICE)


def _obstacle(device: torch.device, recipe: Recipe) -> str | None:
    """The reason why steps can't be recorded, or None if they can."""
    if device.type != "cuda":
        return "only CUDA GPUs can record steps"
    parts: list[Recipe | Group] = [recipe, *recipe.groups]
    for part in parts:
        if not part.optimizer.can_be_recorded:
            return f"`{part.optimizer.name}` waits for the device in every step"
        if part.schedule.sets_momentum and not part.optimizer.momentum_on_device:
            return f"`{part.schedule.name}` changes the momentum of `{part.optimizer.name}` in every step"
    return None


def has_random_layers(graph: Graph) -> bool:
    """Whether a layer draws from torch's generator during training."""
    return any(node.operation.is_random for node in graph.nodes)
