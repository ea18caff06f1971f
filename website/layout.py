"""The navigation of the site: titles, and the places of pages under them."""

from collections.abc import Iterable

from cifar_dsl.language.diagnostics import known_codes
from website.pages import commands, diagnostics, reference
from website.tree import Page, Section, section

_GUIDES = (
    *("own-pictures.md", "coming-from.md", "classroom.md", "clusters-and-trackers.md", "fine-tuning.md"),
    *("notebooks.md", "import.md", "export.md", "predict.md", "evaluate.md", "learning-rate.md", "distillation.md"),
    *("selection.md", "until-decided.md", "vscode.md", "editors.md"),
)
_LANGUAGE = ("language.md", "limits.md")
_FILES = ("data.md", "runs.md", "compare.md")
_PROJECT = ("architecture.md", "promises.md", "contributing.md", "security.md", "changelog.md")
_RESULTS = (
    *("results/index.md", "results/airbench94.md", "results/speed.md", "results/memory.md", "results/exports.md"),
    "results/imports.md",
)
_STUDIES = ("studies/index.md", "studies/activations.md", "studies/group_norm.md")


def navigation(pages: Iterable[Page]) -> list[Section]:
    """The tabs of the site. A page of docs/ that no tab names is a guide."""
    places = [page.place.as_posix() for page in pages]
    networks = sorted(place for place in places if place.startswith("zoo/") and place != "zoo/index.md")
    tabs = [
        section("Home", "index.md"),
        section("Tutorial", "tutorial.md"),
        section("Guides", *(place for place in _GUIDES if place in places)),
        section(
            "Reference",
            section("Language", *_LANGUAGE),
            section("Layers and settings", "reference/index.md", *map(reference.place_of, reference.titles())),
            section(
                "Errors and warnings",
                "diagnostics/index.md",
                *(diagnostics.place_of(code) for code in known_codes().values()),
            ),
            section("Command line", "cli/index.md", *(f"cli/{name}.md" for name in commands.names())),
            section("Python", "api.md", "python.md"),
            section("Data, runs and comparisons", *_FILES),
        ),
        section("Zoo", "zoo/index.md", *networks, "results/zoo.md"),
        section(
            "How it works",
            *_PROJECT,
            section("Decisions", *(place for place in places if place.startswith("decisions/"))),
        ),
        section("Results", *_RESULTS, section("Studies", *_STUDIES)),
    ]
    listed = {place for tab in tabs for place in places_of(tab)}
    others = [place for place in places if place not in listed]
    return [section("Guides", *tab.entries, *others) if tab.title == "Guides" else tab for tab in tabs]


def places_of(part: Section) -> Iterable[str]:
    """The places of all pages in a section."""
    for entry in part.entries:
        yield from places_of(entry) if isinstance(entry, Section) else [entry.as_posix()]
