"""Batched augmentation against one image at a time, in numpy."""

import math

import numpy as np
import pytest
import torch
from helpers.pictures import HEIGHT, MEAN, WIDTH, images
from helpers.tolerances import SAME_FORMULA
from helpers.waits import HostWaits
from torch import Tensor
from torchvision.transforms import v2

from cifar_dsl.foundation.records import evolve
from cifar_dsl.ir.recipe import Augmentation
from cifar_dsl.operations.recipe import AUGMENTATIONS
from cifar_dsl.operations.registry import MisfitError
from cifar_dsl.training import draws
from cifar_dsl.training.augmentation import augmented as augmented_batch
from cifar_dsl.training.augmentation.changes import CHANGES
from cifar_dsl.training.augmentation.mixtures import MIXTURES
from cifar_dsl.training.augmentation.moves import MOVES
from cifar_dsl.training.augmentation.policies import POLICIES
from cifar_dsl.training.draws import DeviceKeys, Draws, DrawTable, HostKeys

SEED, EPOCH = 5, 3
OF_ONE_SIZE = [name for name in AUGMENTATIONS if name != "resize"]  # the other one is in test_resizing.py


def change(name: str, **arguments: object) -> Augmentation:
    return AUGMENTATIONS[name](**arguments)


CROP, CROP_REFLECT = change("crop", padding=2), change("crop", padding=2, mode="reflect")
FLIP, CUTOUT = change("flip"), change("cutout", size=3)
TRANSLATE, ALTERNATING_FLIP = change("translate", pixels=2, mode="reflect"), change("alternating_flip")
ERASING = change("random_erasing", p=0.9, area=(0.1, 0.5))
NOISE = change("random_erasing", p=1.0, area=(0.4, 0.6), ratio=(0.8, 1.2), fill="noise")
MOVED = [CROP, FLIP, CUTOUT, TRANSLATE, ALTERNATING_FLIP, ERASING, NOISE]


def augmented(chain: tuple[Augmentation, ...], index: Tensor, seed: int = SEED, epoch: int = EPOCH) -> Tensor:
    return augmented_batch(images(), index, chain, HostKeys(seed, epoch)).images


def by_hand(chain: tuple[Augmentation, ...], number: int) -> Tensor:
    """Augment one image, step by step."""
    image, one = images().pixels[number].numpy().astype(np.float32), torch.tensor([number])
    for place, stage in enumerate(chain):
        name = f"augment {place} {stage.name}"
        key = draws.key(SEED, EPOCH, name)
        match stage.name, stage.arguments():
            case "crop", {"padding": int(padding), "mode": mode}:
                image = window_by_hand(image, key, one, padding, mode)
            case "translate", {"pixels": int(padding), "mode": mode}:
                image = window_by_hand(image, key, one, padding, mode)
            case "flip", {"p": float(p)}:
                if draws.uniform(key, one).item() < p:
                    image = image[:, ::-1]
            case "alternating_flip", _:
                if draws.uniform(draws.key(SEED, 0, name), one).item() < 0.5:  # in odd epochs
                    image = image[:, ::-1]
            case "cutout", {"size": int(size), "fill": fill}:
                image = image.copy()
                top = draws.integers(key, one, HEIGHT).item() - size // 2
                left = draws.integers(~key, one, WIDTH).item() - size // 2
                hole = image[max(0, top) : max(0, top + size), max(0, left) : max(0, left + size)]
                hole[:] = MEAN.numpy() if fill == "mean" else 0
            case "random_erasing", keywords:
                image = image.copy()
                erase_by_hand(image, name, one, **keywords)
            case other, _:
                raise AssertionError(f"no reference for {other}")
    return torch.from_numpy(image.copy()).permute(2, 0, 1).float()


def window_by_hand(image: np.ndarray, key: int, one: Tensor, padding: int, mode: object) -> np.ndarray:
    top, left = (draws.integers(k, one, 2 * padding + 1).item() for k in (key, ~key))
    sides = ((padding, padding), (padding, padding), (0, 0))
    padded = np.pad(image, sides, mode="reflect" if mode == "reflect" else "constant")
    return padded[top : top + HEIGHT, left : left + WIDTH]


