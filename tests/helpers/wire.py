"""The language server as a process, and an editor that writes any bytes to it."""

import json
import queue
import random
import subprocess
import sys
import threading
from pathlib import Path

from attrs import define, field

COMMAND = (sys.executable, "-m", "cifar_dsl", "lsp")
PATIENCE_S = 120
TEXT = "arch a\ninput 3x32x32\n\nmodel {\n    conv(8, 3) -> relu\n    flatten -> dense(10)\n}\n"
SAFE = ("hover", "completion", "documentSymbol", "foldingRange", "formatting", "didChange", "inlayHint", "rename")


def framed(body: bytes, header: str = "Content-Length: {}") -> bytes:
    return f"{header.format(len(body))}\r\n\r\n".encode() + body


@define
class Wire:
    """An open document `a.arch` in a folder, and what the server has sent."""

    folder: Path
    command: tuple[str, ...] = COMMAND
    process: subprocess.Popen[bytes] = field(init=False)
    received: list[dict] = field(factory=list, init=False)
    _arrived: queue.Queue[dict | None] = field(factory=queue.Queue, init=False)
    _number: int = field(default=0, init=False)
    _listener: threading.Thread = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.process = subprocess.Popen(
            self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()
        folders = [{"uri": self.folder.as_uri(), "name": "specs"}]
        capabilities = {"textDocument": {"hover": {"contentFormat": ["markdown"]}}}
        self.request("initialize", {"processId": None, "capabilities": capabilities, "workspaceFolders": folders})
        self.notify("initialized", {})
        self.open("a", TEXT)

    def _listen(self) -> None:
        output = self.process.stdout
        while line := output.readline():
            length = int(line.split(b":")[1])
            while output.readline().strip():
                pass
            self._arrived.put(json.loads(output.read(length)))
        self._arrived.put(None)

    # ---- what is sent

    def send(self, data: bytes) -> None:
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def notify(self, method: str, params: object) -> None:
        self.send(framed(json.dumps({"jsonrpc": "2.0", "method": method, "params": params}).encode()))

    def ask(self, method: str, params: object) -> int:
        """Send a request; its number."""
        self._number += 1
        message = {"jsonrpc": "2.0", "id": self._number, "method": method, "params": params}
        self.send(framed(json.dumps(message).encode()))
        return self._number

    def request(self, method: str, params: object) -> object:
        """The result of a request."""
        number = self.ask(method, params)
        return self.wait_for(lambda one: one.get("id") == number and "method" not in one)["result"]

    def uri(self, name: str) -> str:
        return (self.folder / f"{name}.arch").as_uri()

    def open(self, name: str, text: str) -> None:
        document = {"uri": self.uri(name), "languageId": "arch", "version": 1, "text": text}
        self.notify("textDocument/didOpen", {"textDocument": document})

    def change(self, name: str, text: str, version: int = 2) -> None:
        document = {"uri": self.uri(name), "version": version}
        self.notify("textDocument/didChange", {"textDocument": document, "contentChanges": [{"text": text}]})

    def at(self, name: str, line: int, character: int) -> dict:
        return {"textDocument": {"uri": self.uri(name)}, "position": {"line": line, "character": character}}

    # ---- what comes back

    def next(self) -> dict:
        """The next message. Raises AssertionError if the server ends, and queue.Empty if it is silent."""
        message = self._arrived.get(timeout=PATIENCE_S)
        assert message is not None, "the server has ended"
        self.received.append(message)
        return message

    def wait_for(self, is_wanted) -> dict:
        while not is_wanted(message := self.next()):
            pass
        return message

    def published(self, name: str, version: int = 1) -> list[dict]:
        """The diagnostics of a version of a document, which may have arrived earlier."""

        def is_wanted(message: dict) -> bool:
            given = message.get("params", {})
            is_publication = message.get("method") == "textDocument/publishDiagnostics"
            return is_publication and (given["uri"], given["version"]) == (self.uri(name), version)

        found = next(filter(is_wanted, self.received), None) or self.wait_for(is_wanted)
        return found["params"]["diagnostics"]

    def answers(self) -> bool:
        """Whether a good request gets the right answer."""
        folds = self.request("textDocument/foldingRange", {"textDocument": {"uri": self.uri("a")}})
        return [(fold["startLine"], fold["endLine"]) for fold in folds] == [(3, 5)]

    def stop(self) -> int:
        """End the session; the exit code."""
        self.request("shutdown", None)
        self.notify("exit", None)
        return self.end()

    def end(self) -> int:
        """End the input; the exit code."""
        self.process.stdin.close()
        code = self.process.wait(PATIENCE_S)
        self._listener.join()
        self.process.stdout.close()
        return code


# ---- messages that go wrong


def bad_messages(seed: int, count: int):
    """Messages with changed headers, bytes, values or lengths; none of them ends the session."""
    random_ = random.Random(seed)
    for _ in range(count):
        method = f"textDocument/{random_.choice(SAFE)}"
        message = {
            "jsonrpc": "2.0",
            "id": random_.randrange(10**6, 10**7),
            "method": method,
            "params": _params(random_),
        }
        yield random_.choice(_KINDS)(random_, message)


def _params(random_: random.Random) -> dict:
    place = {"line": random_.randrange(9), "character": random_.randrange(40)}
    document = {"uri": random_.choice(["file:///x.arch", "untitled:y", "", "file:///%00", "http://[", "a\ud800"])}
    return {
        "textDocument": {**document, "version": random_.randrange(9)},
        "position": place,
        "range": {"start": place, "end": place},
        "contentChanges": [{"text": TEXT[: random_.randrange(len(TEXT))]}],
        "options": {"tabSize": 4, "insertSpaces": True},
        "newName": random_.choice(["b", "", "conv", "\0"]),
    }


def _odd_header(random_: random.Random, message: dict) -> bytes:
    headers = [
        "Content-Length: abc",
        "Content-Length: -{}",
        "Content-Length: 99999999999",
        "Content-Length: {}{}{}{}",
        "Content-Length:",
        "Content-Length: {}.5",
        "Length: {}",
        "",
        "content-length:{}",
        "Content-Type: x\r\nContent-Length: {}",
        "Content-Length: 0",
        "Content-Length: 1\r\nContent-Length: {}",
        "\0" * 70_000,
    ]
    body = json.dumps(message).encode()
    header = random_.choice(headers)
    return framed(body, header.replace("{}{}{}{}", str(len(body)) * 9))


def _odd_length(random_: random.Random, message: dict) -> bytes:
    body = json.dumps(message).encode()
    length = max(0, len(body) + random_.choice([-50, -5, -1, 1, 5, 50, 5_000, 500_000]))
    return b"Content-Length: %d\r\n\r\n%s" % (length, body)


def _odd_bytes(random_: random.Random, message: dict) -> bytes:
    body = bytearray(json.dumps(message).encode())
    for _ in range(random_.randrange(1, 20)):
        body[random_.randrange(len(body))] = random_.randrange(256)
    return framed(bytes(body))


def _odd_value(random_: random.Random, message: dict) -> bytes:
    values = [None, [], {}, -1, 1.5, 10**30, "", "\ud800", True, [[]], {"jsonrpc": "2.0"}]
    place, *rest = random_.choice([("params",), ("params", "textDocument"), ("params", "position", "line"), ("id",)])
    holder = message
    for key in rest:
        holder, place = holder[place], key
    if random_.random() < 0.3:
        del holder[place]
    else:
        holder[place] = random_.choice(values)
    return framed(json.dumps(message).encode())


def _odd_json(random_: random.Random, message: dict) -> bytes:
    depth = random_.choice([10, 1_000, 100_000])
    bodies = [
        b"null",
        b"[]",
        b"{}",
        b"1e999",
        b'{"jsonrpc": "2.0"}',
        b'{"jsonrpc": "1.0", "id": 1, "method": "textDocument/hover"}',
        b'{"jsonrpc": "2.0", "id": [], "result": 1}',
        b'{"jsonrpc": "2.0", "id": 1, "error": {}}',
        b"[" * depth + b"]" * depth,
        b'{"jsonrpc":' * depth + b"1" + b"}" * depth,
        b'{"jsonrpc": "2.0", "id": 1, "method": "x", "params": ' + b'{"a":' * depth + b"1" + b"}" * (depth + 1),
        json.dumps(message).encode("utf-16"),
    ]
    return framed(random_.choice(bodies))


_KINDS = (_odd_header, _odd_length, _odd_bytes, _odd_value, _odd_json)


def survive(folder: Path, seed: int, count: int) -> str:
    """Send bad messages, and a good request after every 50, to a server. Raises AssertionError if it isn't answered."""
    wire = Wire(folder)
    try:
        for number, message in enumerate(bad_messages(seed, count)):
            wire.send(message)
            if number % 50 == 49:
                assert wire.answers(), f"a wrong answer after {number} messages of seed {seed}"
        assert wire.answers()
        code = wire.stop()
    finally:
        wire.process.kill()
    assert code == 0, f"exit code {code}"
    return f"{count:,} bad messages of seed {seed}: every good request between them was answered"
