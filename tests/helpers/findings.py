"""Short ways to ask what is said about a text, and to put the fixes into it."""

from collections.abc import Sequence
from pathlib import Path

from cifar_dsl.compiler.lints import Inspection, fixed, inspect

NAME = "example.arch"
ROUNDS = 10  # of fixing, as `check --fix` makes them


def inspected(text: str, overrides: Sequence[str] = (), **bases: str) -> Inspection:
    """What is found in the text of `example.arch`, which may extend one of the `bases` by its file's name."""
    texts = {NAME: text} | {f"{name}.arch": base for name, base in bases.items()}
    return inspect(Path(NAME), overrides=overrides, texts={Path(name).resolve(): text for name, text in texts.items()})


def said_of(text: str, overrides: Sequence[str] = (), **bases: str) -> list[tuple[str, str]]:
    """The code of each diagnostic, and the text that it points at."""
    found = inspected(text, overrides, **bases).diagnostics
    return [(diagnostic.code, diagnostic.label.span.text if diagnostic.label else "") for diagnostic in found]


def mended(text: str, *, also_unsafe: bool = False, **bases: str) -> str:
    """The text with fixes put in until none is left."""
    for _ in range(ROUNDS):
        diagnostics = inspected(text, **bases).diagnostics
        sources = [diagnostic.label.span.source for diagnostic in diagnostics if diagnostic.label]
        for source in sources:
            if source.name == NAME:
                text = fixed(source, diagnostics, also_unsafe=also_unsafe)
                break
    return text
