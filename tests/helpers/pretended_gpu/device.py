"""A CUDA device that doesn't exist: streams, events, graphs, and what torch.cuda tells about it.

Streams have vector clocks, so that two uses of a tensor that nothing orders are found. A graph keeps the steps that ran
while it was recorded. A replay runs their Python again and compares all operators, numbers, shapes and addresses
with those of the recording.
"""

import weakref
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from types import SimpleNamespace
from typing import Any
from unittest import mock

import torch
from attrs import define, field
from helpers.pretended_gpu.findings import Ledger
from torch import Tensor

GPU = torch.device("cuda", 0)
Clock = Counter[int]  # by id of a stream: how much of its work is known to be done


class Stream:
    """A queue of work. `clock` says what is done before anything that is launched on it now."""

    def __init__(self, gpu: "Gpu") -> None:
        self.clock: Clock = Counter()
        self.device, self.cuda_stream = GPU, id(self)
        self.device_type, self.device_index, self.stream_id = 1, 0, id(self)  # of torch.Stream
        self._gpu = gpu

    def wait_stream(self, other: "Stream") -> None:
        self._gpu.make_wait(self, other)

    def wait_event(self, event: "Event") -> None:
        self.clock |= event.clock

    def record_event(self, event: "Event | None" = None) -> "Event":
        event = event or Event(self._gpu)
        event.record(self)
        return event

    def synchronize(self) -> None:
        self._gpu.host_waits("Stream.synchronize")

    def is_capturing(self) -> bool:
        return self._gpu.records(self)


class Event:
    """A moment on a stream."""

    def __init__(self, gpu: "Gpu") -> None:
        self.clock: Clock = Counter()
        self._gpu = gpu

    def record(self, stream: Stream | None = None) -> None:
        self.clock = Counter((stream or self._gpu.stream).clock)

    def query(self) -> bool:
        self._gpu.host_clock |= self.clock
        return True

    def synchronize(self) -> None:
        self._gpu.host_waits("Event.synchronize")


@define(eq=False)
class Trace:
    """What steps do: operators with everything that isn't a tensor, and the tensors from outside that they use."""

    operators: list[str] = field(factory=list)
    outside: list[weakref.ref[Any]] = field(factory=list)  # storages; a graph doesn't keep them, either
    _made: dict[int, object] = field(factory=dict)  # storages, by id
    _used: dict[int, object] = field(factory=dict)

    def add(self, operator: str, arguments: Sequence[Tensor], results: Sequence[Tensor]) -> None:
        """Note that an operator ran."""
        self.operators.append(operator)
        for storage in map(Tensor.untyped_storage, arguments):
            if id(storage) not in self._made and id(storage) not in self._used:
                self._used[id(storage)] = storage
                self.outside.append(weakref.ref(storage))
        for storage in map(Tensor.untyped_storage, results):
            if id(storage) not in self._used:
                self._made[id(storage)] = storage

    def end(self) -> None:
        """Let go of the tensors."""
        self._made.clear()
        self._used.clear()


class CudaGraph:
    """A recording. The project replays it right after it was recorded: that replay is the step that Python just ran."""

    def __init__(self, gpu: "Gpu") -> None:
        self.trace = Trace()
        self.steps: list[Callable[[], None]] = []
        self._gpu, self._is_new = gpu, True

    def replay(self) -> None:
        if self._is_new:
            self._is_new = False
        else:
            self._gpu.replay(self)

    def reset(self) -> None: ...


