"""Specs, runs and words that a shell offers to complete an argument."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from click.shell_completion import CompletionItem


def spec_items(incomplete: str, names: Iterable[str] = ()) -> list[CompletionItem]:
    """The specs whose path begins so, and those of the `names` that do.

    Where folders begin so, too, or nothing does, the shell is asked to complete files as it always does.
    """
    # A `~` is in no path that is there, so that it is left to the shell.
    folder = incomplete[: incomplete.rfind("/") + 1]
    there = sorted(Path(folder or ".").glob("*")) if Path(folder or ".").is_dir() else []
    there = [path for path in there if path.name.startswith(incomplete[len(folder) :])]
    named = [CompletionItem(name) for name in names if name.startswith(incomplete)]
    specs = [CompletionItem(folder + path.name) for path in there if path.suffix == ".arch"]
    if any(path.is_dir() and not path.name.startswith(".") for path in there) or not (named or specs):
        return [CompletionItem(incomplete, type="file"), *named]
    return named + specs


def run_items(incomplete: str) -> list[CompletionItem]:
    """The runs, also those that were broken off, that lie below what is typed or below `runs`; else folders."""
    from cifar_dsl.runs.places import FOLDER

    folder = Path(incomplete[: incomplete.rfind("/") + 1] or ".")
    found = [*folder.glob("seed-*"), *folder.glob("*/seed-*"), *folder.glob("*/*/seed-*")]
    named = [path for path in sorted(found) if FOLDER.fullmatch(path.name) and path.suffix in {"", ".partial"}]
    names = [str(path) for path in named if path.is_dir()]
    runs = [CompletionItem(name) for name in names if name.startswith(incomplete)]
    return runs or [CompletionItem(incomplete, type="dir")]


def word_items(incomplete: str, words: Mapping[str, str]) -> list[CompletionItem]:
    """The words that begin so, with what they mean, in letters of any case."""
    return [
        CompletionItem(word, help=meaning)
        for word, meaning in words.items()
        if word.casefold().startswith(incomplete.casefold())
    ]
