"""Global contrast normalisation and ZCA whitening: pylearn2's formulas, fitted on the images that train alone."""

import numpy as np
import pytest
import torch
from helpers.runs import rewrite
from helpers.training import CPU

import cifar_dsl
from cifar_dsl.compiler import analyze_text
from cifar_dsl.foundation.errors import RunError
from cifar_dsl.language.diagnostics import SpecError
from cifar_dsl.runs import WHITENING
from cifar_dsl.training.datasets import load_dataset
from cifar_dsl.training.device import choose_device
from cifar_dsl.training.events import Note
from cifar_dsl.training.images import load_images
from cifar_dsl.training.learner import Learner
from cifar_dsl.training.options import RunOptions
from cifar_dsl.training.session import train_runs

SPEC = """
arch whitened
input 3x5x4
model { conv(4, 3) -> relu -> flatten -> dense(10) }
train {
    data npz("00")
    normalize zca(eps=0.1)
    augment crop(1) -> flip -> cutout(2) -> mixup
    validation 20
    epochs 2
    batch 30
    optimizer sgd(lr=0.1)
}
"""
LABELS = np.arange(120) % 10
WHITENED = {"rtol": 0.0, "atol": 2e-4}  # values up to 20, from float32 sums of 60 terms; measured: 2e-5


def pictures(seed: int, count: int = 120) -> np.ndarray:
    """Smooth pictures, whose pixels are correlated."""
    steps = np.random.default_rng(seed).normal(0, 25, (count, 5, 4, 3))
    return (128 + steps.cumsum(1).cumsum(2)).clip(0, 255).astype(np.uint8)


def rows(images: np.ndarray) -> np.ndarray:
    """pylearn2's design matrix: channels, rows, columns."""
    return images.transpose(0, 3, 1, 2).reshape(len(images), -1).astype(np.float64)


def global_contrast_normalize(x, scale=1.0, sqrt_bias=0.0, min_divisor=1e-8):
    """pylearn2/expr/preprocessing.py, with subtract_mean=True and use_std=False."""
    x = x - x.mean(axis=1)[:, np.newaxis]
    normalizers = np.sqrt(sqrt_bias + (x**2).sum(axis=1)) / scale
    normalizers[normalizers < min_divisor] = 1.0
    return x / normalizers[:, np.newaxis]


def zca(x, fitted, filter_bias):
    """pylearn2/datasets/preprocessing.py: ZCA.fit on `fitted`, and ZCA.apply to `x`."""
    mean = fitted.mean(axis=0)
    covariance = (fitted - mean).T @ (fitted - mean) / len(fitted) + filter_bias * np.identity(fitted.shape[1])
    eigs, eigv = np.linalg.eigh(covariance)
    return (x - mean) @ ((eigv * (1 / np.sqrt(eigs))) @ eigv.T)


def load(normalize: str, train: np.ndarray, test: np.ndarray, *overrides: str):
    recipe = analyze_text(SPEC, overrides=[f"train.normalize={normalize}", "train.validation=0", *overrides]).recipe
    assert recipe is not None
    return load_images(recipe, (train, LABELS), (test, LABELS), CPU)


def inputs(images) -> np.ndarray:
    return images.batch(torch.arange(len(images))).flatten(1).numpy()


@pytest.mark.parametrize(("scale", "sqrt_bias"), [(55, 0), (1, 10)])
def test_contrast_is_normalised_as_in_pylearn2(scale, sqrt_bias):
    train, test = pictures(0), pictures(1)
    test[0] = 77
    splits = load(f"gcn(scale={scale}, sqrt_bias={sqrt_bias})", train, test)
    for images, there in ((train, splits.train), (test, splits.test)):
        # Values up to 55, each a quotient of float32 sums of 60 pixels.
        np.testing.assert_allclose(inputs(there), global_contrast_normalize(rows(images), scale, sqrt_bias), atol=3e-5)
    assert not inputs(splits.test)[0].any()  # an image of one colour


@pytest.mark.parametrize(("eps", "scale", "sqrt_bias"), [(0.1, 55, 0), (0.1, 55, 10), (1e-4, "none", 0)])
def test_images_are_whitened_as_in_pylearn2(eps, scale, sqrt_bias):
    train, test = pictures(0), pictures(1)
    splits = load(f"zca(eps={eps}, scale={scale}, sqrt_bias={sqrt_bias})", train, test)

    def contrast(images: np.ndarray) -> np.ndarray:
        return rows(images) / 255 if scale == "none" else global_contrast_normalize(rows(images), scale, sqrt_bias)

    for images, there in ((train, splits.train), (test, splits.test)):
        expected = zca(contrast(images), contrast(train), eps)
        # Values of up to about 20, from float32 products and sums of 60 terms.
        torch.testing.assert_close(torch.from_numpy(inputs(there)), torch.from_numpy(expected).float(), **WHITENED)


