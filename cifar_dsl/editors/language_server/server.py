"""The server: it handles the editor's messages, publishes diagnostics and calls the capabilities."""

import asyncio
import logging
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from lsprotocol import types
from pygls.capabilities import get_capability
from pygls.exceptions import JsonRpcException, JsonRpcInvalidParams
from pygls.lsp.server import LanguageServer
from pygls.protocol import JsonRPCProtocol, LanguageServerProtocol

from cifar_dsl.editors.language_server import code_actions, completion, navigation, renaming, symbols
from cifar_dsl.editors.language_server.checking import Checker
from cifar_dsl.editors.language_server.client import Client
from cifar_dsl.editors.language_server.code_lenses import code_lenses
from cifar_dsl.editors.language_server.diagnostics import SOURCE, diagnostics
from cifar_dsl.editors.language_server.documents import Documents
from cifar_dsl.editors.language_server.formatting import formatting, range_formatting
from cifar_dsl.editors.language_server.hover import hover
from cifar_dsl.editors.language_server.inlay_hints import inlay_hints
from cifar_dsl.editors.language_server.messages import MessageReader
from cifar_dsl.editors.language_server.positions import Positions
from cifar_dsl.editors.language_server.preview import PREVIEW, preview
from cifar_dsl.editors.language_server.semantic_tokens import LEGEND, semantic_tokens
from cifar_dsl.editors.language_server.signatures import signature_help
from cifar_dsl.editors.language_server.threads import in_thread
from cifar_dsl.foundation.cancellation import CancelledError
from cifar_dsl.foundation.errors import UserError
from cifar_dsl.foundation.version import __version__

DEBOUNCE_S = 0.2  # seconds without typing before a text is checked
WATCH_S = 1.0  # between two looks at the bases of open files, where the editor doesn't watch them
PATIENCE_S = 1.0  # how long a request that shows shapes or fixes waits for a running check
_THREADS = 8  # for requests
_REQUEST_FAILED = -32803  # of the protocol: the request is valid but can't be fulfilled
_MOST_CHARACTERS = 200  # of an error in the log
_WATCHED = "**/*.arch"

_logger = logging.getLogger(__name__)


class _DocumentParams(Protocol):
    """Parameters of a request for a document."""

    @property
    def text_document(self) -> types.TextDocumentIdentifier: ...


class _PositionParams(_DocumentParams, Protocol):
    """Parameters of a request for a position in a document."""

    @property
    def position(self) -> types.Position: ...


class _SpecProtocol(LanguageServerProtocol):
    """The protocol, with a response to every request that can't be read."""

    def structure_message(self, data: dict[str, Any]) -> Any:
        """Convert a message. Raises JsonRpcException."""
        try:
            return super().structure_message(data)
        except JsonRpcException as error:
            number = data.get("id")
            if "method" in data and isinstance(number, int | str):
                self._send_response(number, error=error.to_response_error())
            raise


