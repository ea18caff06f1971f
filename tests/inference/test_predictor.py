"""Pictures of any size, as inputs of a network."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cifar_dsl.foundation.errors import DataError
from cifar_dsl.inference.prediction import Prediction
from cifar_dsl.training.datasets.folder import Conversion, picture_of, pictures_below, read_picture

SMALL = Conversion((4, 4), crop=True, matte=True)


def test_a_prediction_lists_classes_by_probability() -> None:
    prediction = Prediction(("a", "b", "c"), (0.25, 0.5, 0.25))
    assert prediction.top(9) == (("b", 0.5), ("a", 0.25), ("c", 0.25))
    assert (prediction.name, prediction.probability) == ("b", 0.5)


def test_a_picture_is_turned_upright(tmp_path: Path) -> None:
    pixels = np.zeros((4, 4, 3), np.uint8)
    pixels[0] = 200  # the upper edge
    image = Image.fromarray(pixels)
    exif = image.getexif()
    exif[0x0112] = 6  # turned by 90 degrees: the upper edge of the file is the right edge
    image.save(tmp_path / "a.png", exif=exif)
    assert np.array_equal(read_picture(tmp_path / "a.png", SMALL), pixels.transpose(1, 0, 2)[:, ::-1])


def test_transparent_parts_are_white_whatever_colour_they_hide() -> None:
    hidden = np.zeros((4, 4, 4), np.uint8)
    hidden[..., 0] = 255
    assert (picture_of(Image.fromarray(hidden), SMALL) == 255).all()
    half = np.full((4, 4, 4), 0, np.uint8)
    half[..., 3] = 51  # a fifth of black
    assert (picture_of(Image.fromarray(half), SMALL) == 204).all()
    palette = Image.new("P", (4, 4))
    palette.info["transparency"] = 0
    assert (picture_of(palette, SMALL) == 255).all()


def test_the_middle_is_kept_by_cropping_and_everything_by_stretching() -> None:
    wide = np.zeros((4, 12, 3), np.uint8)
    wide[:, 4:8] = 255
    assert (picture_of(Image.fromarray(wide), SMALL) == 255).all()
    stretched = picture_of(Image.fromarray(wide), Conversion((4, 4), matte=True))
    assert stretched.min() < 50


def test_a_decompression_bomb_is_refused_with_its_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.new("L", (300, 300)).save(tmp_path / "a.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with pytest.raises(DataError, match=r"a\.png is too large") as caught:
        read_picture(tmp_path / "a.png", SMALL)
    assert caught.value.help == ("scale it down first",)


def test_pictures_below_a_folder_are_sorted_and_hidden_files_left_out(tmp_path: Path) -> None:
    for name in ("b.png", "sub/a.JPG", ".hidden.png", ".cache/c.png", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert [path.name for path in pictures_below(tmp_path)] == ["b.png", "a.JPG"]
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(DataError, match="has no pictures"):
        pictures_below(empty)