def test_whitened_training_images_are_uncorrelated():
    whitened = inputs(load("zca(eps=1e-6, scale=none)", pictures(0), pictures(1)).train).astype(np.float64)
    covariance = whitened.T @ whitened / len(whitened)
    assert np.abs(covariance - np.identity(60)).max() < 0.02  # eps is 1 % of the smallest variance


def test_only_the_images_that_train_are_fitted():
    train, other = pictures(0), pictures(2)
    recipe = analyze_text(SPEC).recipe
    splits = load_images(recipe, (train, LABELS), (pictures(1), LABELS), CPU)
    assert (len(splits.train), len(splits.validation)) == (100, 20)
    held = np.array([bool((train == image).all((1, 2, 3)).any()) for image in train])
    assert held.all()
    again = load_images(recipe, (train, LABELS), (other, LABELS), CPU)
    assert torch.equal(splits.train.pixels, again.train.pixels)
    assert torch.equal(splits.validation.pixels, again.validation.pixels)
    kept = splits.train.pixels.permute(0, 3, 1, 2).flatten(1)
    torch.testing.assert_close(kept.mean(0), torch.zeros(60), rtol=0, atol=1e-4)  # their mean, and not that of all 120


def test_pixels_from_outside_are_0_after_whitening():
    splits = load("zca", pictures(0), pictures(1))
    assert splits.train.pixels.dtype == torch.float32
    torch.testing.assert_close(splits.train.mean, torch.zeros(3), rtol=0, atol=1e-4)  # what `fill=mean` fills with


@pytest.fixture(scope="module")
def train(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whitened")
    (folder / "whitened.arch").write_text(SPEC)
    arrays = {"x_train": pictures(0), "y_train": LABELS, "x_test": pictures(1), "y_test": LABELS}
    np.savez(folder / "data.npz", **arrays)

    def train(runs: str, *overrides: str, **options):
        return cifar_dsl.train(
            folder / "whitened.arch",
            data=f"npz:{folder / 'data.npz'}",
            runs=folder / runs,
            overrides=overrides,
            device="cpu",
            threads=1,
            **options,
        )

    return train


@pytest.mark.parametrize("normalize", ["gcn", "zca(eps=0.01)", "zca(eps=1e-4, scale=none)"])
def test_a_loaded_network_takes_pixels_as_in_training(train, normalize):
    run = train("runs", f"train.normalize={normalize}")
    images = torch.from_numpy(pictures(1)).permute(0, 3, 1, 2)
    network, raw = cifar_dsl.load_trained(run), cifar_dsl.load_trained(run, raw=True)
    assert (network(images).argmax(1).numpy() == LABELS).mean() == run.result().accuracy
    # Dividing by 255 rounds each pixel, and whitening multiplies the rounding of some directions.
    torch.testing.assert_close(network(images), network(images / 255), rtol=1e-3, atol=1e-3)
    assert network.state_dict().keys() == raw.state_dict().keys()
    assert (run.path / WHITENING).exists() == normalize.startswith("zca")
    assert run.record().normalization is None


def test_an_interrupted_run_resumes_with_its_own_matrix(train, monkeypatch):
    expected = train("whole")
    take = Learner.step

    def step(learner: Learner) -> None:
        take(learner)
        if learner.epoch == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(Learner, "step", step)
    with pytest.raises(KeyboardInterrupt):
        train("broken")
    monkeypatch.undo()
    monkeypatch.setattr("cifar_dsl.training.session.whitening_of", lambda *_: pytest.fail("it was fitted again"))
    resumed = train("broken")
    assert resumed.record().resumed
    assert resumed.result().weights_digest == expected.result().weights_digest
    assert resumed.record().whitening == expected.record().whitening


def test_a_damaged_matrix_is_refused(train):
    run = train("damaged")
    assert run.record().whitening is not None
    file = run.path / WHITENING
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    with pytest.raises(RunError, match=WHITENING):
        cifar_dsl.load_trained(run)
    content[-1] ^= 1
    file.write_bytes(content)
    cifar_dsl.load_trained(run)
    rewrite(run.path / "run.json", lambda fields: fields.update(whitening="0" * 64))
    with pytest.raises(RunError):
        cifar_dsl.load_trained(run)


def test_seeds_that_train_together_share_the_matrix(train, tmp_path):
    alone = train("alone", seed=1)
    spec = cifar_dsl.load(alone.path / "spec.arch")
    notes: list[str] = []
    runs = train_runs(
        spec.analysis,
        spec.identity,
        load_dataset("npz", path=alone.path.parents[2] / "data.npz"),
        (0, 1),
        RunOptions(runs=tmp_path, threads=1, device="cpu"),
        choice=choose_device("cpu"),
        listener=lambda event: notes.extend([event.text] if isinstance(event, Note) else []),
    )
    for name in ("weights.safetensors", WHITENING):
        assert (runs[1].path / name).read_bytes() == (alone.path / name).read_bytes()
    assert sum("the whitening of 100 images took" in note for note in notes) == 1


def test_a_student_is_not_whitened():
    with pytest.raises(SpecError, match="a teacher sees pixels"):
        analyze_text(SPEC, overrides=["train.distill=hard"])
