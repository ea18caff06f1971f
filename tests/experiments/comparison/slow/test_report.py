"""The report in a real browser: nothing fails, nothing leaves, nothing of a spec acts, and it can be used."""

import json
import re
import shutil
from collections.abc import Iterator
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest
from helpers.studies import Study, make_study

from cifar_dsl.experiments.comparison import Comparison, compare
from cifar_dsl.experiments.comparison.plan import Plan, PlannedSpec, now
from cifar_dsl.experiments.comparison.report import Origin, render_report
from cifar_dsl.experiments.comparison.tables import as_csv, as_latex, as_markdown

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
HOSTILE = "</script><script>document.title='hacked'</script><img src=x onerror=alert(1)>\x1b[2J\u202e"

needs_browser = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on the PATH (apt-get install chromium)")


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> Study:
    return make_study(tmp_path_factory.mktemp("runs"), seeds=4, specs=("baseline", "wider", "residual", "batch_128"))


@pytest.fixture(scope="module")
def comparison(study) -> Comparison:
    return compare(study.entries, all_pairs=True)


def origin_of(comparison: Comparison) -> Origin:
    runs = {
        (row.fingerprint, seed): f"../runs/{row.name}/seed-{seed}/" for row in comparison.rows for seed in row.seeds
    }
    return Origin("cifar-dsl compare specs/ --seeds 4", "30 November 2026, 12:00 UTC", runs)


@pytest.fixture(scope="module")
def report(study, comparison) -> str:
    return render_report(comparison, study.analyses, study.pictures, origin_of(comparison))


@pytest.fixture(scope="module")
def browser():
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture
def shown(browser, tmp_path) -> Iterator:
    """Open a report from a file; at the end, nothing has failed and nothing was asked of any other place."""
    wrong: list[str] = []
    context = browser.new_context()

    def show(html: str, *, width: int = 1280, **options):
        path = tmp_path / "report.html"
        path.write_text(html, encoding="utf-8")
        page = context.new_page()
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(**options)
        page.on("console", lambda message: wrong.append(message.text))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("dialog", lambda dialog: wrong.append(dialog.message))
        page.on(
            "request",
            lambda request: (
                wrong.append(request.url)
                if request.url != path.as_uri() and not request.url.startswith("data:image/png;base64,")
                else None
            ),
        )
        page.goto(path.as_uri())
        return page

    yield show
    context.close()
    assert wrong == []


def names(page) -> list[str]:
    return [text.strip() for text in page.locator("#figures tbody tr:visible th").all_inner_texts()]


@needs_browser
def test_every_section_exists(shown, report):
    page = shown(report)
    heads = [head.inner_text() for head in page.locator("h2").all()]
    assert heads == [
        "Findings",
        "Test accuracy, and difference from baseline",
        "Results",
        "Accuracy and cost",
        "Learning curves",
        "Predictions",
        "Specs and runs",
        "Methods",
    ]
    assert "residual beats baseline by" in page.locator("#findings").inner_text()
    assert "of 4 runs, 2 diverged" in page.locator("#findings").inner_text()
    page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
    assert "conv replaced by add" in page.locator("#specs").inner_text()
    assert page.locator("table.confusion").count() == 4
    loaded = page.evaluate("[...document.images].every(each => each.complete && each.naturalWidth === 32)")
    assert loaded
    assert page.locator("img").count() > 20


@needs_browser
def test_the_table_is_sorted_by_figures_and_by_text(shown, report, comparison):
    page = shown(report)
    given = [row.name for row in comparison.rows]
    assert names(page) == given
    accuracy = page.get_by_role("button", name="accuracy")
    accuracy.click()
    by_mean = [row.name for row in sorted(comparison.rows, key=lambda row: -row.mean)]
    assert names(page) == by_mean
    assert page.locator("th[aria-sort]").get_attribute("aria-sort") == "descending"
    accuracy.press("Enter")  # with the keyboard
    assert names(page) == by_mean[::-1]
    page.get_by_role("button", name="spec").click()
    assert names(page) == sorted(given)
    page.get_by_role("button", name="difference").click()
    assert names(page)[-1] == "baseline"  # it has none
    page.get_by_role("button", name="difference").click()
    assert names(page)[-1] == "baseline"


