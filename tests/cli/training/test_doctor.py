"""`cifar-dsl doctor` reports what works and what doesn't."""

import json
import shutil
import tempfile
from collections import namedtuple
from importlib import metadata
from pathlib import Path

from cifar_dsl.cli import doctor
from cifar_dsl.training.datasets import cifar


def findings(outcome) -> dict[tuple[str, str], dict[str, object]]:
    return {(one["topic"], one["name"]): one for one in json.loads(outcome.out)}


def test_where_all_is_well_it_ends_with_0(cli):
    outcome = cli("doctor")
    assert (outcome.code, outcome.err) == (0, "")
    for word in ("versions", "language", "device", "extras", "folders", "data", "torch", "122,570 parameters"):
        assert word in outcome.out
    assert "BROKEN" not in outcome.out


def test_json_has_the_same_facts(cli):
    outcome = cli("doctor", "--json")
    found = findings(outcome)
    assert outcome.code == 0
    assert found["versions", "torch"]["text"] == metadata.version("torch")
    assert found["extras", "pictures: resvg-py"]["text"] == metadata.version("resvg-py")
    assert "not downloaded" in found["data", "cifar10"]["text"]
    assert not any(one["is_broken"] for one in found.values())
    assert not any(name.startswith(("test", "dev")) for topic, name in found if topic == "extras")


def test_the_home_folder_is_called_by_no_name(cli, tmp_path, monkeypatch):
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    for arguments in ([], ["--json"]):
        outcome = cli("doctor", "--data-dir", tmp_path / "data", "--runs", tmp_path / "runs", *arguments)
        assert str(tmp_path) not in outcome.out
        assert "~/runs" in outcome.out


def test_a_package_that_is_missing_is_broken_and_an_extra_is_not(cli, monkeypatch):
    real = metadata.version

    def version(name: str) -> str:
        if name in {"lark", "resvg-py"}:
            raise metadata.PackageNotFoundError(name)
        return real(name)

    monkeypatch.setattr(metadata, "version", version)
    outcome = cli("doctor", "--json")
    found = findings(outcome)
    assert outcome.code == 1
    assert found["versions", "lark"]["is_broken"]
    assert "cifar-dsl[pictures]" in found["extras", "pictures: resvg-py"]["text"]
    assert outcome.err == "1 problem found\n"


def test_a_folder_that_takes_no_files_is_broken(cli, tmp_path):
    (tmp_path / "file").write_text("")
    found = findings(cli("doctor", "--json", "--runs", tmp_path / "file" / "runs"))
    assert found["folders", "runs"]["is_broken"]
    assert "is not writable" in found["folders", "runs"]["text"]


def test_without_a_folder_for_temporary_files_it_says_so(cli, monkeypatch):
    """As in a container that is read-only."""
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(tempfile, "_candidate_tempdir_list", lambda: ["/proc/none"])
    outcome = cli("doctor")
    assert outcome.code == 1
    assert "temporary files  BROKEN: none of the usual folders for temporary files is writable" in outcome.out
    assert "  = help: choose another folder with TMPDIR\n" in outcome.out


def test_a_disk_that_is_almost_full_is_broken(cli, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10**12, 10**12, 10**6))
    outcome = cli("doctor")
    assert outcome.code == 1
    assert "only 1 MB free" in outcome.out
    assert "BROKEN" in outcome.out


def test_a_device_that_does_not_work_is_broken(cli, monkeypatch):
    def fail(_: str) -> None:
        raise RuntimeError("CUDA driver version is insufficient")

    monkeypatch.setattr("cifar_dsl.training.device.choose_device", fail)
    outcome = cli("doctor")
    assert outcome.code == 1
    assert "CUDA driver version is insufficient" in outcome.out


def test_data_that_is_damaged_or_another_is_broken(cli, tmp_path, make_pictures):
    folder = tmp_path / "kept"
    folder.mkdir()
    (folder / "cifar100.npz").write_bytes(b"PK")
    shutil.copy(make_pictures(), folder / "cifar10.npz")
    (folder / cifar.ARCHIVES["cifar10"].filename).write_bytes(b"<html>")
    outcome = cli("doctor", "--data-dir", folder)
    assert outcome.code == 1
    assert "cifar100.npz is damaged" in outcome.out
    assert "this is not the published CIFAR-10: it has 60 training" in outcome.out
    assert "is not the published archive" in outcome.out
    assert f"delete {folder / 'cifar10.npz'}" in outcome.out


def test_missing_shipped_specs_are_reported(cli, tmp_path, monkeypatch):
    monkeypatch.setattr(doctor, "specs_directory", lambda: tmp_path)
    outcome = cli("doctor")
    assert outcome.code == 1
    assert "can't be checked" in outcome.out
