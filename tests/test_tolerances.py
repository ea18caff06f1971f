"""Every comparison of floats states the reason for its tolerance."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = sorted(path for folder in ("tests", "bench") for path in (ROOT / folder).rglob("*.py"))
CLOSE = {"approx", "assert_allclose", "assert_close", "allclose", "isclose"}
HELPER = "helpers.tolerances"


def comparisons(tree: ast.AST) -> Iterator[tuple[ast.stmt, ast.expr]]:
    """Each comparison of floats, with its innermost statement."""

    def walk(node: ast.AST, statement: ast.stmt | None) -> Iterator[tuple[ast.stmt, ast.expr]]:
        if statement and isinstance(node, ast.Call) and _name(node.func) in CLOSE:
            yield statement, node
        if statement and isinstance(node, ast.Compare) and any(map(_is_distance, (node.left, *node.comparators))):
            yield statement, node
        for child in ast.iter_child_nodes(node):
            yield from walk(child, child if isinstance(child, ast.stmt) else statement)

    yield from walk(tree, None)


def _name(function: ast.expr) -> str:
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def _is_distance(node: ast.expr) -> bool:
    """`abs(a - b)`."""
    return (
        isinstance(node, ast.Call)
        and _name(node.func) == "abs"
        and any(isinstance(argument, ast.BinOp) and isinstance(argument.op, ast.Sub) for argument in node.args)
    )


def unexplained(text: str) -> list[int]:
    """The lines of comparisons with neither a named tolerance nor a comment."""
    tree, lines = ast.parse(text), text.splitlines()
    named = {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == HELPER
        for alias in node.names
    }

    def is_named(node: ast.expr) -> bool:
        unpacked = [keyword.value for keyword in getattr(node, "keywords", []) if keyword.arg is None]
        return any(_name(value.func if isinstance(value, ast.Call) else value) in named for value in unpacked)

    def is_explained(statement: ast.stmt, node: ast.expr) -> bool:
        first = max(statement.lineno, node.lineno - 1)  # a comment stands above the statement, above the call, or in it
        above = lines[statement.lineno - 2].strip() if statement.lineno > 1 else ""
        return above.startswith("#") or any("#" in line for line in lines[first - 1 : node.end_lineno])

    bare = (node for statement, node in comparisons(tree) if not is_named(node) and not is_explained(statement, node))
    return sorted({node.lineno for node in bare})


def test_every_tolerance_has_a_reason():
    texts = {path.relative_to(ROOT): path.read_text(encoding="utf-8") for path in FILES}
    places = [f"{path}:{line}" for path, text in texts.items() for line in unexplained(text)]
    assert not places, (
        f"state the reason for the tolerance at {', '.join(places)}: pass one of tests/helpers/tolerances.py, as in "
        "`approx(x, **FLOAT64)`, or give the reason in a comment right above"
    )


IMPORT = "from helpers.tolerances import FLOAT64, sums\n"


@pytest.mark.parametrize(
    "text",
    [
        "assert a == approx(x, rel=1e-3)",
        "assert a == pytest.approx(x)",
        "torch.testing.assert_close(a, b, rtol=0, atol=1)",
        "# far above\n\nnp.testing.assert_allclose(a, b)",
        "assert all(math.isclose(a, b) for a, b in pairs)",
        "assert abs(a - b) < 1e-6",
        "assert 1e-6 > abs(a - b)",
        "assert a == approx(x, **MINE)",
        "for a in b:  # all\n    assert a == approx(x)",
        "# Both.\nassert a == approx(x)\nassert a == approx(x)",
    ],
)
def test_a_bare_tolerance_is_found(text):
    assert unexplained(IMPORT + text) == [(IMPORT + text).count("\n") + 1]


@pytest.mark.parametrize(
    "text",
    [
        "assert a == approx(x, **FLOAT64)",
        "torch.testing.assert_close(a, b, **sums(b), msg=name)",
        "# It has two decimals.\nassert a == approx(x, abs=0.005)",
        "assert a == approx(x, abs=0.005)  # it has two decimals",
        "assert a == b",
        "assert abs(a) < 3",
    ],
)
def test_a_reason_is_found(text):
    assert unexplained(IMPORT + text) == []
