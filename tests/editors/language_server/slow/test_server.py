"""The server through the protocol: each capability, and unusual clients."""

import sys
from pathlib import Path

import pytest
from helpers.editor import put_in
from helpers.specs import text_of
from lsprotocol import types
from pygls.exceptions import JsonRpcException

pytestmark = pytest.mark.asyncio(loop_scope="module")

ITEMS = "param breadth = 8\nblock unit(c: int) { conv(c, 1) -> relu }"
TEXT = text_of("unit(breadth)\nflatten\ndense(10)", ITEMS)
EVERYWHERE = types.Range(types.Position(0, 0), types.Position(1000, 0))


def codes(found: list[types.Diagnostic]) -> list[object]:
    return [one.code for one in found]


# ---- diagnostics


async def test_capabilities(session) -> None:
    can = session.capabilities
    assert can.text_document_sync.change == types.TextDocumentSyncKind.Full
    assert can.text_document_sync.open_close
    assert can.hover_provider
    assert can.completion_provider.trigger_characters
    assert can.signature_help_provider
    assert can.definition_provider
    assert can.references_provider
    assert can.document_highlight_provider
    assert can.rename_provider.prepare_provider
    assert can.document_formatting_provider
    assert can.document_range_formatting_provider
    assert can.document_symbol_provider
    assert can.workspace_symbol_provider
    assert can.folding_range_provider
    assert can.inlay_hint_provider
    assert can.code_lens_provider
    assert set(can.code_action_provider.code_action_kinds) == {"quickfix", "source.fixAll.cifar-dsl"}


async def test_diagnostics_come_with_each_change(session) -> None:
    session.open("typed.arch", TEXT)
    assert await session.diagnostics("typed.arch") == []
    session.change("typed.arch", TEXT.replace("dense", "dens"), version=2)
    assert codes(await session.diagnostics("typed.arch", 2)) == ["E0201"]
    session.change("typed.arch", TEXT, version=3)
    assert await session.diagnostics("typed.arch", 3) == []
    assert [one.version for one in session.published[session.uri("typed.arch")]] == [1, 2, 3]
    session.close("typed.arch")
    assert await session.diagnostics("typed.arch", 4) == []


async def test_quick_changes_are_checked_once(session) -> None:
    session.open("quick.arch", TEXT)
    await session.diagnostics("quick.arch")
    for version in range(2, 12):
        session.change("quick.arch", TEXT.replace("dense", "dens" + "e" * version), version)
    number = 1
    while session.published[session.uri("quick.arch")][-1].version < 11:
        number += 1
        assert codes(await session.diagnostics("quick.arch", number)) == ["E0201"]
    assert number < 6  # 2; on a busy machine, changes may come with a pause between them


async def test_files_that_extend_a_changed_file_are_checked(session) -> None:
    session.open("derived.arch", 'arch derived extends "base.arch"\nblock unit(c: int) { conv(c, 3) }\n')
    assert codes(await session.diagnostics("derived.arch")) == ["E0203"]
    session.open("base.arch", TEXT)
    assert await session.diagnostics("derived.arch", 2) == []
    session.change("base.arch", TEXT.replace("param breadth", "param width"))
    (one,) = await session.diagnostics("derived.arch", 3)
    assert one.message.startswith("in base.arch: unknown name `breadth`")
    assert [related.location.uri for related in one.related_information] == [session.uri("base.arch")]
    session.close("base.arch")
    assert codes(await session.diagnostics("derived.arch", 4)) == ["E0203"]


async def test_files_that_change_on_disk(session) -> None:
    base = session.folder / "disk.arch"
    base.write_text(TEXT)
    session.open("watching.arch", 'arch watching extends "disk.arch"\n')
    assert await session.diagnostics("watching.arch") == []
    base.write_text(TEXT.replace("dense", "dens"))
    change = types.FileEvent(base.as_uri(), types.FileChangeType.Changed)
    session.client.workspace_did_change_watched_files(types.DidChangeWatchedFilesParams([change]))
    assert codes(await session.diagnostics("watching.arch", 2)) == ["E0201"]


async def test_folders_that_are_opened_and_closed(start) -> None:
    session = await start()
    inner = session.folder / "inner"
    inner.mkdir()
    (session.folder / "base.arch").write_text(TEXT)
    session.open("inner/a.arch", 'arch a extends "../base.arch"\n')
    assert await session.diagnostics("inner/a.arch") == []
    outer, other = (types.WorkspaceFolder(path.as_uri(), path.name) for path in (session.folder, inner))
    event = types.WorkspaceFoldersChangeEvent([other, types.WorkspaceFolder("http://[", "no URI")], [outer])
    session.client.workspace_did_change_workspace_folders(types.DidChangeWorkspaceFoldersParams(event))
    assert codes(await session.diagnostics("inner/a.arch", 2)) == ["E0204"]


