"""The pages of the documentation site, before Zensical makes HTML of them: complete, and every link leads to a page."""

import re
from pathlib import Path, PurePosixPath

import pytest

from cifar_dsl.editors.playground.links import texts_of
from cifar_dsl.foundation.resources import shipped_specs
from cifar_dsl.language.diagnostics import known_codes
from cifar_dsl.views.examples import EXAMPLES
from website import build, computed, figures
from website.layout import navigation, places_of
from website.links import BrokenLinksError, Linker, check, with_anchors
from website.pages import playground
from website.tree import ROOT, File, Page, page


def stand_in(name: str) -> computed.Network:
    """A network of which only the text is known: drawing all of them takes long."""
    path = shipped_specs()[name]
    where = path.relative_to(ROOT).as_posix()
    return computed.Network(name, where, path.read_text(encoding="utf-8"), "c2103d66e59b", 1, 1, "", "", "", "")


@pytest.fixture(scope="module")
def site() -> tuple[list[Page], list[File]]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(computed, "networks", lambda: {name: stand_in(name) for name in shipped_specs()})
        patch.setattr(
            computed, "messages", lambda: dict.fromkeys(known_codes(), "\x1b[1;31merror\x1b[0m: as <printed>")
        )
        patch.setattr(computed, "picture", lambda body: f"<svg>{body}</svg>")
        return build.made()  # raises BrokenLinksError


def test_every_spec_code_and_example_is_shown(site) -> None:
    pages, files = site
    text = {page.place.as_posix(): page.text for page in pages}
    assert {f"zoo/{name}.md" for name in shipped_specs()} < text.keys()
    assert {f"diagnostics/{code}.md" for code in known_codes()} < text.keys()
    pictures = [file for file in files if file.place.match("reference/*/*.svg")]
    assert len(pictures) == sum(map(len, EXAMPLES.values()))
    assert "(layers/conv.svg)" in text["reference/layers.md"]
    assert "model {\n    conv(32, 3, stride=2, pad=1, bias=false) -> bn -> relu\n}\n" in text["reference/layers.md"]
    assert '<span class="red bold">error</span>: as &lt;printed&gt;</code></pre>' in text["diagnostics/E0308.md"]
    measured = len(figures.comparison().rows[0].accuracies)
    assert f"({measured} seeds)" in text["zoo/baseline.md"]  # of the fingerprint above
    assert "<strong>resnet18</strong><em>ResNet-18 with a stem for small images</em>" in text["zoo/index.md"]
    assert "<strong>wider</strong><em>A wider dense head, 512 features instead of 64</em>" in text["zoo/index.md"]
    assert "(pictures/terminal.svg)" in text["index.md"]
    assert "(eight-specs/comparison.svg)" in text["results/index.md"]
    assert "(eight-specs/report.html)" in text["results/index.md"]


def test_the_navigation_names_each_page_once(site) -> None:
    pages, _ = site
    places = [place for tab in navigation(pages) for place in places_of(tab)]
    assert sorted(places) == sorted(page.place.as_posix() for page in pages)


def test_no_page_needs_another_host(site) -> None:
    """Pictures, scripts and styles are files of the site; other hosts are only linked."""
    pages, _ = site
    assert [page.place for page in pages if re.search(r'!\[[^\]]*\]\(https?:|\ssrc="https?:', page.text)] == []


def test_links_lead_to_the_page_that_has_the_anchor() -> None:
    pages = [
        page("one.md", "# One\n\n## Here\n", "docs/all.md"),
        page("two/more.md", "# Two\n\n## There\n", "docs/all.md"),
        page(
            "start.md", "# Start\n\n[a](docs/all.md#there) [b](docs/all.md) [c](pyproject.toml) `[d](e)`", "README.md"
        ),
        page("own.md", "# Own\n\n[f](/two/more.md) [docs/start.md](/start.md) [g](nothing.md) [h](#nowhere)\n"),
    ]
    pages.append(
        page(
            "shown.md", "# Shown\n\n![x](docs/x.svg) [![z](docs/x.svg)](pyproject.toml) ![y](docs/y.svg)\n", "SHOWN.md"
        )
    )
    linker = Linker(pages, [File(PurePosixPath("x.svg"), b"", PurePosixPath("docs/x.svg"))], {})
    assert "![x](x.svg) ![z](x.svg) " in linker.linked(pages[4]).text
    assert linker.linked(pages[2]).text == "# Start\n\n[a](two/more.md#there) [b](one.md) c `[d](e)`"
    assert "[f](two/more.md) [Start](start.md)" in linker.linked(pages[3]).text
    with pytest.raises(BrokenLinksError, match=r"docs/y\.svg\nown\.md: #nowhere\nown\.md: nothing\.md"):
        check(linker.broken)


def test_specs_open_in_the_playground_where_it_is_built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(playground, "playground_directory", lambda: tmp_path)
    shown = page("zoo/one.md", "# One\n\n```arch body\nrelu\n```\n")
    assert playground.linked(shown) == shown
    assert list(playground.files()) == []
    (tmp_path / "index.html").write_text("<title>playground</title>")
    (link,) = re.findall(
        r"\[Open in the playground\]\(\.\./playground/index\.html(#\S+)\)", playground.linked(shown).text
    )
    assert texts_of(link) == ["arch example\ninput 3x32x32\n\nmodel {\n    relu\n}\n"]
    assert [file.place.as_posix() for file in playground.files()] == ["playground/index.html"]


def test_a_variant_opens_in_the_playground_beside_its_base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(playground, "playground_directory", lambda: tmp_path)
    (tmp_path / "index.html").write_text("<title>playground</title>")
    specs = ["arch plain\n", 'arch norm extends "plain.arch"\n', 'arch mine extends "baseline.arch"\n']
    shown = page("tutorial.md", "# One\n\n" + "\n".join(f"```arch\n{spec}```\n" for spec in specs))
    links = re.findall(r"\(playground/index\.html(#\S+)\)", playground.linked(shown).text)
    assert [texts_of(link) for link in links] == [
        ["arch plain\n"],
        ["arch plain\n", 'arch norm extends "a.arch"\n'],
        ['arch mine extends "baseline.arch"\n'],  # a shipped one, which the playground has
    ]


def test_headings_state_their_anchors() -> None:
    text = "# A `b`, c\n\n```sh\n# no heading\n```\n\n## D -> E\n"
    assert with_anchors(text) == "# A `b`, c { #a-b-c }\n\n```sh\n# no heading\n```\n\n## D -> E { #d---e }\n"
