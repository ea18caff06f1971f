"""How steps are run: one by one, or recorded as graphs of kernels and replayed.

Small networks need about 60 kernels a step, and launching them one by one takes longer than computing them. A
CUDA graph launches all of them at once. What a graph does can't change, so a step is recorded once for every
`variant`: all that decides which kernels it launches. Everything else, the images, rates and keys, is fed to it
on the device (`feeds`).

A variant that is met for the first time is run eagerly: libraries choose their kernels, and optimizers make the
tensors that they keep. At the second time it is recorded, which computes nothing, and replayed from then on. So
recording changes no result: every step is run exactly once, in its turn.

`compile` runs steps one by one with the passes through the network compiled by torch.compile. It is never chosen by
itself (docs/decisions/0019-compiled-on-request.md).
"""

import importlib.util
import os
import shutil
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Protocol

import torch
from attrs import define, field
from torch import nn

from cifar_dsl.foundation.errors import EngineError
from cifar_dsl.foundation.records import frozen
from cifar_dsl.ir import Graph, Recipe
from cifar_dsl.training.feeds import DeviceFeed, Feed, HostFeed

ENGINES = ("auto", "eager", "graph", "compile")
Steps = Sequence[Callable[[], None]]


class Engine(Protocol):
    """Runs steps of one or several networks side by side, which don't touch each other's tensors."""

    @property
    def name(self) -> str:
        """As after `--engine`."""

    @property
    def is_recorded(self) -> bool:
        """Whether steps take everything that changes from the device."""

    def adopt(self, module: nn.Module) -> None:
        """Take a network that was built and will be trained in steps of this."""

    def feed(self, seed: int) -> Feed:
        """What the steps of a network are fed by."""

    def running(self) -> AbstractContextManager[None]:
        """Everything between steps, too, is done inside this."""

    def run(self, variant: Hashable, steps: Steps) -> None:
        """Run a step of each network. Steps of equal variants launch the same kernels."""


@define
class Eager:
    """Runs steps one by one; with `on_device`, fed as recorded ones are."""

    device: torch.device
    on_device: bool = False
    name: str = field(default="eager", init=False)

    @property
    def is_recorded(self) -> bool:
        """See `Engine`."""
        return self.on_device

    def adopt(self, module: nn.Module) -> None:
        """See `Engine`."""

    def feed(self, seed: int) -> Feed:
        """See `Engine`."""
        return DeviceFeed(seed, self.device) if self.on_device else HostFeed(seed, self.device)

    @contextmanager
    def running(self) -> Iterator[None]:
        """See `Engine`."""
        yield

    def run(self, variant: Hashable, steps: Steps) -> None:
        """See `Engine`."""
        del variant
        for step in steps:
            step()


@define
class Compiled(Eager):
    """Runs steps one by one, with each network compiled: once for every size of a batch, and once to be evaluated."""

    name: str = field(default="compile", init=False)

    def adopt(self, module: nn.Module) -> None:
        """See `Engine`. Random numbers are those that it draws without being compiled."""
        module.compile(dynamic=False, options={"fallback_random": True})