async def test_documents_that_are_not_saved(session) -> None:
    session.open("untitled:Untitled-1", TEXT.replace("dense", "dens"))
    assert codes(await session.diagnostics("untitled:Untitled-1")) == ["E0201"]
    params = types.DocumentSymbolParams(session.document("untitled:Untitled-1"))
    found = await session.client.text_document_document_symbol_async(params)
    assert [symbol.name for symbol in found] == ["input", "breadth", "unit", "model"]


async def test_files_outside_of_all_folders(session, tmp_path: Path) -> None:
    (tmp_path / "base.arch").write_text(TEXT)
    uri = (tmp_path / "outside.arch").as_uri()
    session.open(uri, 'arch outside extends "base.arch"\n')
    assert await session.diagnostics(uri) == []
    other = (tmp_path / "other.arch").as_uri()
    session.open(other, f'arch other extends "../{session.folder.name}/any.arch"\n')
    assert codes(await session.diagnostics(other)) == ["E0204"]


# ---- what it is asked


@pytest.fixture(scope="module")
def opened(session):
    """A document that the tests below share and do not change."""
    session.open("asked.arch", TEXT)
    session.open("asking.arch", 'arch asking extends "asked.arch"\nparam breadth = 4\n')
    return "asked.arch"


async def test_hover(session, opened) -> None:
    found = await session.client.text_document_hover_async(types.HoverParams(**session.at(opened, 7, 2)))
    assert found.contents.value.startswith("```arch\ndense(")
    assert "| once | 512 | 10 | 5,130 |" in found.contents.value
    assert found.range == types.Range(types.Position(7, 0), types.Position(7, 5))


async def test_inlay_hints(session, opened) -> None:
    params = types.InlayHintParams(session.document(opened), EVERYWHERE)
    found = await session.client.text_document_inlay_hint_async(params)
    assert [(hint.position.line, hint.label) for hint in found] == [
        (3, ": 8x8x8, 32 params"),
        (5, ": 8x8x8, 32 params"),
        (6, ": 512"),
        (7, ": 10, 5,130 params"),
    ]


async def test_completion(session, opened) -> None:
    found = await session.client.text_document_completion_async(types.CompletionParams(**session.at(opened, 6, 0)))
    items = {item.label: item for item in found}
    assert {"conv", "basic_block", "unit", "add", "let"} <= set(items)
    assert items["conv"].insert_text == "conv($0)"
    assert "2-D convolution" in items["conv"].documentation.value


async def test_signature_help(session, opened) -> None:
    found = await session.client.text_document_signature_help_async(
        types.SignatureHelpParams(**session.at(opened, 7, 6))
    )
    assert found.signatures[0].label.startswith("dense(")


async def test_definition_and_references(session, opened) -> None:
    place = session.at(opened, 5, 6)
    found = await session.client.text_document_definition_async(types.DefinitionParams(**place))
    assert (found.uri, found.range.start) == (session.uri(opened), types.Position(2, 6))
    context = types.ReferenceContext(include_declaration=True)
    places = await session.client.text_document_references_async(types.ReferenceParams(context=context, **place))
    assert {(one.uri, one.range.start.line) for one in places} == {
        (session.uri(opened), 2),
        (session.uri(opened), 5),
        (session.uri("asking.arch"), 1),
    }
    params = types.DocumentHighlightParams(**place)
    highlights = await session.client.text_document_document_highlight_async(params)
    assert [one.range.start.line for one in highlights] == [2, 5]


async def test_symbols_of_the_workspace(session, opened) -> None:
    found = await session.client.workspace_symbol_async(types.WorkspaceSymbolParams("breadth"))
    assert [one.name for one in found if one.location.uri == session.uri(opened)] == ["breadth"]


async def test_a_range_is_formatted(session) -> None:
    session.open("layout.arch", TEXT.replace(" -> ", "->"))
    whole = types.Range(types.Position(0, 0), types.Position(99, 0))
    params = types.DocumentRangeFormattingParams(
        session.document("layout.arch"), whole, types.FormattingOptions(4, True)
    )
    assert await session.client.text_document_range_formatting_async(params)


async def test_rename(session, opened) -> None:
    place = session.at(opened, 5, 6)
    shown = await session.client.text_document_prepare_rename_async(types.PrepareRenameParams(**place))
    assert shown.placeholder == "breadth"
    edit = await session.client.text_document_rename_async(types.RenameParams(new_name="wide", **place))
    assert put_in(TEXT, list(edit.changes[session.uri(opened)])) == TEXT.replace("breadth", "wide")
    assert list(edit.changes) == [session.uri(opened), session.uri("asking.arch")]


