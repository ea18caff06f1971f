import pytest

from cifar_dsl.language.diagnostics import Cause, Diagnostic, Edit, EvaluationFailed, Fix, Label, Reporter
from cifar_dsl.language.source import Source, Span

SOURCE = Source("a.arch", "aaa bbb ccc ddd")
LIBRARY = Source("library.arch", "xxx yyy", is_library=True)


def at(marked: str, source: Source = SOURCE) -> Span:
    start = source.text.index(marked)
    return Span(source, start, start + len(marked))


def recorded(reporter: Reporter) -> Diagnostic:
    (diagnostic,) = reporter.diagnostics
    return diagnostic


def test_errors_are_recorded_once_and_sorted_by_place() -> None:
    reporter = Reporter()
    for marked in ("bbb", "aaa", "bbb"):
        reporter.error("E0201", "message", at(marked))
    assert [d.label.span.text for d in reporter.diagnostics if d.label] == ["aaa", "bbb"]


def test_errors_of_the_main_text_come_first() -> None:
    reporter = Reporter(Source("z.arch", "zzz"))
    assert reporter.main
    reporter.error("E0201", "message", at("aaa"))
    reporter.error("E0201", "message", at("zzz", reporter.main))
    assert [d.label.span.text for d in reporter.diagnostics if d.label] == ["zzz", "aaa"]


def test_the_result_of_error_can_be_raised() -> None:
    reporter = Reporter()
    with pytest.raises(EvaluationFailed):
        raise reporter.error("E0210", "message", at("aaa"))
    assert recorded(reporter).code == "E0210"


def test_the_intended_name_replaces_the_help_and_is_a_fix() -> None:
    reporter = Reporter()
    reporter.error("E0201", "message", at("aaa"), help="names: aab, bbb", meant="aab")
    assert recorded(reporter).help == ("did you mean `aab`?",)
    assert recorded(reporter).fixes == (Fix("write `aab`", (Edit(at("aaa"), "aab"),)),)


def test_notes_list_the_calls_that_are_being_expanded_innermost_first() -> None:
    reporter = Reporter()
    with reporter.call("f(1)", at("aaa")), reporter.call("g(2)", at("bbb")):
        reporter.error("E0201", "message", at("ccc"), notes=("the input is 3x3",))
    assert recorded(reporter).notes == (
        "the input is 3x3",
        "in `g(2)`, called at a.arch:1:5",
        "in `f(1)`, called at a.arch:1:1",
    )


def test_a_failing_call_is_removed_from_the_stack() -> None:
    reporter = Reporter()
    with pytest.raises(EvaluationFailed), reporter.call("f(1)", at("aaa")):
        raise EvaluationFailed
    reporter.error("E0201", "message", at("ccc"))
    assert recorded(reporter).notes == ()


def test_an_error_in_the_library_is_placed_at_the_call_in_the_author_s_text() -> None:
    reporter = Reporter()
    with reporter.call("f(1)", at("aaa")), reporter.call("g(2)", at("xxx", LIBRARY)):
        reporter.error("E0201", "message", Label(at("yyy", LIBRARY), "wrong"))
    assert recorded(reporter).label == Label(at("aaa"), "in this call")
    assert recorded(reporter).secondary == (Label(at("yyy", LIBRARY), "wrong"),)


def test_errors_that_follow_from_one_cause_are_recorded_once_and_there() -> None:
    reporter = Reporter()
    cause = Cause(Label(at("bbb"), "because of this"), "swap them")
    reporter.error("E0201", "message", at("aaa"))
    for _ in range(2):
        with reporter.call("f(1)", at("aaa"), cause):
            reporter.error("E0304", "message", Label(at("ccc"), "wrong"), meant="ccd")
            reporter.error("E0304", "another message", at("ddd"))
    with reporter.call("f(1)", at("aaa"), cause):
        pass
    with reporter.call("f(1)", at("aaa")):
        reporter.error("E0201", "message", at("aaa"))
    first, second = reporter.diagnostics
    assert first.label == Label(at("aaa"))
    assert (second.message, second.label) == ("message", cause.label)
    assert (second.secondary, second.help, second.fixes) == ((Label(at("ccc"), "wrong"),), ("swap them",), ())


def test_the_outermost_of_nested_causes_wins() -> None:
    reporter = Reporter()
    outer, inner = Cause(Label(at("aaa"), "outer"), "outer help"), Cause(Label(at("bbb"), "inner"), "inner help")
    with reporter.call("f(1)", at("aaa"), outer), reporter.call("g(2)", at("bbb"), inner):
        reporter.error("E0201", "message", Label(at("ccc"), "here"))
    assert (recorded(reporter).label, recorded(reporter).help) == (outer.label, ("outer help",))
    assert recorded(reporter).secondary == (inner.label, Label(at("ccc"), "here"))


def test_a_repeated_error_is_not_reported_at_a_cause() -> None:
    reporter = Reporter()
    reporter.error("E0201", "message", at("ccc"))
    with reporter.call("f(1)", at("aaa"), Cause(Label(at("bbb")), "swap them")):
        reporter.error("E0201", "message", at("ccc"))
    assert recorded(reporter).label == Label(at("ccc"))