class SpecServer(LanguageServer):
    """A language server for one editor.

    It handles one message at a time, on one thread, which neither parses nor checks a text: other threads do, on
    snapshots of the documents.
    """

    def __init__(self) -> None:
        # Each change sends the whole text: specs are small, and a full text can't get out of sync.
        sync = types.TextDocumentSyncKind.Full
        super().__init__("cifar-dsl", __version__, text_document_sync_kind=sync, protocol_cls=_SpecProtocol)
        self.client = Client()
        self.documents = Documents()
        self._threads = ThreadPoolExecutor(_THREADS, "request")
        self.checker = Checker(self.documents, self._threads, _diagnostics, self._publish, self._refresh_hints)
        self._has_disk = False  # standard input means a program on a computer: the playground has no files
        self._watching: asyncio.Task[None] | None = None
        self.hints_are_stale = False  # they were asked for while the text was being checked

    def start_io(self, stdin: BinaryIO | None = None, stdout: BinaryIO | None = None) -> None:
        """Serve an editor on standard input and output, until the input ends."""
        self._has_disk = True
        reader: Any = MessageReader(stdin or sys.stdin.buffer, self._report_skipped)
        super().start_io(reader, stdout)

    def path(self, params: _DocumentParams) -> Path:
        """The file of a request."""
        return self.documents.path(params.text_document.uri)

    def has(self, capability: str) -> bool:
        """Whether the editor has a capability."""
        return bool(get_capability(self.client_capabilities, capability, False))

    async def answer(self, params: _DocumentParams, capability: Callable[[Documents, Path], Any]) -> Any:
        """The result of a capability for a document, once it has been parsed.

        Raises JsonRpcException if the capability raises UserError.
        """
        path = self.path(params)
        await self.checker.read(path)
        documents = self.documents.snapshot(checks=False)
        try:
            return await in_thread(self._threads, lambda: capability(documents, path))
        except UserError as error:
            raise JsonRpcException(error.message, _REQUEST_FAILED) from None

    async def answer_for_all(self, capability: Callable[[Documents], Any]) -> Any:
        """The result of a capability for all documents."""
        documents = self.documents.snapshot(checks=False)
        return await in_thread(self._threads, lambda: capability(documents))

    # ---- bases on disk

    def watch_bases(self) -> None:
        """Check the open files whose bases change on disk, from now on."""
        if self._has_disk and self._watching is None:
            self._watching = asyncio.create_task(self._watch_bases())

    async def _watch_bases(self) -> None:
        while True:
            await asyncio.sleep(WATCH_S)
            try:
                outdated = await self.answer_for_all(Documents.outdated)
            except Exception:  # a bug of ours, which costs no more than this look
                _logger.exception("Watching bases failed")
            else:
                if outdated:
                    self.checker.changed(outdated, after_s=0)

    # ---- diagnostics

    def update(self, uri: str, *, after_s: float) -> None:
        """Store the text of a document that was opened or changed, and check it and the files that extend it."""
        text = self.workspace.get_text_document(uri).source
        self.checker.changed([self.documents.put(uri, text)], after_s=after_s)

    def _publish(self, path: Path, found: list[types.Diagnostic]) -> None:
        uri = self.documents.uri(path)
        version = self.workspace.get_text_document(uri).version
        self.text_document_publish_diagnostics(types.PublishDiagnosticsParams(uri, found, version))

    def _refresh_hints(self, others_changed: bool) -> None:
        is_stale = self.hints_are_stale or others_changed
        if is_stale and self.has("workspace.inlay_hint.refresh_support"):
            self.workspace_inlay_hint_refresh(None)
        self.hints_are_stale = False

    # ---- messages that can't be handled

    def report_server_error(self, error: Exception, source: Any) -> None:
        """Report an error: one in reading a message to the editor's log, any other as pygls does."""
        if source is JsonRpcException:
            self._report_skipped(f"skipped a message: {str(error)[:_MOST_CHARACTERS] or type(error).__name__}")
        else:
            super().report_server_error(error, source)

    def _report_skipped(self, text: str) -> None:
        _logger.error("%s", text)
        self.window_log_message(types.LogMessageParams(types.MessageType.Error, text))


def _diagnostics(documents: Documents, path: Path) -> list[types.Diagnostic]:
    try:
        return diagnostics(documents, path)
    except CancelledError:
        raise
    except Exception as error:  # a bug of ours: publish it, so that no stale diagnostics remain
        _logger.exception("Checking %s failed", path)
        return [_internal_error(error)]


def _internal_error(error: Exception) -> types.Diagnostic:
    start = types.Position(0, 0)
    message = f"this file could not be checked; this is a bug of cifar-dsl, please report it: {error!r}"
    return types.Diagnostic(types.Range(start, start), message, types.DiagnosticSeverity.Error, source=SOURCE)


# ---- notifications


def _initialize(server: SpecServer, params: types.InitializeParams) -> None:
    encoding = server.workspace.position_encoding or types.PositionEncodingKind.Utf16
    server.documents.positions = Positions(str(getattr(encoding, "value", encoding)))
    server.client = Client.of(params.capabilities)
    _set_folders(server, [folder.uri for folder in params.workspace_folders or ()] or [server.workspace.root_uri or ""])


def _initialized(server: SpecServer, _params: types.InitializedParams) -> None:
    if server.has("workspace.did_change_watched_files.dynamic_registration"):
        watchers = types.DidChangeWatchedFilesRegistrationOptions([types.FileSystemWatcher(_WATCHED)])
        registration = types.Registration("watched", types.WORKSPACE_DID_CHANGE_WATCHED_FILES, watchers)
        server.client_register_capability(types.RegistrationParams([registration]))
    else:
        server.watch_bases()


