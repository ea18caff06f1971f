"""docs/reference.md as a page for each section: entries with signature, example and picture."""

import re
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from textwrap import indent
from typing import Any

from cifar_dsl.operations.layers import INITIALIZERS, JOINS, LAYERS, SCOPES, WEIGHTS
from cifar_dsl.operations.recipe import SETTINGS
from cifar_dsl.operations.registry import Registry
from cifar_dsl.views.examples import EXAMPLES
from cifar_dsl.views.reference import markdown, signature
from website import computed
from website.fences import whole
from website.links import anchor
from website.tree import File, Page, page

SOURCE = "docs/reference.md"
_SECTION = re.compile(r"^## (.*)$", re.MULTILINE)
_EXAMPLE = re.compile(r"^```arch (body|train)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_ENTRY = re.compile(r"^### (`(\w+)`.*)$", re.MULTILINE)
_REGISTRIES: Mapping[str, Registry[Any]] = {
    "Layers": LAYERS,
    "Joins": JOINS,
    "Scopes": SCOPES,
    "Initialisers": INITIALIZERS,
    "Weight functions": WEIGHTS,
    **{f"Choices of `{setting.name}`": setting.registry for setting in SETTINGS.values() if setting.registry},
}


def pages() -> Iterator[Page]:
    """The introduction, and a page for each section."""
    introduction, *parts = _SECTION.split(markdown())
    sections = dict(zip(parts[::2], parts[1::2], strict=True))
    names = {title: _ENTRY.findall(text) for title, text in sections.items()}
    yield page("reference/index.md", introduction + "\n" + "".join(_contents(*each) for each in names.items()), SOURCE)
    for title, text in sections.items():
        yield page(place_of(title), _section(title, text), SOURCE)


def files() -> Iterator[File]:
    """The pictures of the examples."""
    for title, bodies in EXAMPLES.items():
        for name, body in bodies.items():
            yield File(_picture(title, name), computed.picture(body).encode())


def titles() -> list[str]:
    """The titles of the sections, in order."""
    return _SECTION.findall(markdown())


def place_of(title: str) -> str:
    """The place of a section."""
    return f"reference/{anchor(title)}.md"


def _picture(title: str, name: str) -> PurePosixPath:
    return PurePosixPath(f"reference/{anchor(title)}/{name}.svg")


def _contents(title: str, entries: list[tuple[str, str]]) -> str:
    links = ", ".join(f"[`{name}`](reference.md#{anchor(heading)})" for heading, name in entries)
    return f"## {title}\n\n{links}\n\n"


def _section(title: str, text: str) -> str:
    introduction, *parts = _ENTRY.split(text)
    entries = [_entry(title, *parts[i : i + 3]) for i in range(0, len(parts), 3)]
    return f"# {title}\n{introduction}{''.join(entries)}"


def _entry(title: str, heading: str, name: str, text: str) -> str:
    declaration = _REGISTRIES[title][name] if title in _REGISTRIES else None
    text = text.replace("```\nblock", "``` { .arch .signature }\nblock")
    shown = f"\n``` {{ .arch .signature }}\n{signature(declaration)}\n```\n" if declaration else ""
    return f"## {heading}\n{shown}" + _EXAMPLE.sub(lambda match: _example(title, name, *match.groups()), text)


def _example(title: str, name: str, kind: str, text: str) -> str:
    """An example as a whole spec, beside its picture if it is a network."""
    shown = f"```arch\n{whole(kind, indent(text, '    '))}```"
    if kind != "body":
        return shown
    # The attribute lists make a picture beside its example. The links of this page start in docs/.
    picture = f"![The network of this example](/{_picture(title, name)}){{ .network loading=lazy }}"
    return f'<div class="example" markdown>\n\n{shown}\n\n{picture}\n\n</div>\n'
