"""A text is parsed once, also one with errors."""

import pytest

from cifar_dsl.foundation import cancellation
from cifar_dsl.language.diagnostics import SpecError
from cifar_dsl.language.source import Source
from cifar_dsl.language.syntax import parse_recovering, parse_spec, parser

WRONG = "arch cached\nmodel { conv(8 }\n"


def test_a_text_with_errors_is_parsed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    parsed = []
    parse = parser._parse
    monkeypatch.setattr(parser, "_parse", lambda source, start: parsed.append(start) or parse(source, start))
    source = Source("once.arch", WRONG)
    with pytest.raises(SpecError) as first:
        parse_spec(source)
    with pytest.raises(SpecError) as second:
        parse_spec(source)
    assert parse_recovering(source).errors == first.value.diagnostics == second.value.diagnostics
    assert len([start for start in parsed if start == parser.START_SPEC]) == 1


def test_a_cancelled_parse_is_not_kept() -> None:
    source = Source("cancelled.arch", WRONG)
    with (
        cancellation.cancellable(cancellation.Cancellation(is_requested=True)),
        pytest.raises(cancellation.CancelledError),
    ):
        parse_recovering(source)
    assert parse_recovering(source).errors
