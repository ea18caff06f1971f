"""Quick fixes, comments that allow warnings, and all safe fixes at once."""

import pytest
from attrs import evolve
from helpers.editor import Editor, editor, put_in, uri_of
from helpers.specs import text_of
from lsprotocol.types import CodeAction, CodeActionKind, Diagnostic, Position, Range

from cifar_dsl.editors.language_server.code_actions import FIX_ALL, code_actions
from cifar_dsl.editors.language_server.diagnostics import diagnostics

HEAD = "flatten -> dense(10)"
EVERYWHERE = Range(Position(0, 0), Position(1000, 0))
QUICK = [CodeActionKind.QuickFix]


def actions(here: Editor, wanted: Range = EVERYWHERE, only: list[str] | None = None) -> dict[str, CodeAction]:
    return {one.title: one for one in code_actions(here.documents, here.path, wanted, only)}


def after(here: Editor, action: CodeAction, name: str = "test") -> str:
    assert action.edit is not None
    assert action.edit.changes is not None
    return put_in(here.text(name), list(action.edit.changes[uri_of(name)]))


def test_a_misspelled_word() -> None:
    here = editor(text_of(f"cnv(8, 1)\n{HEAD}"))
    (action,) = actions(here).values()
    assert (action.title, action.kind, action.is_preferred) == ("Write `conv`", CodeActionKind.QuickFix, True)
    assert action.diagnostics is not None
    assert [one.code for one in action.diagnostics] == ["E0201"]
    assert after(here, action) == text_of(f"conv(8, 1)\n{HEAD}")


def test_actions_of_a_range() -> None:
    here = editor(text_of(f"cnv(8, 1)\nrelu\ndens(8)\n{HEAD}"))
    assert list(actions(here, Range(Position(4, 0), Position(4, 0)))) == ["Write `conv`"]
    assert list(actions(here, Range(Position(4, 3), Position(5, 2)))) == ["Write `conv`"]
    assert list(actions(here, Range(Position(5, 0), Position(6, 0)))) == ["Write `dense`"]
    assert list(actions(here, Range(Position(5, 0), Position(5, 4)))) == []


def test_actions_of_the_diagnostics_that_the_editor_means() -> None:
    here = editor(text_of(f"cnv(8, 1)\nrelu\ndens(8)\n{HEAD}"))
    first, second = diagnostics(here.documents, here.path)

    def meant(shown: list[Diagnostic], line: int) -> list[str]:
        wanted = Range(Position(line, 0), Position(line, 0))
        return [one.title for one in code_actions(here.documents, here.path, wanted, None, shown)]

    assert meant([second], 4) == ["Write `dense`"]  # an editor that asks for a line, and means one diagnostic
    assert meant([first], 8) == ["Write `conv`"]  # with the cursor elsewhere
    assert meant([second, first], 8) == ["Write `conv`", "Write `dense`"]
    assert meant([], 4) == ["Write `conv`"]
    assert meant([evolve(first, code="E0301")], 4) == []


def test_an_unsafe_fix_and_the_comment_that_allows_the_warning() -> None:
    text = text_of(f"conv(8, 1) -> bn\n{HEAD}")
    here = editor(text)
    found = actions(here)
    assert list(found) == ["Add `bias=false`", "Allow W0203 here"]
    assert "conv(8, 1, bias=false) -> bn" in after(here, found["Add `bias=false`"])
    assert "conv(8, 1) -> bn  # allow: W0203\n" in after(here, found["Allow W0203 here"])


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("    conv(8, 1) -> bn", "    conv(8, 1) -> bn  # allow: W0203"),
        ("    conv(8, 1) -> bn   ", "    conv(8, 1) -> bn  # allow: W0203   "),
        ("    conv(8, 1) -> bn  # why", "    # allow: W0203\n    conv(8, 1) -> bn  # why"),
        ("    conv(8, 1) -> bn  # allow: W0204", "    conv(8, 1) -> bn  # allow: W0203, W0204"),
        ("\tconv(8, 1) -> bn #why", "\t# allow: W0203\n\tconv(8, 1) -> bn #why"),
    ],
)
def test_where_the_comment_goes(line: str, expected: str) -> None:
    text = text_of(f"{line}\n{HEAD}")
    here = editor(text)
    changed = after(here, actions(here)["Allow W0203 here"])
    assert changed == text.replace(line, expected)
    here.documents.put(uri_of("test"), changed)
    assert "W0203" not in {one.code for one in here.documents.inspection(here.path).diagnostics}


def test_errors_and_unused_comments_can_not_be_allowed() -> None:
    assert not [title for title in actions(editor(text_of("cnv(8, 1)"))) if title.startswith("Allow")]
    found = actions(editor(text_of(f"{HEAD}  # allow: W0203")))
    assert list(found) == ["Delete the comment", "Apply all safe fixes"]


def test_all_safe_fixes_at_once() -> None:
    items = "param one = 1\nparam two = 2  # why\nblock unit() { relu }"
    text = text_of(f"conv(8, 1) -> bn\nfor i in 0..2 {{ conv(8, 1) -> relu }}\n{HEAD}", items)
    here = editor(text)
    (action,) = actions(here, only=[CodeActionKind.SourceFixAll]).values()
    assert action.kind == FIX_ALL
    fixed = after(here, action)
    assert "param" not in fixed
    assert "unit" not in fixed
    assert "repeat 2 { conv(8, 1) -> relu }" in fixed
    assert "conv(8, 1) -> bn" in fixed  # another fix would change the meaning
    before = here.documents.analysis(here.path)
    here.documents.put(uri_of("test"), fixed)
    now = here.documents.analysis(here.path)
    assert before is not None
    assert now is not None
    assert now.fingerprint == before.fingerprint


@pytest.mark.parametrize(
    ("only", "kinds"),
    [
        (None, {CodeActionKind.QuickFix, FIX_ALL}),
        ([], set()),
        ([""], {CodeActionKind.QuickFix, FIX_ALL}),
        (["quickfix"], {CodeActionKind.QuickFix}),
        (["source"], {FIX_ALL}),
        (["source.fixAll"], {FIX_ALL}),
        ([FIX_ALL], {FIX_ALL}),
        (["source.fix"], set()),
        (["refactor"], set()),
        (["refactor", "quickfix.more", "quickfix"], {CodeActionKind.QuickFix}),
    ],
)
def test_kinds(only: list[str] | None, kinds: set[str]) -> None:
    here = editor(text_of(HEAD, "param one = 1"))
    assert {action.kind for action in actions(here, only=only).values()} == kinds


def test_texts_without_diagnostics() -> None:
    assert actions(editor(text_of(HEAD))) == {}
    assert actions(editor("arch test\nmodel {")) == {}
    here = editor("arch a\n")
    assert code_actions(here.documents, here.path_of("gone"), EVERYWHERE, None) == []


def test_a_fix_of_a_base() -> None:
    here = editor('arch test extends "base.arch"\n', base=text_of(f"cnv(8, 1)\n{HEAD}"))
    (action,) = actions(here).values()
    assert after(here, action, "base") == text_of(f"conv(8, 1)\n{HEAD}")


def test_edits_keep_line_endings() -> None:
    here = editor(text_of(f"conv(8, 1) -> bn  # why\n{HEAD}").replace("\n", "\r\n"))
    action = actions(here)["Allow W0203 here"]
    assert action.edit is not None
    assert action.edit.changes is not None
    assert [edit.new_text for edit in action.edit.changes[uri_of("test")]] == ["# allow: W0203\r\n"]
