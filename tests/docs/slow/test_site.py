"""The documentation site as HTML: Zensical builds it without complaints, coloured, and without a request to a host."""

import re
from pathlib import Path, PurePosixPath

import pytest
from pygments.lexers import get_lexer_by_name

from website import build
from website.tree import File, page, section

SCRIPT_OR_STYLE = re.compile(r'<(?:script|link|img|iframe)\b[^>]*?\b(?:src|href)="(https?:[^"]+)"')


def test_it_builds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("zensical")
    pages = [page("index.md", "# Home\n\n[there](sub/one.md#a-b)\n"), page("sub/one.md", "# One\n\n## A b { #a-b }\n")]
    example = (
        '<div class="example" markdown>\n\n```arch\nmodel { relu }\n```\n\n![x](one/x.svg){ .network }\n\n</div>\n'
    )
    pages.append(page("sub/two.md", f"# Two\n\n{example}"))
    monkeypatch.setattr(build, "made", lambda: (pages, [File(PurePosixPath("sub/one/x.svg"), b"<svg/>")]))
    monkeypatch.setattr(build, "navigation", lambda _: [section("All", *(page.place for page in pages))])
    monkeypatch.setattr(build, "PAGES", tmp_path / "pages")
    build.build(tmp_path / "out")
    assert "No issues found" in "".join(capfd.readouterr())
    home, two = [(tmp_path / "out" / name).read_text(encoding="utf-8") for name in ("index.html", "sub/two.html")]
    assert 'href="sub/one.html#a-b"' in home
    assert '<span class="k">model</span>' in two
    assert '<img alt="x" class="network" src="one/x.svg"' in two
    assert (tmp_path / "out/sub/one/x.svg").read_text() == "<svg/>"
    assert (tmp_path / "out/assets/site.css").is_file()
    assert SCRIPT_OR_STYLE.findall(home + two) == []


def test_pygments_finds_the_language_by_its_name() -> None:
    assert get_lexer_by_name("arch").name == "arch"
