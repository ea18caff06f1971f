"""Devices are chosen, or the error names the available ones."""

import multiprocessing
import os
from functools import partial

import pytest
import torch
from helpers.tolerances import FLOAT64

from cifar_dsl.foundation.errors import DeviceError
from cifar_dsl.training import device
from cifar_dsl.training.device import (
    Choice,
    choose_device,
    memory_bytes,
    peak_macs_per_s,
    peak_share,
    processor_name,
    set_threads,
    spare_gpus,
)


@pytest.fixture
def gpus(monkeypatch: pytest.MonkeyPatch):
    def pretend(cuda: int = 0, *, mps: bool = False) -> None:
        monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda > 0)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: cuda)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)

    return pretend


@pytest.mark.parametrize(
    ("cuda", "mps", "chosen"), [(0, False, "cpu"), (2, False, "cuda:0"), (0, True, "mps"), (1, True, "cuda:0")]
)
def test_auto_picks_the_best_device_and_gives_the_reason(gpus, cuda, mps, chosen):
    gpus(cuda, mps=mps)
    choice = choose_device("auto")
    assert str(choice.device) == chosen
    assert choice.reason.startswith("auto: ")


@pytest.mark.parametrize(
    ("wanted", "visible", "names"),
    [
        ("auto", "", ("0", "1")),
        ("cuda", "5,GPU-6,-1,7", ("5", "GPU-6")),  # up to the first that is not there
        ("auto", " 1 , 0 ", ("1", "0")),
        ("auto", "MIG-a,MIG-b,MIG-a, MIG-c", ("MIG-a", "MIG-b", "MIG-c")),  # of which one process sees only the first
        ("cuda:1", "", ()),
        ("cpu", "", ()),
    ],
)
def test_only_visible_gpus_are_distributed(gpus, monkeypatch, wanted, visible, names):
    gpus(2)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert spare_gpus(wanted) == names


def test_no_gpu_is_distributed_without_cuda(gpus):
    gpus(0)
    assert spare_gpus("auto") == ()


@pytest.mark.parametrize(("wanted", "device"), [("cpu", "cpu"), ("cuda", "cuda:0"), ("cuda:1", "cuda:1")])
def test_a_requested_device_is_chosen(gpus, wanted, device):
    gpus(2, mps=True)
    assert str(choose_device(wanted).device) == device


@pytest.mark.parametrize(
    ("wanted", "cuda", "message"),
    [
        ("cuda", 0, "device cuda is not available: torch sees no CUDA GPU"),
        ("cuda:2", 2, "device cuda:2 is not available: torch sees 2 GPUs"),
        ("mps", 0, r"no MPS device is available \(it requires macOS on Apple silicon\)"),
    ],
)
def test_a_missing_device_is_never_replaced(gpus, wanted, cuda, message):
    gpus(cuda)
    with pytest.raises(DeviceError, match=message):
        choose_device(wanted)


@pytest.mark.parametrize(
    "wanted", ["gpu", "cuda:", "cuda:x", "cuda:-1", "CPU", "", "cpu:0", "cuda:1:2", "cuda:" + "9" * 5000]
)
def test_an_invalid_device_name_is_refused_with_the_valid_ones(gpus, wanted):
    gpus(4)
    with pytest.raises(DeviceError, match=r"is not a device; use auto, cpu, cuda, cuda:0 or mps"):
        choose_device(wanted)


def test_the_processor_has_a_name():
    assert processor_name()
    assert choose_device("cpu").name == processor_name()


def test_the_memory_of_a_cpu_is_that_of_the_machine(monkeypatch):
    monkeypatch.setattr("cifar_dsl.training.device.available_bytes", lambda: 4_096_000)
    assert memory_bytes(torch.device("cpu")) == 4_096_000


def test_the_memory_of_a_gpu_is_what_is_free(monkeypatch):
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (3_000, 80_000))
    assert memory_bytes(torch.device("cuda", 0)) == 3_000


