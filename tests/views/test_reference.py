"""docs/reference.md matches the declarations."""

from pathlib import Path

from cifar_dsl.operations.argument_types import Float, Int, ListOf, OneOf, Pair, Text, written
from cifar_dsl.views.reference import markdown


def test_docs_reference_is_not_stale() -> None:
    path = Path(__file__).parents[2] / "docs" / "reference.md"
    assert path.read_text(encoding="utf-8") == markdown(), "run `python -m cifar_dsl.views.reference`"


def test_two_integers_are_a_size_only_where_sizes_are_meant() -> None:
    assert written((3, 3), Pair(1)) == "3"
    assert written((3, 5), OneOf((Pair(1),))) == "3x5"
    assert written((10, 20), ListOf(Int(1))) == "[10, 20]"


def test_defaults_are_written_as_in_a_spec() -> None:
    assert written(True, Int(0)) == "true"
    assert written((0.9, 0.999), ListOf(Float())) == "[0.9, 0.999]"
    assert written("00ff", Text()) == '"00ff"'
    assert written(5e-4, Float()) == "0.0005"
