"""Batched augmentation against one image at a time, in numpy."""

import numpy as np
import pytest
import torch
from torch import Tensor

from cifar_dsl.ir import Call
from cifar_dsl.recipes import AUGMENTATIONS
from cifar_dsl.training import draws
from cifar_dsl.training.images import Images

HEIGHT, WIDTH = 7, 6
SEED, EPOCH = 5, 3

CROP, CROP_REFLECT = AUGMENTATIONS["crop"](padding=2).call(), AUGMENTATIONS["crop"](padding=2, mode="reflect").call()
FLIP, CUTOUT = AUGMENTATIONS["flip"]().call(), AUGMENTATIONS["cutout"](size=3).call()


def images(count: int = 40, *, height: int = HEIGHT, width: int = WIDTH) -> Images:
    """Random pictures without a 0, so that what is blank shows; normalising changes nothing."""
    pixels = np.random.default_rng(0).integers(1, 256, (count, height, width, 3), np.uint8)
    return Images(torch.from_numpy(pixels), torch.zeros(count, dtype=torch.int64), torch.ones(3), torch.zeros(3))


def augmented(chain: tuple[Call, ...], index: Tensor, seed: int = SEED, epoch: int = EPOCH) -> Tensor:
    return images().augmented(index, chain, seed, epoch)


def by_hand(chain: tuple[Call, ...], number: int) -> Tensor:
    """What becomes of one image, step by step."""
    image, one = images().pixels[number].numpy().copy(), torch.tensor([number])
    for place, call in enumerate(chain):
        key = draws.key(SEED, EPOCH, f"augment {place} {call.name}")
        match call.name, call.keywords():
            case "crop", {"padding": int(padding), "mode": mode}:
                top, left = (draws.integers(k, one, 2 * padding + 1).item() for k in (key, ~key))
                sides = ((padding, padding), (padding, padding), (0, 0))
                padded = np.pad(image, sides, mode="reflect" if mode == "reflect" else "constant")
                image = padded[top : top + HEIGHT, left : left + WIDTH]
            case "flip", {"p": float(p)}:
                if draws.uniform(key, one).item() < p:
                    image = image[:, ::-1]
            case "cutout", {"size": int(size)}:
                image = image.copy()
                top = draws.integers(key, one, HEIGHT).item() - size // 2
                left = draws.integers(~key, one, WIDTH).item() - size // 2
                image[max(0, top) : max(0, top + size), max(0, left) : max(0, left + size)] = 0
            case name, _:
                raise AssertionError(f"no reference for {name}")
    return torch.from_numpy(image.copy()).permute(2, 0, 1).float()


@pytest.mark.parametrize(
    "chain",
    [
        (CROP,),
        (CROP_REFLECT,),
        (AUGMENTATIONS["crop"](padding=20).call(),),
        (AUGMENTATIONS["crop"](padding=20, mode="reflect").call(),),
        (FLIP,),
        (CUTOUT,),
        (AUGMENTATIONS["cutout"](size=2).call(),),
        (AUGMENTATIONS["cutout"](size=100).call(),),
        (CROP, FLIP, CUTOUT),
        (CUTOUT, FLIP, CROP_REFLECT),
        (CROP, CROP),
        (FLIP, FLIP),
    ],
    ids=lambda chain: " -> ".join(map(str, chain)),
)
def test_a_batch_is_changed_as_one_image_at_a_time_would_be(chain):
    index = torch.tensor([0, 7, 39, 7, 20, 1, 2, 3])
    expected = torch.stack([by_hand(chain, number) for number in index.tolist()])
    assert torch.equal(augmented(chain, index), expected)


@pytest.mark.parametrize("name", list(AUGMENTATIONS))
def test_every_declared_augmentation_is_implemented(name):
    index = torch.arange(40)
    changed = augmented((AUGMENTATIONS[name]().call(),), index)
    assert changed.shape == (40, 3, HEIGHT, WIDTH)
    assert not torch.equal(changed, images().batch(index))


@pytest.mark.parametrize("chain", [(CROP,), (FLIP,), (CUTOUT,), (CROP, FLIP, CUTOUT)], ids=str)
def test_what_an_image_becomes_depends_on_no_other_image(chain):
    everything = augmented(chain, torch.arange(40))
    for batch in (torch.tensor([17]), torch.tensor([3, 17, 5]), torch.arange(39, -1, -1)):
        assert torch.equal(augmented(chain, batch), everything[batch])


@pytest.mark.parametrize("call", [CROP, FLIP, CUTOUT], ids=str)
def test_each_image_of_a_batch_has_its_own_draw(call):
    one_picture = images()
    one_picture.pixels[:] = one_picture.pixels[0]
    results = one_picture.augmented(torch.arange(40), (call,), SEED, EPOCH)
    different = len({result.numpy().tobytes() for result in results})
    assert different == 2 if call is FLIP else different > 10


@pytest.mark.parametrize(("seed", "epoch"), [(SEED + 1, EPOCH), (SEED, EPOCH + 1)])
@pytest.mark.parametrize("call", [CROP, FLIP, CUTOUT], ids=str)
def test_another_seed_or_epoch_draws_anew(call, seed, epoch):
    index = torch.arange(40)
    assert not torch.equal(augmented((call,), index), augmented((call,), index, seed, epoch))


def test_a_crop_takes_every_place_of_the_padded_image_equally_often():
    image = images(1, height=32, width=32)
    image.pixels[:] = torch.arange(32 * 32).view(1, 32, 32, 1).remainder(255) + 1
    places = {image.augmented(torch.tensor([0]), (CROP,), 0, epoch).numpy().tobytes() for epoch in range(400)}
    assert len(places) == 5 * 5


@pytest.mark.parametrize("p", [0.0, 0.25, 1.0])
def test_a_flip_happens_as_often_as_declared(p):
    many = images(4000)
    flipped = many.augmented(torch.arange(4000), (AUGMENTATIONS["flip"](p=p).call(),), SEED, EPOCH)
    share = (flipped != many.batch(torch.arange(4000))).flatten(1).any(1).double().mean().item()
    assert share == pytest.approx(p, abs=0.03 if 0 < p < 1 else 0)


def test_what_is_blank_is_black_and_normalised_with_the_rest():
    picture = images()
    picture.scale, picture.offset = torch.tensor([1.0, 2.0, 3.0]), torch.tensor([-1.0, -2.0, -3.0])
    blank = picture.augmented(torch.arange(4), (AUGMENTATIONS["cutout"](size=100).call(),), SEED, EPOCH)
    assert torch.equal(blank, torch.tensor([-1.0, -2.0, -3.0]).view(1, 3, 1, 1).expand(4, 3, HEIGHT, WIDTH))