@define
class Recorded:
    """Records steps as CUDA graphs, each network on a stream of its own."""

    device: torch.device
    name: str = field(default="graph", init=False)
    is_recorded: bool = field(default=True, init=False)
    recordings: int = field(default=0, init=False)
    _graphs: dict[Hashable, torch.cuda.CUDAGraph] = field(factory=dict, init=False)
    _met: set[Hashable] = field(factory=set, init=False)
    _stream: torch.cuda.Stream = field(init=False)
    _branches: list[torch.cuda.Stream] = field(factory=list, init=False)
    _pool: Any = field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        self._stream = torch.cuda.Stream(self.device)  # type: ignore[no-untyped-call]

    def adopt(self, module: nn.Module) -> None:
        """See `Engine`."""

    def feed(self, seed: int) -> Feed:
        """See `Engine`."""
        return DeviceFeed(seed, self.device)

    @contextmanager
    def running(self) -> Iterator[None]:
        """See `Engine`: on a stream that can be recorded."""
        outer = torch.cuda.current_stream(self.device)
        self._stream.wait_stream(outer)
        try:
            with torch.cuda.device(self.device), torch.cuda.stream(self._stream):
                yield
        finally:
            outer.wait_stream(self._stream)
            self._graphs.clear()
            self._met.clear()
            self._pool = None

    def run(self, variant: Hashable, steps: Steps) -> None:
        """See `Engine`."""
        graph = self._graphs.get(variant)
        if graph is None:
            if variant not in self._met:
                self._met.add(variant)
                self._fork(steps)
                return
            graph = torch.cuda.CUDAGraph()
            # Graphs share one pool of memory: they are replayed one after another, and none needs another's tensors.
            self._pool = self._pool or torch.cuda.graph_pool_handle()
            with torch.cuda.graph(graph, pool=self._pool, stream=self._stream):
                self._fork(steps)
            self._graphs[variant] = graph
            self.recordings += 1
        graph.replay()

    def _fork(self, steps: Steps) -> None:
        """Run the steps, the second and further ones on streams that run beside this."""
        if len(steps) == 1:
            steps[0]()
            return
        while len(self._branches) < len(steps):
            self._branches.append(torch.cuda.Stream(self.device))  # type: ignore[no-untyped-call]
        for branch, step in zip(self._branches, steps, strict=False):
            branch.wait_stream(self._stream)
            with torch.cuda.stream(branch):
                step()
        for branch, _ in zip(self._branches, steps, strict=False):
            self._stream.wait_stream(branch)


@frozen
class EngineChoice:
    """An engine, and why it was chosen."""

    engine: Engine
    reason: str


def choose_engine(wanted: str, device: torch.device, graph: Graph, recipe: Recipe, networks: int = 1) -> EngineChoice:
    """One of ENGINES -> an engine for so many networks at once. Raises EngineError."""
    if wanted not in ENGINES:
        raise EngineError(f"{wanted!r} is not an engine; use {', '.join(ENGINES)}")
    if wanted == "eager":
        return EngineChoice(Eager(device), "asked for")
    if wanted == "compile":
        _require_compiler(device)
        return EngineChoice(Compiled(device), "asked for")
    obstacle = _obstacle(device, graph, recipe, networks)
    if obstacle is None:
        return EngineChoice(Recorded(device), "steps are recorded as CUDA graphs")
    if wanted == "graph":
        raise EngineError(f"the engine `graph` can't be used: {obstacle}", "`--engine auto` takes the best that can")
    return EngineChoice(Eager(device), obstacle)


def _require_compiler(device: torch.device) -> None:
    """Raise EngineError where torch.compile lacks what it makes code with."""
    advice = "`--engine auto` takes the best that can"
    if device.type == "cuda":
        if importlib.util.find_spec("triton") is None:
            raise EngineError("the engine `compile` can't be used: it needs triton on a GPU", advice)
    elif not any(shutil.which(name) for name in (os.environ.get("CXX", ""), "g++", "clang++")):
        raise EngineError("the engine `compile` can't be used: it needs a C++ compiler, such as g++", advice)


def _obstacle(device: torch.device, graph: Graph, recipe: Recipe, networks: int) -> str | None:
    """Why steps can't be recorded; None where they can."""
    if device.type != "cuda":
        return "only a CUDA GPU records steps"
    for augmentation in recipe.augment:
        if augmentation.on_host:
            return f"`{augmentation.name}` works on the CPU"
    for optimizer in (recipe.optimizer, *(group.optimizer for group in recipe.groups)):
        if not optimizer.can_be_recorded:
            return f"`{optimizer.name}` waits for the device at every step"
    if networks > 1 and draws_at_random(graph):
        return "layers that draw at random, of several networks, can't be recorded together"
    return None


def draws_at_random(graph: Graph) -> bool:
    """Whether a layer draws from torch's generator while it trains."""
    return any(node.operation.is_random for node in graph.nodes)