@needs_browser
def test_the_table_is_filtered(shown, report, comparison):
    page = shown(report)
    page.get_by_label("Name or change contains").fill("WID")
    assert names(page) == ["wider"]
    assert page.locator("#filter-count").inner_text() == "1 of 4 specs"
    page.get_by_label("Name or change contains").fill("")
    page.locator("#filter-verdict").select_option("better")
    better = [row.name for row in comparison.rows if row.effect and row.effect.verdict == "better"]
    assert names(page) == better
    assert "residual" in better
    assert "batch_128" not in better
    page.locator("#filter-verdict").select_option("")
    assert len(names(page)) == 4


def test_badges_of_a_plan_say_its_verdicts(entry):
    """In a comparison until it is decided, no difference is called insignificant: more seeds may decide it."""
    same = [0.5, 0.51, 0.52]
    entries = [
        entry("base", accuracies=same),
        entry("near", accuracies=same),
        entry("far", accuracies=[0.9, 0.91, 0.92]),
    ]
    base, *others = [PlannedSpec(each.display_name, each.spec.fingerprint, (0, 1, 2)) for each in entries]
    plan = Plan(base, tuple(others), "ab" * 32, 4, None, now())
    html = render_report(compare(entries, "base", plan=plan))
    verdicts = [effect.verdict for row in compare(entries, "base", plan=plan).rows if (effect := row.effect)]
    badges = re.findall(r'<span class="badge [a-z]+">. ([^<]*)</span>', html)
    assert set(badges) == set(verdicts)
    assert "open" in verdicts
    assert "not significant" not in html


@pytest.fixture
def hostile(entry) -> str:
    entries = [
        entry("base", accuracies=[0.5, 0.51], origin=HOSTILE, device=HOSTILE),
        entry(HOSTILE, accuracies=[0.6, 0.62], changes=(HOSTILE,), fingerprint="f" * 12, origin=HOSTILE),
    ]
    return render_report(compare(entries, "base"))


class _Elements(HTMLParser):
    """All elements and their attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: set[str] = set()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes |= {name for name, _ in attrs}


def test_no_element_and_no_attribute_comes_from_a_name_or_a_text(hostile):
    parser = _Elements()
    parser.feed(hostile)
    assert parser.tags.count("script") == 3  # the data, the tables to copy, and ours
    assert "img" not in parser.tags
    assert not {name for name in parser.attributes if name.startswith("on")}
    assert all(line.isprintable() for line in hostile.splitlines())


@needs_browser
def test_names_and_texts_of_specs_stay_text(shown, hostile):
    page = shown(hostile)
    assert page.title() == "1 spec against base"
    assert page.locator("img").count() == 0
    assert page.locator("script").count() == 3  # the data, the tables to copy, and ours
    text = page.locator("body").inner_text()
    assert "<script>document.title='hacked'</script>" in text
    assert not {"\x1b", "\u202e"} & set(page.content())
    data = json.loads(page.locator("#comparison-data").inner_text())
    assert data["rows"][1]["name"] == HOSTILE


@needs_browser
def test_a_script_that_came_in_anyway_does_not_run(browser, report, tmp_path):
    path = tmp_path / "report.html"
    path.write_text(report.replace("<h1>", "<script>document.title = 'hacked'</script><h1>"))
    page = browser.new_page()
    page.goto(path.as_uri())
    assert page.title() != "hacked"


@needs_browser
@pytest.mark.parametrize("width", [390, 768, 1280])
def test_nothing_sticks_out_at_any_width(shown, report, width):
    page = shown(report, width=width)
    page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@needs_browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_its_ground(shown, report, scheme):
    """WCAG's contrast of 4.5 for all text, in light and dark."""
    page = shown(report, color_scheme=scheme)
    faint = page.evaluate(CONTRAST)
    assert faint == []


