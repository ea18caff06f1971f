"""The public names: one table, with which everything that lists them agrees."""

import ast
import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

import cifar_dsl
from cifar_dsl.foundation import errors
from cifar_dsl.training import events

ROOT = Path(__file__).parents[1]
NAMES = sorted(cifar_dsl._MODULES)


def imported_for_type_checkers() -> dict[str, str]:
    """The module of each name that `cifar_dsl/__init__.py` imports under TYPE_CHECKING."""
    tree = ast.parse(inspect.getsource(cifar_dsl))
    (block,) = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
    ]
    imports = [node for node in block.body if isinstance(node, ast.ImportFrom)]
    return {alias.name: (node.module or "").removeprefix("cifar_dsl.") for node in imports for alias in node.names}


def test_all_lists_of_public_names_agree() -> None:
    assert cifar_dsl.__all__ == NAMES
    assert dir(cifar_dsl) == NAMES
    assert imported_for_type_checkers() == cifar_dsl._MODULES


@pytest.mark.parametrize("name", NAMES)
def test_a_public_name_can_be_imported_and_has_a_docstring(name: str) -> None:
    value = getattr(cifar_dsl, name)
    if inspect.isclass(value) or inspect.isfunction(value):
        assert value.__doc__ is not None
        assert len(value.__doc__.split()) > 2
        assert not value.__doc__.startswith(f"{name}(")  # dataclasses and attrs would generate one


def test_every_exception_and_event_is_public() -> None:
    for module in (errors, events):
        classes = {name for name, value in vars(module).items() if inspect.isclass(value)}
        own = {name for name in classes if vars(module)[name].__module__ == module.__name__}
        assert own
        assert own <= {*NAMES}


def test_no_other_name_is_public() -> None:
    with pytest.raises(AttributeError, match="module 'cifar_dsl' has no attribute 'nothing'"):
        cifar_dsl.nothing  # noqa: B018


def test_importing_the_package_imports_nothing_else() -> None:
    script = "import sys; before = {*sys.modules}; import cifar_dsl; print(*sorted({*sys.modules} - before))"
    outcome = subprocess.run([sys.executable, "-c", script], capture_output=True, encoding="utf-8", check=True)
    assert {name.partition(".")[0] for name in outcome.stdout.split()} <= {"cifar_dsl", *sys.stdlib_module_names}
    assert [name for name in outcome.stdout.split() if name.startswith("cifar_dsl")] == ["cifar_dsl"]


def test_the_page_of_the_api_lists_every_public_name_once() -> None:
    page = (ROOT / "docs/api.md").read_text(encoding="utf-8")
    assert sorted(re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE)) == [
        name for name in NAMES if name != "__version__"
    ]


def test_the_examples_on_the_page_of_the_api_name_what_exists() -> None:
    page = (ROOT / "docs/api.md").read_text(encoding="utf-8")
    examples = re.findall(r"^```python\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    assert examples
    for example in examples:
        assert {*re.findall(r"\bcifar_dsl\.(\w+)", example)} <= {*NAMES}
        compile(example, "docs/api.md", "exec")
