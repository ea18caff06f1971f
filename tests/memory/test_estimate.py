"""The estimate of a training's memory."""

import cifar_dsl
from cifar_dsl.memory import estimate


def parts(path, *overrides: str) -> dict[str, int]:
    spec = cifar_dsl.load(path, overrides=overrides)
    return estimate(spec.graph, spec.recipe)


def test_parts_are_counted_by_hand(tiny):
    spec = cifar_dsl.load(tiny)
    activations = spec.graph.cost.activations
    expected = {
        "weights": 4 * 2682,
        "gradients": 4 * 2682,
        "optimizer": 2 * 4 * 2682,
        "activations": 2 * 4 * 16 * activations,
        "data set": 12_000 * 3 * 32 * 32,
    }
    assert parts(tiny) == expected | {"together": sum(expected.values())}


def test_what_a_setting_costs_is_in_its_part(tiny):
    assert parts(tiny, "train.batch=32")["activations"] == 2 * parts(tiny)["activations"]
    assert 2 * parts(tiny, "train.precision=bf16")["activations"] == parts(tiny)["activations"]
    assert parts(tiny, "train.optimizer=sgd(lr=1)")["optimizer"] == 0
    assert 2 * parts(tiny, "train.optimizer=sgd(lr=1, momentum=0.9)")["optimizer"] == parts(tiny)["optimizer"]
    assert parts(tiny, "train.data=cifar10")["data set"] == 60_000 * 3 * 32 * 32


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
