"""Inspects and fixes the text of `example.arch`, which needs no file on disk."""

from collections.abc import Sequence
from pathlib import Path

from cifar_dsl.compiler.lints import Inspection, fixed, inspect

NAME = "example.arch"
ROUNDS = 10  # of fixing, as in `check --fix`


def inspected(text: str, overrides: Sequence[str] = (), **bases: str) -> Inspection:
    """The inspection of `text` as `example.arch`, which can extend `bases` by file name."""
    texts = {NAME: text} | {f"{name}.arch": base for name, base in bases.items()}
    return inspect(Path(NAME), overrides=overrides, texts={Path(name).resolve(): text for name, text in texts.items()})


def codes_and_places(text: str, overrides: Sequence[str] = (), **bases: str) -> list[tuple[str, str]]:
    """The code of each diagnostic, and the text of its label."""
    found = inspected(text, overrides, **bases).diagnostics
    return [(diagnostic.code, diagnostic.label.span.text if diagnostic.label else "") for diagnostic in found]


def fixed_text(text: str, *, also_unsafe: bool = False, **bases: str) -> str:
    """The text with all fixes applied, repeatedly until none is left."""
    for _ in range(ROUNDS):
        diagnostics = inspected(text, **bases).diagnostics
        sources = [diagnostic.label.span.source for diagnostic in diagnostics if diagnostic.label]
        for source in sources:
            if source.name == NAME:
                text = fixed(source, diagnostics, also_unsafe=also_unsafe)
                break
    return text
