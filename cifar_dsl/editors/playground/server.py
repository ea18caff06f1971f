"""Serves the built page on this computer, and only to it."""

from collections.abc import Callable
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

HOST = "127.0.0.1"
# Scripts and styles of the page itself only, no other host. `wasm-unsafe-eval` compiles WebAssembly, and no text.
POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self' 'wasm-unsafe-eval'",
        "style-src 'self'",
        "connect-src 'self'",
        "worker-src 'self'",
        "img-src 'self' data:",
        "base-uri 'none'",
        "form-action 'none'",
    ]
)
_HEADERS = {
    "Content-Security-Policy": f"{POLICY}; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",  # asks whether a file has changed; unchanged ones come from the browser's cache
}


class _Handler(SimpleHTTPRequestHandler):
    extensions_map = {  # noqa: RUF012 - the base class declares it so
        ".css": "text/css; charset=utf-8",
        ".html": "text/html; charset=utf-8",
        ".js": "text/javascript",
        ".json": "application/json",
        ".mjs": "text/javascript",
        ".svg": "image/svg+xml",
        ".txt": "text/plain; charset=utf-8",
        ".wasm": "application/wasm",
        "": "application/octet-stream",
    }

    def end_headers(self) -> None:
        """Send what every answer has."""
        for name, value in _HEADERS.items():
            self.send_header(name, value)
        super().end_headers()

    def list_directory(self, path: object) -> None:
        """Refuse to list a folder."""
        del path
        self.send_error(404)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Print no requests."""


def make_server(folder: Path, port: int) -> ThreadingHTTPServer:
    """A server of a folder on this computer's own address; port 0 takes any that is free. Raises OSError."""
    handler: Callable[..., SimpleHTTPRequestHandler] = partial(_Handler, directory=str(folder))
    return ThreadingHTTPServer((HOST, port), handler)


def address(server: ThreadingHTTPServer) -> str:
    """The address of a server's page."""
    return f"http://{HOST}:{server.server_address[1]}/"
