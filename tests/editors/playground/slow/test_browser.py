"""The playground in a real browser: it types, clicks and looks; nothing fails, and nothing is asked of another host.

One page serves all tests, since Python takes seconds to start in it. Each begins with a spec in the address.
"""

import re
import shutil
import threading
from collections.abc import Iterator
from itertools import count
from urllib.parse import urlsplit

import pytest

from cifar_dsl.compiler import analyze_text
from cifar_dsl.editors.playground.links import fragment, texts_of
from cifar_dsl.editors.playground.server import address, make_server
from cifar_dsl.export.source.module import pytorch_source
from cifar_dsl.foundation.resources import playground_directory, shipped_specs
from cifar_dsl.views.table import table

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
START_MS = 240_000  # a busy machine takes minutes to start Python in a browser
ANSWER_MS = 60_000
SPEC = """\
arch small

input 3x32x32

block unit(c) { conv(c, 3, pad=1) -> relu }

model {
    unit(8) -> maxpool(2)
    flatten -> dense(10)
}
"""

NUMBERS = count(1)  # of tests, each of which begins with another text

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on the PATH (apt-get install chromium)"),
    pytest.mark.skipif(
        not (playground_directory() / "index.html").is_file(),
        reason="the playground isn't built (python playground/build.py)",
    ),
]


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with make_server(playground_directory(), 0) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield address(server)
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def context(url) -> Iterator:
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    wrong: list[str] = []
    with sync_api.sync_playwright() as playwright:
        sync_api.expect.set_options(timeout=ANSWER_MS)
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        context = chromium.new_context(viewport={"width": 1300, "height": 800}, color_scheme="light")
        context.set_default_timeout(ANSWER_MS)
        context.on("request", lambda request: request.url.startswith(url) or wrong.append(request.url))
        context.on("console", lambda message: wrong.append(message.text))
        context.on("weberror", lambda error: wrong.append(str(error.error)))
        yield context
        chromium.close()
    assert wrong == []


@pytest.fixture(scope="module")
def started(context, url):
    page = context.new_page()
    page.goto(url + fragment(SPEC))
    page.wait_for_selector("html[data-shown=picture]", timeout=START_MS)
    page.wait_for_selector("html[data-server=ready]", timeout=START_MS)
    return page


@pytest.fixture
def page(started, url):
    """The page, with one spec and the picture."""
    started.set_viewport_size({"width": 1300, "height": 800})
    mark = f"# test {next(NUMBERS)}"
    started.evaluate("hash => { location.hash = hash }", fragment(f"{SPEC}{mark}\n"))
    expect(started.locator(".cm-line").filter(has_text=mark)).to_have_count(1)
    started.wait_for_function("document.querySelectorAll('.spec').length === 1")
    started.locator("#tab-picture").click()
    started.wait_for_selector("#summary:has-text('small')")
    return started


def expect(locator):
    from playwright.sync_api import expect

    return expect(locator)


def write(page, after: str, text: str) -> None:
    """Type a text at the end of the line that contains `after`."""
    page.locator(".cm-line", has_text=after).first.click()
    page.keyboard.press("End")
    page.keyboard.type(text)


def text_of(page, at: int = 0) -> str:
    """The text of an editor, from the link that the page keeps."""
    page.wait_for_timeout(500)
    return texts_of(urlsplit(page.url).fragment)[at]


def test_the_picture_follows_the_text(page):
    boxes = page.locator("#panel-picture svg text")
    expect(boxes.filter(has_text="maxpool(2)")).to_have_count(1)
    write(page, "flatten -> dense", " -> relu -> dense(5)")
    expect(page.locator("#panel-picture svg text").filter(has_text=re.compile("^dense\\(5\\)"))).to_have_count(1)
    expect(page.locator("#summary")).to_contain_text("3x32x32 to 5")
    assert page.locator("#panel-picture svg").get_attribute("aria-label").startswith("Picture of small: 3x32x32 to 5")


def test_the_table_is_that_of_show_and_leads_to_lines(page):
    page.locator("#tab-table").click()
    expect(page.locator("#panel-table tbody tr")).to_have_count(6)
    rows = [row.all_inner_texts() for row in (row.locator("td") for row in page.locator("#panel-table tr").all())]
    printed = "\n".join(table(analyze_text(SPEC, "a.arch")))
    assert all(cell in printed for row in rows for cell in row)
    page.get_by_role("button", name="dense(10)").click()
    page.keyboard.press("Home")
    page.keyboard.type("relu -> ")
    expect(page.locator("#panel-table tbody tr")).to_have_count(7)


def test_the_source_is_that_of_export(page):
    page.locator("#tab-source").click()
    expect(page.locator("#source .cm-line").filter(has_text="class Small")).to_have_count(1)
    shown = page.locator("#source .cm-content").inner_text()
    assert pytorch_source(analyze_text(text_of(page), "a.arch")).splitlines()[-1].strip() in shown
    write(page, "maxpool", " -> dropout(0.25)")
    expect(page.locator("#source .cm-line").filter(has_text="nn.Dropout(p=0.25)")).to_have_count(1)


def test_an_error_has_a_fix(page):
    write(page, "maxpool", " -> rellu")
    problem = page.locator(".problem")
    expect(problem).to_contain_text("unknown layer")
    expect(page.locator("#views")).to_have_class("stale")  # the last picture stays
    expect(page.locator("#panel-picture svg")).to_have_count(1)
    expect(page.locator(".cm-lintRange-error")).to_have_count(1)
    page.get_by_role("button", name="Write `relu`", exact=True).first.click()
    expect(problem).to_have_count(0)
    expect(page.locator("#views")).not_to_have_class("stale")
    assert "maxpool(2) -> relu\n" in text_of(page)