def _did_open(server: SpecServer, params: types.DidOpenTextDocumentParams) -> None:
    server.update(params.text_document.uri, after_s=0)


def _did_change(server: SpecServer, params: types.DidChangeTextDocumentParams) -> None:
    server.update(params.text_document.uri, after_s=DEBOUNCE_S)


def _did_close(server: SpecServer, params: types.DidCloseTextDocumentParams) -> None:
    uri = params.text_document.uri
    path = server.documents.close(uri)
    server.text_document_publish_diagnostics(types.PublishDiagnosticsParams(uri, []))
    server.checker.changed([path], after_s=0)


def _files_changed(
    server: SpecServer, _params: types.DidChangeWatchedFilesParams | types.DidSaveTextDocumentParams
) -> None:
    # A save stands for all changes since the last one in editors that don't watch files.
    server.checker.changed(server.documents.open, after_s=DEBOUNCE_S)


def _folders_changed(server: SpecServer, _params: types.DidChangeWorkspaceFoldersParams) -> None:
    _set_folders(server, [folder.uri for folder in server.workspace.folders.values()])
    server.checker.changed(server.documents.open, after_s=0)


def _set_folders(server: SpecServer, uris: Iterable[str]) -> None:
    server.documents.folders = [server.documents.path(uri) for uri in uris if uri.partition(":")[0].lower() == "file"]


# ---- requests

_Handler = Callable[[SpecServer, Any], Any]


def _at_position(capability: Callable[[Documents, Path, int], Any], *, needs_check: bool = False) -> _Handler:
    """The handler of a capability for a position."""

    def at(params: _PositionParams, documents: Documents, path: Path) -> Any:
        source = documents.source(path)
        return capability(documents, path, documents.positions.offset(source.text, params.position) if source else 0)

    async def handler(server: SpecServer, params: Any) -> Any:  # pygls passes the server because of its type
        if needs_check:
            await server.checker.wait(server.path(params), PATIENCE_S)
        return await server.answer(params, partial(at, params))

    return handler


def _in_document(capability: Callable[[Documents, Path], Any]) -> _Handler:
    """The handler of a capability for a whole document."""

    async def handler(server: SpecServer, params: Any) -> Any:
        return await server.answer(params, capability)

    return handler


async def _inlay_hints(server: SpecServer, params: types.InlayHintParams) -> list[types.InlayHint]:
    server.hints_are_stale |= not await server.checker.wait(server.path(params), PATIENCE_S)
    hints: list[types.InlayHint] = await server.answer(params, partial(inlay_hints, wanted=params.range))
    return hints


async def _completion(server: SpecServer, params: types.CompletionParams) -> Any:
    snippets = server.has("text_document.completion.completion_item.snippet_support")
    found = await _at_position(partial(completion.completions, snippets=snippets))(server, params)
    return server.client.completions(found)


async def _hover(server: SpecServer, params: types.HoverParams) -> Any:
    return server.client.hover(await _at_position(hover, needs_check=True)(server, params))


async def _signature_help(server: SpecServer, params: types.SignatureHelpParams) -> Any:
    return server.client.signature_help(await _at_position(signature_help)(server, params))


async def _references(server: SpecServer, params: types.ReferenceParams) -> Any:
    include_definitions = params.context.include_declaration
    return await _at_position(partial(navigation.references, include_definitions=include_definitions))(server, params)


async def _range_formatting(server: SpecServer, params: types.DocumentRangeFormattingParams) -> Any:
    return await server.answer(params, partial(range_formatting, wanted=params.range))


async def _workspace_symbols(server: SpecServer, params: types.WorkspaceSymbolParams) -> Any:
    return await server.answer_for_all(partial(symbols.workspace_symbols, query=params.query))


async def _rename(server: SpecServer, params: types.RenameParams) -> Any:
    return await _at_position(partial(renaming.rename, new=params.new_name))(server, params)