async def test_a_rename_that_is_refused(session, opened) -> None:
    with pytest.raises(JsonRpcException, match="`dense` is a layer of the language") as caught:
        await session.client.text_document_prepare_rename_async(types.PrepareRenameParams(**session.at(opened, 7, 1)))
    assert caught.value.code == -32803
    with pytest.raises(JsonRpcException, match=r"`conv` is already used at asked\.arch:4"):
        await session.client.text_document_rename_async(types.RenameParams(new_name="conv", **session.at(opened, 5, 6)))


async def test_formatting(session) -> None:
    text = TEXT.replace("conv(c, 1) -> relu", "conv(c,1)->relu")
    session.open("layout.arch", text)
    options = types.FormattingOptions(tab_size=4, insert_spaces=True)
    params = types.DocumentFormattingParams(session.document("layout.arch"), options)
    edits = await session.client.text_document_formatting_async(params)
    assert "conv(c, 1) -> relu" in put_in(text, list(edits))


async def test_code_actions(session) -> None:
    text = TEXT.replace("dense", "dens")
    session.open("fixed.arch", text)
    context = types.CodeActionContext(await session.diagnostics("fixed.arch"))
    params = types.CodeActionParams(session.document("fixed.arch"), EVERYWHERE, context)
    (action,) = await session.client.text_document_code_action_async(params)
    assert action.title == "Write `dense`"
    assert put_in(text, list(action.edit.changes[session.uri("fixed.arch")])) == TEXT


async def test_symbols_and_folding(session, opened) -> None:
    symbols = await session.client.text_document_document_symbol_async(
        types.DocumentSymbolParams(session.document(opened))
    )
    assert [symbol.name for symbol in symbols] == ["input", "breadth", "unit", "model"]
    folds = await session.client.text_document_folding_range_async(types.FoldingRangeParams(session.document(opened)))
    assert [(one.start_line, one.end_line) for one in folds] == [(4, 7)]


async def test_documents_that_were_never_opened(session) -> None:
    place = session.at("never.arch", 0, 0)
    assert await session.client.text_document_hover_async(types.HoverParams(**place)) is None
    assert not await session.client.text_document_completion_async(types.CompletionParams(**place))


# ---- other editors


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-32"])
async def test_columns_are_in_the_agreed_encoding(start, encoding: str) -> None:
    general = types.GeneralClientCapabilities(position_encodings=[types.PositionEncodingKind(encoding)])
    session = await start(types.ClientCapabilities(general=general))
    assert session.capabilities.position_encoding == encoding
    line = 'extends "\U0001d538\u00e9.arch"'
    session.open("wide.arch", f"arch wide {line}\n")
    (one,) = await session.diagnostics("wide.arch")
    name = '"\U0001d538\u00e9.arch"'
    width = {"utf-8": len(name.encode()), "utf-16": len(name) + 1, "utf-32": len(name)}[encoding]
    assert (one.range.start.character, one.range.end.character) == (18, 18 + width)


async def test_an_editor_with_few_capabilities_and_crlf_line_endings(start) -> None:
    session = await start(types.ClientCapabilities())
    session.open("plain.arch", "\ufeff" + TEXT.replace("dense", "dens").replace("\n", "\r\n"))
    (one,) = await session.diagnostics("plain.arch")
    assert one.range == types.Range(types.Position(7, 0), types.Position(7, 4))
    found = await session.client.text_document_completion_async(
        types.CompletionParams(**session.at("plain.arch", 6, 0))
    )
    assert {item.insert_text_format for item in found} == {None}


# ---- bugs

BROKEN_SERVER = """
from cifar_dsl.editors.language_server import hover

def broken_hover(*arguments):
    raise RuntimeError("hover is broken")

hover.hover = broken_hover
from cifar_dsl.editors.language_server import server

diagnostics = server.diagnostics

def broken_diagnostics(documents, path):
    if "break" in documents.open[path]:
        raise RuntimeError("diagnostics are broken")
    return diagnostics(documents, path)

server.diagnostics = broken_diagnostics
server.make_server().start_io()
"""


async def test_a_bug_does_not_stop_the_server(start, monkeypatch: pytest.MonkeyPatch) -> None:
    session = await start(command=(sys.executable, "-c", BROKEN_SERVER))
    session.open("a.arch", TEXT.replace("dense", "dens"))
    assert codes(await session.diagnostics("a.arch")) == ["E0201"]
    with pytest.raises(JsonRpcException, match="hover is broken"):
        await session.client.text_document_hover_async(types.HoverParams(**session.at("a.arch", 5, 1)))
    session.change("a.arch", TEXT + "# break\n")
    (one,) = await session.diagnostics("a.arch", 2)
    assert "this is a bug" in one.message
    assert "diagnostics are broken" in one.message
    session.change("a.arch", TEXT, version=3)
    assert await session.diagnostics("a.arch", 3) == []
    assert await session.client.text_document_completion_async(types.CompletionParams(**session.at("a.arch", 6, 0)))
