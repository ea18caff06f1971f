"""Checks run in a thread: requests are answered meanwhile, and newer text ends them."""

import asyncio
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import pytest
from attrs import define, field
from helpers.editor import FOLDER, uri_of
from helpers.specs import text_of
from helpers.wire import TEXT, Wire
from lsprotocol import types

from cifar_dsl.editors.language_server.checking import Checker
from cifar_dsl.editors.language_server.documents import Documents
from cifar_dsl.foundation import cancellation, limits

PATIENCE_S = 60
BASED = 'arch derived extends "base.arch"\n'


def path_of(name: str) -> Path:
    return FOLDER / f"{name}.arch"


@define
class Lab:
    """A checker whose check of a text with the word `hold` lasts until it is cancelled or released."""

    documents: Documents = field(factory=lambda: Documents([FOLDER]))
    published: list[tuple[str, str]] = field(factory=list)  # names and texts
    cancelled: list[str] = field(factory=list)
    finished: list[bool] = field(factory=list)
    holding: Event = field(factory=Event)
    released: Event = field(factory=Event)
    checker: Checker = field(init=False)
    _checked: dict[Path, str] = field(factory=dict)

    def __attrs_post_init__(self) -> None:
        readers = ThreadPoolExecutor(4)
        self.checker = Checker(self.documents, readers, self._check, self._publish, self.finished.append)

    def _check(self, documents: Documents, path: Path) -> list[types.Diagnostic]:
        text = self._checked[path] = documents.open[path]
        if "hold" in text:
            self.holding.set()
            while not self.released.wait(0.01):
                if cancellation.current().is_requested:
                    self.cancelled.append(text)
                cancellation.current().raise_if_requested()
        if "fail" in text:
            raise RuntimeError
        return []

    def _publish(self, path: Path, _found: list[types.Diagnostic]) -> None:
        self.published.append((path.stem, self._checked[path]))

    def put(self, name: str, text: str, after_s: float = 0) -> None:
        self.checker.changed([self.documents.put(uri_of(name), text)], after_s=after_s)

    async def held(self) -> None:
        await asyncio.to_thread(self.holding.wait, PATIENCE_S)

    async def checked(self, name: str) -> None:
        assert await self.checker.wait(path_of(name), PATIENCE_S)


@pytest.mark.asyncio
async def test_newer_text_cancels_a_check() -> None:
    lab = Lab()
    lab.put("a", "hold 1")
    await lab.held()
    lab.put("a", "2")
    await lab.checked("a")
    assert lab.cancelled == ["hold 1"]
    assert lab.published == [("a", "2")]


@pytest.mark.asyncio
async def test_a_changed_base_cancels_the_check_of_what_extends_it() -> None:
    lab = Lab()
    lab.put("base", TEXT)
    await lab.checked("base")
    lab.put("derived", f"{BASED}# hold\n")
    await lab.held()
    lab.put("base", f"{TEXT}# 2\n")
    await lab.checked("base")
    assert lab.cancelled
    lab.released.set()
    while ("derived", f"{BASED}# hold\n") not in lab.published:
        await asyncio.sleep(0.01)
    assert lab.finished[-1]


@pytest.mark.asyncio
async def test_other_documents_are_read_and_their_changes_cancel_nothing_while_one_is_checked() -> None:
    lab = Lab()
    lab.put("slow", "hold")
    await lab.held()
    lab.put("other", TEXT)
    await lab.checker.read(path_of("other"))
    names = lab.documents.snapshot(checks=False).names(path_of("other"))
    assert "conv" in {mention.definition.name for mention in names.mentions}
    assert not await lab.checker.wait(path_of("other"), 0.01)
    lab.released.set()
    await lab.checked("other")
    assert lab.cancelled == []
    assert lab.published == [("slow", "hold"), ("other", TEXT)]


@pytest.mark.asyncio
async def test_a_request_ends_the_pause_before_a_check() -> None:
    lab = Lab()
    lab.put("a", TEXT, after_s=3600)
    await lab.checked("a")
    assert lab.published == [("a", TEXT)]


@pytest.mark.asyncio
async def test_a_bug_in_one_check_leaves_the_others() -> None:
    lab = Lab()
    lab.put("a", "fail")
    lab.put("b", TEXT)
    await lab.checked("b")
    assert lab.published == [("b", TEXT)]


@pytest.mark.asyncio
async def test_a_document_that_is_closed_is_not_published() -> None:
    lab = Lab()
    lab.put("a", "hold")
    await lab.held()
    lab.checker.changed([lab.documents.close(uri_of("a"))], after_s=0)
    await lab.checked("a")
    assert lab.cancelled == ["hold"]
    assert lab.published == []


@pytest.mark.asyncio
async def test_checks_keep_to_the_limits_that_are_in_force() -> None:
    found = []
    documents = Documents([FOLDER])

    def check(snapshot: Documents, path: Path) -> list[types.Diagnostic]:
        found.extend(one.code for one in snapshot.inspection(path).diagnostics)
        return []

    checker = Checker(documents, ThreadPoolExecutor(1), check, lambda *_: None, lambda _: None)
    with limits.raising(layers=1):
        checker.changed([documents.put(uri_of("a"), TEXT)], after_s=0)
        assert await checker.wait(path_of("a"), PATIENCE_S)
    assert found == ["E0211"]


