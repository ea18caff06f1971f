"""Commands that need torch, where a user has no home folder; and bounds of numbers."""

import pwd

import pytest
from helpers.runs import rewrite

NO_FOLDER = "there is no folder for datasets, because this user has no home folder"


@pytest.fixture
def homeless(cli, monkeypatch):
    """A user without HOME and without an entry in the password file."""

    def getpwuid(user: int) -> None:
        raise KeyError(user)

    for name in ("HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME", "CIFAR_DSL_DATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", getpwuid)


def test_training_needs_no_home_folder(homeless, train, cli, pictures, tmp_path):
    assert train("-q").code == 0
    (run,) = tmp_path.glob("runs/*/seed-0")
    assert cli("evaluate", run).code == 0
    assert cli("runs").code == 0
    assert cli("compare", "tiny.arch", "--no-train", "--data", f"npz:{pictures}").code == 0
    assert not (tmp_path / "~").exists()


@pytest.mark.parametrize("command", [["data", "list"], ["data", "download", "cifar10"], ["train", "own.arch"]])
def test_datasets_need_a_folder(homeless, cli, tiny, make_spec, command):
    make_spec("own", tiny.read_text().replace("shapes", "cifar10"))
    outcome = cli(*command)
    assert outcome.code == 1
    assert f"error: {NO_FOLDER}\n  = help: choose one with --data-dir or CIFAR_DSL_DATA\n" in outcome.err
    assert cli("data", "list", "--data-dir", "here").code == 0


def test_doctor_reports_the_missing_folder(homeless, cli):
    outcome = cli("doctor")
    assert outcome.code == 1
    assert f"BROKEN: {NO_FOLDER}" in outcome.out


def test_the_home_folder_of_nobody(cli, tiny, train, tmp_path, monkeypatch):
    outcome = cli("train", tiny, "--data", "npz:~nosuch_user/x.npz")
    assert (outcome.code, outcome.out) == (1, "")
    assert "error: ~nosuch_user/x.npz names a home folder that doesn't exist\n" in outcome.err
    train("-q")
    (run,) = tmp_path.glob("runs/*/seed-0")
    outcome = cli("evaluate", run, "--data", "npz:~nosuch_user/x.npz")
    assert (outcome.code, outcome.out) == (1, "")
    assert "~nosuch_user/x.npz names a home folder" in outcome.err
    monkeypatch.setenv("CIFAR_DSL_DATA", "~nosuch_user/data")
    assert "~nosuch_user/data names a home folder" in cli("data", "list").err


@pytest.mark.parametrize(
    ("option", "value", "bounds"),
    [
        ("--threads", 99_999, "1<=x<=1024"),
        ("--jobs", 99_999, "1<=x<=1024"),
        ("--seeds", 10**9, "1<=x<=10000"),
        ("--seed", 2**64, f"0<=x<={2**63 - 10_001}"),
    ],
)
def test_numbers_are_bounded(train, option, value, bounds):
    outcome = train(option, value)
    assert (outcome.code, outcome.out) == (2, "")
    assert f"Invalid value for '{option}': {value} is not in the range {bounds}." in outcome.err


def test_bounds_hold_in_python_too(tiny):
    import cifar_dsl

    with pytest.raises(cifar_dsl.UserError, match="threads is 99999, but must be at most 1024"):
        cifar_dsl.train(tiny, threads=99_999)


def test_threads_of_a_record_are_bounded(train, cli, tmp_path):
    """A record of a stranger's run may hold any number, which would crash OpenMP."""
    train("-q")
    (record,) = tmp_path.glob("runs/*/seed-0/run.json")
    rewrite(record, lambda fields: fields["environment"].update(threads=99_999))
    outcome = cli("evaluate", record.parent)
    assert outcome.code == 1
    assert "must be at most 1024" in outcome.err
    assert cli("evaluate", record.parent, "--threads", 1).code == 0
