"""`cifar-dsl data`."""

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from attrs import evolve
from helpers.archives import idx, python_members, stand_in
from PIL import Image

from cifar_dsl.cli import data
from cifar_dsl.foundation.errors import DataError
from cifar_dsl.training.datasets import load_dataset
from cifar_dsl.training.datasets.catalogue import PUBLISHED
from cifar_dsl.training.datasets.cifar import CIFAR10_CLASSES, CIFAR100_CLASSES
from cifar_dsl.training.datasets.folder import find_tree, import_tree
from cifar_dsl.training.datasets.idx import MNIST
from cifar_dsl.training.datasets.store import load_npz


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
    assert set(lines) == {"cifar10", "cifar100", "mnist", "fashion_mnist", "svhn", "shapes", "npz"}
    assert lines["cifar10"].endswith("not downloaded; run `cifar-dsl data download cifar10`")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "cifar10.npz").write_bytes(b"")
    assert str(tmp_path / "data" / "cifar10.npz") in cli("data", "list").out


def test_a_tree_of_pictures_becomes_a_file_to_train_on(cli, tree, tmp_path):
    outcome = cli("data", "import", tree, "--to", "own.npz")
    assert outcome.code == 0
    dataset = load_dataset("npz", path=tmp_path / "own.npz")
    assert dataset.classes == ("cat", "dog")
    assert outcome.out == (
        f"6 + 4 images of 2 classes in own.npz, digest {dataset.digest[:12]}\ntrain on them with --data npz:own.npz\n"
    )
    with np.load(tmp_path / "own.npz") as file:
        assert str(file["sha256"]) == dataset.digest


def test_a_path_in_place_of_a_dataset_is_explained(cli, tiny, tree, pictures):
    """The advice for a folder is followed, then that for the file."""
    refused = cli("show", tiny, "--data", tree)
    assert refused.code == 1
    commands = re.search("`cifar-dsl (.*?)`, then pass (.*)", refused.err)
    assert commands, refused.err
    assert cli(*commands.group(1).split()).code == 0
    assert "E0406" in cli("show", tiny, "--data", commands.group(2)).err  # two classes
    refused = cli("show", tiny, "--data", pictures)
    assert refused.err.endswith(f"  = help: pass an array file as npz:{pictures}\n")
    assert cli("show", tiny, "--data", f"npz:{pictures}").code == 0


def test_images_are_resized_made_grey_and_split(cli, tree, tmp_path):
    outcome = cli("data", "import", tree / "train", "--to", "own.npz", "--resize", "6x4", "--grey", "--split", "0.4")
    assert outcome.code == 0, outcome.err
    dataset = load_dataset("npz", path=tmp_path / "own.npz")
    assert dataset.x_train.shape == (4, 4, 6, 1)
    assert dataset.y_test.tolist() == [0, 1]
    assert dataset.origin.startswith("imported from train, decoded by Pillow ")
    assert dataset.origin.endswith(", resized to 6x4, grey, 0.4 of each class for testing")


def test_stretching_is_reported_and_cropping_offered(cli, tree):
    outcome = cli("data", "import", tree, "--to", "own.npz", "--resize", "8x4")
    assert "warning: stretched pictures: 10 of 10, such as " in outcome.err
    outcome = cli("data", "import", tree, "--to", "own.npz", "--resize", "8x4", "--crop")
    assert (outcome.code, "stretched" in outcome.err) == (0, False)
    outcome = cli("data", "import", tree, "--to", "own.npz", "--crop")
    assert (outcome.code, outcome.err.splitlines()[-1]) == (2, "Error: --crop requires --resize.")


@pytest.mark.parametrize("size", ["0", "x", "8x", "8x8x8", "-1", "513", "8.5", "²", "٣", "9" * 5000])
def test_a_wrong_size_is_refused(cli, tree, size):
    outcome = cli("data", "import", tree, "--to", "own.npz", f"--resize={size}")
    assert outcome.code == 2
    assert "WIDTHxHEIGHT" in outcome.err


@pytest.mark.parametrize(
    ("share", "meant"),
    [
        ("nan", "20% or 0.2"),
        ("0", "20% or 0.2"),
        ("1", "20% or 0.2"),
        ("inf", "20% or 0.2"),
        ("-0.5", "20% or 0.2"),
        ("150%", "20% or 0.2"),
        ("some", "20% or 0.2"),
        ("30", "30% or 0.3"),
        ("12.5", "12.5% or 0.125"),
    ],
)
def test_a_wrong_share_is_refused(cli, tree, share, meant):
    outcome = cli("data", "import", tree / "train", "--to", "own.npz", f"--split={share}")
    assert outcome.code == 2
    assert f"{share} is not a share between 0 and 1, such as {meant}.\n" in outcome.err


def test_a_share_may_be_a_percentage(cli, tree):
    for share, file in (("0.4", "number.npz"), ("40%", "percentage.npz")):
        assert cli("data", "import", tree / "train", "--to", file, "--split", share).code == 0
    assert load_npz(Path("number.npz")).digest == load_npz(Path("percentage.npz")).digest


