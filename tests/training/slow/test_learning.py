"""A small network learns, and its loaded copy has the recorded accuracy."""

import numpy as np
import pytest
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


SUPERVISED = """
    conv(8, 3, stride=2, pad=1, bias=false) -> bn -> relu
    let early = global_avgpool -> dense(10) -> exit(0.3)
    conv(16, 3, stride=2, pad=1, bias=false) -> bn -> relu -> dropout(0.2)
    let late = flatten -> dense(16) -> relu -> dense(10) -> exit(0.3)
    global_avgpool -> dense(10)
"""
TWO_HEADS = """
    patches(16, 8) -> class_token -> class_token -> position_embedding -> transformer_layer(2, 32)
    let labelled = token(0) -> dense(10) -> exit(0.5)
    let taught = token(1) -> dense(10) -> exit(0.5)
    mean { labelled | taught } -> exit(0)
"""
POOLED = """
    conv(8, 3, stride=2, pad=1, bias=false) -> bn -> relu
    let f = tied { conv(8, 3, pad=1, bias=false) -> bn -> relu }
    f -> maxpool(2) -> f
    let head = global_avgpool -> dense(10) -> exit(0.3)
    global_avgpool -> dropout(0.2) -> dense(10)
"""
INTERRUPTED = """
arch exits
input 3x32x32
model MODEL
train {
    data      shapes
    augment   flip -> mixup(0.2)GROWTH
    epochs    2
    batch     32
    optimizer adam(lr=2e-3)
    average   ema(0.9)
}
"""


@pytest.mark.parametrize(
    ("model", "growth"),
    [(SUPERVISED, ""), (TWO_HEADS, ""), (POOLED, " -> resize([0, 1], [16, 32])")],
    ids=["supervised", "two heads", "images that grow"],
)
def test_an_interrupted_network_with_exits_resumes_to_the_same_weights(tmp_path, model, growth):
    arrays = {name: array[: 256 if name.endswith("train") else 64] for name, array in real_pictures().items()}
    np.savez(tmp_path / "some.npz", **arrays)
    spec = tmp_path / "exits.arch"
    spec.write_text(INTERRUPTED.replace("MODEL", "{" + model + "}").replace("GROWTH", growth), encoding="utf-8")

    def train(runs, listener=None):
        choice = {"data": f"npz:{tmp_path / 'some.npz'}", "device": "cpu", "threads": 1}
        return cifar_dsl.train(spec, runs=tmp_path / runs, listener=listener, **choice)

    def kill(event):
        if isinstance(event, cifar_dsl.EpochEnded):
            raise KeyboardInterrupt

    whole = train("whole")
    with pytest.raises(KeyboardInterrupt):
        train("broken", kill)
    again = train("broken")
    assert len(again.record().resumed) == 1
    assert again.result().weights_digest == whole.result().weights_digest
    assert again.result().exits == whole.result().exits
    assert [one.exits for one in again.metrics()] == [one.exits for one in whole.metrics()]
