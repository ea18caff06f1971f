"""The reference of everything that a spec can name, generated from the declarations and `views.examples`.

`python -m cifar_dsl.views.reference` regenerates docs/reference.md; a test fails if the file is stale.
"""

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cifar_dsl.compiler.library import documented_blocks
from cifar_dsl.foundation.records import evolve, frozen
from cifar_dsl.ir import ArgumentInfo, Declaration, arguments_of
from cifar_dsl.operations.argument_types import Axes, written
from cifar_dsl.operations.layers import INITIALIZERS, JOINS, LAYERS, SCOPES, WEIGHTS, Enclosure, Join
from cifar_dsl.operations.recipe import GROUP_SETTINGS, SETTINGS
from cifar_dsl.operations.recipe.settings import Setting
from cifar_dsl.operations.registry import Registry
from cifar_dsl.views.examples import EXAMPLES, RECIPES

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


@frozen
class Entry:
    """What the reference says about a name.

    `noun` is its category, and `head` how it is written, with all arguments. `arguments` are rows of name, accepted
    values, default ("" if there is none) and meaning. A setting has `values` in their place, and one of `train` whose
    values have names has `choices`. `example` is a part of a model for images of 3x32x32 or,
    with `in_train`, of `train`.
    """

    name: str
    noun: str
    head: str
    doc: str
    arguments: tuple[tuple[str, str, str, str], ...] = ()
    values: str = ""
    choices: Registry[Any] | None = None
    example: str = ""
    in_train: bool = False


def sections() -> dict[str, dict[str, Entry]]:
    """All entries by section title and name."""
    found: dict[str, list[Entry]] = {
        "Layers": _declared(LAYERS),
        "Joins": _declared(JOINS),
        "Scopes": _declared(SCOPES),
        "Initialisers": _declared(INITIALIZERS),
        "Weight functions": _declared(WEIGHTS),
        "Library": [Entry(name, "block", head, doc) for name, (doc, head) in documented_blocks().items()],
        "Settings of `train`": [_setting(setting) for setting in SETTINGS.values()],
        "Settings of a `group`": [
            evolve(_setting(setting), noun="group setting", choices=None) for setting in GROUP_SETTINGS.values()
        ],
    }
    for setting in SETTINGS.values():
        if setting.registry:
            found[f"Choices of `{setting.name}`"] = _declared(setting.registry)
    return {title: {entry.name: _with_example(title, entry) for entry in section} for title, section in found.items()}


def _with_example(title: str, entry: Entry) -> Entry:
    in_train = title in RECIPES
    example = (RECIPES if in_train else EXAMPLES).get(title, {}).get(entry.name, "")
    return evolve(entry, example=example, in_train=in_train)


def entries() -> dict[str, dict[str, str]]:
    """All entries as Markdown, by section title and name."""
    return {
        title: {name: "\n".join(_as_markdown(entry)) for name, entry in section.items()}
        for title, section in sections().items()
    }


def _as_markdown(entry: Entry) -> Iterator[str]:
    yield entry.doc + "\n"
    if entry.noun == "block":
        yield f"```\n{entry.head}\n```\n"
    if entry.values:
        yield f"{entry.values}\n"
    if entry.arguments:
        rows = [
            [f"`{name}`", accepted, f"`{default}`" if default else "", doc]
            for name, accepted, default, doc in entry.arguments
        ]
        yield from _table(["argument", "type", "default", "description"], rows)
    if entry.example:
        yield f"```arch {'train' if entry.in_train else 'body'}\n{entry.example}```\n"


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


def _setting(setting: Setting) -> Entry:
    values = f"Value: {_values(setting)}. {_default(setting)}"
    return Entry(setting.name, "setting", setting.name, _sentence(setting.doc), (), values, setting.registry)


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


def _declared(registry: Registry[Any]) -> list[Entry]:
    return [_declaration(registry[name], registry.noun) for name in registry]


def _declaration(declaration: type[Declaration], noun: str) -> Entry:
    arguments = tuple(
        (info.name, info.kind.describe(), "" if info.is_required else written(info.default, info.kind), info.doc)
        for info in arguments_of(declaration)
    )
    doc = inspect.cleandoc(declaration.__doc__ or "")
    return Entry(declaration.name, noun, signature(declaration), doc, arguments)


def signature(declaration: type[Declaration]) -> str:
    """A call with every argument, the defaults of those that have one, and the branches of a join or scope."""
    arguments = ", ".join(map(argument_text, arguments_of(declaration)))
    call = f"{declaration.name}({arguments})" if arguments else declaration.name
    if not issubclass(declaration, Join | Enclosure):
        return call
    branches = declaration.branches
    names = branches.names or ("...",) * (branches.least if branches.most else 2)
    return f"{call} {{ {' | '.join(names)} }}"


def argument_text(info: ArgumentInfo) -> str:
    """An argument in a signature: `stride=1`."""
    if isinstance(info.kind, Axes):
        return "axes -> axes"
    return info.name if info.is_required else f"{info.name}={written(info.default, info.kind)}"


def _table(heads: list[str], rows: list[list[str]]) -> Iterator[str]:
    for row in (heads, ["---"] * len(heads), *rows):
        yield f"| {' | '.join(cell.replace('|', '&#124;') for cell in row)} |"
    yield ""


if __name__ == "__main__":
    path = Path(__file__).parents[2] / "docs" / "reference.md"
    path.write_text(markdown(), encoding="utf-8")
