"""The specs that the `--set` options of a sweep expand to."""

import pytest

from cifar_dsl.experiments.sweep import MOST, make_grid
from cifar_dsl.foundation.errors import SweepError
from cifar_dsl.language.diagnostics import SpecError


def labels(*texts: str) -> list[str]:
    return [point.label for point in make_grid(texts).points]


def test_every_combination_in_the_order_of_the_values() -> None:
    grid = make_grid(["head=[64],[512, 256]", "train.optimizer.lr=1e-3,3e-4"])
    assert grid.common == ()
    assert [(point.label, point.overrides, point.changes) for point in grid.points] == [
        ("[head=64,lr=1e-3]", ("head=[64]", "train.optimizer.lr=1e-3"), ("head = [64]", "optimizer.lr 1e-3")),
        ("[head=64,lr=3e-4]", ("head=[64]", "train.optimizer.lr=3e-4"), ("head = [64]", "optimizer.lr 3e-4")),
        (
            "[head=[512,256],lr=1e-3]",
            ("head=[512, 256]", "train.optimizer.lr=1e-3"),
            ("head = [512, 256]", "optimizer.lr 1e-3"),
        ),
        (
            "[head=[512,256],lr=3e-4]",
            ("head=[512, 256]", "train.optimizer.lr=3e-4"),
            ("head = [512, 256]", "optimizer.lr 3e-4"),
        ),
    ]


def test_one_value_alone_holds_for_all_and_is_in_no_name() -> None:
    grid = make_grid(["train.epochs=2", "head=[64],[512]"])
    assert grid.common == ("train.epochs=2",)
    assert [point.label for point in grid.points] == ["[head=64]", "[head=512]"]
    assert [point.changes for point in grid.points] == [("head = [64]",), ("head = [512]",)]
    assert [point.overrides for point in grid.points] == [
        ("train.epochs=2", "head=[64]"),
        ("train.epochs=2", "head=[512]"),
    ]


@pytest.mark.parametrize(
    ("texts", "label"),
    [
        (("train.optimizer.lr=1,2", "train.group.stem.optimizer.lr=3,4"), "[train.optimizer.lr=1,stem.optimizer.lr=3]"),
        (("lr=1,2", "train.optimizer.lr=3,4"), "[lr=1,optimizer.lr=3]"),
        (("train.batch=1,2", "train.epochs=3,4"), "[batch=1,epochs=3]"),
        (("head=[64],64",), "[head=[64]]"),
        (("head=[],[1]",), "[head=[]]"),
        (("head=[[1]],[2]",), "[head=[[1]]]"),
        (("train.augment=crop(4) -> flip, flip",), "[augment=crop(4)->flip]"),
        (("train.optimizer=sgd(0.1, 0.9),adam(1e-3)",), "[optimizer=sgd(0.1,0.9)]"),
    ],
)
def test_names_are_as_short_as_possible(texts: tuple[str, ...], label: str) -> None:
    found = labels(*texts)
    assert found[0] == label
    assert len(set(found)) == len(found)


def test_settings_of_groups_are_displayed_as_in_a_spec() -> None:
    (point, _) = make_grid(["train.group.stem.optimizer.lr=0.1,0.2"]).points
    assert point.changes == ("stem: optimizer.lr 0.1",)


def test_all_errors_are_reported_with_their_locations() -> None:
    with pytest.raises(SpecError) as caught:
        make_grid(["head=[64],", "train.batch=1,2", "train.batch=3", "=4"])
    found = [(mistake.code, mistake.label and mistake.label.span.text) for mistake in caught.value.diagnostics]
    assert found == [("E0101", ","), ("E0207", "train.batch=3"), ("E0101", "=")]


def test_a_grid_is_bounded_before_it_is_made() -> None:
    values = ",".join(map(str, range(8)))
    assert len(make_grid([f"a={values}", f"b={values}"]).points) == MOST == 64
    with pytest.raises(SweepError, match="8 x 9 values give a grid of 72 specs"):
        make_grid([f"a={values}", f"b={values},8", "c=1"])
    with pytest.raises(SweepError, match="1,073,741,824 specs"):
        make_grid([f"p{i}={values}" for i in range(10)])


def test_one_spec_is_no_grid() -> None:
    with pytest.raises(SweepError, match="no `--set` has several values"):
        make_grid(["head=[64]"])