def test_a_file_with_other_content_is_replaced_only_on_request(cli, tree):
    def imported(folder, file, *options):
        return cli("data", "import", tree / folder, "--to", file, "--split", "0.4", *options)

    Path("notes.txt").write_text("keep me")
    assert [imported("train", "own.npz", *options).code for options in ((), (), ("--grey",))] == [0, 0, 0]
    (tree / "train").rename(tree / "others")
    for file in ("own.npz", "notes.txt"):
        before = Path(file).read_bytes()
        refused = imported("others", file)
        assert refused.code == 1
        assert f"error: {file} already exists, with other content\n" in refused.err
        assert Path(file).read_bytes() == before
        assert imported("others", file, "--replace").code == 0
        assert Path(file).read_bytes() != before


@pytest.mark.parametrize("options", [("--grey",), ("--resize", "8")])
def test_cifar10_of_another_kind_needs_a_file(cli, tmp_path, options):
    write_tree(tmp_path / "ten", CIFAR10_CLASSES, 0)
    outcome = cli("data", "import", "ten", *options)
    assert (outcome.code, outcome.out) == (2, "")
    assert "--to ten.npz" in outcome.err


def test_nothing_is_decoded_before_it_is_refused(cli, tree, tmp_path, monkeypatch):
    """A refusal comes before the progress of thousands of pictures, not after it."""
    monkeypatch.setattr("cifar_dsl.training.datasets.folder._decode", lambda *_: pytest.fail("a picture was decoded"))
    write_tree(tmp_path / "ten", CIFAR10_CLASSES, 0)
    assert cli("data", "import", "ten").code == 1
    assert cli("data", "import", tree).code == 2
    (tmp_path / "file").write_text("")
    outcome = cli("data", "import", tree, "--to", "file/own.npz")
    assert outcome.code == 1
    assert "cannot write file/own.npz" in outcome.err
    Image.new("RGB", (9, 8)).save(tree / "test" / "dog" / "1.png")  # the last one
    outcome = cli("data", "import", tree, "--to", "own.npz")
    assert outcome.code == 1
    assert "1.png is 9x8 pixels, not 8x8" in outcome.err


@pytest.mark.parametrize(
    ("name", "split"), [("val", "test"), ("valid", "test"), ("validation", "test"), ("Training", "train")]
)
def test_the_advice_about_a_folder_of_another_name_works(cli, tree, name, split):
    (tree / split).rename(tree / name)
    outcome = cli("data", "import", tree, "--to", "own.npz")
    assert outcome.code == 1
    assert f"rename {tree / name} to {tree / split}" in outcome.err
    (tree / name).rename(tree / split)
    assert cli("data", "import", tree, "--to", "own.npz").code == 0


def test_a_validation_folder_beside_a_test_folder_is_reported(cli, tree):
    (tree / "val").mkdir()
    outcome = cli("data", "import", tree, "--to", "own.npz")
    assert outcome.code == 0
    assert f"warning: {tree / 'val'} is left out" in outcome.err


@pytest.mark.parametrize("lacks", ["train", "test"])
def test_the_advice_about_a_missing_split_works(cli, tree, lacks):
    """Without `train` and `test` in the folder, and with `train` only."""
    if lacks == "test":
        shutil.rmtree(tree / "test")
    outcome = cli("data", "import", tree if lacks == "test" else tree / "train", "--to", "own.npz")
    assert outcome.code == 1
    command = re.search(r"`cifar-dsl (data import .* --split 0\.2 --to \w+\.npz)`", outcome.err)
    assert command, outcome.err
    assert cli(*command.group(1).replace("0.2", "0.4").split()).code == 0  # 0.2 of 3 is less than 1


def test_fetched_files_of_mnist_become_the_dataset(cli, tmp_path, monkeypatch):
    (tmp_path / "fetched").mkdir()
    random = np.random.default_rng(0)
    arrays = [each for n in (20, 10) for each in (random.integers(0, 256, (n, 28, 28), np.uint8), np.arange(n) % 10)]
    files = []
    for file, array in zip(MNIST.files, arrays, strict=True):
        content = idx(array.astype(np.uint8))
        (tmp_path / "fetched" / file.filename).write_bytes(content)
        files.append(stand_in(file, content))
    monkeypatch.setitem(PUBLISHED, "mnist", evolve(MNIST, parts=tuple(files)))
    outcome = cli("data", "import", "fetched")
    assert outcome.code == 0, outcome.err
    assert outcome.out.startswith("20 + 10 images of 10 classes in ")
    assert outcome.out.endswith("train on them with --data mnist\n")
    assert load_dataset("mnist").image_shape == (1, 28, 28)
    refused = cli("data", "import", "fetched", "--grey")
    assert refused.code == 2
    assert "are for folders of images" in refused.err


def test_a_pickled_look_alike_never_takes_the_place_of_cifar10(cli, tmp_path):
    (tmp_path / "cifar-10-batches-py").mkdir()
    for name, content in python_members().items():
        (tmp_path / name).write_bytes(content)
    outcome = cli("data", "import", "cifar-10-batches-py")
    assert (outcome.code, outcome.out) == (1, "")
    assert "this is not the published CIFAR-10: it has 20 training and 4 test pictures" in outcome.err
    assert not (tmp_path / "data").exists()
    assert cli("data", "import", "cifar-10-batches-py", "--to", "own.npz").code == 0


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
    monkeypatch.setattr("cifar_dsl.training.datasets.cifar.CIFAR10_COUNTS", (10, 10))
    monkeypatch.setattr(
        "cifar_dsl.training.datasets.cifar.CIFAR10_DIGEST", import_tree(find_tree(tmp_path / "ten")).digest
    )
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
