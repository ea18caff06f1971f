"""The server: it handles the editor's messages, publishes diagnostics and calls the capabilities."""

import asyncio
import logging
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from lsprotocol import types
from pygls.capabilities import get_capability
from pygls.exceptions import JsonRpcException
from pygls.lsp.server import LanguageServer
from pygls.protocol import JsonRPCProtocol
from pygls.uris import uri_scheme

from cifar_dsl.editors.language_server import code_actions, completion, navigation, renaming, symbols
from cifar_dsl.editors.language_server.diagnostics import SOURCE, diagnostics
from cifar_dsl.editors.language_server.documents import Documents
from cifar_dsl.editors.language_server.formatting import formatting
from cifar_dsl.editors.language_server.hover import hover
from cifar_dsl.editors.language_server.inlay_hints import inlay_hints
from cifar_dsl.editors.language_server.positions import Positions
from cifar_dsl.editors.language_server.signatures import signature_help
from cifar_dsl.foundation.errors import UserError
from cifar_dsl.foundation.version import __version__

DEBOUNCE_S = 0.2  # seconds without typing before a text is checked
_REQUEST_FAILED = -32803  # of the protocol: the request is valid but can't be fulfilled
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


class SpecServer(LanguageServer):
    """A language server for one editor. It handles one message at a time, on one thread."""

    def __init__(self) -> None:
        # Each change sends the whole text: specs are small, and a full text can't get out of sync.
        super().__init__("cifar-dsl", __version__, text_document_sync_kind=types.TextDocumentSyncKind.Full)
        self.documents = Documents()
        self._unchecked: dict[Path, None] = {}  # a queue without duplicates
        self._hints_are_stale = False  # in documents that depend on a changed one
        self._timer: asyncio.TimerHandle | None = None

    def at(self, params: _PositionParams) -> tuple[Documents, Path, int]:
        """The arguments of a capability for the position of a request."""
        path = self.path(params)
        source = self.documents.source(path)
        offset = self.documents.positions.offset(source.text, params.position) if source else 0
        return self.documents, path, offset

    def path(self, params: _DocumentParams) -> Path:
        """The file of a request."""
        return self.documents.path(params.text_document.uri)

    def has(self, capability: str) -> bool:
        """Whether the editor has a capability."""
        return bool(get_capability(self.client_capabilities, capability, False))

    # ---- diagnostics

    def update(self, uri: str, *, after_s: float) -> None:
        """Store the text of a document that was opened or changed, and check it and the files that extend it."""
        text = self.workspace.get_text_document(uri).source
        self.check([self.documents.put(uri, text)], after_s=after_s)

    def check(self, paths: Iterable[Path], *, after_s: float) -> None:
        """Check files, and the open files that extend them, after `after_s` seconds without another change."""
        for path in paths:
            dependents = self.documents.dependents(path)
            self._unchecked |= dict.fromkeys((path, *dependents))
            self._hints_are_stale |= bool(dependents)
        self._start_timer(after_s)

    def _start_timer(self, after_s: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(after_s, self._check_next)

    def _check_next(self) -> None:
        """Check one file; requests that arrived meanwhile are answered before the next one."""
        self._timer = None
        if not self._unchecked:
            return
        path = next(iter(self._unchecked))
        del self._unchecked[path]
        if path in self.documents.open:
            self._publish(path)
        if self._unchecked:
            self._start_timer(0)
        elif self._hints_are_stale and self.has("workspace.inlay_hint.refresh_support"):
            self._hints_are_stale = False
            self.workspace_inlay_hint_refresh(None)

    def _publish(self, path: Path) -> None:
        uri = self.documents.uri(path)
        try:
            published = diagnostics(self.documents, path)
        except Exception as error:  # a bug of ours: publish it, so that no stale diagnostics remain
            _logger.exception("Checking %s failed", path)
            published = [_internal_error(error)]
        version = self.workspace.get_text_document(uri).version
        self.text_document_publish_diagnostics(types.PublishDiagnosticsParams(uri, published, version))


def _internal_error(error: Exception) -> types.Diagnostic:
    start = types.Position(0, 0)
    message = f"this file could not be checked; this is a bug of cifar-dsl, please report it: {error!r}"
    return types.Diagnostic(types.Range(start, start), message, types.DiagnosticSeverity.Error, source=SOURCE)


# ---- notifications


def _initialize(server: SpecServer, params: types.InitializeParams) -> None:
    encoding = server.workspace.position_encoding or types.PositionEncodingKind.Utf16
    server.documents.positions = Positions(str(getattr(encoding, "value", encoding)))
    _set_folders(server, [folder.uri for folder in params.workspace_folders or ()] or [server.workspace.root_uri or ""])


def _initialized(server: SpecServer, _params: types.InitializedParams) -> None:
    if server.has("workspace.did_change_watched_files.dynamic_registration"):
        watchers = types.DidChangeWatchedFilesRegistrationOptions([types.FileSystemWatcher(_WATCHED)])
        registration = types.Registration("watched", types.WORKSPACE_DID_CHANGE_WATCHED_FILES, watchers)
        server.client_register_capability(types.RegistrationParams([registration]))


def _did_open(server: SpecServer, params: types.DidOpenTextDocumentParams) -> None:
    server.update(params.text_document.uri, after_s=0)


def _did_change(server: SpecServer, params: types.DidChangeTextDocumentParams) -> None:
    server.update(params.text_document.uri, after_s=DEBOUNCE_S)


def _did_close(server: SpecServer, params: types.DidCloseTextDocumentParams) -> None:
    uri = params.text_document.uri
    path = server.documents.close(uri)
    server.text_document_publish_diagnostics(types.PublishDiagnosticsParams(uri, []))
    server.check([path], after_s=0)


def _files_changed(server: SpecServer, _params: types.DidChangeWatchedFilesParams) -> None:
    server.check(server.documents.open, after_s=DEBOUNCE_S)


def _folders_changed(server: SpecServer, _params: types.DidChangeWorkspaceFoldersParams) -> None:
    _set_folders(server, [folder.uri for folder in server.workspace.folders.values()])
    server.check(server.documents.open, after_s=0)


def _set_folders(server: SpecServer, uris: Iterable[str]) -> None:
    server.documents.folders = [server.documents.path(uri) for uri in uris if uri_scheme(uri) == "file"]


# ---- requests

_Handler = Callable[[SpecServer, Any], Any]


def _at_position(capability: Callable[[Documents, Path, int], Any]) -> _Handler:
    """The handler of a capability for a position; it answers with an error if the capability raises UserError."""

    def handler(server: SpecServer, params: Any) -> Any:
        try:
            return capability(*server.at(params))
        except UserError as error:
            raise JsonRpcException(error.message, _REQUEST_FAILED) from None

    return handler


def _in_document(capability: Callable[[Documents, Path], Any]) -> _Handler:
    """The handler of a capability for a whole document."""

    def handler(server: SpecServer, params: Any) -> Any:  # pygls passes the server because of its type
        return capability(server.documents, server.path(params))

    return handler


def _inlay_hints(server: SpecServer, params: types.InlayHintParams) -> list[types.InlayHint]:
    return inlay_hints(server.documents, server.path(params), params.range)


def _completion(server: SpecServer, params: types.CompletionParams) -> list[types.CompletionItem]:
    snippets = server.has("text_document.completion.completion_item.snippet_support")
    return completion.completions(*server.at(params), snippets=snippets)


def _references(server: SpecServer, params: types.ReferenceParams) -> list[types.Location]:
    include_definitions = params.context.include_declaration
    return navigation.references(*server.at(params), include_definitions=include_definitions)


def _rename(server: SpecServer, params: types.RenameParams) -> Any:
    return _at_position(partial(renaming.rename, new=params.new_name))(server, params)


def _code_actions(server: SpecServer, params: types.CodeActionParams) -> list[types.CodeAction]:
    return code_actions.code_actions(server.documents, server.path(params), params.range, params.context.only)


_HANDLERS: dict[str, tuple[_Handler, Any]] = {
    types.INITIALIZE: (_initialize, None),
    types.INITIALIZED: (_initialized, None),
    types.TEXT_DOCUMENT_DID_OPEN: (_did_open, None),
    types.TEXT_DOCUMENT_DID_CHANGE: (_did_change, None),
    types.TEXT_DOCUMENT_DID_CLOSE: (_did_close, None),
    types.WORKSPACE_DID_CHANGE_WATCHED_FILES: (_files_changed, None),
    types.WORKSPACE_DID_CHANGE_WORKSPACE_FOLDERS: (_folders_changed, None),
    types.TEXT_DOCUMENT_HOVER: (_at_position(hover), None),
    types.TEXT_DOCUMENT_INLAY_HINT: (_inlay_hints, None),
    types.TEXT_DOCUMENT_COMPLETION: (_completion, types.CompletionOptions(trigger_characters=[".", "(", "=", '"'])),
    types.TEXT_DOCUMENT_SIGNATURE_HELP: (_at_position(signature_help), types.SignatureHelpOptions(["(", ","], [")"])),
    types.TEXT_DOCUMENT_DEFINITION: (_at_position(navigation.definition), None),
    types.TEXT_DOCUMENT_REFERENCES: (_references, None),
    types.TEXT_DOCUMENT_DOCUMENT_HIGHLIGHT: (_at_position(navigation.highlights), None),
    types.TEXT_DOCUMENT_PREPARE_RENAME: (_at_position(renaming.prepare_rename), None),
    types.TEXT_DOCUMENT_RENAME: (_rename, None),
    types.TEXT_DOCUMENT_FORMATTING: (_in_document(formatting), None),
    types.TEXT_DOCUMENT_CODE_ACTION: (_code_actions, types.CodeActionOptions(code_actions.KINDS)),
    types.TEXT_DOCUMENT_DOCUMENT_SYMBOL: (_in_document(symbols.document_symbols), None),
    types.TEXT_DOCUMENT_FOLDING_RANGE: (_in_document(symbols.folding_ranges), None),
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
