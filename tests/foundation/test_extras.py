"""Packages of extras: whether they are missing or broken, the error says what to run."""

from pathlib import Path

import pytest

from cifar_dsl.foundation.errors import UserError
from cifar_dsl.foundation.extras import missing, required


def test_an_installed_package_is_imported() -> None:
    assert required("email.message", "a test", "none").Message


@pytest.mark.parametrize("name", ["no_such_package", "no_such_package.inside"])
def test_a_missing_package_is_named_with_its_extra(name: str) -> None:
    with pytest.raises(UserError, match="drawing needs no_such_package, which is not installed") as caught:
        required(name, "drawing", "pictures", "or don't draw")
    assert caught.value.help == ("install the extra: pip install 'cifar-dsl[pictures]'", "or don't draw")


@pytest.mark.parametrize("line", ["import no_such_package", "from os import no_such_name"])
def test_a_package_that_fails_to_import_is_not_said_to_be_missing(
    line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken_package.py").write_text(line)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(UserError, match="drawing needs broken_package, which can't be imported") as caught:
        required("broken_package", "drawing", "pictures")
    assert "no_such_" in caught.value.reason
    assert caught.value.help == ("reinstall it: pip install --force-reinstall broken_package",)


def test_several_missing_packages_are_listed() -> None:
    assert missing("it", ["one", "two"], "onnx").message == "it needs one and two, which are not installed"