def test_another_process_is_asked_and_ended_where_this_one_must_not_use_the_device():
    choice = Choice(torch.device("cpu"), "requested", is_used_elsewhere=True)
    asked = [choice.ask(os.getpid) for _ in range(2)]
    assert asked[0] == asked[1] != os.getpid()
    choice.stop_asking()
    assert not multiprocessing.active_children()
    assert Choice(torch.device("cpu"), "requested").ask(os.getpid) == os.getpid()


@pytest.mark.parametrize(
    ("default", "usable", "wanted", "threads"),
    [
        pytest.param(3, 8, None, 3, id="the default of torch"),
        pytest.param(3, 2, None, 2, id="in a container with two CPUs"),
        pytest.param(3, 2, 3, 3, id="as requested"),
    ],
)
def test_the_default_number_of_threads_is_at_most_that_of_usable_cpus(monkeypatch, default, usable, wanted, threads):
    monkeypatch.setattr(device, "usable_cpus", lambda: usable)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(default)
        set_threads(wanted)
        assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)


CPU = torch.device("cpu")


@pytest.fixture
def unknown_peak():
    device._peak_macs_per_s.cache_clear()
    yield
    device._peak_macs_per_s.cache_clear()


@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
def test_the_peak_of_a_cpu_is_the_faster_of_a_matrix_product_and_a_convolution(unknown_peak, monkeypatch, precision):
    speeds = {"mm": [], "conv2d": []}
    monkeypatch.setattr(device, "timed", lambda _device, run: (run(), 0.5)[1])
    for name in speeds:
        monkeypatch.setattr(torch, name, lambda left, _right, _name=name, **_more: speeds[_name].append(left.dtype))
    peak = peak_macs_per_s(CPU, precision)
    is_slow = device.why_slow(precision, CPU)  # on this processor
    convolution = 16 * 16 * 128 * 128 * 9
    assert peak == (max(128**3, convolution) if is_slow else max(1024**3, 32 * convolution)) / 0.5
    assert set(speeds["mm"]) == set(speeds["conv2d"]) == {device.type_of(precision)}


@pytest.mark.parametrize(("precision", "allows_tf32"), [("fp32", True), ("bf16", True)])
def test_the_peak_of_a_gpu_is_that_of_warm_clocks_in_the_precision_of_convolutions(
    unknown_peak, monkeypatch, precision, allows_tf32
):
    allowed, clock_s = [], [0.0]

    def multiply(left, right):
        assert left.unique().numel() > left.numel() / 2000 > 1  # random, also in few bits
        assert left.dtype == right.dtype == device.type_of(precision)
        allowed.append(torch.backends.cuda.matmul.allow_tf32)

    def timed(_, run):
        before = clock_s[0]
        count = len(allowed)
        run()
        for _ in range(len(allowed) - count):
            clock_s[0] += 0.02 if clock_s[0] < 0.4 else 0.01  # an idle GPU has low clocks
        return clock_s[0] - before

    make = torch.Generator
    monkeypatch.setattr(torch, "Generator", lambda _: make())
    monkeypatch.setattr(torch, "randn", partial(_small, torch.randn))
    monkeypatch.setattr(torch, "mm", multiply)
    monkeypatch.setattr(device, "timed", timed)
    monkeypatch.setattr(device, "why_slow", lambda *_: None)
    assert peak_macs_per_s(torch.device("cuda", 0), precision) == pytest.approx(4096**3 / 0.01, **FLOAT64)
    assert set(allowed) == {allows_tf32}
    assert not torch.backends.cuda.matmul.allow_tf32


def _small(randn, *_shape, generator, device):
    return randn(64, 64, generator=generator)


def test_a_speed_above_the_measured_peak_has_no_share(unknown_peak, monkeypatch):
    monkeypatch.setattr(device, "timed", lambda _device, run: (run(), 10.0)[1])  # other processes used the CPU
    peak = peak_macs_per_s(CPU, "fp32")
    assert peak_share(3.9 * peak, CPU, "fp32") is None
    assert peak_share(0.25 * peak, CPU, "fp32") == 0.25
