"""The reference of all that a spec can name, written from the declarations themselves.

`python -m cifar_dsl.reference` writes docs/reference.md anew; a test fails when it is stale.
"""

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cifar_dsl.layers import JOINS, LAYERS
from cifar_dsl.recipes import SETTINGS
from cifar_dsl.recipes.settings import Setting
from cifar_dsl.registry import Declaration, Registry, arguments_of, written

_HEAD = """# Reference

Everything that a spec can name, with its arguments. Written from the declarations in `cifar_dsl/layers` and
`cifar_dsl/recipes` by `python -m cifar_dsl.reference`; how the parts are put together is in the README.

Arguments may be given in this order without their names, or by name. An argument without a default must be given.
"""


def markdown() -> str:
    """The text of docs/reference.md."""
    return "\n".join([_HEAD, *_layers(), *_settings()]) + "\n"


def _layers() -> Iterator[str]:
    yield "## Layers\n"
    yield from _declared(LAYERS)
    yield "## Joins\n"
    yield "Written with branches: `add { conv(64, 3, pad=1) -> bn | identity }`.\n"
    yield from _declared(JOINS)


def _settings() -> Iterator[str]:
    yield "## Settings of `train`\n"
    rows = [[f"`{setting.name}`", setting.doc, _takes(setting), _default(setting)] for setting in SETTINGS.values()]
    yield from _table(["setting", "what it says", "takes", "default"], rows)
    for setting in SETTINGS.values():
        if setting.registry:
            yield f"### `{setting.name}`\n"
            yield from _declared(setting.registry, level="####")


def _takes(setting: Setting) -> str:
    if setting.registry is None:
        return setting.kind.describe() if setting.kind else ""
    choices = ", ".join(f"`{name}`" for name in setting.registry)
    return f"{choices}; several are joined by `->`, `none` stands for none" if setting.is_chain else choices


def _default(setting: Setting) -> str:
    match setting.default:
        case None:
            return "must be said"
        case Declaration():
            return f"`{setting.default.brief()}`"
        case ():
            return "`none`"
        case _:
            return f"`{setting.default}`"


def _declared(registry: Registry[Any], level: str = "###") -> Iterator[str]:
    for name in registry:
        declaration = registry[name]
        yield f"{level} `{name}`\n"
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
            yield from _table(["argument", "takes", "default", "what it is"], rows)


def _table(heads: list[str], rows: list[list[str]]) -> Iterator[str]:
    for row in (heads, ["---"] * len(heads), *rows):
        yield f"| {' | '.join(cell.replace('|', '&#124;') for cell in row)} |"
    yield ""


if __name__ == "__main__":
    path = Path(__file__).parents[1] / "docs" / "reference.md"
    path.write_text(markdown(), encoding="utf-8")
