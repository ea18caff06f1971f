"""Times of the playground in headless Chromium: start to first picture, and keystroke to painted picture.

    python playground/build.py
    python bench/playground.py [SPEC ...]

Claims: the first picture is there within 4 s with a warm cache, and for densenet121, a picture within 60 ms of a
keystroke, which is one in a comment. The last line is the time of one that changes the network: each changes a width of
densenet121, so that every layer is another one, and nothing of the last check can be used. Needs Chromium and
playwright (the extra `test`). Run it on a quiet machine.
"""

import argparse
import shutil
import statistics
import sys
import threading

from measure import verdict
from playwright.sync_api import Page, sync_playwright

from cifar_dsl.editors.playground.links import fragment
from cifar_dsl.editors.playground.server import address, make_server
from cifar_dsl.foundation.resources import playground_directory, shipped_specs

SPECS = ("resnet18", "densenet121", "vit_tiny")
STARTS, KEYSTROKES = 3, 20
TIMEOUT_MS = 300_000
MEASURED = "performance.getEntriesByName('edit to picture').map(each => each.duration)"


def first_picture_ms(page: Page, url: str) -> float:
    page.goto("about:blank")
    page.goto(url)
    page.wait_for_selector("html[data-shown=picture]")
    return float(page.evaluate("performance.now()"))


def keystrokes_ms(page: Page, keys: tuple[str, ...] = ("#", *"x" * (KEYSTROKES - 1))) -> list[float]:
    """The times from each of these keys, typed at the end of the text, to the picture."""
    page.wait_for_selector("html[data-server=ready]")
    page.locator(".cm-content:visible").click()
    page.keyboard.press("Control+End")
    page.evaluate("performance.clearMeasures()")
    for i, key in enumerate(keys):
        page.keyboard.press(key)
        while len(page.evaluate(MEASURED)) <= i:  # the page's policy forbids what `wait_for_function` needs
            page.wait_for_timeout(20)
        page.wait_for_timeout(500)  # past what follows a pause
    return [float(each) for each in page.evaluate(MEASURED)]


def _figures(times: list[float]) -> str:
    return f"{statistics.median(times):.0f} ms, {min(times):.0f} to {max(times):.0f} ms"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("specs", nargs="*", metavar="SPEC", default=SPECS, help="names of shipped specs")
    options = parser.parse_args()
    claims: dict[str, bool] = {}
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))))
    with make_server(playground_directory(), 0) as server, sync_playwright() as playwright:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page()
        page.set_default_timeout(TIMEOUT_MS)
        starts = [first_picture_ms(page, address(server)) for _ in range(STARTS)]
        first, *others = (f"{each:,.0f}" for each in starts)
        print(f"first picture: {first} ms, then with a warm cache {', '.join(others)} ms")
        claims["first picture with a warm cache within 4 s"] = min(starts[1:]) <= 4000
        for name in options.specs:
            text = shipped_specs()[name].read_text(encoding="utf-8")
            first_picture_ms(page, address(server) + fragment(text))
            times = keystrokes_ms(page)
            print(f"{name}: keystroke to picture {_figures(times)}")
            if name == "densenet121":
                claims["densenet121: keystroke to picture within 60 ms"] = statistics.median(times) <= 60
        growth = "param growth = 32\n"
        text = shipped_specs()["densenet121"].read_text(encoding="utf-8")
        assert growth in text
        first_picture_ms(page, address(server) + fragment(text.replace(growth, "") + growth[:-2]))
        print(f"densenet121, another width: {_figures(keystrokes_ms(page, ('2', 'Backspace') * (KEYSTROKES // 2)))}")
        server.shutdown()
    return verdict(claims)


if __name__ == "__main__":
    sys.exit(main())
