"""The warnings of `check`, in the commands that train."""

import pytest

SUSPECT = """\
arch suspect

input 3x32x32

model {
    conv(4, 3, stride=4) -> bn -> relu
    flatten
    dense(10)
}

train {
    data       shapes
    epochs     1
    batch      16
    optimizer  adam(lr=1e-3)
}
"""


@pytest.fixture
def suspect(make_spec):
    """A spec with one warning: a bias before a batch norm."""
    return make_spec("suspect", SUSPECT)


@pytest.fixture
def on_pictures(cli, pictures):
    return lambda command, *more: cli(command, *more, "--data", f"npz:{pictures}", "--device", "cpu")


def count(outcome) -> int:
    assert "warning[" not in outcome.out
    return outcome.err.count("warning[W0203]")


def test_train_warns_before_it_trains_and_once_for_all_seeds(on_pictures, suspect):
    outcome = on_pictures("train", suspect, "--seeds", 2, "--jobs", 1)
    assert (outcome.code, count(outcome)) == (0, 1)
    assert outcome.err.index("warning[W0203]") < outcome.err.index("1 warning\n") < outcome.err.index("epoch 1/1")
    assert f"--> {suspect}:6:5" in outcome.err


def test_an_existing_run_is_warned_of_too(on_pictures, suspect):
    on_pictures("train", suspect, "-q")
    assert count(on_pictures("train", suspect)) == 1


def test_dry_run_warns(cli, suspect):
    outcome = cli("train", suspect, "--dry-run")
    assert (outcome.code, count(outcome)) == (0, 1)


def test_quiet_warns_of_nothing(cli, on_pictures, suspect):
    assert count(cli("train", suspect, "--dry-run", "-q")) == 0
    assert count(on_pictures("train", suspect, "-q")) == 0


def test_allowed_warnings_are_not_printed(cli, make_spec):
    allowed = make_spec(
        "allowed", SUSPECT.replace("bn ->", "bn ->").replace("    conv", "    # allow: W0203\n    conv")
    )
    assert count(cli("train", allowed, "--dry-run")) == 0
    assert cli("check", "--strict", allowed).code == 0


def test_compare_warns_of_each_spec_once(on_pictures, suspect, make_spec, tiny):
    make_spec("again", SUSPECT.replace("suspect", "again").replace("epochs     1", "epochs     2"))
    outcome = on_pictures("compare", suspect.parent, "--seeds", 2, "--jobs", 1)
    assert (outcome.code, count(outcome)) == (0, 2)
    assert outcome.err.index("2 warnings\n") < outcome.err.index("runs: 0 exist")
    assert count(on_pictures("compare", suspect.parent, "--no-train")) == 0  # nothing will be trained


def test_sweep_warns_once_for_all_combinations(cli, on_pictures, suspect):
    axis = ("--set", "train.batch=16,32,64")
    assert count(cli("sweep", suspect, *axis, "--dry-run")) == 1
    assert count(on_pictures("sweep", suspect, *axis, "--jobs", 1)) == 1


def test_a_library_of_warnings_for_programs(suspect, tiny, pictures, tmp_path):
    import cifar_dsl

    assert cifar_dsl.load(tiny).warnings == ()
    (warning,) = cifar_dsl.load(suspect).warnings
    assert warning.code == "W0203"
    with pytest.warns(cifar_dsl.SpecWarning, match=r"suspect.arch:6:5: W0203 .*; ") as caught:
        cifar_dsl.train(suspect, data=f"npz:{pictures}", runs=tmp_path / "runs", device="cpu")
    found = [one for one in caught if one.category is cifar_dsl.SpecWarning]  # random images are at chance level, too
    assert [one.filename for one in found] == [__file__]
