"""The server in a process of its own, and a client in the role of the editor."""

import asyncio
import sys
from pathlib import Path

import pytest
import pytest_asyncio
from attrs import define, field
from lsprotocol import types
from pytest_lsp import LanguageClient, client_capabilities, make_test_lsp_client

COMMAND = (sys.executable, "-m", "cifar_dsl", "lsp")
PATIENCE_S = 120
CODE = client_capabilities("visual-studio-code")


@define
class Session:
    """An editor with an open folder. `published` has every publication of diagnostics, by URI."""

    client: LanguageClient
    folder: Path
    published: dict[str, list[types.PublishDiagnosticsParams]] = field(factory=dict)
    capabilities: types.ServerCapabilities = field(init=False)
    _arrival: asyncio.Event = field(factory=asyncio.Event)

    def arrived(self, params: types.PublishDiagnosticsParams) -> None:
        self.published.setdefault(params.uri, []).append(params)
        self._arrival.set()

    def uri(self, name: str) -> str:
        return (self.folder / name).as_uri()

    def document(self, name: str) -> types.TextDocumentIdentifier:
        """The identifier of a file in the folder, or of a URI."""
        return types.TextDocumentIdentifier(name if ":" in name else self.uri(name))

    def open(self, name: str, text: str) -> None:
        item = types.TextDocumentItem(self.document(name).uri, "arch", 1, text)
        self.client.text_document_did_open(types.DidOpenTextDocumentParams(item))

    def change(self, name: str, text: str, version: int = 2) -> None:
        document = types.VersionedTextDocumentIdentifier(version, self.document(name).uri)
        change = types.TextDocumentContentChangeWholeDocument(text)
        self.client.text_document_did_change(types.DidChangeTextDocumentParams(document, [change]))

    def close(self, name: str) -> None:
        self.client.text_document_did_close(types.DidCloseTextDocumentParams(self.document(name)))

    async def diagnostics(self, name: str, number: int = 1) -> list[types.Diagnostic]:
        """Wait for the `number`-th publication of diagnostics of a document."""
        uri = self.document(name).uri
        async with asyncio.timeout(PATIENCE_S):
            while len(self.published.get(uri, [])) < number:
                self._arrival.clear()
                await self._arrival.wait()
        return list(self.published[uri][number - 1].diagnostics)

    def at(self, name: str, line: int, character: int) -> dict[str, object]:
        """The fields of a request for a position."""
        return {"text_document": self.document(name), "position": types.Position(line, character)}


async def started(folder: Path, capabilities: types.ClientCapabilities, command: tuple[str, ...]) -> Session:
    client = make_test_lsp_client()
    session = Session(client, folder)
    del client.protocol.fm.features[types.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS]

    @client.feature(types.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS)
    def arrived(params: types.PublishDiagnosticsParams) -> None:
        session.arrived(params)

    await client.start_io(*command)
    folders = [types.WorkspaceFolder(folder.as_uri(), "specs")]
    params = types.InitializeParams(capabilities, workspace_folders=folders, root_uri=folder.as_uri())
    result = await client.initialize_session(params)
    session.capabilities = result.capabilities
    return session


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def start(tmp_path_factory: pytest.TempPathFactory):
    """Start servers, each with its own folder; they must exit with 0 at the end of the module."""
    sessions: list[Session] = []

    async def make(capabilities: types.ClientCapabilities = CODE, command: tuple[str, ...] = COMMAND) -> Session:
        folder = tmp_path_factory.mktemp("specs").resolve()
        sessions.append(await started(folder, capabilities, command))
        return sessions[-1]

    yield make
    for session in sessions:
        await session.client.shutdown_session()
        await session.client.stop()
        assert session.client._server.returncode == 0


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def session(start) -> Session:
    """A server and a client with the capabilities of VS Code, shared by all tests of a module."""
    return await start()