async def _code_actions(server: SpecServer, params: types.CodeActionParams) -> Any:
    await server.checker.wait(server.path(params), PATIENCE_S)
    found = partial(
        code_actions.code_actions,
        wanted=params.range,
        only=params.context.only,
        shown=params.context.diagnostics,
    )
    return await server.answer(params, found)


async def _preview(server: SpecServer, params: Any) -> Any:  # pygls knows nothing of this request's parameters
    uri = getattr(getattr(params, "textDocument", None), "uri", None)
    if not isinstance(uri, str):
        raise JsonRpcInvalidParams(f"{PREVIEW} takes a textDocument with a uri")
    document = types.DocumentSymbolParams(types.TextDocumentIdentifier(uri))
    await server.checker.wait(server.path(document), PATIENCE_S)
    return await server.answer(document, preview)


_HANDLERS: dict[str, tuple[_Handler, Any]] = {
    types.INITIALIZE: (_initialize, None),
    types.INITIALIZED: (_initialized, None),
    types.TEXT_DOCUMENT_DID_OPEN: (_did_open, None),
    types.TEXT_DOCUMENT_DID_CHANGE: (_did_change, None),
    types.TEXT_DOCUMENT_DID_SAVE: (_files_changed, types.SaveOptions()),
    types.TEXT_DOCUMENT_DID_CLOSE: (_did_close, None),
    types.WORKSPACE_DID_CHANGE_WATCHED_FILES: (_files_changed, None),
    types.WORKSPACE_DID_CHANGE_WORKSPACE_FOLDERS: (_folders_changed, None),
    types.TEXT_DOCUMENT_HOVER: (_hover, None),
    types.TEXT_DOCUMENT_INLAY_HINT: (_inlay_hints, None),
    types.TEXT_DOCUMENT_COMPLETION: (_completion, types.CompletionOptions(trigger_characters=[".", "(", "=", '"'])),
    types.TEXT_DOCUMENT_SIGNATURE_HELP: (_signature_help, types.SignatureHelpOptions(["(", ","], [")"])),
    types.TEXT_DOCUMENT_DEFINITION: (_at_position(navigation.definition), None),
    types.TEXT_DOCUMENT_REFERENCES: (_references, None),
    types.TEXT_DOCUMENT_DOCUMENT_HIGHLIGHT: (_at_position(navigation.highlights), None),
    types.TEXT_DOCUMENT_PREPARE_RENAME: (_at_position(renaming.prepare_rename), None),
    types.TEXT_DOCUMENT_RENAME: (_rename, None),
    types.TEXT_DOCUMENT_FORMATTING: (_in_document(formatting), None),
    types.TEXT_DOCUMENT_RANGE_FORMATTING: (_range_formatting, None),
    types.WORKSPACE_SYMBOL: (_workspace_symbols, None),
    types.TEXT_DOCUMENT_CODE_ACTION: (_code_actions, types.CodeActionOptions(code_actions.KINDS)),
    types.TEXT_DOCUMENT_DOCUMENT_SYMBOL: (_in_document(symbols.document_symbols), None),
    types.TEXT_DOCUMENT_SEMANTIC_TOKENS_FULL: (_in_document(semantic_tokens), LEGEND),
    types.TEXT_DOCUMENT_DOCUMENT_LINK: (_in_document(navigation.document_links), None),
    types.TEXT_DOCUMENT_FOLDING_RANGE: (_in_document(symbols.folding_ranges), None),
    types.TEXT_DOCUMENT_CODE_LENS: (_in_document(code_lenses), types.CodeLensOptions()),
    PREVIEW: (_preview, None),
}


def _is_unexpected(record: logging.LogRecord) -> bool:
    """Whether to log a record: not if it reports that a rename was refused."""
    error = record.exc_info[1] if record.exc_info else None
    return not (isinstance(error, JsonRpcException) and error.code == _REQUEST_FAILED)


def make_server() -> SpecServer:
    """Make a server with all capabilities; `start_io` runs it on standard input and output."""
    # pygls warns about every request that is answered before it can be cancelled.
    logging.getLogger("pygls").setLevel(logging.ERROR)
    logging.getLogger(JsonRPCProtocol.__module__).addFilter(_is_unexpected)
    server = SpecServer()
    for method, (handler, options) in _HANDLERS.items():
        server.feature(method, options)(handler)
    return server