class Gpu:
    """The state of the device. `capture` is the graph that is being recorded."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.host_clock: Clock = Counter()
        self.default = self.stream = Stream(self)
        self.capture: CudaGraph | None = None
        self.trace: Trace | None = None
        self._forked: set[Stream] = set()
        self._unjoined: set[Stream] = set()
        self._writes: weakref.WeakKeyDictionary[Any, tuple[Stream, int]] = weakref.WeakKeyDictionary()
        self._reads: weakref.WeakKeyDictionary[Any, dict[Stream, int]] = weakref.WeakKeyDictionary()

    # ---- order

    def make_wait(self, stream: Stream, other: Stream) -> None:
        """Let later work of `stream` wait for the present work of `other`."""
        stream.clock |= other.clock
        stream.clock |= self.host_clock
        if self.capture is None:
            return
        if other not in self._forked:
            if stream in self._forked:
                self.ledger.note("forbidden", "a recorded stream waits for one that isn't recorded")
        elif stream not in self._forked:
            self._forked.add(stream)
            self._unjoined.add(stream)
        else:
            self._unjoined.discard(other)

    def records(self, stream: Stream) -> bool:
        """Whether what is launched on the stream is recorded."""
        return self.capture is not None and stream in self._forked

    def host_waits(self, what: str) -> None:
        """Note that the host waits for the current stream."""
        self.note("wait", what)
        self.host_clock |= self.stream.clock

    def note(self, kind: str, what: str) -> None:
        """Note what takes time, and is an error while a graph is recorded."""
        self.ledger.note("forbidden" if self.capture else kind, what)

    def launch(self, reads: Sequence[Tensor], writes: Sequence[Tensor]) -> None:
        """Note a kernel on the current stream."""
        stream = self.stream
        if self.capture and stream not in self._forked:
            self.ledger.note("forbidden", "an operator on a stream that isn't recorded, while another one is")
        stream.clock |= self.host_clock
        stream.clock[id(stream)] += 1
        now = stream.clock[id(stream)]
        for storage in map(Tensor.untyped_storage, (*reads, *writes)):
            writer = self._writes.get(storage)
            if writer and stream.clock[id(writer[0])] < writer[1]:
                self.ledger.note("race", "uses what another stream wrote")
        for storage in map(Tensor.untyped_storage, writes):
            for reader, when in self._reads.pop(storage, {}).items():
                if stream.clock[id(reader)] < when:
                    self.ledger.note("race", "writes what another stream reads")
            self._writes[storage] = (stream, now)
        for storage in map(Tensor.untyped_storage, reads):
            self._reads.setdefault(storage, {})[stream] = now

    # ---- graphs

    @contextmanager
    def recording(self, graph: CudaGraph, stream: Stream) -> Iterator[None]:
        """Record what is launched on `stream` and on those that fork from it; torch waits for the device before."""
        self.host_clock |= self.stream.clock
        before, self.stream = self.stream, stream
        self.capture, self.trace = graph, graph.trace
        self._forked, self._unjoined = {stream}, set()
        try:
            yield
        finally:
            if self._unjoined:
                self.ledger.note("forbidden", "a stream that was forked isn't joined when the recording ends")
            graph.trace.end()
            self.capture = self.trace = None
            self.stream = before
            self.ledger.recorded += 1

    def replay(self, graph: CudaGraph) -> None:
        """Run the recorded steps again, all on the current stream, and compare."""
        self.ledger.replayed += 1
        was, now = graph.trace, Trace()
        if any(storage() is None for storage in was.outside):
            self.ledger.note("baked", "a tensor that the graph uses is gone", "replay")
        self.trace = now
        for step in graph.steps:
            step()
        self.trace = None
        if len(was.operators) != len(now.operators):
            what = f"{len(was.operators)} operators were recorded; the step has {len(now.operators)}"
            self.ledger.note("baked", what, "replay")
            return
        for one, other in zip(was.operators, now.operators, strict=True):
            if one != other:
                self.ledger.note("baked", f"{one[:200]} was recorded; the step has {other[:200]}", "replay")
                return
        if any(one() is not other() for one, other in zip(was.outside, now.outside, strict=False)):
            self.ledger.note("baked", "a tensor lies elsewhere than when the graph was recorded", "replay")

    # ---- torch.cuda

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Replace what torch.cuda and torch.accelerator tell by this device."""

        @contextmanager
        def current(stream: Stream | None) -> Iterator[None]:
            before, self.stream = self.stream, stream or self.stream
            try:
                yield
            finally:
                self.stream = before

        @contextmanager
        def selected(_device: object = None) -> Iterator[None]:
            yield

        def state_of_generator(*_: object, **__: object) -> Tensor:
            if self.capture:
                self.ledger.note("forbidden", "the state of the device's generator")
            return torch.zeros(16, dtype=torch.uint8)

        properties = SimpleNamespace(
            name="pretended", major=9, minor=0, total_memory=141 * 10**9, multi_processor_count=132, uuid="0"
        )
        fakes: dict[str, Any] = {
            "is_available": lambda: True,
            "is_initialized": lambda: True,
            "_is_compiled": lambda: True,
            **dict.fromkeys(("init", "_lazy_init", "_lazy_call", "set_device", "empty_cache"), _nothing),
            "device_count": lambda: 1,
            "current_device": lambda: 0,
            "get_device_name": lambda *_: properties.name,
            "get_device_properties": lambda *_: properties,
            "get_device_capability": lambda *_: (9, 0),
            "is_bf16_supported": lambda *_, **__: True,
            "mem_get_info": lambda *_: (140 * 10**9, 141 * 10**9),
            "synchronize": lambda *_: self.host_waits("torch.cuda.synchronize"),
            "Stream": lambda *_, **__: Stream(self),
            "Event": lambda *_, **__: Event(self),
            "current_stream": lambda *_: self.stream,
            "default_stream": lambda *_: self.default,
            "stream": current,
            "device": selected,
            "CUDAGraph": lambda *_, **__: CudaGraph(self),
            "graph": lambda graph, pool=None, stream=None, **_: self.recording(graph, stream),
            "graph_pool_handle": lambda: (0, 1),
            "is_current_stream_capturing": lambda: self.capture is not None,
            **dict.fromkeys(("manual_seed", "manual_seed_all", "get_rng_state", "set_rng_state"), state_of_generator),
        }
        accelerator = {"current_accelerator": lambda *_, **__: GPU, "current_stream": lambda *_: self.stream}
        with ExitStack() as stack:
            for name, fake in fakes.items():
                stack.enter_context(mock.patch.object(torch.cuda, name, fake, create=True))
            for name, fake in accelerator.items():
                stack.enter_context(mock.patch.object(torch.accelerator, name, fake))
            yield


def _nothing(*_: object, **__: object) -> None: ...
