"""Random numbers are uniform, independent, and never change."""

import itertools

import pytest
import torch
from torch import Tensor

from cifar_dsl.training import draws

N = 100_000
INDEX = torch.arange(N)


def correlation(a: Tensor, b: Tensor) -> float:
    return torch.corrcoef(torch.stack([a.double(), b.double()]))[0, 1].item()


def chi_square(cells: Tensor, count: int) -> float:
    """The deviation of counts from uniform, in standard deviations of chance."""
    expected = len(cells) / count
    statistic = ((torch.bincount(cells, minlength=count) - expected) ** 2 / expected).sum().item()
    return (statistic - (count - 1)) / (2 * (count - 1)) ** 0.5


@pytest.mark.parametrize("seed", range(5))
def test_uniform_numbers_are_even_over_the_unit_interval(seed):
    numbers = draws.uniform(draws.key(seed, 1, "test"), INDEX)
    assert numbers.min() >= 0
    assert numbers.max() < 1
    assert abs(chi_square((numbers * 256).long(), 256)) < 4


@pytest.mark.parametrize("count", [1, 2, 9, 10, 32, 1000])
def test_integers_are_even_over_their_range(count):
    numbers = draws.integers(draws.key(0, 1, "test"), INDEX, count)
    assert (numbers.min(), numbers.max()) == (0, count - 1)
    if count > 1:
        assert abs(chi_square(numbers, count)) < 4


def test_neighbouring_images_are_independent():
    numbers = draws.uniform(draws.key(0, 1, "test"), torch.arange(N + 10))
    for distance in (1, 2, 3, 8):
        assert abs(correlation(numbers[:N], numbers[distance : N + distance])) < 0.015


def test_keys_are_independent():
    keys = [draws.key(0, 1, "a"), draws.key(0, 1, "b"), draws.key(0, 2, "a"), draws.key(1, 1, "a")]
    keys += [~keys[0], keys[0] + 1]  # the second draw of one augmentation has the inverted key
    for first, second in itertools.combinations(keys, 2):
        assert abs(correlation(draws.uniform(first, INDEX), draws.uniform(second, INDEX))) < 0.015


def test_both_draws_of_a_window_are_jointly_even():
    key = draws.key(0, 1, "augment 0 crop")
    cells = draws.integers(key, INDEX, 9) * 9 + draws.integers(~key, INDEX, 9)
    assert abs(chi_square(cells, 81)) < 4


def test_every_bit_of_an_index_changes_every_bit_of_its_number_half_the_time():
    index = torch.arange(20_000)
    numbers = draws.hashed(draws.key(0, 1, "test"), index)
    for bit in range(16):
        changed = numbers ^ draws.hashed(draws.key(0, 1, "test"), index ^ (1 << bit))
        shares = torch.stack([(changed >> place & 1).double().mean() for place in range(64)])
        assert shares.min() > 0.47
        assert shares.max() < 0.53


@pytest.mark.parametrize("count", [1, 2, 3, 1000, 50_000])
def test_a_permutation_has_every_image_once(count):
    assert torch.equal(draws.permutation(3, 7, count).sort().values, torch.arange(count))


def test_a_permutation_is_a_function_of_seed_and_epoch_alone():
    first = draws.permutation(3, 7, 1000)
    torch.manual_seed(1)
    assert torch.equal(draws.permutation(3, 7, 1000), first)
    assert not torch.equal(draws.permutation(4, 7, 1000), first)
    assert not torch.equal(draws.permutation(3, 8, 1000), first)


def test_an_image_may_have_any_position_in_an_epoch():
    places = torch.stack([draws.permutation(0, epoch, 50).argsort() for epoch in range(1, 2001)])
    for image in (0, 1, 25, 49):
        assert abs(chi_square(places[:, image], 50)) < 4


def test_the_random_numbers_never_change():
    """A change here changes the result of every recipe, and needs a new format of fingerprints."""
    key = draws.key(0, 1, "order")
    assert key == -2707495756035035054
    assert draws.hashed(key, torch.arange(3)).tolist() == [
        -4328506029357460252,
        -4506453581173822565,
        6901767312930042498,
    ]
    assert draws.integers(key, torch.arange(8), 9).tolist() == [8, 0, 8, 8, 6, 3, 5, 0]
    assert draws.permutation(0, 1, 10).tolist() == [8, 7, 1, 0, 5, 9, 4, 6, 2, 3]
    assert draws.uniform(key, torch.arange(2)).tolist() == [0.7653511762619019, 0.7557046413421631]


def test_mixing_equals_splitmix64():
    """The first outputs of the published generator seeded with 0; its state is a multiple of the golden gamma."""
    published = [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F, 0xF88BB8A8724C81EC]
    assert [number % 2**64 for number in draws.hashed(0, torch.arange(1, 5)).tolist()] == published
