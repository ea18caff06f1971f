"""A trained network takes images as they are stored, and normalizes them as in training."""

import copy
import pickle
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers.runs import rewrite
from helpers.tolerances import SAME_FORMULA
from PIL import Image
from safetensors.torch import load_file

import cifar_dsl
from cifar_dsl.foundation.errors import DataError, NewerRunError, RunError, UserError
from cifar_dsl.runs import Run
from cifar_dsl.runs.catalogue import Status, entries
from cifar_dsl.runs.pruning import Selection
from cifar_dsl.training.datasets import load_dataset
from cifar_dsl.training.datasets.folder import Conversion, find_tree, import_tree
from cifar_dsl.training.datasets.shapes import shapes

SPEC = """
arch reader
input 3x32x32
model {
    conv(8, 3, stride=2, bias=false) -> bn -> relu
    conv(8, 3, stride=2) -> relu as classes
    flatten -> dense(10)
}
train {
    data       npz("00")
    validation 20
    epochs     3
    batch      25
    optimizer  adam(lr=3e-3)
}
"""
NAMES = tuple(f"class {i}" for i in range(10))


@pytest.fixture(scope="module")
def pictures(tmp_path_factory) -> Path:
    """300 + 200 shapes, darker than the mean of a byte."""
    path = tmp_path_factory.mktemp("data") / "some.npz"
    drawn = shapes(300, 200)
    arrays = {name: getattr(drawn, name) for name in ("x_train", "y_train", "x_test", "y_test")}
    np.savez(path, **arrays, classes=np.array(NAMES))
    return path


@pytest.fixture(scope="module")
def train(pictures, tmp_path_factory) -> Callable[..., Run]:
    """Train the spec, unless that was done before."""
    folder = tmp_path_factory.mktemp("trained")
    (folder / "reader.arch").write_text(SPEC)

    def train(*overrides: str) -> Run:
        data, runs = f"npz:{pictures}", folder / "runs"
        return cifar_dsl.train(
            folder / "reader.arch", data=data, overrides=overrides, device="cpu", threads=1, runs=runs
        )

    return train


@pytest.fixture
def rewritten(train, tmp_path) -> Callable[..., Run]:
    """A copy of a run whose record is changed."""

    def rewritten(change: Callable[[dict[str, Any]], Any], *overrides: str) -> Run:
        original = train(*overrides).path
        run = Run(Path(shutil.copytree(original, tmp_path / "runs" / original.parent.name / original.name)))
        rewrite(run.path / "run.json", change)
        return run

    return rewritten


def to_schema_3(fields: dict[str, Any]) -> None:
    """A record as version 0.1.0 wrote it."""
    fields["schema"] = 3
    del fields["normalization"], fields["classes"]


def images_and_labels(pictures: Path) -> tuple[torch.Tensor, torch.Tensor]:
    dataset = load_dataset("npz", path=pictures)
    return torch.from_numpy(dataset.x_test).permute(0, 3, 1, 2), torch.from_numpy(dataset.y_test)


def accuracy(scores: torch.Tensor, labels: torch.Tensor) -> float:
    return (scores.argmax(1) == labels).double().mean().item()


@pytest.mark.parametrize(
    "normalize", ["per_channel", "unit", "signed", "standardize([0.5, 0.4, 0.3], [0.2, 0.3, 0.4])"]
)
def test_bytes_and_unit_floats_give_the_recorded_accuracy(train, pictures, normalize):
    run = train(f"train.normalize={normalize}")
    images, labels = images_and_labels(pictures)
    network = cifar_dsl.load_trained(run)
    assert accuracy(network(images), labels) == run.result().accuracy
    assert accuracy(network(images / 255), labels) == run.result().accuracy
    record = run.record()
    mean, std = (
        torch.tensor(numbers)[:, None, None] for numbers in (record.normalization.mean, record.normalization.std)
    )
    raw = cifar_dsl.load_trained(run, raw=True)
    torch.testing.assert_close(network(images), raw((images / 255 - mean) / std), **SAME_FORMULA)


def test_weights_in_half_precision_are_saved_so_and_used_in_float32(train, pictures, tmp_path):
    run = train("train.precision=bf16", "train.weight_precision=half")
    saved = load_file(run.weights)
    assert {saved[name].dtype for name in ("conv.weight", "dense.weight", "dense.bias")} == {torch.bfloat16}
    assert saved["bn.weight"].dtype == torch.float32
    network = cifar_dsl.load_trained(run, raw=True)
    assert {one.dtype for one in network.parameters()} == {torch.float32}
    assert all(
        network.state_dict()[name].equal(one.to(network.state_dict()[name].dtype)) for name, one in saved.items()
    )
    assert run.evaluate(f"npz:{pictures}", device="cpu").accuracy == run.result().accuracy
    (tmp_path / "plain.arch").write_text(SPEC.replace("lr=3e-3", "lr=1e-30"))
    plain = cifar_dsl.train(
        tmp_path / "plain.arch",
        data=f"npz:{pictures}",
        start=run.path,
        epochs=1,
        device="cpu",
        threads=1,
        runs=tmp_path,
    )
    started = load_file(plain.weights)
    assert started["conv.weight"].dtype == torch.float32
    assert started["conv.weight"].equal(saved["conv.weight"].float())


