import ast
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

from cifar_dsl.cli.main import group, main
from cifar_dsl.foundation import errors
from cifar_dsl.foundation.errors import CifarDslError, StoppedError, UserError
from cifar_dsl.language.diagnostics import Diagnostic, SpecError

PACKAGE = Path(errors.__file__).parents[1]

# They steer work inside their room and never leave it.
INTERNAL = {
    "CancelledError",
    "CheckpointError",
    "EvaluationFailed",
    "FractionError",
    "IrregularFileError",
    "JoinError",
    "LayoutError",
    "LiteralError",
    "MisfitError",
    "MismatchError",
    "MisplacedError",
    "NoConditionError",
    "OutOfRangeError",
    "OutOfStepsError",
    "OversizeError",
    "OversizedFileError",
    "TargetError",
    "TooLargeError",
    "UnbalancedError",
    "UnfitError",
    "UnknownValueError",
    "UnreadableError",
    "WrongValueError",
}


def subclasses(root: type[Exception]) -> list[type[Exception]]:
    return [root] + [found for one in root.__subclasses__() for found in subclasses(one)]


TREE = subclasses(CifarDslError)


def drawn() -> dict[str, str | None]:
    """The tree at the head of the module: each class with its parent."""
    parents: dict[str, str | None] = {}
    trail: list[tuple[int, str]] = []
    for indent, name in re.findall(r"^( {4,})(\w+Error)\b", errors.__doc__ or "", re.MULTILINE):
        trail = [one for one in trail if one[0] < len(indent)]
        parents[name] = trail[-1][1] if trail else None
        trail.append((len(indent), name))
    return parents


def test_the_tree_is_drawn_at_the_head_of_the_module() -> None:
    actual = {one.__name__: one.__base__.__name__ if one is not CifarDslError else None for one in TREE}  # type: ignore[union-attr]
    assert drawn() == actual


def test_every_exception_of_the_package_is_in_the_tree_or_internal() -> None:
    found = {
        node.name
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
        for base in node.bases
        if ast.unparse(base).endswith(("Error", "Exception"))
    }
    assert found == {one.__name__ for one in TREE} | INTERNAL


@pytest.mark.parametrize("error", TREE[1:], ids=lambda one: one.__name__)
def test_each_says_who_raises_it_and_what_the_command_line_does(error: type[Exception]) -> None:
    assert re.search(r"Raised (itself )?by", error.__doc__ or "")
    assert re.search(r"[Ee]xit(s with| code) \d+", error.__doc__ or "")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        *[(one("message"), 1) for one in TREE if issubclass(one, UserError)],
        (SpecError([Diagnostic("E0105", "message", None)]), 1),
        (ValueError("a bug"), 101),
    ],
    ids=lambda one: type(one).__name__ if isinstance(one, Exception) else str(one),
)
def test_exit_codes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str], error: Exception, code: int
) -> None:
    @click.command()
    def failing() -> None:
        raise error

    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))  # where a bug is written down
    monkeypatch.setattr(group, "get_command", lambda *_: failing)
    assert main(["check"]) == code
    assert "message" in capsys.readouterr().err or code == 101


def test_the_root_catches_all_of_them_and_no_bug() -> None:
    assert all(issubclass(one, CifarDslError) for one in (SpecError, UserError, StoppedError))
    assert not issubclass(ValueError, CifarDslError)


def test_the_tree_needs_no_torch() -> None:
    program = "import sys, cifar_dsl.foundation.errors; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", program], check=True)
