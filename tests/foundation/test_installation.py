"""What is known of the installation, also of a package that isn't installed."""

import tomllib
from importlib import metadata

import cifar_dsl
from cifar_dsl.foundation import installation
from cifar_dsl.foundation.resources import source_root


def _not_installed(name):
    raise metadata.PackageNotFoundError(name)


def test_a_checkout_that_is_not_installed_has_the_version_of_its_project(monkeypatch, tmp_path):
    monkeypatch.setattr(metadata, "version", _not_installed)
    monkeypatch.setattr(metadata, "requires", _not_installed)
    project = tomllib.loads((source_root() / "pyproject.toml").read_text())
    assert installation.package_version() == project["project"]["version"] == cifar_dsl.__version__
    assert installation.requirements() == []
    assert "not installed, imported from" in installation.versions()["cifar-dsl"]
    monkeypatch.setattr(installation, "source_root", lambda: tmp_path)
    assert installation.package_version() == "0+unknown"
