"""The training script of a printed file."""

import re
import sys
import warnings

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import cifar_dsl
from cifar_dsl.compiler import analyze_text
from cifar_dsl.export.source.module import pytorch_source
from cifar_dsl.foundation.errors import UserError
from cifar_dsl.training import draws

SPEC = """arch tried
input 3x32x32
model { conv(4, 3, stride=4, bias=false) -> bn -> relu -> flatten -> dense(10) }
train {
    data npz("0123456789abcdef")
    normalize standardize(mean=[0.5, 0.4, 0.3], std=[0.25, 0.2, 0.3])
    epochs 2
    batch 16
    optimizer sgd(lr=0.1, momentum=0.9, nesterov=true, weight_decay=5e-4)
    schedule cosine(warmup=1)
    loss cross_entropy(label_smoothing=0.1)
}
"""


def script_of(*overrides: str) -> dict:
    """The names of the printed file, defined."""
    names = {"__name__": "printed"}
    spec = SPEC.replace("dense(10)", "dense(100)") if "data=cifar100" in overrides else SPEC
    text = pytorch_source(analyze_text(spec, overrides=[f"train.{one}" for one in overrides]), train=True)
    exec(compile(text, "printed", "exec"), names)
    return names


@pytest.mark.parametrize("optimizer", ["", "adam(lr=1e-3)", "adamw(lr=1e-3, betas=[0.8, 0.9])"])
def test_it_ends_with_the_weights_of_a_training(tmp_path, pictures, monkeypatch, optimizer):
    """Bit for bit, from equal weights and in the same order of images."""
    overrides = [f"train.optimizer={optimizer}", "train.drop_last=true"] if optimizer else []
    path = tmp_path / "tried.arch"
    path.write_text(SPEC)
    spec = cifar_dsl.load(path, overrides=overrides, data=f"npz:{pictures}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # random images may be classified by chance
        run = cifar_dsl.train(spec, runs=tmp_path / "runs", device="cpu", seed=3)
    printed = script_of(*(one.removeprefix("train.") for one in overrides))
    made, epochs = printed["Tried"], []

    def network():
        module = made()
        module.load_state_dict(spec.build(3).state_dict())
        return module

    def randperm(count, device):
        epochs.append(count)
        return draws.permutation(3, len(epochs), count)

    printed["Tried"] = network
    monkeypatch.setattr(torch, "randperm", randperm)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(sys, "argv", ["tried.py", str(pictures), "--weights", str(tmp_path / "weights.pt")])
    printed["main"]()
    assert len(epochs) == 2
    theirs, ours = torch.load(tmp_path / "weights.pt"), load_file(run.weights)
    assert theirs.keys() == ours.keys()
    assert all(theirs[name].equal(ours[name]) for name in ours)


@pytest.mark.parametrize(
    "schedule",
    [
        "constant(warmup=1)",
        "cosine",
        "cosine(final=0.1)",
        "cosine(warmup=0.5, final=0.01)",
        "linear(warmup=1)",
        "step(at=[1], gamma=0.2)",
        "step(at=[1, 2], warmup=1)",
        "exponential(gamma=0.9)",
        "exponential(gamma=0.5, every=1)",
        "one_cycle(peak=0.25)",
    ],
)
def test_rates_are_those_of_the_schedule(schedule):
    factor = script_of("epochs=3", f"schedule={schedule}")["factor"]
    declared = analyze_text(SPEC, overrides=["train.epochs=3", f"train.schedule={schedule}"]).recipe.schedule
    times = [step / 8 for step in range(24)]
    # One rounding of a product may differ.
    assert [factor(at) for at in times] == pytest.approx([declared.factor(at, 3) for at in times], rel=1e-15, abs=0)


def test_augmentations_change_images_as_in_a_training():
    images = torch.arange(4 * 8 * 8 * 3, dtype=torch.uint8).view(4, 8, 8, 3)
    flipped = script_of("augment=flip(p=1)")["augment"](images)
    assert flipped.equal(images.flip(2))
    torch.manual_seed(0)
    for name in ("crop(padding=2)", "translate(pixels=2)"):
        cropped = script_of(f"augment={name}")["augment"](images)
        padded = torch.nn.functional.pad(images, (0, 0, 2, 2, 2, 2))
        for place, one in enumerate(cropped):
            windows = [padded[place, y : y + 8, x : x + 8] for y in range(5) for x in range(5)]
            assert any(one.equal(window) for window in windows)
    cut = script_of("augment=cutout(size=3)")["augment"](torch.ones(50, 8, 8, 3, dtype=torch.uint8))
    zeros = (cut == 0).all(3)
    assert {int(one.sum()) for one in zeros} <= {4, 6, 9}  # clipped at the border
    assert any(int(one.sum()) == 9 for one in zeros)


def test_normalization_is_measured(pictures):
    printed = script_of("normalize=per_channel")
    x_train, y_train, x_test, y_test = printed["load"](pictures)
    assert (x_train.shape, y_train.dtype, len(x_test)) == ((60, 32, 32, 3), torch.int64, len(y_test))
    mean, std = printed["normalization"](x_train)
    pixels = x_train.double().flatten(0, 2) / 255
    wanted = [*pixels.mean(0).tolist(), *pixels.std(0, correction=0).tolist()]
    # Sums of 61,440 pixels in float32.
    assert [*mean, *std] == pytest.approx(wanted, rel=1e-5)


@pytest.mark.parametrize(("name", "labels"), [("cifar10", 1), ("cifar100", 2)])
def test_published_files_are_read(tmp_path, name, labels):
    records = np.random.default_rng(0).integers(0, 10, (12, labels + 3072), np.uint8)
    files = [f"data_batch_{number}" for number in range(1, 6)] + ["test_batch"] if labels == 1 else ["train", "test"]
    for place, file in enumerate(files):
        records[2 * place : 2 * place + 2].tofile(tmp_path / f"{file}.bin")
    x_train, y_train, x_test, y_test = script_of(f"data={name}")["load"](tmp_path)
    count = 2 * (len(files) - 1)
    assert len(x_train) == count
    assert y_train.tolist() == records[:count, labels - 1].tolist()
    assert x_test[0, 5, 7].tolist() == records[count, labels:].reshape(3, 32, 32)[:, 5, 7].tolist()
    assert len(y_test) == 2


@pytest.mark.parametrize(
    ("override", "name"),
    [
        ("optimizer=lion(lr=1e-3)", "optimizer lion"),
        ("schedule=warm_restarts(period=1)", "schedule warm_restarts"),
        ("schedule=one_cycle(anneal=cosine)", "one_cycle(anneal=...)"),
        ("augment=mixup", "augment mixup"),
        ("augment=crop(mode=reflect)", "crop(mode=reflect)"),
        ("loss=mse", "loss mse"),
        ("average=ema(decay=0.9)", "average ema"),
        ("precision=bf16", "precision bf16"),
        ("epochs=1.5", "epochs 1.5"),
        ("accumulate=2", "accumulate 2"),
        ("validation=10", "validation 10"),
        ("clip=norm(1)", "clip norm"),
        ("perturb=sam", "perturb sam"),
        ("drop_schedule=linear", "drop_schedule linear"),
        ('uses=weights("0123456789abcdef")', "uses weights"),
        ("test_augment=mirror", "test_augment mirror"),
    ],
)
def test_what_a_script_cannot_have_is_named(override, name):
    with pytest.raises(UserError, match=re.escape(f"a training script can't have `{name}`")):
        script_of(override)


def test_a_setting_that_the_language_gets_later_is_refused(monkeypatch):
    from cifar_dsl.export.source import training

    monkeypatch.setattr(training, "_FOLLOWED", training._FOLLOWED - {"drop_last"})
    with pytest.raises(UserError, match="can't have `drop_last True`"):
        script_of("drop_last=true")


def test_columns_that_the_training_draws_are_refused():
    spec = SPEC.replace("-> flatten", "-> mean(global_share=0.5) { relu | tanh } -> flatten")
    with pytest.raises(UserError, match="can't have `global_share`"):
        pytorch_source(analyze_text(spec), train=True)


def test_a_network_without_a_recipe_has_no_script():
    with pytest.raises(UserError):
        pytorch_source(analyze_text("arch a\ninput 3x4x4\nmodel { flatten -> dense(10) }\n"), train=True)
