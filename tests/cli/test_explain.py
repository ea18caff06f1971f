"""`cifar-dsl explain`."""

import pytest

from cifar_dsl.language.diagnostics import known_codes


def test_a_code(cli):
    outcome = cli("explain", "E0302")
    assert (outcome.code, outcome.err) == (0, "")
    first, *rest = outcome.out.splitlines()
    assert first == "E0302: channels are not divisible by groups"
    assert "Wrong:" in rest
    assert "    conv(64, 3, groups=5)" in rest
    assert rest[-1] == "```"
    assert not any(code in "\n".join(rest) for code in ("E0301", "E0303"))  # nothing of its neighbours


@pytest.mark.parametrize("code", known_codes())
def test_every_code_has_something_to_read(cli, code):
    outcome = cli("explain", code)
    assert outcome.out.startswith(f"{code}: {known_codes()[code].title}\n\n")
    assert len(outcome.out.splitlines()) > 4


def test_letters_may_be_small(cli):
    assert cli("explain", "w0203").out == cli("explain", "W0203").out


def test_several_codes_in_their_order_without_repeats(cli):
    alone = {code: cli("explain", code).out for code in ("W0203", "E0101")}
    assert cli("explain", "W0203", "E0101", "w0203").out == alone["W0203"] + "\n" + alone["E0101"]


def test_all_codes_by_severity(cli):
    outcome = cli("explain")
    assert outcome.code == 0
    errors, warnings = outcome.out.split("\n\n")
    assert errors.startswith("Errors:\n  E0101  unexpected text\n")
    assert warnings.startswith("Warnings")
    listed = [line.split() for text in (errors, warnings) for line in text.splitlines()[1:]]
    assert [(code, " ".join(title)) for code, *title in listed] == [
        (code.id, code.title) for code in known_codes().values()
    ]


def test_an_unknown_code_suggests_the_nearest(cli):
    outcome = cli("explain", "E0301", "E0398")
    assert (outcome.code, outcome.out) == (2, "")
    assert "There is no code 'E0398'. Did you mean 'E0" in outcome.err


def test_a_word_that_is_near_to_no_code(cli):
    outcome = cli("explain", "qwerty")
    assert outcome.code == 2
    assert "There is no code 'qwerty'. `cifar-dsl explain` lists them all." in outcome.err
    assert "There is no code 'conv'. `cifar-dsl reference conv` describes this name." in cli("explain", "conv").err


def test_headings_are_bold_where_colours_are_wanted(cli):
    assert cli("--color", "always", "explain", "E0409").out.startswith(
        "\x1b[1mE0409: optimizer can't train this\x1b[0m\n"
    )
    assert "\x1b" not in cli("--color", "never", "explain", "E0409").out