CONTRAST = """() => {
  const canvas = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
  const rgb = (color, ground) => {
    canvas.fillStyle = ground; canvas.fillRect(0, 0, 1, 1);
    canvas.fillStyle = color; canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
  };
  const light = (color) => {
    const [r, g, b] = color.map((v) => { v /= 255; return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const paper = getComputedStyle(document.body).backgroundColor;
  const ground = (element) => {
    for (let each = element; each; each = each.parentElement) {
      const color = getComputedStyle(each).backgroundColor;
      if (color !== "rgba(0, 0, 0, 0)" && color !== "transparent") return `rgb(${rgb(color, paper)})`;
    }
    return paper;
  };
  document.querySelectorAll("details").forEach((each) => (each.open = true));
  const faint = new Set();
  for (const element of document.querySelectorAll("body *")) {
    const hasText = [...element.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
    if (!hasText || !element.checkVisibility() || ["SCRIPT", "STYLE", "OPTION"].includes(element.tagName)) continue;
    const isDrawn = element instanceof SVGElement;
    if (isDrawn && element.tagName !== "text") continue;
    const style = getComputedStyle(element);
    const below = ground(element);
    const [a, b] = [light(rgb(isDrawn ? style.fill : style.color, below)), light(rgb(below, below))];
    const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (contrast < 4.5) faint.add(`${element.tagName}.${element.className} ${contrast.toFixed(2)}`);
  }
  return [...faint];
}"""


@needs_browser
def test_controls_have_names_and_are_reachable_by_keyboard(shown, report):
    page = shown(report)
    unnamed = page.evaluate(
        """[...document.querySelectorAll("svg, img, [role=region], nav")].filter((each) =>
             !(each.getAttribute("aria-label") || each.getAttribute("aria-labelledby") || each.getAttribute("alt")))
             .map((each) => each.outerHTML.slice(0, 80))"""
    )
    assert unnamed == []
    assert page.evaluate("document.documentElement.lang") == "en"
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the findings"
    levels = page.evaluate("[...document.querySelectorAll('h1, h2, h3')].map((each) => Number(each.tagName[1]))")
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


@needs_browser
def test_it_can_be_printed(shown, report):
    page = shown(report, media="print")
    assert not page.locator(".filters").is_visible()
    assert not page.locator("nav").is_visible()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    content = page.pdf(prefer_css_page_size=True)
    assert content.startswith(b"%PDF")
    assert 2 <= len(re.findall(rb"/Type\s*/Page\b", content)) <= 20


@needs_browser
def test_print_is_complete(shown, report):
    """Sections that are closed on the screen are printed, and closed again."""
    page = shown(report, media="print")
    spec = page.locator("#specs details pre.arch").first
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert spec.is_visible()
    assert page.evaluate("[...document.querySelectorAll('details')].every((each) => each.open)")
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert not page.evaluate("[...document.querySelectorAll('details')].some((each) => each.open)")


@needs_browser
def test_a_header_says_when_and_by_what_command_and_runs_are_linked(shown, report):
    page = shown(report)
    header = page.locator("header").inner_text()
    assert "30 November 2026" in header
    assert "cifar-dsl compare specs/ --seeds 4" in header
    links = page.locator("#specs a").evaluate_all("all => all.map((each) => each.getAttribute('href'))")
    assert "../runs/baseline/seed-0/" in links
    assert len(links) == 14  # 16 runs, of which 2 diverged


