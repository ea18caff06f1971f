"""A profile's times add up, and it writes only the requested trace."""

import json

import pytest
from helpers.tolerances import FLOAT64

from cifar_dsl import api
from cifar_dsl.training.device import choose_device, peak_macs_per_s
from cifar_dsl.training.profiling import PHASES, profile_training


def test_a_profile_has_the_phases_of_a_step_and_writes_a_trace(tiny, pictures, tmp_path):
    spec, dataset = api.open_data(api.load(tiny, overrides=["train.batch=2"]), f"npz:{pictures}")
    choice = choose_device("cpu")
    found = profile_training(spec.analysis, dataset, choice, engine="auto", steps=10, trace=tmp_path / "trace.json")
    assert list(found.phases) == list(PHASES)
    assert all(seconds > 0 for seconds in found.phases.values())
    assert found.images_per_s == pytest.approx(2 / found.step_s, **FLOAT64)
    assert found.epoch_s == pytest.approx(30 * found.step_s, **FLOAT64)
    share = 3 * spec.graph.cost.macs * found.images_per_s / peak_macs_per_s(choice.device, "fp32")
    assert found.peak_share == pytest.approx(share, **FLOAT64)
    assert (found.engine, found.recording_s) == ("eager", 0)
    names = {event.get("name") for event in json.loads((tmp_path / "trace.json").read_text())["traceEvents"]}
    assert set(PHASES) <= names
    assert {path.name for path in tmp_path.iterdir()} == {"tiny.arch", "pictures.npz", "trace.json"}
