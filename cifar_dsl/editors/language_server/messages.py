"""Reads the editor's messages, and finds the next one after bytes that are none."""

import re
from collections.abc import Callable
from typing import BinaryIO

from cifar_dsl.foundation.records import define, field

MOST_BYTES = 16 * 1024 * 1024  # in a message; a spec has at most 64 KiB
_MOST_HEADER_BYTES = 4096
_CHUNK = 64 * 1024
_LONGEST_LENGTH = 128  # of a line with a length

# Neither can be inside a body: JSON has no line ends in its strings.
_LENGTH = re.compile(rb"Content-Length:[ \t]*([0-9]{1,19})[ \t]*\r\n", re.IGNORECASE)
_END = b"\r\n\r\n"
_OTHER_HEADERS = re.compile(rb"(?:[A-Za-z][A-Za-z-]*:[^\r\n]*\r\n)*\Z")


@define
class MessageReader:
    """The messages of a stream, in the form in which pygls reads them: the lines of a header, then the body.

    Bytes that are no message are skipped up to the next header with a valid length, wherever it starts, and are
    reported through `report`, which is called from the thread that reads. Memory is bounded, whatever a header states.
    """

    stream: BinaryIO
    report: Callable[[str], None]
    _bytes: bytearray = field(factory=bytearray, init=False)  # read, but not yet handed out
    _lines: list[bytes] = field(factory=list, init=False)
    _body: bytes = field(default=b"", init=False)

    def readline(self) -> bytes:
        """The next line of a header; nothing at the end of the stream."""
        if not self._lines:
            body = self._next_body()
            if body is None:
                return b""
            self._body, self._lines = body, [b"Content-Length: %d\r\n" % len(body), b"\r\n"]
        return self._lines.pop(0)

    def read(self, _size: int) -> bytes:
        """The body that follows the header."""
        return self._body

    def _next_body(self) -> bytes | None:
        while True:
            length = self._next_length()
            if length is None:
                return None
            if length > MOST_BYTES:
                self.report(f"skipped a message of {length:,} bytes: a message can have at most {MOST_BYTES:,}")
            elif body := self._body_of(length):
                return body

    def _next_length(self) -> int | None:
        """Skip bytes up to the next header, and the header. Returns the length of its body; None at the end."""
        skipped = 0
        while True:
            found = _LENGTH.search(self._bytes)
            end = self._bytes.find(_END, found.end() - 2) if found else -1
            if found is None:
                skipped += self._shorten()
            elif (end if end >= 0 else len(self._bytes)) - found.start() > _MOST_HEADER_BYTES:
                skipped += self._skip(found.start()) + found.end() - found.start()
                del self._bytes[: found.end() - found.start()]
                continue
            elif end >= 0:
                skipped += self._skip(found.start())
                length = [int(line[1]) for line in _LENGTH.finditer(self._bytes, 0, end - found.start() + 2)][-1]
                del self._bytes[: end - found.start() + len(_END)]
                self._report_skipped(skipped)
                return length
            if not self._fill():
                self._report_skipped(skipped + len(self._bytes))
                return None

    def _skip(self, end: int) -> int:
        """Drop the bytes before a header; the number of those that aren't other lines of it."""
        skipped = 0 if _OTHER_HEADERS.match(self._bytes[:end]) else end
        del self._bytes[:end]
        return skipped

    def _shorten(self) -> int:
        """Keep what may be the start of a header of the bytes without one; the number of dropped bytes."""
        surplus = len(self._bytes) - _MOST_HEADER_BYTES
        if surplus <= 0:
            return 0
        del self._bytes[:surplus]
        return surplus

    def _body_of(self, length: int) -> bytes | None:
        """The next `length` bytes; None, with the bytes kept, if a header starts among them or the stream ends."""
        searched = 0
        while True:
            found = _LENGTH.search(self._bytes, searched, min(len(self._bytes), length))
            if found is not None:
                self.report(f"skipped a message: its header states {length:,} bytes, but it has {found.start():,}")
                del self._bytes[: found.start()]
                return None
            if len(self._bytes) >= length:
                return self._cut(length)
            searched = max(0, len(self._bytes) - _LONGEST_LENGTH)
            if not self._fill():
                return None

    def _cut(self, length: int) -> bytes | None:
        """Take a body of at most `length` bytes: it ends with its last brace, and what follows may be a header."""
        end = self._bytes.rfind(b"}", 0, length) + 1
        has_more = bool(self._bytes[end:length].strip())
        body = bytes(self._bytes[:end])
        del self._bytes[: end if has_more else length]
        if not body:
            self.report(f"skipped a message: its body of {length:,} bytes is no JSON object")
        return body or None

    def _fill(self) -> bool:
        """Wait for more bytes; whether there are any."""
        chunk = self.stream.read1(_CHUNK)  # type: ignore[attr-defined]  # of buffered streams
        self._bytes += chunk
        return bool(chunk)

    def _report_skipped(self, count: int) -> None:
        if count:
            self.report(f"skipped {count:,} bytes that are no message: each needs a header `Content-Length: N`")
