"""Several wrong arguments of a call are one message, whose fix rewrites the call."""

import pytest
from helpers.findings import fixed_text
from helpers.specs import TRAIN, errors_of, text_of

from cifar_dsl.compiler.lints import fixed
from cifar_dsl.foundation.limits import DEFAULTS


def recipe(*lines: str) -> str:
    settings = TRAIN.replace(" optimizer adam(1e-3)", "\n".join(f" {line}" for line in lines))
    return text_of("flatten -> dense(10)") + settings


def test_the_message_names_all_wrong_arguments() -> None:
    (error,) = errors_of(text_of("conv(8, kernel_size=3, padding=1, inplace=True)"))
    assert error.message == "`conv` has no arguments `kernel_size`, `padding` and `inplace`"
    assert [label.span.text for label in error.secondary] == ["padding", "inplace"]


def test_wrong_names_and_values_are_told_apart() -> None:
    (error,) = errors_of(text_of('conv(8, kernel_size=3, pad="same")'))
    assert error.message == "several arguments of `conv` are wrong"
    assert error.label
    assert error.label.text == "no such argument"
    assert error.secondary[0].text.startswith("`pad` must be ")


def test_what_no_program_can_change_is_reported_on_its_own() -> None:
    found = errors_of(text_of("conv(0.5, kernel_size=3, padding=1, foo=2)"))
    assert [one.code for one in found] == ["E0304", "E0301", "E0301"]
    assert [bool(one.fixes) for one in found] == [False, True, False]


def test_the_safe_part_of_a_call_is_fixed_alone() -> None:
    text = text_of('conv(8, kernel_size=3, activation="relu", padding=1)')
    (error,) = errors_of(text)
    assert error.label
    assert [fix.is_safe for fix in error.fixes] == [False, True]
    assert fixed(error.label.span.source, [error]) == text_of('conv(8, kernel=3, activation="relu", pad=1)')


def test_help_shows_a_call_on_one_line_without_comments() -> None:
    (error,) = errors_of(text_of("conv( 8, # width\n  kernel_size=3,\n  padding=1 )"))
    assert error.help == ("write `conv(8, kernel=3, pad=1)`",)
    text = text_of("flatten -> dense(10)") + TRAIN.replace("data cifar10", 'data npz("a #1.npz", device=1, verbose=2)')
    (error,) = (one for one in errors_of(text) if one.code == "E0301")
    assert error.help == ('write `npz("a #1.npz")`',)


def test_an_argument_that_is_written_elsewhere_is_not_cut_out() -> None:
    text = recipe("optimizer sgd(0.1)", "optimizer.beta1 0.9")
    (error,) = errors_of(text)
    assert error.help == ("delete it: `sgd` has no `betas`",)
    assert not error.fixes


def test_a_setting_that_becomes_an_argument_leaves_the_call_whole() -> None:
    text = recipe("lr 0.1", "optimizer sgd(learning_rate=0.1, beta1=0.9, beta2=0.99)")
    assert fixed_text(text, also_unsafe=True).endswith(" optimizer sgd\n optimizer.lr 0.1\n}\n")


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("conv(8, 3,\n  inplace=True)", "conv(8, 3)"),
        ("conv(inplace=True, device=none, channels=8, kernel=3)", "conv(channels=8, kernel=3)"),
        ("bn(num_features=8) as norm", "bn as norm"),
        ("conv(8, 3, name=stem, act=relu)", "conv(8, 3) as stem -> relu"),
        ("conv(8, 3, # last\n  inplace=True)", "conv(8, 3, # last\n  )"),
    ],
)
def test_arguments_are_deleted_with_their_commas(written: str, expected: str) -> None:
    assert fixed_text(text_of(written), also_unsafe=True) == text_of(expected)


def test_of_many_wrong_arguments_as_many_are_shown_as_of_errors() -> None:
    wrong = "".join(f", wrong{i}=1" for i in range(50))
    found = errors_of(text_of(f"conv(8, 3{wrong})\nglobal_avgpool\ndense(10)"))
    assert {one.code for one in found} == {"E0301"}
    assert len(found) <= DEFAULTS.diagnostics
