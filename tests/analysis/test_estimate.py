"""The estimate of the memory that a training takes."""

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
    # The peak is an evaluation: 500 images, and the input and output of relu or flatten for each.
    image, pixels = 4 * 3 * 32 * 32, 4 * 4 * 8 * 8
    expected = {
        "weights": 4 * WEIGHTS,
        "gradients": 4 * WEIGHTS,
        "optimizer": 2 * 4 * WEIGHTS,
        "activations": 500 * (image + 2 * pixels),
        "first steps": 500 * (image + 2 * pixels),  # evaluations run eagerly once, beside what is recorded
        "workspaces": 2**25,
        "dataset": IMAGES * (3 * 32 * 32 + 8),
    }
    assert parts(tiny) == expected | {"total": sum(expected.values())}


def test_networks_side_by_side_share_the_images_and_a_teacher(tiny):
    spec = cifar_dsl.load(tiny)
    alone, together = (
        estimate(spec.graph, spec.recipe, device="cuda", teacher=spec.graph, seeds=count) for count in (1, 3)
    )
    kept = 16 * 3 * 32 * 32 * 4  # images before their normalization, of one step
    assert together["dataset"] == alone["dataset"]
    assert together["teacher"] == alone["teacher"] + 2 * kept
    del alone["total"], together["total"]
    own = alone.keys() - {"dataset", "teacher"}
    assert {name: together[name] for name in own} == {name: 3 * alone[name] for name in own}


def test_kept_bytes_are_what_the_backward_pass_needs(tiny):
    image, pixels = 4 * 3 * 32 * 32, 4 * 4 * 8 * 8
    assert kept_bytes(cifar_dsl.load(tiny).graph) == image + 2 * pixels  # relu's output, and flatten's copy of it


def test_on_a_cpu_the_process_and_heap_fragmentation_count(tiny):
    on_gpu, on_cpu = parts(tiny), parts(tiny, device="cpu")
    assert on_cpu["process"] > 500e6
    assert on_cpu["activations"] >= on_gpu["activations"]
    on_heap = on_cpu["activations"] + on_cpu["gradients"] + on_cpu["optimizer"]
    assert 0 < on_cpu["fragmentation"] < on_heap
    assert on_cpu["total"] == sum(on_cpu.values()) - on_cpu["total"]


def test_mapped_tensors_cause_no_fragmentation(make_spec, tiny):
    # With a batch of 40,000, glibc maps every tensor; with 16, none.
    small, large = parts(tiny, device="cpu"), parts(tiny, "train.batch=40000", device="cpu")
    assert large["activations"] > 100 * small["activations"] / 2
    assert large["fragmentation"] < large["activations"] / 10


def test_each_setting_changes_its_part(tiny):
    large = parts(tiny, "train.batch=2000")
    assert 1.9 < parts(tiny, "train.batch=4000")["activations"] / large["activations"] < 2.1
    residual = specs_directory() / "residual.arch"
    full, half = parts(residual, "train.batch=2000"), parts(residual, "train.batch=2000", "train.precision=bf16")
    assert 0.5 < half["activations"] / full["activations"] < 0.7
    assert parts(tiny, "train.optimizer=sgd(lr=1)")["optimizer"] == 0
    assert 2 * parts(tiny, "train.optimizer=sgd(lr=1, momentum=0.9)")["optimizer"] == parts(tiny)["optimizer"]
    perturbed = parts(tiny, "train.perturb=sam")
    assert perturbed == parts(tiny) | {"perturbation": 4 * WEIGHTS, "total": parts(tiny)["total"] + 4 * WEIGHTS}
    taught_by = cifar_dsl.load(tiny).graph
    taught = estimate(taught_by, cifar_dsl.load(tiny).recipe, device="cuda", teacher=taught_by)
    batch = cifar_dsl.load(tiny).recipe.batch
    assert taught["teacher"] == 4 * WEIGHTS + batch * 4 * 3 * 32 * 32
    assert taught["activations"] == parts(tiny)["activations"]  # an evaluation takes more
    assert parts(tiny, "train.data=cifar10")["dataset"] == 60_000 * (3 * 32 * 32 + 8)


def test_accumulated_gradients_are_live_in_the_backward_pass():
    # In VGG-11, a training step peaks at the start of the backward pass, where all gradients are live already.
    path = specs_directory() / "zoo" / "vgg11.arch"
    plain, accumulated = (parts(path, "train.batch=1024", f"train.accumulate={batches}") for batches in (1, 2))
    assert accumulated["gradients"] == plain["gradients"]
    added = accumulated["activations"] - plain["activations"]
    assert 0 < added <= plain["gradients"]


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_without_its_file_the_size_of_npz_data_is_unknown(tiny, device):
    known, unknown = parts(tiny, device=device), parts(tiny, 'train.data=npz("0123abcd")', device=device)
    assert unknown["dataset"] == 0
    assert unknown["total"] == known["total"] - known["dataset"]


def test_groups_averages_and_frozen_weights_are_counted(make_spec):
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
    assert averaged["total"] == counted["total"] + averaged["averages"]


def test_weights_in_half_precision_take_half_but_for_norms_scales_and_averages(make_spec):
    text = (
        "arch halved\ninput 3x32x32\n"
        "model { conv(4, 3, stride=4) -> bn -> relu -> flatten -> dense(10) -> layer_scale }\n"
        "train {\n data shapes\n epochs 2\n batch 16\n optimizer adam(lr=1e-3)\n precision bf16\n average ema(0.9)\n}\n"
    )
    full, half = (parts(make_spec("halved", text), f"train.weight_precision={one}") for one in ("fp32", "half"))
    kept, halved = 2 * 4 + 10, 4 * 3 * 3 * 3 + 4 + 4 * 8 * 8 * 10 + 10
    assert full["weights"] == 4 * (kept + halved)
    assert half["weights"] == half["gradients"] == 4 * kept + 2 * halved
    assert half["optimizer"] == 2 * half["weights"]
    assert half["averages"] == full["averages"] == full["weights"]
    assert half["activations"] <= full["activations"]
