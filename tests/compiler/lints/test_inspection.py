"""Errors and warnings of one file."""

from pathlib import Path

import pytest
from helpers.findings import codes_and_places, inspected
from helpers.specs import text_of

from cifar_dsl.compiler import Analysis, Library
from cifar_dsl.compiler.lints import inspect
from cifar_dsl.foundation.limits import DEFAULTS
from cifar_dsl.foundation.resources import specs_directory

SPECS = specs_directory()
HEAD = "flatten -> dense(10)"


@pytest.mark.parametrize("path", sorted(SPECS.rglob("*.arch")), ids=lambda path: str(path.relative_to(SPECS)))
def test_shipped_specs_are_free_of_warnings(path: Path) -> None:
    assert inspect(path, SPECS).diagnostics == ()


def test_warnings_come_in_the_order_of_the_text() -> None:
    text = text_of(f"conv(8, 1) -> bn\nmaxpool(2)\nlet y = relu\n{HEAD}", "param width = 8", size="3x9x9")
    assert [code for code, _ in codes_and_places(text)] == ["W0201", "W0203", "W0204", "W0202"]


def test_a_spec_with_errors_has_no_warnings() -> None:
    inspection = inspected(text_of(f"conv(8, 1) -> bn -> rellu\n{HEAD}", "param width = 8"))
    assert inspection.found is None
    assert [diagnostic.code for diagnostic in inspection.diagnostics] == ["E0201"]


def test_the_analysis_of_a_spec_or_library() -> None:
    assert isinstance(inspected(text_of(HEAD, "param width = 8")).found, Analysis)
    assert isinstance(inspected("library blocks\nblock unit() { relu }\n").found, Library)


def test_warnings_never_concern_the_text_of_a_base() -> None:
    base = text_of(f"conv(8, 1) -> bn\n{HEAD}", "param width = 8")
    assert len(codes_and_places(base)) == 2
    assert codes_and_places('arch derived extends "base.arch"\n', base=base) == []


def test_the_number_of_warnings_is_limited() -> None:
    params = "\n".join(f"param p{i} = {i}" for i in range(DEFAULTS.diagnostics + 5))
    assert len(codes_and_places(text_of(HEAD, params))) == DEFAULTS.diagnostics