def erase_by_hand(image, name, one, p, area, ratio, fill) -> None:
    def uniform(purpose: str) -> float:
        return draws.uniform(draws.key(SEED, EPOCH, name + purpose), one).item()

    if uniform("") >= p:
        return
    for attempt in range(10):
        size = (area[0] + (area[1] - area[0]) * uniform(f" area {attempt}")) * HEIGHT * WIDTH
        shape = ratio[0] + (ratio[1] - ratio[0]) * uniform(f" ratio {attempt}")
        rows, columns = round(math.sqrt(size * shape)), round(math.sqrt(size / shape))
        if rows < HEIGHT and columns < WIDTH:
            top = draws.integers(draws.key(SEED, EPOCH, f"{name} top"), one, HEIGHT - rows + 1).item()
            left = draws.integers(draws.key(SEED, EPOCH, f"{name} left"), one, WIDTH - columns + 1).item()
            image[top : top + rows, left : left + columns] = MEAN.numpy() if fill == "mean" else 0
            return


@pytest.mark.parametrize(
    "chain",
    [
        (CROP,),
        (CROP_REFLECT,),
        (change("crop", padding=20),),
        (change("crop", padding=20, mode="reflect"),),
        (FLIP,),
        (CUTOUT,),
        (change("cutout", size=2),),
        (change("cutout", size=100),),
        (change("cutout", size=3, fill="mean"),),
        (TRANSLATE,),
        (ALTERNATING_FLIP,),
        (ERASING,),
        (change("random_erasing", p=0.5, fill="mean"),),
        (change("random_erasing", p=1.0, area=(0.6, 1.0), ratio=(0.1, 5.0)),),
        (CROP, FLIP, CUTOUT),
        (CUTOUT, FLIP, CROP_REFLECT),
        (CROP, CROP),
        (FLIP, FLIP),
        (change("cutout", size=3, fill="mean"), TRANSLATE, CUTOUT),
        (ERASING, CROP, ALTERNATING_FLIP),
    ],
    ids=lambda chain: " -> ".join(map(str, chain)),
)
def test_a_batch_is_augmented_like_single_images(chain):
    index = torch.tensor([0, 7, 39, 7, 20, 1, 2, 3])
    expected = torch.stack([by_hand(chain, number) for number in index.tolist()])
    assert torch.equal(augmented(chain, index), expected)


def test_every_declared_augmentation_is_implemented_once():
    assert sorted([*MOVES, *CHANGES, *POLICIES, *MIXTURES]) == sorted(OF_ONE_SIZE)


@pytest.mark.parametrize("name", OF_ONE_SIZE)
def test_every_augmentation_changes_some_images_and_keeps_their_size(name):
    index = torch.arange(40)
    changed = augmented((change(name),), index)
    assert changed.shape == (40, 3, HEIGHT, WIDTH)
    assert changed.dtype == torch.float32
    assert changed.isfinite().all()
    assert changed.min() >= 0
    assert changed.max() <= 255
    assert not torch.equal(changed, images().batch(index))


CHAINS = [
    *[(change(name),) for name in OF_ONE_SIZE],
    (CROP, FLIP, CUTOUT),
    (NOISE, change("color_jitter"), CROP, change("grayscale"), NOISE, change("mixup")),
    (FLIP, change("randaugment"), change("mixup"), change("cutmix")),
]


@pytest.mark.parametrize("chain", CHAINS, ids=lambda chain: " -> ".join(stage.name for stage in chain))
def test_augmentation_of_an_image_depends_on_no_other_image(chain):
    everything = augmented(chain, torch.arange(40))
    for batch in (torch.tensor([17]), torch.tensor([3, 17, 5]), torch.arange(39, -1, -1)):
        assert torch.equal(augmented(chain, batch), everything[batch])


@pytest.mark.parametrize(
    "stage", [*MOVED, *[change(name) for name in (*CHANGES, *POLICIES)]], ids=lambda stage: stage.name
)
def test_each_image_of_a_batch_has_its_own_random_numbers(stage):
    one_picture = images()
    one_picture.pixels[:] = one_picture.pixels[0]
    results = augmented_batch(one_picture, torch.arange(40), (stage,), HostKeys(SEED, EPOCH)).images
    different = len({result.numpy().tobytes() for result in results})
    assert different == 2 if stage.name in {"flip", "alternating_flip", "grayscale"} else different > 10


@pytest.mark.parametrize(("seed", "epoch"), [(SEED + 1, EPOCH), (SEED, EPOCH + 1)])
@pytest.mark.parametrize("name", OF_ONE_SIZE)
def test_another_seed_or_epoch_gives_other_random_numbers(name, seed, epoch):
    index = torch.arange(40)
    assert not torch.equal(augmented((change(name),), index), augmented((change(name),), index, seed, epoch))


def test_a_crop_takes_every_position_equally_often():
    image = images(1, height=32, width=32)
    image.pixels[:] = torch.arange(32 * 32).view(1, 32, 32, 1).remainder(255) + 1
    one = torch.tensor([0])
    places = {augmented_batch(image, one, (CROP,), HostKeys(0, epoch)).images.numpy().tobytes() for epoch in range(400)}
    assert len(places) == 5 * 5


