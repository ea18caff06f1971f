"""The reference as plain text: a page for each name, a list for each section, and an index that fits on a screen."""

import re
from collections.abc import Iterator, Mapping
from textwrap import indent, wrap

from cifar_dsl.compiler import analyze_text
from cifar_dsl.foundation.text import columns
from cifar_dsl.views.reference import Entry, sections
from cifar_dsl.views.table import HEAD, NUMBERS, rows_of

_LISTS = {  # the words that name a section, by its title
    "Layers": "layers",
    "Joins": "joins",
    "Scopes": "scopes",
    "Initialisers": "initialisers",
    "Weight functions": "weights",
    "Library": "library",
    "Settings of `train`": "train",
    "Settings of a `group`": "group",
}
_WHOLE = {"layers", "train"}  # the sections that the index lists in full
_LEAST_CHOICES = 6  # of a setting that the index lists
_GAP = "  "
_NARROWEST = 24  # characters of a wrapped text
_LINE_OF_ITS_OWN = re.compile(r"\n(?=Torch: |H' = )")


def named_sections() -> dict[str, dict[str, Entry]]:
    """The sections by the word that names them: `layers`, or a setting with its choices, `optimizer`."""
    return {
        _LISTS.get(title) or title.removeprefix("Choices of ").strip("`"): section
        for title, section in sections().items()
    }


def index(width: int) -> list[str]:
    """The names of all sections but those of settings with few choices, on lines of at most `width` characters."""
    shown = {
        word: list(section)
        for word, section in named_sections().items()
        if word in _LISTS.values() or len(section) >= _LEAST_CHOICES
    }
    margin = max(map(len, shown)) + len(_GAP)
    lines = []
    for word, names in shown.items():
        listed = _wrapped(", ".join(names), width - margin)
        if word not in _WHOLE and len(listed) > 1:
            listed = [_wrapped(", ".join(names), width - margin - len(", ..."))[0].rstrip(",") + ", ..."]
        lines += [f"{head:{margin}}{line}" for head, line in zip([word, *[""] * len(listed)], listed, strict=False)]
    return lines


def section_page(section: Mapping[str, Entry], width: int) -> list[str]:
    """Each name of a section with the first sentence about it."""
    return list(_rows([(entry.name, _first_sentence(entry.doc)) for entry in section.values()], width, indent_=""))


def heading(entry: Entry, width: int) -> list[str]:
    """How an entry is written, with its category."""
    written = entry.head if entry.noun == "block" else f"{entry.noun} {entry.head}"
    return wrap(written, width, subsequent_indent="    ", break_long_words=False, break_on_hyphens=False)


def page(entry: Entry, width: int) -> list[str]:
    """What follows the heading: meaning, arguments or values, and an example with its shapes."""
    lines = [line for paragraph in entry.doc.split("\n\n") for line in ("", *_paragraph(paragraph, width))]
    if entry.values:
        names = ", ".join(f"`{name}`" for name in entry.choices or ())
        values = entry.values.replace(names, "the choices below") if names else entry.values
        lines += ["", *_wrapped(values, width)]
    if entry.choices:
        choices = named_sections()[entry.name]
        lines += ["", "Choices:"]
        lines += _rows([(choice.name, _first_sentence(choice.doc)) for choice in choices.values()], width)
    if entry.arguments:
        lines += ["", "Arguments:"]
        lines += _rows(
            [(name, _argument(accepted, default, doc)) for name, accepted, default, doc in entry.arguments], width
        )
    return [*lines, *_example(entry)]


def _argument(accepted: str, default: str, doc: str) -> str:
    return f"{doc} ({accepted}; {f'default: {default}' if default else 'required'})"


def _example(entry: Entry) -> Iterator[str]:
    if not entry.example:
        return
    yield from ("", "Example, in `train`:" if entry.in_train else "Example, for an image of 3x32x32:")
    yield from indent(entry.example, _GAP).splitlines()
    if not entry.in_train:
        yield ""
        body = indent(entry.example, "    ")
        graph = analyze_text(f"arch example\ninput 3x32x32\n\nmodel {{\n{body}}}\n").graph
        rows = [HEAD, *rows_of(graph)]
        places = [place for place, name in enumerate(HEAD) if name != "path"]
        right = frozenset(places.index(place) for place in NUMBERS)
        yield from columns([[row[place] for place in places] for row in rows], right=right, indent=_GAP)


def _rows(rows: list[tuple[str, str]], width: int, *, indent_: str = _GAP) -> Iterator[str]:
    """Rows of a name and a text, which wraps beside the name."""
    margin = len(indent_) + max((len(name) for name, _ in rows), default=0) + len(_GAP)
    for name, text in rows:
        first, *others = _wrapped(text, width - margin)
        yield f"{indent_}{name}".ljust(margin) + first
        yield from (" " * margin + line for line in others)


def _first_sentence(doc: str) -> str:
    """The first sentence of a text, or its first paragraph."""
    paragraph = " ".join(doc.split("\n\n", maxsplit=1)[0].split())
    return re.split(r"(?<=[a-z)\d])\. (?=[A-Z])", paragraph)[0].rstrip(".")


def _paragraph(text: str, width: int) -> list[str]:
    """A paragraph, in which the address of a torch class and a formula of the shape begin a line."""
    return [line for part in _LINE_OF_ITS_OWN.split(text) for line in _wrapped(part, width)]


def _wrapped(text: str, width: int) -> list[str]:
    return wrap(text, max(width, _NARROWEST), break_long_words=False, break_on_hyphens=False) or [""]
