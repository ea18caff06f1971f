"""The page of VS Code's preview pane in a real browser, under its own policy, with what the language server answers."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers.editor import editor

from cifar_dsl.editors.language_server.preview import preview
from cifar_dsl.foundation.resources import shipped_specs

EXTENSION = Path(__file__).parents[4] / "editors" / "vscode"
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
ADDRESS = "http://pane.test"
URI = "file:///specs/residual.arch"
TEXT = shipped_specs()["baseline"].read_text(encoding="utf-8")
# What VS Code gives a pane: a way to send messages, and colours.
EDITOR = "window.sent = []; window.acquireVsCodeApi = () => ({ postMessage: (message) => window.sent.push(message) });"

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on the PATH (apt-get install chromium)")


def page_of_pane() -> str:
    """The page as `src/preview.ts` makes it."""
    source = (EXTENSION / "src" / "preview.ts").read_text(encoding="utf-8")
    html = re.search(r"return `(<!DOCTYPE html>.*?)`;", source, re.DOTALL)[1]
    filled = html.replace("${source}", ADDRESS).replace("${style}", "preview.css").replace("${script}", "preview.js")
    assert "${" not in filled
    return filled


@pytest.fixture(scope="module")
def pane() -> Iterator:
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    wrong: list[str] = []

    def answer(route) -> None:
        name = route.request.url.removeprefix(f"{ADDRESS}/")
        if name:
            route.fulfill(path=EXTENSION / "media" / name)
        else:
            route.fulfill(body=page_of_pane(), content_type="text/html")

    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = chromium.new_page(viewport={"width": 1100, "height": 700})
        page.on("console", lambda message: wrong.append(message.text))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.route("**/*", answer)
        page.add_init_script(EDITOR)
        page.goto(f"{ADDRESS}/")
        assert page.evaluate("sent") == [{"isReady": True}]
        yield page
        chromium.close()
    assert wrong == []


def show(pane, text: str, uri: str = URI, valid: str = "") -> None:
    here = editor(valid or text)
    if valid:
        preview(here.documents, here.path)
        here.documents.put(here.path.as_uri(), text)
    pane.evaluate("message => window.postMessage(message)", {"uri": uri, "network": preview(here.documents, here.path)})
    pane.wait_for_function("text => document.getElementById('problem').textContent !== text", arg="unset")


def marked(pane, text: str, words: str) -> tuple[list[str], list[str]]:
    """The paths of the rows and boxes that are marked while the cursor is on the line with these words."""
    (line,) = [number for number, one in enumerate(text.splitlines(), 1) if words in one]
    pane.evaluate("line => window.postMessage({ line })", line)
    pane.evaluate("() => new Promise((done) => setTimeout(done))")  # messages come in order
    rows = pane.eval_on_selector_all("tr.marked", "all => all.map((one) => one.dataset.path)")
    boxes = pane.eval_on_selector_all("#picture .marked > title", "all => all.map((one) => one.textContent)")
    return rows, boxes


BLOCKS = """arch test
input 3x32x32
block unit(c) {
    conv(c, 3) -> bn
    relu
}
model {
    unit(8)
    unit(16)
    flatten -> dense(10)  # <img src=x onerror=alert(1)>
}
"""


def test_a_network_is_shown_and_follows_the_cursor(pane) -> None:
    show(pane, BLOCKS)
    pane.get_by_role("row").filter(has_text="conv(16, 3)").wait_for()
    assert pane.locator("header strong").text_content() == "test"
    assert pane.locator("#picture svg").is_visible()
    assert not pane.locator("#problem").is_visible()
    rows, boxes = marked(pane, BLOCKS, "unit(16)")
    assert rows == ["unit2.conv", "unit2.bn", "unit2.relu"]
    assert "unit2" in boxes
    assert "unit" not in boxes
    assert marked(pane, BLOCKS, "conv(c, 3)")[0] == ["unit.conv", "unit.bn", "unit2.conv", "unit2.bn"]
    assert marked(pane, BLOCKS, "dense(10)") == (["flatten", "dense"], ["flatten", "dense"])
    assert marked(pane, BLOCKS, "input 3x") == ([], [])


def test_a_row_leads_to_its_line(pane) -> None:
    show(pane, BLOCKS)
    pane.get_by_role("button", name="dense(10)").click()
    assert pane.evaluate("sent").pop() == {"line": 10}


def test_with_errors_the_last_network_stays_and_says_so(pane) -> None:
    show(pane, BLOCKS.replace("dense", "dens"), valid=BLOCKS)
    pane.get_by_text("The spec has errors: this is its last valid version.").wait_for()
    assert pane.locator("#picture svg").is_visible()
    show(pane, "arch test\nmodel {", uri="file:///other.arch")
    pane.get_by_text("This spec has errors.").wait_for()
    assert pane.locator("#picture svg").count() == pane.locator("tr").count() == 0  # those of another spec


def test_a_narrow_pane_has_all_parts_without_a_bar_at_the_bottom(pane) -> None:
    pane.set_viewport_size({"width": 420, "height": 700})
    show(pane, TEXT)
    pane.get_by_role("columnheader", name="parameters").wait_for()
    picture, table = pane.locator("#picture").bounding_box(), pane.locator("#table").bounding_box()
    assert picture["y"] + picture["height"] <= table["y"] + 1
    assert pane.evaluate("document.documentElement.scrollWidth") <= 420
    pane.set_viewport_size({"width": 1100, "height": 700})
