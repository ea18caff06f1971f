"""Answers for editors that can't show everything."""

import pytest
from helpers.editor import completed, editor
from helpers.specs import text_of
from lsprotocol import types

from cifar_dsl.editors.language_server.client import Client, without_marks
from cifar_dsl.editors.language_server.hover import hover
from cifar_dsl.editors.language_server.markdown import code, plain_text, table
from cifar_dsl.editors.language_server.signatures import signature_help

PLAIN = Client(hover_markdown=False, completion_markdown=False, signature_markdown=False, label_offsets=False)
TEXT = text_of("con§v(8, 1) -> relu\nflatten -> dense(10)")


def test_a_hover_in_plain_text() -> None:
    found = hover(*editor(TEXT))
    assert Client().hover(found) == found
    shown = PLAIN.hover(found)
    assert shown is not None
    assert isinstance(shown.contents, types.MarkupContent)
    assert shown.contents.kind is types.MarkupKind.PlainText
    text = shown.contents.value
    assert text.startswith("conv(channels, kernel, stride=1")
    assert "```" not in text
    assert "| " not in text
    assert "\\" not in text
    assert "parameters" in text
    assert PLAIN.hover(None) is None


def test_completions_in_plain_text() -> None:
    items = list(completed("arch a\ninput 3x8x8\nmodel { con§").values())
    assert Client().completions(items) == items
    shown = {item.label: item.documentation for item in PLAIN.completions(items)}
    for item in items:
        if item.documentation is not None:
            assert isinstance(shown[item.label], types.MarkupContent)
            assert shown[item.label].kind is types.MarkupKind.PlainText
    assert any(shown.values())


def test_arguments_by_their_texts() -> None:
    found = signature_help(*editor("arch a\ninput 3x8x8\nmodel { conv(8, §"))
    assert found is not None
    assert Client().signature_help(found) == found
    shown = PLAIN.signature_help(found)
    assert shown is not None
    (signature,) = shown.signatures
    assert signature.parameters is not None
    assert [one.label for one in signature.parameters][:3] == ["channels", "kernel", "stride=1"]
    assert all(one.label in signature.label for one in signature.parameters)
    docs = [signature.documentation, *(one.documentation for one in signature.parameters)]
    assert {one.kind for one in docs if isinstance(one, types.MarkupContent)} == {types.MarkupKind.PlainText}
    assert PLAIN.signature_help(None) is None


@pytest.mark.parametrize(
    "text", ["plain", "a_b * [c] <d> #e `f_g` \\ h! | ~&", "-1 + x", "+ y", "```", "http://x.y/z_1"]
)
def test_marks_are_undone(text: str) -> None:
    assert without_marks(plain_text(text)) == text


def test_code_and_tables() -> None:
    assert without_marks(code("a | b\n| c \\* d\n```")) == "a | b\n| c \\* d\n```"
    rows = [["use", "count"], [plain_text("a_b"), "1"], ["c", "1,000"]]
    assert without_marks(f"x\n\n{table(rows)}\n\ny") == "x\n\nuse  count\na_b      1\nc    1,000\n\ny"


def test_what_an_editor_mentions() -> None:
    markdown = [types.MarkupKind.PlainText, types.MarkupKind.Markdown]
    plain = [types.MarkupKind.PlainText]
    assert Client.of(types.ClientCapabilities()) == PLAIN
    signature = types.ClientSignatureInformationOptions(
        documentation_format=plain,
        parameter_information=types.ClientSignatureParameterInformationOptions(label_offset_support=True),
    )
    item = types.ClientCompletionItemOptions(documentation_format=markdown)
    document = types.TextDocumentClientCapabilities(
        hover=types.HoverClientCapabilities(content_format=markdown),
        completion=types.CompletionClientCapabilities(completion_item=item),
        signature_help=types.SignatureHelpClientCapabilities(signature_information=signature),
    )
    expected = Client(hover_markdown=True, completion_markdown=True, signature_markdown=False, label_offsets=True)
    assert Client.of(types.ClientCapabilities(text_document=document)) == expected