def test_the_statistics_are_those_of_the_images_that_train(train, pictures):
    run = train()
    trained = load_dataset("npz", path=pictures).x_train
    mean = trained.mean((0, 1, 2)) / 255
    assert list(run.record().normalization.mean) != list(mean)  # 20 images are held out
    # The held-out images are random bytes, too, so the means of the rest are close to those of all.
    assert run.record().normalization.mean == pytest.approx(mean, rel=0.05)


def test_the_names_of_the_classes_are_recorded_and_loaded(train):
    run = train()
    assert run.record().classes == NAMES
    assert cifar_dsl.load_trained(run).classes == NAMES


def test_the_documentation_classifies_a_picture_as_data_import_reads_it(train, tmp_path, monkeypatch, capsys):
    text = (Path(cifar_dsl.__file__).parents[1] / "docs" / "api.md").read_text(encoding="utf-8")
    (example,) = [block for block in re.findall("```python\n(.*?)```", text, re.DOTALL) if "cat.jpg" in block]
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by the camera
    for folder, name in (("train", "cat.jpg"), ("test", "cat.jpg"), ("test", "dog.png")):
        path = tmp_path / "tree" / folder / "cat" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        noise = np.random.default_rng(0).integers(0, 256, (50, 40), np.uint8)
        Image.fromarray(noise).save(path, exif=exif)
    monkeypatch.chdir(path.parent)
    run = cifar_dsl.Run(train().path)
    exec(re.sub('"runs/.*?"', repr(str(run.path)), example), {})
    assert capsys.readouterr().out.count("class ") == 2 * 4  # the most probable one, and the first three
    imported = import_tree(find_tree(tmp_path / "tree"), conversion=Conversion((32, 32)))
    of_files, of_arrays = run.predict(["cat.jpg", "dog.png"], crop=False), run.predict(imported.x_test)
    assert sorted(one.top(10) for one in of_files) == sorted(one.top(10) for one in of_arrays)  # in any order


def test_a_loaded_network_is_an_ordinary_module_with_the_keys_of_the_network(train, pictures):
    run = train()
    network, raw = cifar_dsl.load_trained(run), cifar_dsl.load_trained(run, raw=True)
    weights = load_file(run.weights)
    for module in (network, raw):
        assert not module.training
        assert list(module.state_dict()) == list(raw.state_dict())
        assert all(torch.equal(tensor, weights[name]) for name, tensor in module.state_dict().items())
    network.load_state_dict(raw.state_dict())
    images, _ = images_and_labels(pictures)
    expected = network(images)
    assert torch.equal(copy.deepcopy(network)(images), expected)
    again = pickle.loads(pickle.dumps(network))
    assert torch.equal(again(images), expected)
    assert again.classes == network.classes
    torch.testing.assert_close(network.double()(images).float(), expected, **SAME_FORMULA)


def test_a_loaded_network_can_be_exported(train, pictures):
    network = cifar_dsl.load_trained(train())
    images, _ = images_and_labels(pictures)
    batch = {0: torch.export.Dim("batch", min=2)}
    exported = torch.export.export(network, (images[:4] / 255,), dynamic_shapes=(batch,)).module()
    torch.testing.assert_close(exported(images / 255), network(images / 255), **SAME_FORMULA)