def test_a_problem_leads_to_its_place_by_keyboard(page):
    write(page, "input", "\n\nparam unused = 1")
    place = page.locator(".problem .place")
    expect(place).to_contain_text("warning")
    place.focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Home")
    page.keyboard.type("# ")
    expect(page.locator(".problem")).to_have_count(0)


def test_hover_completion_and_signature(page):
    page.locator(".cm-line", has_text="maxpool").locator("span", has_text="maxpool").first.hover()
    expect(page.locator(".cm-tooltip-hover")).to_contain_text("8x16x16")
    page.mouse.move(900, 700)
    write(page, "maxpool", " -> glob")
    option = page.locator(".cm-tooltip-autocomplete li").filter(has_text="global_avgpool")
    expect(option).to_have_count(1)
    option.click()
    page.keyboard.type(" -> conv(")
    expect(page.locator(".cm-lsp-signature-tooltip")).to_contain_text("channels")
    page.keyboard.press("Escape")


def test_words_have_colours_and_lines_have_shapes(page):
    expect(page.locator(".token-keyword").filter(has_text="model")).to_have_count(1)
    expect(page.locator(".hint").filter(has_text="8x16x16")).not_to_have_count(0)
    write(page, "flatten -> dense", " -> dense(3)")
    expect(page.locator(".hint").filter(has_text=re.compile(": 3\\b"))).not_to_have_count(0)


def test_a_spec_is_formatted(page):
    write(page, "maxpool", "->relu")
    page.get_by_role("button", name="Format").click()
    expect(page.locator(".cm-line").filter(has_text="maxpool(2) -> relu")).to_have_count(1)


def test_every_shipped_spec_is_an_example(page):
    assert page.locator("#example option").count() == len(shipped_specs()) + 1
    page.get_by_label("Example").select_option("batchnorm_before")
    expect(page.locator("#summary")).to_contain_text("batchnorm_before")


def test_two_specs_are_compared(page):
    page.get_by_role("button", name="Compare").click()
    expect(page.locator("#panel-difference")).to_contain_text("no difference in meaning")
    second = page.locator(".spec").nth(1)
    second.locator(".cm-line").last.click()
    page.keyboard.type("block unit(c) { conv(c, 3) }")
    expect(page.locator("#panel-difference")).to_contain_text("relu")
    expect(page.locator("#panel-difference")).to_contain_text("small")
    assert [text.split("\n")[0] for text in (text_of(page, 0), text_of(page, 1))] == [
        "arch small",
        'arch variant extends "a.arch"',
    ]
    page.get_by_role("button", name="Compare").click()
    expect(page.locator(".spec")).to_have_count(1)
    expect(page.locator("#tab-difference")).to_be_hidden()


def test_a_link_holds_the_spec(page, context):
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    write(page, "maxpool", "  # grün")
    page.get_by_role("button", name="Share").click()
    expect(page.get_by_role("status")).to_contain_text("Link copied")
    link = page.evaluate("navigator.clipboard.readText()")
    assert "maxpool(2)  # grün\n" in texts_of(urlsplit(link).fragment)[0]


def test_a_strangers_link_cannot_act(page):
    hostile = "<img src=x onerror=document.title='hacked'>"
    page.evaluate("hash => { location.hash = hash }", fragment(f'{SPEC}\n# {hostile}\nlet a = "{hostile}"\n'))
    expect(page.locator(".problem").first).to_be_visible()
    page.locator(".problem").first.hover()
    assert page.title() == "cifar_dsl playground"
    assert page.locator("img:not(.cm-widgetBuffer)").count() == 0  # those are CodeMirror's


def test_dark_and_light(page):
    background = "getComputedStyle(document.querySelector('.spec')).backgroundColor"
    light = page.evaluate(background)
    page.get_by_role("button", name="Dark theme").click()
    assert page.evaluate(background) != light
    page.get_by_role("button", name="Dark theme").click()
    assert page.evaluate(background) == light


def test_a_phone_shows_one_view_at_a_time(page):
    page.set_viewport_size({"width": 390, "height": 800})
    page.locator("#tab-spec").click()
    expect(page.locator(".spec")).to_be_visible()
    expect(page.locator("#panel-picture")).to_be_hidden()
    page.locator("#tab-picture").click()
    expect(page.locator(".spec")).to_be_hidden()
    expect(page.locator("#panel-picture svg")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.locator("#tab-picture").press("ArrowRight")
    expect(page.locator("#panel-table")).to_be_visible()


def test_everything_has_a_name(page):
    assert page.locator("html").get_attribute("lang") == "en"
    unnamed = """[...document.querySelectorAll('button, select, [role=tabpanel], section')].filter(each =>
        !each.textContent.trim() && !each.ariaLabel && !each.labels?.length && !each.getAttribute('aria-labelledby'))
        .map(each => each.outerHTML)"""
    assert page.evaluate(unnamed) == []
    assert page.get_by_role("textbox", name="Spec a.arch").count() == 1


def test_the_policy_forbids_everything_else(page, url):
    policy = page.evaluate("document.querySelector('meta[http-equiv]').content")
    assert policy.startswith("default-src 'none'")
    assert not {"'unsafe-inline'", "'unsafe-eval'", "https:", "*"} & set(re.split("[ ;]+", policy))