@pytest.mark.parametrize("p", [0.0, 0.25, 1.0])
def test_a_flip_happens_as_often_as_declared(p):
    many = images(4000)
    flipped = augmented_batch(many, torch.arange(4000), (change("flip", p=p),), HostKeys(SEED, EPOCH)).images
    share = (flipped != many.batch(torch.arange(4000))).flatten(1).any(1).double().mean().item()
    # A share of 4000 draws has a standard deviation of 0.007.
    assert share == pytest.approx(p, abs=0.03 if 0 < p < 1 else 0)


def test_two_epochs_of_alternating_flip_show_every_image_both_ways():
    plain = images().batch(torch.arange(40))
    epochs = [augmented((ALTERNATING_FLIP,), torch.arange(40), epoch=epoch) for epoch in (1, 2, 3, 4)]
    assert torch.equal(epochs[0], epochs[2])
    assert torch.equal(epochs[1], epochs[0].flip(3))
    assert torch.equal(epochs[1], epochs[3])
    assert 10 < (epochs[0] != plain).flatten(1).any(1).sum() < 30


def test_a_translation_is_a_crop_by_another_name():
    moved = augmented((change("translate", pixels=2),), torch.arange(40)) == 0
    cropped = augmented((CROP,), torch.arange(40)) == 0
    assert moved.any()
    # Means over 40 images, each of 25 places: their standard deviation is about 0.02.
    assert moved.double().mean().item() == pytest.approx(cropped.double().mean().item(), abs=0.05)


def test_filled_pixels_are_normalized_too():
    picture = evolve(images(), scale=torch.tensor([1.0, 2.0, 3.0]), offset=torch.tensor([-1.0, -2.0, -3.0]))
    whole = change("cutout", size=100)
    black = augmented_batch(picture, torch.arange(4), (whole,), HostKeys(SEED, EPOCH)).images
    assert torch.equal(black, torch.tensor([-1.0, -2.0, -3.0]).view(1, 3, 1, 1).expand(4, 3, HEIGHT, WIDTH))
    mean = augmented_batch(
        picture, torch.arange(4), (change("cutout", size=100, fill="mean"),), HostKeys(SEED, EPOCH)
    ).images
    expected = MEAN * picture.scale + picture.offset
    torch.testing.assert_close(mean, expected.view(1, 3, 1, 1).expand(4, 3, HEIGHT, WIDTH), **SAME_FORMULA)


def test_noise_is_even_over_all_bytes():
    many = images(2000, height=8, width=8)
    plain = many.batch(torch.arange(2000))
    changed = augmented_batch(many, torch.arange(2000), (NOISE,), HostKeys(SEED, EPOCH)).images
    noise = changed[changed != plain]
    assert len(noise) > 100_000
    expected = len(noise) / 256
    statistic = ((torch.bincount(noise.long(), minlength=256) - expected) ** 2 / expected).sum().item()
    # Chi-square of 255 degrees has that mean and a variance twice as large.
    assert abs(statistic - 255) < 5 * math.sqrt(2 * 255)


def test_erased_areas_are_as_large_as_declared():
    many = images(2000, height=32, width=32)
    chain = (change("random_erasing", p=1.0, area=(0.1, 0.3), ratio=(0.5, 2.0)),)
    changed = augmented_batch(many, torch.arange(2000), chain, HostKeys(SEED, EPOCH)).images
    share = (changed == 0).all(1).double().mean((1, 2))
    assert share.min() > 0.085
    assert share.max() < 0.315
    # The mean of 2000 areas has a standard deviation of 0.0013; sides are whole pixels, which adds about as much.
    assert share.mean().item() == pytest.approx(0.2, abs=0.01)


@pytest.mark.parametrize("arguments", [{"area": (0.5, 0.1)}, {"ratio": (2.0, 1.0)}])
def test_bounds_of_random_erasing_must_ascend(arguments):
    with pytest.raises(MisfitError, match="is larger than its maximum"):
        AUGMENTATIONS["random_erasing"](**arguments).check()


@pytest.mark.parametrize(
    "stage",
    [*MOVED, *map(change, ("mixup", "cutmix", "rotate", *POLICIES)), change("color_jitter", hue=0.5)],
    ids=str,
)
def test_keys_on_the_device_give_the_same_random_numbers(stage):
    keys = DeviceKeys(SEED, torch.device("cpu"))
    index = torch.arange(40)
    for epoch in (1, 2, 3):
        keys.begin_epoch(epoch)
        expected = augmented_batch(images(), index, (stage,), HostKeys(SEED, epoch))
        assert torch.equal(augmented_batch(images(), index, (stage,), keys).images, expected.images)