def test_a_snapshot_keeps_its_texts_and_shares_what_is_computed() -> None:
    documents = Documents([FOLDER])
    path = documents.put(uri_of("a"), TEXT)
    before = documents.snapshot(checks=True)
    analysis = before.analysis(path)
    assert documents.snapshot(checks=False).analysis(path) is analysis
    documents.put(uri_of("a"), TEXT.replace("8", "9"))
    assert before.source(path).text == TEXT
    after = documents.snapshot(checks=False)
    assert after.analysis(path) is analysis  # the last valid one
    assert after.inspection(path).found is None
    assert before.names(path).mentions[0].span.source.text == TEXT


# ---- the compiler looks for cancellations


class Countdown(cancellation.Cancellation):
    """A cancellation that is requested after some looks."""

    def __init__(self, looks: int) -> None:
        self.looks = looks

    @property
    def is_requested(self) -> bool:
        self.looks -= 1
        return self.looks < 0


SPECS = {
    "valid": text_of("for i in 0..200 { let k = i + 1\nconv(8, 3) -> relu }\nflatten\ndense(10)"),
    "with an error": text_of("for i in 0..200 { let k = i + 1\nconv(8, 3) -> relu }\nflatten\ndense(10"),
}


@pytest.mark.parametrize("text", SPECS.values(), ids=SPECS)
def test_every_part_of_a_check_can_be_cancelled(text: str) -> None:
    def looks(most: int) -> int:
        documents = Documents([FOLDER])
        path = documents.put(uri_of(f"look{most}"), text)  # no text is parsed twice
        countdown = Countdown(most)
        with cancellation.cancellable(countdown):
            documents.names(path)
            documents.inspection(path)
        return most - countdown.looks

    looks(10**9)  # parses the library, once in a process
    total = looks(10**9 + 1)
    assert total > 50
    for most in (0, 1, total // 100, total // 10, total // 3, total // 2, total - 1):
        with pytest.raises(cancellation.CancelledError):
            looks(most)
    assert looks(10**9 + 2) == total


# ---- the server

HOLDING_SERVER = """
import time
from cifar_dsl.editors.language_server import server
from cifar_dsl.foundation import cancellation

diagnostics = server.diagnostics

def slow_diagnostics(documents, path):
    while "hold" in documents.open[path]:
        cancellation.current().raise_if_requested()
        time.sleep(0.01)
    return diagnostics(documents, path)

server.diagnostics = slow_diagnostics
server.make_server().start_io()
"""


def test_the_server_answers_while_it_checks(tmp_path: Path) -> None:
    wire = Wire(tmp_path.resolve(), (sys.executable, "-c", HOLDING_SERVER))
    assert wire.published("a") == []
    wire.open("held", f"{TEXT}# hold\n")
    hover = wire.request("textDocument/hover", wire.at("a", 4, 5))
    assert "| once |" in hover["contents"]["value"]
    assert wire.request("textDocument/completion", wire.at("a", 4, 4))
    wire.change("a", f"{TEXT}# 2\n")
    assert wire.request("textDocument/completion", wire.at("a", 4, 4))
    for request in ("hover", "completion", "definition"):  # of the text that is being checked
        wire.request(f"textDocument/{request}", wire.at("held", 4, 5))
    assert wire.answers()
    wire.change("held", TEXT.replace("dense", "dens"), version=3)
    assert [one["code"] for one in wire.published("held", 3)] == ["E0201"]
    assert wire.published("a", 2) == []
    wire.change("held", f"{TEXT}# hold\n", version=4)
    time.sleep(0.5)  # longer than the pause before a check
    assert wire.stop() == 0


def test_a_cancelled_request_is_answered_as_such(tmp_path: Path) -> None:
    wire = Wire(tmp_path.resolve(), (sys.executable, "-c", HOLDING_SERVER))
    wire.open("held", f"{TEXT}# hold\n")
    number = wire.ask("textDocument/hover", wire.at("held", 4, 5))
    wire.notify("$/cancelRequest", {"id": number})
    assert wire.wait_for(lambda one: one.get("id") == number)["error"]["code"] == -32800
    assert wire.stop() == 0


NEVER_LOOKING_SERVER = """
from cifar_dsl.editors.language_server import server

server.WATCH_S = 3600
server.make_server().start_io()
"""


@pytest.mark.parametrize("is_saved", [True, False], ids=["after a save", "by looking"])
def test_a_base_that_changes_on_disk_is_seen_without_a_watcher(tmp_path: Path, is_saved: bool) -> None:
    base = tmp_path.resolve() / "base.arch"
    base.write_text(TEXT.replace("arch a", "arch base"), encoding="utf-8")
    wire = Wire(tmp_path.resolve(), *[(sys.executable, "-c", NEVER_LOOKING_SERVER)] * is_saved)
    wire.open("child", 'arch child extends "base.arch"\n')
    assert wire.published("child") == []
    base.write_text(TEXT.replace("arch a", "arch base").replace("dense", "dens"), encoding="utf-8")
    if is_saved:
        wire.notify("textDocument/didSave", {"textDocument": {"uri": wire.uri("a")}})

    def is_found(message: dict) -> bool:
        given = message.get("params", {})
        return message.get("method") == "textDocument/publishDiagnostics" and bool(given["diagnostics"])

    assert wire.wait_for(is_found)["params"]["uri"] == wire.uri("child")
    assert wire.stop() == 0