@needs_browser
def test_the_values_of_an_epoch_are_shown(shown, report, comparison):
    page = shown(report)
    readout = page.locator("#readout")
    assert not readout.is_visible()
    page.locator(".overlay").focus()
    page.keyboard.press("ArrowRight")
    last = comparison.rows[2].curve.mean[-1]
    assert readout.inner_text().startswith("Epoch 10")
    assert f"residual {100 * last:.1f}" in readout.inner_text()
    page.keyboard.press("ArrowLeft")
    assert readout.inner_text().startswith("Epoch 9")
    page.keyboard.press("Home")
    assert readout.inner_text().startswith("Epoch 1")
    page.locator("#overlay").hover(position={"x": 400, "y": 100})
    assert not readout.inner_text().startswith("Epoch 1 ")
    whole = page.locator("#overlay").bounding_box()
    for name in page.locator("#overlay text").all():
        box = name.bounding_box()
        assert whole["x"] - 1 <= box["x"]
        assert box["x"] + box["width"] <= whole["x"] + whole["width"] + 1


@needs_browser
def test_the_table_is_copied(shown, report, comparison):
    page = shown(report)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    for name, write in (("CSV", as_csv), ("LaTeX", as_latex), ("Markdown", as_markdown)):
        page.get_by_role("button", name=name).click()
        page.locator("#copied").filter(has_text=f"{name} copied").wait_for()
        assert page.evaluate("navigator.clipboard.readText()") == write(comparison)


@needs_browser
def test_networks_and_mistakes_are_drawn(shown, report):
    page = shown(report)
    page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
    assert page.locator("svg.network").count() == 4
    outside = page.evaluate(
        """[...document.querySelectorAll("svg.network g.node")].flatMap((node) => {
             const box = node.querySelector("rect").getBoundingClientRect();
             return [...node.closest("svg").querySelectorAll("text")].map((each) => each.getBoundingClientRect())
               .filter((text) => text.top > box.top && text.bottom < box.bottom + 2
                 && text.right > box.left && text.left < box.right)
               .filter((text) => text.left < box.left || text.right > box.right).map((text) => node.textContent);
           })"""
    )
    assert outside == []
    assert page.locator(".arch .nf").count() > 20
    assert page.locator("table.confusion td img").count() == 4 * 12
    assert "probability of" in page.locator("#images").inner_text()


@needs_browser
def test_everything_is_shown_without_the_script(browser, report, comparison, tmp_path):
    path = tmp_path / "report.html"
    path.write_text(report)
    page = browser.new_context(java_script_enabled=False).new_page()
    page.goto(path.as_uri())
    assert page.locator("#figures tbody tr").count() == len(comparison.rows)
    assert not page.locator(".filters").is_visible()
    assert page.locator("svg").count() > 8


class _Balance(HTMLParser):
    """Raises AssertionError where an element isn't closed in its turn."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag, attrs):
        if tag not in {"meta", "img", "input", "br", "wbr", "link"}:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, f"</{tag}> at {self.getpos()}"


def test_every_element_is_closed(report):
    parser = _Balance()
    parser.feed(report)
    assert parser.open == []


def test_the_same_comparison_is_the_same_bytes(study, comparison, report):
    assert render_report(comparison, study.analyses, study.pictures, origin_of(comparison)) == report


@pytest.mark.parametrize("accuracies", [(), (None,), (0.5,), (0.5, 0.5), (0.0, 1.0)])
def test_any_comparison_can_be_rendered(entry, accuracies):
    for other in ((), (None, None), (0.5, 0.6), (0.5,)):
        entries = [entry("base", accuracies=accuracies), entry("trick", accuracies=other)]
        html = render_report(compare(entries, "base", all_pairs=True))
        assert "NaN" not in html
        assert ">nan" not in html
    assert "<title>base</title>" in render_report(compare([entry("base", accuracies=accuracies)]))


def test_without_pictures_images_are_named(study, comparison, tmp_path: Path):
    html = render_report(comparison, study.analyses)
    assert "<img" not in html
    assert re.search(r"\(image \d+\)", html)
