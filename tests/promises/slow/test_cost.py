"""The time and memory of a check are bounded by the steps that it charges; counted in calls of functions."""

from pathlib import Path
from typing import Any

import pytest
from helpers.bombs import costly
from helpers.charged import charged_work
from helpers.cost_fuzzing import STEPS_OF_A_BYTE, CostFuzzer, calls, price

from cifar_dsl.compiler.draft import Draft
from cifar_dsl.compiler.lints import inspect
from cifar_dsl.foundation import limits
from cifar_dsl.language.syntax import repairs
from cifar_dsl.language.syntax.parser import parsed_within

_SMALL, _LARGE = costly(0.01), costly(0.03)
_CALLS_OF_A_STEP = 20
_CALLS_OF_READING = 9  # of a step in a text that is mostly read
_CALLS_OF_A_MUTANT = 4  # of a step, where the bytes and diagnostics of a short text count as steps, too
_STEPS = 30_000  # beside those of the text


def charged(path: Path, text: str) -> tuple[int, float]:
    """The steps that the check of a text charges, and the calls of functions for each."""
    path.write_text(text, encoding="utf-8")
    parsed_within.cache_clear()
    with limits.raising(steps=_STEPS + STEPS_OF_A_BYTE * len(text)), charged_work() as works:
        cost = calls(lambda: inspect(path))
    steps = sum(work.done for work in works)
    return steps, price(cost, steps, len(text), 0)


@pytest.mark.parametrize("name", _SMALL)
def test_work_is_charged_whatever_the_size(tmp_path: Path, name: str) -> None:
    """Three times the size costs at most three times as much: the calls for a step and byte don't grow."""
    path = tmp_path / "costly.arch"
    charged(path, _SMALL[name])  # loads what is loaded on first use
    _, small = charged(path, _SMALL[name])
    _, large = charged(path, _LARGE[name])
    assert large < _CALLS_OF_A_STEP
    assert large < max(1.3 * small, _CALLS_OF_READING)


def test_no_mutant_costs_more_than_it_charges(tmp_path: Path) -> None:
    """A small part of `bench/cost_fuzz.py`, without its clock."""
    fuzzer = CostFuzzer(tmp_path, 0, calls)
    fuzzer.run(40)
    for one in fuzzer.pool:
        assert one.price < _CALLS_OF_A_MUTANT, one.input


@pytest.mark.parametrize(("owner", "name"), [(Draft, "step"), (repairs._RepairingReader, "_complete")])
def test_the_fuzzer_finds_work_that_is_not_charged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, owner: type, name: str
) -> None:
    """4,000 calls for each stage or round, or for each repair of a text with errors."""
    done = getattr(owner, name)

    def planted(*arguments: Any, **named: Any) -> Any:
        for _ in range(4_000):
            len("")
        return done(*arguments, **named)

    monkeypatch.setattr(owner, name, planted)
    fuzzer = CostFuzzer(tmp_path, 0, calls)
    for _ in range(20):
        fuzzer.run(10)
        if fuzzer.pool[0].price > _CALLS_OF_A_MUTANT:
            return
    pytest.fail("not found")
