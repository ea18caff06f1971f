"""`cifar-dsl data`."""

import numpy as np
import pytest
from PIL import Image

from cifar_dsl.cli import data
from cifar_dsl.foundation.errors import DataError
from cifar_dsl.training.datasets import load_dataset
from cifar_dsl.training.datasets.cifar import CIFAR10_CLASSES, CIFAR100_CLASSES
from cifar_dsl.training.datasets.folder import import_folder


@pytest.fixture
def tree(tmp_path):
    """A folder of images of two classes."""
    random = np.random.default_rng(0)
    for split, count in (("train", 3), ("test", 2)):
        for name in ("cat", "dog"):
            folder = tmp_path / "tree" / split / name
            folder.mkdir(parents=True)
            for i in range(count):
                Image.fromarray(random.integers(0, 256, (8, 8, 3), np.uint8)).save(folder / f"{i}.png")
    return tmp_path / "tree"


def test_every_data_set_is_listed_with_where_it_is(cli, tmp_path):
    lines = {line.split()[0]: line for line in cli("data", "list").out.splitlines()}
    assert set(lines) == {"cifar10", "cifar100", "shapes", "npz"}
    assert lines["cifar10"].endswith("not downloaded; run `cifar-dsl data download cifar10`")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "cifar10.npz").write_bytes(b"")
    assert str(tmp_path / "data" / "cifar10.npz") in cli("data", "list").out


def test_a_tree_of_pictures_becomes_a_file_to_train_on(cli, tree, tmp_path):
    outcome = cli("data", "import", tree, "--to", "own.npz")
    assert outcome.code == 0
    assert outcome.out == "6 + 4 images of 2 classes in own.npz\ntrain on them with --data npz:own.npz\n"
    assert load_dataset("npz", path=tmp_path / "own.npz").classes == ("cat", "dog")


def test_classes_of_no_known_set_need_a_file(cli, tree):
    outcome = cli("data", "import", tree)
    assert (outcome.code, outcome.out) == (2, "")
    assert "--to tree.npz" in outcome.err


def write_tree(folder, classes, shade: int) -> None:
    for split in ("train", "test"):
        for name in classes:
            (folder / split / name).mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (32, 32), (shade, 0, 0)).save(folder / split / name / "0.png")


def test_a_look_alike_never_takes_the_place_of_cifar10(cli, tmp_path):
    write_tree(tmp_path / "ten", CIFAR10_CLASSES, 0)
    outcome = cli("data", "import", "ten")
    assert (outcome.code, outcome.out) == (1, "")
    assert "this is not the published CIFAR-10: it has 10 training and 10 test pictures" in outcome.err
    assert "--to ten.npz" in outcome.err
    assert not (tmp_path / "data").exists()
    assert cli("data", "import", "ten", "--to", "ten.npz").code == 0


def test_cifar10_itself_is_kept(cli, tmp_path, monkeypatch):
    write_tree(tmp_path / "ten", CIFAR10_CLASSES, 0)
    monkeypatch.setattr("cifar_dsl.training.datasets.cifar.CIFAR10_DIGEST", import_folder(tmp_path / "ten").digest)
    assert cli("data", "import", "ten").code == 0
    assert (tmp_path / "data" / "cifar10.npz").exists()


def test_another_cifar100_is_replaced_only_when_asked(cli, tmp_path):
    for shade in (0, 1):
        write_tree(tmp_path / f"hundred{shade}", CIFAR100_CLASSES, shade)
    assert cli("data", "import", "hundred0").code == 0
    assert cli("data", "import", "hundred0").code == 0
    kept = (tmp_path / "data" / "cifar100.npz").read_bytes()
    outcome = cli("data", "import", "hundred1")
    assert (outcome.code, outcome.out) == (1, "")
    assert "--replace" in outcome.err
    assert (tmp_path / "data" / "cifar100.npz").read_bytes() == kept
    assert cli("data", "import", "hundred1", "--replace").code == 0
    assert (tmp_path / "data" / "cifar100.npz").read_bytes() != kept


def test_the_error_for_another_folder_shows_the_expected_layout(cli, tmp_path):
    (tmp_path / "empty").mkdir()
    outcome = cli("data", "import", "empty")
    assert (outcome.code, outcome.out) == (1, "")
    assert "= help: store the pictures as train/<class>/*.png" in outcome.err


def test_only_published_datasets_can_be_downloaded(cli):
    outcome = cli("data", "download", "shapes")
    assert outcome.code == 2
    assert "cifar10" in outcome.err


def test_a_failed_download_reports_reason_and_fix(cli, monkeypatch):
    def refuse(*_: object, **__: object) -> None:
        raise DataError("cannot download", "try again", reason="the server can't be reached")

    monkeypatch.setattr("cifar_dsl.training.datasets.load.load_or_download", refuse)
    outcome = cli("data", "download", "cifar10")
    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.err == "error: cannot download\n  = why: the server can't be reached\n  = help: try again\n"


def test_the_commands_of_data_have_help(cli):
    for name in data.command.commands:
        assert cli("data", name, "--help").code == 0


def changed(path, **changes):
    """Change arrays of a file."""
    with np.load(path) as file:
        arrays = dict(file)
    np.savez(path, **arrays | {name: change(arrays[name]) for name, change in changes.items()})


def dry_run(cli, tiny, pictures):
    return cli("train", tiny, "--data", f"npz:{pictures}", "--dry-run")


def test_labels_that_count_from_one_are_not_taken_for_an_eleventh_class(cli, tiny, pictures):
    changed(pictures, y_train=lambda y: y + 1, y_test=lambda y: y + 1)
    outcome = dry_run(cli, tiny, pictures)
    assert outcome.code == 1
    assert "range from 1 to 10, so no image has the label 0" in outcome.err
    assert "E0406" not in outcome.err
    assert "y_train - 1" in outcome.err


def test_what_is_probably_wrong_with_a_dataset_is_reported_before_training(cli, tiny, pictures):
    changed(pictures, x_train=lambda x: (x / 255).astype(np.uint8), y_train=lambda y: np.where(y == 3, 4, y))
    outcome = dry_run(cli, tiny, pictures)
    assert outcome.code == 0
    assert "warning: dataset npz (pictures.npz): no byte of x_train exceeds 1" in outcome.err
    assert "1 of 10 classes have no training images (2 in the other split)" in outcome.err


def test_a_label_that_only_the_test_images_have_is_reported_before_the_spec_is_checked(cli, tiny, pictures):
    changed(pictures, y_test=lambda y: np.where(y == 3, 10, y))
    outcome = dry_run(cli, tiny, pictures)
    assert outcome.code == 1
    assert outcome.err.index("1 of 11 classes have no training images") < outcome.err.index("E0406")