@pytest.mark.parametrize(
    "chain",
    [*([one] for one in MOVED), [CROP, change("flip"), change("cutout", size=3)], [NOISE, change("mixup")]],
    ids=str,
)
@pytest.mark.parametrize("make", [HostKeys, DeviceKeys], ids=["host", "device"])
def test_draws_for_a_whole_epoch_give_the_same_images(chain, make):
    picture, index = images(), torch.tensor([7, 3, 39, 3])
    table = DrawTable(len(picture), torch.device("cpu"))
    addresses = set()
    on_device = DeviceKeys(SEED, torch.device("cpu"))
    for epoch in (1, 2, 3):
        on_device.begin_epoch(epoch)
        keys = on_device if make is DeviceKeys else HostKeys(SEED, epoch)
        table.begin_epoch(keys)
        expected = augmented_batch(picture, index, tuple(chain), HostKeys(SEED, epoch))
        assert torch.equal(augmented_batch(picture, index, tuple(chain), keys, table=table).images, expected.images)
        addresses.add(tuple(row.data_ptr() for row in table._rows.values()))
    assert len(addresses) == 1  # where a recorded step finds them
    assert addresses != {()}


def test_a_full_table_leaves_draws_to_the_steps():
    table = DrawTable(40, torch.device("cpu"), most_bytes=2 * 8 * 40)
    keys, index = HostKeys(SEED, EPOCH), torch.arange(5)
    drawn = Draws(keys, "any", index, table)
    for purpose in "abc":
        assert torch.equal(drawn.integers(1000, purpose), Draws(keys, "any", index).integers(1000, purpose))
    assert len(table._rows) == 2


NEEDED = {"color_jitter": {"hue": 0.1}, "resize": {"at": (0,), "sizes": ((5, 6),)}}


@pytest.mark.parametrize("name", list(AUGMENTATIONS))
def test_augmentation_on_the_device_never_waits_for_it(name, monkeypatch):
    monkeypatch.setattr("cifar_dsl.training.augmentation.table.skips_unchanged", lambda _: False)  # as on a GPU
    keys = DeviceKeys(SEED, torch.device("cpu"))
    keys.begin_epoch(EPOCH)
    chain, index = (change(name, **NEEDED.get(name, {})),), torch.arange(40)
    augmented_batch(images(), index, chain, keys)  # fills caches, as the step does that runs before a recording
    picture = images()
    with HostWaits() as waits:
        augmented_batch(picture, index, chain, keys)
        assert waits.found == []
        index.max().item()
        assert waits.found == ["_local_scalar_dense"]


def test_three_of_four_erased_rectangles_are_taller_than_wide_and_half_of_torchvisions():
    many, low, high = images(2000, height=32, width=32), 0.3, 3.3
    chain = (change("random_erasing", p=1.0),)
    erased = (augmented_batch(many, torch.arange(2000), chain, HostKeys(SEED, EPOCH)).images == 0).all(1)
    rows, columns = erased.any(2).sum(1), erased.any(1).sum(1)
    taller = (rows > columns).sum().item() / (rows != columns).sum().item()
    # A share of 2000 draws has a standard deviation of 0.01; rectangles that round to squares don't count.
    assert taller == pytest.approx((high - 1) / (high - low), abs=0.04)
    torch.manual_seed(0)
    theirs = [v2.RandomErasing(p=1.0).make_params([many.pixels[0].permute(2, 0, 1)]) for _ in range(2000)]
    sides = [(drawn["h"], drawn["w"]) for drawn in theirs if drawn["h"] != drawn["w"]]
    taller = sum(height > width for height, width in sides) / len(sides)
    # As above.
    assert taller == pytest.approx(math.log(high) / math.log(high / low), abs=0.04)
    assert (round((high - 1) / (high - low), 2), round(math.log(high) / math.log(high / low), 2)) == (0.77, 0.5)


@pytest.mark.parametrize(
    "stage", [change("crop", padding=5), change("translate", pixels=5), change("rotate", degrees=90)]
)
def test_pixels_from_outside_are_black_before_normalization(stage):
    picture = evolve(images(), scale=torch.tensor([1.0, 2.0, 3.0]), offset=torch.tensor([-1.0, -2.0, -3.0]))
    result = augmented_batch(picture, torch.arange(40), (stage,), HostKeys(SEED, EPOCH)).images
    is_outside = (augmented((stage,), torch.arange(40)) == 0).all(1)
    assert is_outside.any()
    outside = result.permute(0, 2, 3, 1)[is_outside]
    assert torch.equal(outside, torch.tensor([-1.0, -2.0, -3.0]).expand_as(outside))
