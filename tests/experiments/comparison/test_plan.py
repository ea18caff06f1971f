"""Plans beside runs, whose files a stranger may have written."""

from pathlib import Path

import pytest
from attrs import evolve

from cifar_dsl.experiments.comparison.plan import Plan, PlannedSpec, declare, earlier
from cifar_dsl.foundation.errors import RunError

DECLARED = "2026-01-01T00:00:00+00:00"
PLAN = Plan(
    PlannedSpec("base", "0" * 12, (0, 1)), (PlannedSpec("other", "1" * 12, ()),), "ab" * 32, 30, 0.005, DECLARED
)
OTHER = evolve(PLAN, cap=12)


def test_a_plan_is_declared_once_and_found_beside_others(tmp_path: Path) -> None:
    assert declare(PLAN, tmp_path) == (PLAN, True)
    later = evolve(PLAN, declared="2027-01-01T00:00:00+00:00")
    assert declare(later, tmp_path) == (PLAN, False)
    assert earlier(OTHER, tmp_path) == [PLAN]
    assert earlier(PLAN, tmp_path) == []


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(lambda whole: whole + b" " * (1 << 20), id="too large"),
        pytest.param(lambda _: b"[" * 100_000, id="nested too deep"),
        pytest.param(lambda whole: whole.replace(b'"cap": 30', b'"cap": "30"'), id="a text for a number"),
        pytest.param(lambda whole: whole.replace(b"base", b"\xff"), id="not UTF-8"),
        pytest.param(lambda whole: whole[:-3], id="cut off"),
    ],
)
def test_a_file_that_was_not_written_so_is_refused(content, tmp_path: Path) -> None:
    declare(PLAN, tmp_path)
    path = PLAN.path(tmp_path)
    path.write_bytes(content(path.read_bytes()))
    with pytest.raises(RunError, match="can't be read"):
        declare(PLAN, tmp_path)
    assert earlier(OTHER, tmp_path) == []
