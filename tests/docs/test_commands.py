"""The commands and links in README.md and docs/ are up to date."""

import re
import shlex
from functools import cache
from pathlib import Path

import click

import cifar_dsl
from cifar_dsl.cli.main import group
from cifar_dsl.foundation.resources import shipped_specs

ROOT = Path(__file__).parents[2]
PAGES = [
    ROOT / "CONTRIBUTING.md",
    ROOT / "README.md",
    ROOT / "CHANGELOG.md",
    ROOT / "editors/vscode/README.md",
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "studies").rglob("*.md")),
]
COMMAND = re.compile(r"^cifar-dsl .*$|(?<=`)cifar-dsl [^`]+(?=`)", re.MULTILINE)
LINK = re.compile(r"\]\((?!https?:|\.\./\.\./actions/)([^)#]+)")  # actions: a page of GitHub, beside the files
MADE = {"specs/mine.arch", "cifar_dsl/_shipped/playground"}  # by the reader
PATH = re.compile(r"(?<=[` ])(?:tests|bench|specs|grammar|docs|website|cifar_dsl)/[\w./-]*\w")


def _unknown_words(line: str) -> list[str]:
    """The commands and options in `line` that the command line doesn't have."""
    context = click.Context(group)
    command: click.Command = group
    unknown: list[str] = []
    options = {"--help", "--version", "--color", "--limit"}
    for word in shlex.split(line, comments=True)[1:]:
        if word.startswith("-") and word != "-":
            unknown += [word] if word not in options else []
        elif isinstance(command, click.Group) and re.fullmatch(r"[a-z]+", word):
            found = command.get_command(context, word)
            if found is None:
                return [*unknown, word]
            command = found
            options |= {option for parameter in command.params for option in parameter.opts}
    return unknown


def test_the_commands_on_a_page_exist() -> None:
    lines = {(page, line) for page in PAGES for line in COMMAND.findall(page.read_text(encoding="utf-8"))}
    assert {(page, line): unknown for page, line in lines if (unknown := _unknown_words(line))} == {}


def test_a_command_that_does_not_exist_is_found() -> None:
    assert _unknown_words("cifar-dsl chekc specs/") == ["chekc"]
    assert _unknown_words("cifar-dsl --limit A=1 runs prune --unfinished --al") == ["--al"]


@cache
def fingerprints(name: str) -> set[str]:
    """Those of a shipped spec on its own dataset and on CIFAR-100."""
    return {cifar_dsl.load(shipped_specs()[name], data=data).fingerprint for data in (None, "cifar100")}


def test_the_runs_of_shipped_specs_that_pages_name_have_their_fingerprints() -> None:
    found = {
        (name, fingerprint)
        for page in PAGES
        for name, fingerprint in re.findall(r"\bruns/(\w+)-([0-9a-f]{12})\b", page.read_text(encoding="utf-8"))
        if name in shipped_specs()
    }
    assert found
    assert [(name, fingerprint) for name, fingerprint in found if fingerprint not in fingerprints(name)] == []


def test_the_files_that_a_page_links_or_names_exist() -> None:
    texts = {page: page.read_text(encoding="utf-8") for page in PAGES}
    links = [(page, link) for page, text in texts.items() for link in LINK.findall(text)]
    assert [(page, link) for page, link in links if not (page.parent / link).exists()] == []
    paths = [(page, path) for page, text in texts.items() for path in PATH.findall(text)]
    assert [(page, path) for page, path in paths if not (ROOT / path).exists() and path not in MADE] == []
