"""Energy meters, with simulated counters and powers."""

import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

import cifar_dsl
from cifar_dsl import api
from cifar_dsl.experiments.jobs import InlineExecutor
from cifar_dsl.runs import open_run
from cifar_dsl.training import energy, session
from cifar_dsl.training.energy import meter_of_gpu, start_meter
from cifar_dsl.training.events import EpochEnded
from cifar_dsl.training.options import RunOptions

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(energy, "_EVERY_S", 0.005)


@pytest.fixture
def powercap(tmp_path):
    """Two processors, one with a subdomain that must not count twice, and a memory domain."""
    for name, what in (
        ("intel-rapl:0", "package-0"),
        ("intel-rapl:0:0", "core"),
        ("intel-rapl:1", "package-1"),
        ("intel-rapl:2", "psys"),
    ):
        folder = tmp_path / "powercap" / name
        folder.mkdir(parents=True)
        (folder / "name").write_text(f"{what}\n")
        (folder / "max_energy_range_uj").write_text("10000000\n")
        (folder / "energy_uj").write_text("9000000\n")
    return tmp_path / "powercap"


def count(powercap: Path, name: str, energy_uj: int) -> None:
    """Write atomically, as the kernel does."""
    (powercap / "new").write_text(f"{energy_uj}\n")
    (powercap / "new").replace(powercap / name / "energy_uj")


def test_the_energy_of_processors_is_summed_across_counter_wraparound(powercap):
    meter = start_meter(CPU, powercap)
    assert meter is not None
    assert meter.read_j() == 0
    count(powercap, "intel-rapl:0", 9_500_000)
    count(powercap, "intel-rapl:0:0", 9_400_000)
    count(powercap, "intel-rapl:2", 9_999_999)
    count(powercap, "intel-rapl:1", 250_000)
    assert meter.read_j() == 0.5 + 1.25
    count(powercap, "intel-rapl:0", 1_000_000)
    assert meter.read_j() == 0.5 + 1.25 + 1.5
    meter.stop()


def test_a_counter_is_read_often_enough_to_catch_every_wraparound(powercap):
    meter = start_meter(CPU, powercap)
    for energy_uj, total_j in ((3_000_000, 4), (8_000_000, 9), (2_000_000, 13)):  # its ends alone are 3 J apart
        count(powercap, "intel-rapl:0", energy_uj)
        end = time.monotonic() + 60
        while meter._total_j != total_j:
            assert time.monotonic() < end, "nobody looks"
            time.sleep(0.005)
    assert meter.read_j() == 13
    meter.stop()


def test_a_counter_that_becomes_unreadable_gives_none(powercap):
    meter = start_meter(CPU, powercap)
    (powercap / "intel-rapl:1" / "energy_uj").unlink()
    assert meter.read_j() is None
    meter.stop()


def test_a_device_without_a_counter_has_no_meter(tmp_path, powercap):
    assert start_meter(CPU, tmp_path / "nothing") is None
    (powercap / "intel-rapl:0" / "energy_uj").unlink()  # as where only root may read it
    assert start_meter(CPU, powercap) is None
    assert start_meter(torch.device("meta"), powercap) is None


class FakeNvml:
    """NVML of a GPU: its counter in mJ, or None without one, and its power in mW."""

    class NVMLError(Exception):
        pass

    def __init__(self, counter_mj: int | None, power_mw: int = 0) -> None:
        self.counter_mj, self.power_mw, self.processes = counter_mj, power_mw, ["this one"]

    def nvmlDeviceGetTotalEnergyConsumption(self, handle) -> int:  # noqa: N802
        if self.counter_mj is None:
            raise self.NVMLError("not supported")
        return self.counter_mj

    def nvmlDeviceGetPowerUsage(self, handle) -> int:  # noqa: N802
        return self.power_mw

    def nvmlDeviceGetComputeRunningProcesses(self, handle) -> list[str]:  # noqa: N802
        return self.processes


