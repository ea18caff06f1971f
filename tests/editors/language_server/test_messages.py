"""Reading messages: bad ones are reported and skipped, and good ones arrive, however the bytes are cut."""

import io
import json
import re

import pytest
from helpers.wire import Wire, framed
from hypothesis import example, given
from hypothesis import strategies as st

from cifar_dsl.editors.language_server.messages import MOST_BYTES, MessageReader

GOOD = [json.dumps({"jsonrpc": "2.0", "id": number, "method": "x" * 10**number}).encode() for number in range(4)]
HOVER = b'{"jsonrpc": "2.0", "id": "n", "method": "textDocument/hover", "params": '
DEEP = 100_000
OTHER_HEADERS = re.compile(rb"([A-Za-z][A-Za-z-]*:[^\r\n]*\r\n)*")
BAD = {
    "a length that is no number": framed(b'{"a": 1}', "Content-Length: abc"),
    "no length": framed(b'{"a": 1}', "Content-Type: x"),
    "no header": b'{"a": 1}',
    "a huge length": framed(b'{"a": 1}', "Content-Length: 99999999999"),
    "a length above the limit": framed(b'{"a": 1}', f"Content-Length: {MOST_BYTES + 1}"),
    "a length of 10,000 digits": framed(b'{"a": 1}', f"Content-Length: {'9' * 10_000}"),
    "a negative length": framed(b'{"a": 1}', "Content-Length: -8"),
    "a length of 0": framed(b'{"a": 1}', "Content-Length: 0"),
    "a length that is too large": framed(b'{"a": 1}', "Content-Length: 1000"),
    "a length that is slightly too large": framed(b'{"a": }', "Content-Length: 12"),
    "a length that is too small": framed(b'{"a": {"b": 1}}', "Content-Length: 10"),
    "a header that doesn't end": b"Content-Length: 12\r\nX: " + b"y" * 10_000,
    "bytes": b"\0\xff" * 200_000,
    "a body that is no text": framed(b'{"a": "\xff\xfe"}'),
    "a body that is no JSON": framed(b"{not JSON}"),
    "an array": framed(b"[1, 2]"),
    "null": framed(b"null"),
    "an object that is no message": framed(b'{"a": 1}'),
    "a message without a method": framed(b'{"jsonrpc": "2.0"}'),
    "nested arrays": framed(b'{"a": ' + b"[" * DEEP + b"]" * DEEP + b"}"),
    "nested objects": framed(b'{"jsonrpc": "2.0", "id": 1, "method": "x", "params": ' + b'{"a":' * DEEP + b"}" * DEEP),
    "a response to nothing": framed(b'{"jsonrpc": "2.0", "id": [], "result": 1}'),
    "a request without its parameters": framed(HOVER + b"null}"),
    "a request with a line that is no number": framed(HOVER + b'{"position": {"line": {}}}}'),
}


class Pieces(io.BytesIO):
    """A stream that arrives in pieces of given sizes."""

    def __init__(self, data: bytes, sizes: list[int]) -> None:
        super().__init__(data)
        self._sizes = sizes

    def read1(self, size: int = -1) -> bytes:
        return self.read(min(size, self._sizes.pop() if self._sizes else size))


def read(data: bytes, sizes: list[int] | None = None) -> tuple[list[bytes], list[str]]:
    """The bodies of a stream, and what was reported."""
    reports: list[str] = []
    reader = MessageReader(Pieces(data, sizes or []), reports.append)
    bodies = []
    while header := reader.readline():
        assert reader.readline() == b"\r\n"
        bodies.append(reader.read(0))
        assert header == b"Content-Length: %d\r\n" % len(bodies[-1])
    return bodies, reports


@given(st.lists(st.sampled_from(GOOD) | st.sampled_from(list(BAD)), max_size=6), st.lists(st.integers(1, 90)))
def test_good_messages_arrive_whatever_is_between_them(messages: list[bytes | str], sizes: list[int]) -> None:
    data = b"".join(BAD[one] if isinstance(one, str) else framed(one) for one in messages)
    bodies, _ = read(data + framed(GOOD[0]), sizes)
    good = [one for one in messages if isinstance(one, bytes)]
    assert [body for body in bodies if body in GOOD] == [*good, GOOD[0]]


@example(b"A:\r\n", [])
@given(st.binary(max_size=200), st.lists(st.integers(1, 90)))
def test_any_bytes_can_be_skipped(data: bytes, sizes: list[int]) -> None:
    bodies, reports = read(data + framed(GOOD[1]), sizes)
    assert bodies == [GOOD[1]]
    assert len(reports) == (not OTHER_HEADERS.fullmatch(data))


@pytest.mark.parametrize(
    "header",
    ["Content-Length: {}", "content-length:{}", "Content-Type: x; charset=utf-8\r\nContent-Length: {}\r\nOther: y"],
)
def test_headers_as_the_protocol_allows_them(header: str) -> None:
    assert read(framed(GOOD[1], header) + framed(GOOD[2])) == ([GOOD[1], GOOD[2]], [])


@pytest.mark.parametrize("sizes", [[], [100] * 200, [10_000]])
def test_a_header_that_does_not_end_is_reported_however_its_bytes_arrive(sizes: list[int]) -> None:
    bodies, reports = read(BAD["a header that doesn't end"] + framed(GOOD[0]), sizes)
    assert bodies == [GOOD[0]]
    assert len(reports) == 1


def test_reports_say_what_was_skipped() -> None:
    assert read(b"abc" + framed(GOOD[0]))[1] == [
        "skipped 3 bytes that are no message: each needs a header `Content-Length: N`"
    ]
    assert read(framed(b"{}", "Content-Length: 99999999999"))[1][0] == (
        "skipped a message of 99,999,999,999 bytes: a message can have at most 16,777,216"
    )
    assert read(framed(b"{}", "Content-Length: 90") + framed(GOOD[0]))[1] == [
        "skipped a message: its header states 90 bytes, but it has 2"
    ]


# ---- the server


@pytest.fixture(scope="module")
def wire(tmp_path_factory: pytest.TempPathFactory):
    wire = Wire(tmp_path_factory.mktemp("specs").resolve())
    yield wire
    assert wire.stop() == 0


@pytest.mark.parametrize("name", BAD)
def test_the_server_reports_a_bad_message_and_answers_the_next(wire: Wire, name: str) -> None:
    before = len(wire.received)
    wire.send(BAD[name])
    assert wire.answers()
    assert wire.answers()
    new = wire.received[before:]
    logged = [one["params"] for one in new if one.get("method") == "window/logMessage"]
    if name != "a response to nothing":
        assert logged
        assert all(one["type"] == 1 and one["message"].startswith("skipped ") for one in logged)
    if name.startswith("a request"):
        assert [one["error"]["code"] for one in new if one.get("id") == "n"] == [-32602]


def test_the_server_ends_when_its_input_ends(tmp_path) -> None:
    wire = Wire(tmp_path.resolve())
    wire.send(b"Content-Length: 1000\r\n\r\n{")
    assert wire.end() == 0
