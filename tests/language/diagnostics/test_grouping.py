"""Equal diagnostics are shown once."""

import pytest
from helpers.specs import errors_of, text_of

from cifar_dsl.language.diagnostics import SpecError, grouped

REPEATED = text_of("\n".join(["cnov(8, 1)"] * 6) + "\nrelux")


def test_six_equal_errors_become_one() -> None:
    first, other = grouped(errors_of(REPEATED))
    assert first.label
    assert (first.label.span.line, first.notes) == (5, ("the same on lines 6, 7, 8, 9 and 10",))
    assert other.notes == ()
    assert str(SpecError(errors_of(REPEATED))).count("unknown layer or block `cnov`") == 1


@pytest.mark.parametrize(
    ("stages", "note"),
    [
        ("cnov\ncnov", "the same on line 6"),
        ("cnov -> cnov\nrelu", "the same on line 5"),
        ("\n".join(["cnov"] * 15), "the same on lines 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 and 4 more"),
        ("conv(8, 1);\n" * 3, "the same on lines 6 and 7"),
        ("conv(8, 1);\nrelu;\nbn;", "the same on lines 6 and 7"),
    ],
)
def test_the_lines_of_the_others_are_listed(stages: str, note: str) -> None:
    (diagnostic,) = grouped(errors_of(text_of(stages)))
    assert diagnostic.notes == (note,)


def test_different_messages_stay_apart() -> None:
    assert len(grouped(errors_of(text_of("cnov\ncnvo\nconv(0, 1)\nconv(1, 0)")))) == 4
