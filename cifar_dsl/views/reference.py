"""The reference of everything that a spec can name, generated from the declarations and `views.examples`.

`python -m cifar_dsl.views.reference` regenerates docs/reference.md; a test fails if the file is stale.
"""

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cifar_dsl.compiler.library import library_files
from cifar_dsl.ir import Declaration, arguments_of
from cifar_dsl.operations.argument_types import written
from cifar_dsl.operations.layers import INITIALIZERS, JOINS, LAYERS, SCOPES, WEIGHTS
from cifar_dsl.operations.recipe import GROUP_SETTINGS, SETTINGS
from cifar_dsl.operations.recipe.settings import Setting
from cifar_dsl.operations.registry import Registry
from cifar_dsl.views.examples import EXAMPLES

_HEAD = """# Reference

Everything that a spec can name, with its arguments. See [language.md](language.md) for the syntax.
`cifar-dsl reference NAME` prints an entry of this page. The page is generated from the declarations in
`cifar_dsl/operations/layers` and `cifar_dsl/operations/recipe` and from `specs/library`, with
`python -m cifar_dsl.views.reference`.

Arguments can be positional, in the order of the table, or named. An argument without a default is required.

Shapes leave out the batch: (C, H, W) is an image of C channels, (F,) a vector of features, (T, D) are T tokens of D
features. x is an element of the input. Shapes stay unchanged unless an entry shows a new one.
"""
_INTRODUCTIONS = {
    "Layers": "",
    "Joins": "Combine branches into one tensor: `add { conv(64, 3, pad=1) -> bn | identity }`.\n",
    "Scopes": "Run a branch on another form of the current tensor.\n",
    "Initialisers": "Values of `init` and `bias_init` of layers: `conv(64, 3, init=kaiming(mode=fan_out))`.\n",
    "Weight functions": "Values of `weight` of layers: `conv(64, 3, weight=standardized)`. The layer uses the function "
    "of the stored weight, as a matrix with a row for each output: of a convolution, the numbers of one filter.\n",
    "Library": "Blocks that every spec can call, written in the language itself. A spec can replace one by defining a "
    "block of the same name. `cifar-dsl show --expand` prints a spec with all blocks expanded.\n",
}


def entries() -> dict[str, dict[str, str]]:
    """All entries as Markdown, by section title and name."""
    sections = {
        "Layers": _declared(LAYERS),
        "Joins": _declared(JOINS),
        "Scopes": _declared(SCOPES),
        "Initialisers": _declared(INITIALIZERS),
        "Weight functions": _declared(WEIGHTS),
        "Library": {name: text for blocks in library_files().values() for name, text in blocks.items()},
        "Settings of `train`": {setting.name: _setting(setting) for setting in SETTINGS.values()},
        "Settings of a `group`": {setting.name: _setting(setting) for setting in GROUP_SETTINGS.values()},
    }
    for setting in SETTINGS.values():
        if setting.registry:
            sections[f"Choices of `{setting.name}`"] = _declared(setting.registry)
    return {
        title: {name: text + _example(title, name) for name, text in section.items()}
        for title, section in sections.items()
    }


def _example(title: str, name: str) -> str:
    """The example of an entry as a code block; "" if it has none."""
    body = EXAMPLES.get(title, {}).get(name)
    return f"\n```arch body\n{body}```\n" if body else ""


def markdown() -> str:
    """The text of docs/reference.md."""
    lines = [_HEAD]
    named: set[str] = set()
    for title, section in entries().items():
        if not section:
            continue
        lines += [f"## {title}\n", _INTRODUCTIONS.get(title, "")]
        for name, text in section.items():
            # Links lead to the first heading of a text, so a name that returns is qualified.
            qualifier = f" ({title[0].lower()}{title[1:]})" if name in named else ""
            named.add(name)
            lines += [f"### `{name}`{qualifier}\n", text]
    return "\n".join(line for line in lines if line).rstrip("\n") + "\n"


def _setting(setting: Setting) -> str:
    return f"{_sentence(setting.doc)}\n\nValue: {_values(setting)}. {_default(setting)}\n"


def _sentence(doc: str) -> str:
    return f"{doc[0].upper()}{doc[1:]}."


def _values(setting: Setting) -> str:
    if setting.registry is None:
        return setting.kind.describe() if setting.kind else ""
    choices = ", ".join(f"`{name}`" for name in setting.registry)
    return f"one or more of {choices}, joined by `->`, or `none`" if setting.is_chain else f"one of {choices}"


def _default(setting: Setting) -> str:
    match setting.default:
        case None:
            return "Required."
        case Declaration():
            return f"Default: `{setting.default.brief()}`."
        case ():
            return "Default: `none`."
        case bool():
            return f"Default: `{'true' if setting.default else 'false'}`."
        case str() if " " in setting.default:
            return f"Default: {setting.default}."
        case _:
            return f"Default: `{setting.default}`."


def _declared(registry: Registry[Any]) -> dict[str, str]:
    return {name: "\n".join(_declaration(registry[name])) for name in registry}


def _declaration(declaration: type[Declaration]) -> Iterator[str]:
    yield inspect.cleandoc(declaration.__doc__ or "") + "\n"
    rows = [
        [
            f"`{info.name}`",
            info.kind.describe(),
            "" if info.is_required else f"`{written(info.default, info.kind)}`",
            info.doc,
        ]
        for info in arguments_of(declaration)
    ]
    if rows:
        yield from _table(["argument", "type", "default", "description"], rows)


def _table(heads: list[str], rows: list[list[str]]) -> Iterator[str]:
    for row in (heads, ["---"] * len(heads), *rows):
        yield f"| {' | '.join(cell.replace('|', '&#124;') for cell in row)} |"
    yield ""


if __name__ == "__main__":
    path = Path(__file__).parents[2] / "docs" / "reference.md"
    path.write_text(markdown(), encoding="utf-8")
