"""`--data` of the commands that need no torch."""

import json

import pytest

TEN = "arch ten\ninput 3x32x32\nmodel { flatten -> dense(10) }\n"
FREE = "arch free\nmodel { flatten -> dense(classes) }\n"
TRAIN = "train {\n data cifar10\n epochs 1\n batch 16\n optimizer adam(lr=1e-3)\n}\n"


@pytest.fixture
def gray(make_pictures):
    """An option for 28x28 gray pictures of 3 classes."""
    return ("--data", f"npz:{make_pictures('gray.npz', size=(28, 28, 1), classes=3)}")


def test_check_checks_for_the_dataset(cli, make_spec, gray):
    free, ten = make_spec("free", FREE + TRAIN), make_spec("ten", TEN + TRAIN)
    assert cli("check", free, *gray).out == f"{free}: ok; 1x28x28 -> 3, 2,355 parameters, 2.35 k multiply-accumulates\n"
    assert "3x32x32 -> 100" in cli("check", free, "--data", "cifar100").out
    outcome = cli("check", ten, *gray, "--format", "json")
    assert outcome.code == 1
    assert [error["code"] for error in json.loads(outcome.out)] == ["E0407", "E0406"]


def test_fixes_make_a_spec_fit_the_dataset(cli, make_spec, gray):
    ten = make_spec("ten", TEN + TRAIN)
    assert cli("check", ten, *gray, "--fix").code == 1
    assert cli("check", ten, *gray, "--fix", "--unsafe-fixes").code == 0
    assert "input 1x28x28\nmodel { flatten -> dense(classes) }" in ten.read_text()


def test_the_advice_of_check_is_right(cli, make_spec, gray):
    own = make_spec("own", FREE + TRAIN.replace("cifar10", 'npz("0123456789abcdef")'))
    outcome = cli("check", own)
    assert outcome.code == 1
    assert outcome.out.count("help: pass the file: `--data npz:PATH`") == 2
    assert cli("check", own, *gray).code == 0


def test_show_and_diff_use_the_dataset(cli, make_spec, gray):
    free, bare = make_spec("free", FREE + TRAIN), make_spec("bare", FREE)
    shown = json.loads(cli("show", free, *gray, "--json").out)
    assert (shown["input"], shown["output"]) == ([1, 28, 28], [3])
    assert shown["recipe"]["data"].startswith("npz(")
    resolved = cli("show", free, *gray, "--resolved").out
    assert "input 1x28x28\n" in resolved
    assert "param classes = 3\n" in resolved
    assert json.loads(cli("show", make_spec("resolved", resolved), "--json").out)["fingerprint"] == shown["fingerprint"]
    assert cli("show", bare, *gray).code == 0
    assert cli("diff", free, bare, *gray).code == 1
    assert cli("diff", free, free, *gray).code == 0


@pytest.mark.parametrize(
    ("data", "advice"),
    [("cifar11", "did you mean `cifar10`?"), ("npz", "by its path: npz:PATH"), ("npz:none.npz", "none.npz")],
)
def test_an_unknown_dataset(cli, make_spec, data, advice):
    for command in ("check", "show", "train"):
        outcome = cli(command, make_spec("free", FREE + TRAIN), "--data", data)
        assert outcome.code == 1
        assert advice in outcome.err
    assert cli("diff", "free.arch", "free.arch", "--data", data).code == 2
