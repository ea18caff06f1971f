"""A small network learns, and its loaded copy has the recorded accuracy."""

import numpy as np
import torch
from helpers.pictures import real_pictures

import cifar_dsl

SPEC = """
arch learner

input 3x32x32

model {
    for c in [16, 32, 32] { conv(c, 3, pad=1, bias=false) -> bn -> relu -> maxpool(2) }
    flatten
    dense(64) -> relu -> dense(10)
}

train {
    data      shapes
    augment   flip
    epochs    4
    batch     32
    optimizer adam(lr=2e-3)
    schedule  one_cycle
}
"""


def test_a_small_network_learns_in_four_epochs(tmp_path):
    some = np.random.default_rng(0).permutation(5000)[:4000]
    arrays = {name: array[some] if name.endswith("train") else array[:1000] for name, array in real_pictures().items()}
    np.savez(tmp_path / "some.npz", **arrays)
    spec = tmp_path / "learner.arch"
    spec.write_text(SPEC, encoding="utf-8")
    run = cifar_dsl.train(spec, data=f"npz:{tmp_path / 'some.npz'}", device="cpu", threads=1, runs=tmp_path / "runs")
    first, *_, last = run.metrics()
    assert last.test_accuracy > 0.3  # chance is 0.1
    assert last.train_loss < first.train_loss
    loaded = cifar_dsl.load_trained(run)
    scores = loaded(torch.from_numpy(arrays["x_test"]).permute(0, 3, 1, 2))
    found = (scores.argmax(1) == torch.from_numpy(arrays["y_test"])).double().mean().item()
    assert found == run.result().accuracy
