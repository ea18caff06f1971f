"""The estimate of a training's memory."""

import pytest

import cifar_dsl
from cifar_dsl.analysis import estimate, kept_bytes
from cifar_dsl.foundation.resources import specs_directory

WEIGHTS = 2682  # of the tiny network
IMAGES = 12_000


def parts(path, *overrides: str, device: str = "cuda") -> dict[str, int]:
    spec = cifar_dsl.load(path, overrides=overrides)
    return estimate(spec.graph, spec.recipe, device=device)


def test_parts_are_counted_by_hand(tiny):
    # An evaluation takes more than a step: 500 images, beside what goes into relu or flatten and what comes out.
    image, pixels = 4 * 3 * 32 * 32, 4 * 4 * 8 * 8
    expected = {
        "weights": 4 * WEIGHTS,
        "gradients": 4 * WEIGHTS,
        "optimizer": 2 * 4 * WEIGHTS,
        "activations": 500 * (image + 2 * pixels),
        "data set": IMAGES * (3 * 32 * 32 + 8),
    }
    assert parts(tiny) == expected | {"together": sum(expected.values())}


def test_of_an_image_is_kept_what_the_backward_pass_needs(tiny):
    image, pixels = 4 * 3 * 32 * 32, 4 * 4 * 8 * 8
    assert kept_bytes(cifar_dsl.load(tiny).graph) == image + 2 * pixels  # relu's output, and that in another order


def test_on_a_cpu_the_process_and_its_heap_count(tiny):
    on_gpu, on_cpu = parts(tiny), parts(tiny, device="cpu")
    assert on_cpu["process"] > 500e6
    assert on_cpu["activations"] >= on_gpu["activations"]
    in_heap = on_cpu["activations"] + on_cpu["gradients"] + on_cpu["optimizer"]
    assert 0 < on_cpu["gaps"] < in_heap
    assert on_cpu["together"] == sum(on_cpu.values()) - on_cpu["together"]


def test_what_is_mapped_leaves_no_gaps(make_spec, tiny):
    # Of a batch of 8,000 each tensor is above what glibc maps, and of one of 16 none.
    small, large = parts(tiny, device="cpu"), parts(tiny, "train.batch=40000", device="cpu")
    assert large["activations"] > 100 * small["activations"] / 2
    assert large["gaps"] < large["activations"] / 10


def test_what_a_setting_costs_is_in_its_part(tiny):
    large = parts(tiny, "train.batch=2000")
    assert 1.9 < parts(tiny, "train.batch=4000")["activations"] / large["activations"] < 2.1
    residual = specs_directory() / "residual.arch"
    full, half = parts(residual, "train.batch=2000"), parts(residual, "train.batch=2000", "train.precision=bf16")
    assert 0.5 < half["activations"] / full["activations"] < 0.7
    assert parts(tiny, "train.optimizer=sgd(lr=1)")["optimizer"] == 0
    assert 2 * parts(tiny, "train.optimizer=sgd(lr=1, momentum=0.9)")["optimizer"] == parts(tiny)["optimizer"]
    assert parts(tiny, "train.data=cifar10")["data set"] == 60_000 * (3 * 32 * 32 + 8)


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_of_data_that_a_file_holds_the_size_is_unknown(tiny, device):
    known, unknown = parts(tiny, device=device), parts(tiny, 'train.data=npz("0123abcd")', device=device)
    assert unknown["data set"] == 0
    assert unknown["together"] == known["together"] - known["data set"]


def test_groups_averages_and_what_is_frozen_are_counted(make_spec):
    text = (
        "arch groups\ninput 3x32x32\n"
        "model { conv(4, 3, stride=4, frozen=weight) -> relu -> flatten -> dense(10) }\n"
        "train {\n data shapes\n epochs 2\n batch 16\n optimizer adam(lr=1e-3)\n"
        "group head {\n select matrix\n optimizer sgd(lr=1)\n }\n"
        "group biases {\n select bias\n optimizer lion(lr=1)\n }\n"
        "}\n"
    )
    counted = parts(make_spec("groups", text))
    frozen, head, biases = 4 * 3 * 3 * 3, 4 * 8 * 8 * 10, 4 + 10
    assert counted["weights"] == 4 * (frozen + head + biases)
    assert counted["gradients"] == 4 * (head + biases)
    assert counted["optimizer"] == 4 * biases
    assert "averages" not in counted
    averaged = parts(make_spec("groups", text), "train.average=lookahead -> ema(0.9)")
    assert averaged["averages"] == 2 * counted["weights"]
    assert averaged["together"] == counted["together"] + averaged["averages"]
