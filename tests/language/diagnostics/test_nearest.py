"""The known name that is suggested for an unknown one."""

import random

import pytest
from helpers.cost_fuzzing import calls

from cifar_dsl.language.diagnostics import nearest

KNOWN = ["dense", "dense_layer", "conv", "global_avgpool", "maxpool", "relu"]


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("Conv", "conv"),
        ("max_pool", "maxpool"),
        ("cnov", "conv"),
        ("den", "dense"),
        ("glavg", "global_avgpool"),
        ("g_a", None),  # two letters abbreviate anything
        ("glbavg", None),
        ("transformer", None),
    ],
)
def test_spellings(name, known):
    assert nearest(name, KNOWN) == known


def test_many_ways_to_abbreviate_take_no_time():
    assert nearest("a" * 40, ["_".join(["aaa"] * 25)]) == "_".join(["aaa"] * 25)
    assert nearest("a" * 40 + "b", ["_".join(["aaa"] * 25)]) is None


def test_long_names_resemble_none():
    assert nearest("x" * 100_000, KNOWN) is None
    assert nearest("conv1", ["x" * 100_000, *KNOWN]) == "conv"


def distance(one: str, other: str) -> int:
    """The textbook's table: letters added, dropped, replaced, or swapped with a neighbour."""
    table = [[i + j for j in range(len(other) + 1)] for i in range(len(one) + 1)]
    for i, letter in enumerate(one, 1):
        for j, match in enumerate(other, 1):
            replaced = table[i - 1][j - 1] + (letter != match)
            table[i][j] = min(table[i - 1][j] + 1, table[i][j - 1] + 1, replaced)
            if min(i, j) > 1 and letter == other[j - 2] and match == one[i - 2]:
                table[i][j] = min(table[i][j], table[i - 2][j - 2] + 1)
    return table[-1][-1]


def test_a_name_is_near_if_one_letter_of_three_differs() -> None:
    draw = random.Random("nearest")
    found = 0
    for _ in range(2000):
        name, known = ("".join(draw.choices("ab", k=draw.randint(6, 12))) for _ in range(2))
        if name.startswith(known) or known.startswith(name):
            continue
        is_near = distance(name, known) <= len(name) // 3
        assert nearest(name, [known]) == (known if is_near and name != known else None), (name, known)
        found += is_near
    assert 100 < found < 1900


def test_the_nearest_of_several_is_the_first_of_the_alphabet() -> None:
    assert nearest("batch_norm", ["batchnorms", "batchnorma", "batchnormal"]) == "batchnorma"
    assert nearest("batchnormal", ["batchnorms", "batchnorma", "match_normal"]) == "batchnorma"


def test_an_abbreviation_is_looked_for_in_few_steps_however_it_could_be_split() -> None:
    known = [f"{'aaa_' * 14}{letter}" for letter in "xyz"]
    assert calls(lambda: nearest("a" * 44 + "b", known)) < 10_000
    assert nearest("a" * 43 + "x", known) == known[0]
