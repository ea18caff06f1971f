"""docs/reference.md as a page for each section: entries with signature, example and picture."""

import re
from collections.abc import Iterator, Mapping, Sequence
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

_Entry = tuple[str, str, str]  # heading, name and text


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
    groups = _grouped(title, [(heading, name, "") for heading, name in entries])
    lists = (
        (group, ", ".join(f"[`{name}`](reference.md#{anchor(heading)})" for heading, name, _ in found))
        for group, found in groups
    )
    return f"## {title}\n\n" + "".join(f"{group}: {links}\n\n" if group else f"{links}\n\n" for group, links in lists)


def _grouped(title: str, entries: Sequence[_Entry]) -> list[tuple[str, list[_Entry]]]:
    """The entries of a section by their group, since 80 layers are too many for one list; "" without groups."""
    if title != "Layers":
        return [("", [*entries])]
    found: dict[str, list[_Entry]] = {}
    for entry in entries:
        found.setdefault(LAYERS.group(entry[1]), []).append(entry)
    return sorted(found.items())


def _section(title: str, text: str) -> str:
    introduction, *parts = _ENTRY.split(text)
    entries = [(parts[i], parts[i + 1], parts[i + 2]) for i in range(0, len(parts), 3)]
    lines = [f"# {title}\n{introduction}"]
    for group, found in _grouped(title, entries):
        lines += [f"## {group}\n\n"] if group else []
        lines += [_entry(title, *entry, level=3 if group else 2) for entry in found]
    return "".join(lines)


def _entry(title: str, heading: str, name: str, text: str, *, level: int) -> str:
    declaration = _REGISTRIES[title][name] if title in _REGISTRIES else None
    text = text.replace("```\nblock", "``` { .arch .signature }\nblock")
    shown = f"\n``` {{ .arch .signature }}\n{signature(declaration)}\n```\n" if declaration else ""
    return f"{'#' * level} {heading}\n{shown}" + _EXAMPLE.sub(
        lambda match: _example(title, name, *match.groups()), text
    )


def _example(title: str, name: str, kind: str, text: str) -> str:
    """An example as a whole spec, beside its picture if it is a network."""
    shown = f"```arch\n{whole(kind, indent(text, '    '))}```"
    if kind != "body":
        return shown
    # The attribute lists make a picture beside its example. The links of this page start in docs/.
    picture = f"![The network of this example](/{_picture(title, name)}){{ .network loading=lazy }}"
    return f'<div class="example" markdown>\n\n{shown}\n\n{picture}\n\n</div>\n'