@pytest.mark.parametrize(
    ("change", "message", "note"),
    [
        (lambda x: x[0], r"\(3, 32, 32\), but the network takes \(N, 3, 32, 32\)", r"images[None]"),
        (lambda x: x.permute(0, 2, 3, 1), "but the network takes", "images.permute(0, 3, 1, 2)"),
        (lambda x: x[0].permute(1, 2, 0), "but the network takes", "images.permute(2, 0, 1)[None]"),
        (lambda x: x[:, :, 2:, 2:], "but the network takes", "resize the images"),
        (lambda x: x.long(), "the images are int64, but", "images.to(torch.uint8)"),
        (lambda x: x > 9, "the images are bool, but", "images.to(torch.uint8)"),
        (lambda x: x.float(), "floats from 0 to 255, but", "by 255"),
        (lambda x: x / 127.5 - 1, "floats from -1 to 1, but", "raw=True"),
        (lambda x: x / 255 - 0.01, "floats from -0.01 to", "raw=True"),
        (lambda x: (x / 255).where(x != x[0, 0, 0, 0], torch.nan), "contain NaN", None),
        (lambda x: x.numpy(), "takes a tensor, not ndarray", "torch.from_numpy"),
    ],
    ids=[
        "no batch",
        "channels last",
        "one, last",
        "size",
        "integers",
        "bool",
        "bytes",
        "signed",
        "dark",
        "nan",
        "numpy",
    ],
)
def test_images_that_it_would_misread_are_refused(train, pictures, change, message, note):
    network = cifar_dsl.load_trained(train())
    images, _ = images_and_labels(pictures)
    images[0, 0, 0, :2] = torch.tensor([0, 255], dtype=torch.uint8)
    with pytest.raises(UserError, match=message) as caught:
        network(change(images))
    assert note is None or note in "".join(caught.value.__notes__)


def test_rounding_and_an_empty_batch_are_accepted(train, pictures):
    network = cifar_dsl.load_trained(train())
    images, labels = images_and_labels(pictures)
    assert network(images[:0]).shape == network(images[:0] / 255).shape == (0, 10)
    scores = network((images / 255 + 2e-4).half())
    # Float16 may change the order of two scores that are almost equal: of at most one image in 50.
    assert accuracy(scores, labels) == pytest.approx(accuracy(network(images), labels), abs=0.02)


# ---- earlier and later schemas


def test_without_recorded_statistics_the_dataset_is_needed(train, rewritten, pictures):
    images, _ = images_and_labels(pictures)
    expected = cifar_dsl.load_trained(train())(images)
    run = rewritten(to_schema_3)
    with pytest.raises(RunError, match="requires its dataset") as caught:
        cifar_dsl.load_trained(run)
    assert caught.value.help[0] == "pass it: load_trained(run, data='npz:PATH')"
    network = cifar_dsl.load_trained(run, data=f"npz:{pictures}")
    assert torch.equal(network(images), expected)
    assert network.classes == NAMES  # from predictions.npz
    assert cifar_dsl.load_trained(run, raw=True).state_dict().keys() == network.state_dict().keys()


def test_a_recipe_with_fixed_constants_needs_no_dataset(rewritten, pictures):
    run = rewritten(to_schema_3, "train.normalize=signed")
    images, labels = images_and_labels(pictures)
    assert accuracy(cifar_dsl.load_trained(run)(images), labels) == run.result().accuracy


def test_another_dataset_is_refused(rewritten, make_pictures):
    run = rewritten(to_schema_3)
    with pytest.raises(DataError, match="was trained on other data"):
        cifar_dsl.load_trained(run, data=f"npz:{make_pictures()}")
    with pytest.raises(UserError, match="there is no dataset `shape`"):
        cifar_dsl.load_trained(run, data="shape")


@pytest.mark.parametrize(
    "normalization",
    [
        {"mean": [0.5], "std": [0.5]},
        {"mean": [0.5, 0.5, 0.5], "std": [0.5, 0.0, 0.5]},
        {"mean": [0.5, float("nan"), 0.5], "std": [0.5, 0.5, 0.5]},
        {"mean": [0.5, 0.5, 0.5]},
    ],
)
def test_a_damaged_normalization_is_refused(rewritten, normalization):
    run = rewritten(lambda fields: fields.update(normalization=normalization))
    with pytest.raises(RunError, match=r"run\.json is damaged"):
        cifar_dsl.load_trained(run)


def test_a_run_of_a_newer_version_is_refused_and_not_replaced(rewritten, make_spec, pictures, tmp_path):
    def is_refused_and_kept(path: Path) -> None:
        before = {file.name: file.read_bytes() for file in path.iterdir()}
        with pytest.raises(NewerRunError, match=message):
            cifar_dsl.train(make_spec("reader", SPEC), data=f"npz:{pictures}", runs=tmp_path / "runs")
        (entry,) = entries(tmp_path / "runs")
        assert entry.status is Status.NEWER
        assert not list(Selection(frozenset({Status.DAMAGED}), superseded=True).removals([entry]))
        kept = {file.name: file.read_bytes() for file in path.iterdir() if file.name != "process.json"}
        assert kept == before

    place = rewritten(lambda fields: fields.update(schema=6, data="elsewhere")).path
    message = r"run\.json has schema 6, but this version of cifar_dsl reads schemas up to 5"
    with pytest.raises(NewerRunError, match=message):
        cifar_dsl.load_trained(place)
    is_refused_and_kept(place)
    (place / "result.json").unlink()  # as if it were interrupted
    is_refused_and_kept(place.rename(place.with_suffix(".partial")))