def test_a_gpus_energy_counter_is_read():
    nvml = FakeNvml(5_000)
    meter = meter_of_gpu(nvml, "gpu")
    nvml.counter_mj = 12_500
    assert meter.read_j() == 7.5
    meter.stop()


def test_the_power_is_integrated_without_an_energy_counter():
    nvml = FakeNvml(None, power_mw=200_000)
    begun = time.perf_counter()
    meter = meter_of_gpu(nvml, "gpu")
    time.sleep(0.1)
    found, passed_s = meter.read_j(), time.perf_counter() - begun
    assert 0.5 * 0.1 * 200 < found <= passed_s * 200
    meter.stop()


def test_a_gpu_shared_with_another_process_gives_none():
    nvml = FakeNvml(5_000)
    meter = meter_of_gpu(nvml, "gpu")
    nvml.processes = ["this one", "another"]
    assert meter.read_j() is None
    nvml.processes = ["this one"]
    assert meter.read_j() is None  # a part of it is the other's
    meter.stop()


class Steady:
    """A meter that adds a joule at each reading."""

    def __init__(self) -> None:
        self.looks = 0

    def read_j(self) -> float:
        self.looks += 1
        return float(self.looks)

    def stop(self) -> None:
        self.looks = -1


def test_a_run_records_its_energy(tiny, pictures, tmp_path, monkeypatch):
    meters = []
    monkeypatch.setattr(session, "start_meter", lambda _: meters.append(Steady()) or meters[-1])
    trained = {"data": f"npz:{pictures}", "device": "cpu", "runs": tmp_path / "runs"}
    run = cifar_dsl.train(tiny, **trained)
    assert run.result().energy_j == 3  # two checkpoints, and the result
    assert [meter.looks for meter in meters] == [-1]


def test_a_resumed_run_has_the_total_energy(tiny, pictures, tmp_path, monkeypatch):
    monkeypatch.setattr(session, "start_meter", lambda _: Steady())
    spec, dataset = api.open_data(api.load(tiny), f"npz:{pictures}")
    job = api.job(spec, dataset, [0], RunOptions(runs=tmp_path / "runs", device="cpu"))
    seen = []
    InlineExecutor().run(
        [job], lambda _, event: seen.append(event), lambda: any(isinstance(event, EpochEnded) for event in seen)
    )
    (finished,) = InlineExecutor().run([job], lambda *_: None)
    assert (
        open_run(Path(finished.paths[0])).result().energy_j == 2 + 2
    )  # each wrote two checkpoints, or one and the end


def test_trainings_that_share_a_device_measure_nothing(tiny, pictures, tmp_path, monkeypatch):
    monkeypatch.setattr(session, "start_meter", lambda _: Steady())
    spec, dataset = api.open_data(api.load(tiny), f"npz:{pictures}")
    job = api.job(spec, dataset, [0], RunOptions(runs=tmp_path / "runs", device="cpu"), shares_device=True)
    (finished,) = InlineExecutor().run([job], lambda *_: None)
    assert open_run(Path(finished.paths[0])).result().energy_j is None


def test_without_a_meter_a_run_has_no_energy(tiny, pictures, tmp_path, monkeypatch):
    monkeypatch.setattr(session, "start_meter", lambda _: None)
    run = cifar_dsl.train(tiny, data=f"npz:{pictures}", device="cpu", runs=tmp_path / "runs")
    assert run.result().energy_j is None


@pytest.mark.parametrize("used_mj", [-1000, float("nan")])
def test_a_counter_that_a_driver_sets_back_measures_nothing(used_mj):
    readings = iter([5000, 5000, 5000 + used_mj])
    nvml = SimpleNamespace(
        NVMLError=RuntimeError,
        nvmlDeviceGetTotalEnergyConsumption=lambda _: next(readings, 9000),
        nvmlDeviceGetComputeRunningProcesses=lambda _: [],
    )
    meter = meter_of_gpu(nvml, None)
    assert meter is not None
    meter.stop()
    assert [meter.read_j() for _ in range(3)][-1] is None
