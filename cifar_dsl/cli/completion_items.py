"""Shell completions for arguments: specs, runs and words."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from click.shell_completion import CompletionItem

from cifar_dsl.foundation.text import natural_order


def spec_items(incomplete: str, names: Iterable[str] = ()) -> list[CompletionItem]:
    """The paths of specs, and the `names`, that start with `incomplete`.

    The names are offered from their first character on: they would hide the files of the folder.
    If folders start with it too, or nothing does, the shell also completes file names by itself.
    """
    # A path with `~` matches nothing here, so the shell completes it.
    folder = incomplete[: incomplete.rfind("/") + 1]
    paths = sorted(Path(folder or ".").glob("*"), key=natural_order) if Path(folder or ".").is_dir() else []
    paths = [path for path in paths if path.name.startswith(incomplete[len(folder) :])]
    named = [CompletionItem(name) for name in names if incomplete and name.startswith(incomplete)]
    specs = [CompletionItem(folder + path.name) for path in paths if path.suffix == ".arch"]
    if any(path.is_dir() and not path.name.startswith(".") for path in paths) or not (named or specs):
        return [CompletionItem(incomplete, type="file"), *named]
    return named + specs


def run_items(incomplete: str) -> list[CompletionItem]:
    """The runs, interrupted ones included, in or below the typed folder; folders if there are none."""
    from cifar_dsl.runs.places import FOLDER, PARTIAL, PREFIX

    folder = Path(incomplete[: incomplete.rfind("/") + 1] or ".")
    folders = [path for above in ("", "*/", "*/*/") for path in folder.glob(f"{above}{PREFIX}*")]
    named = [
        path
        for path in sorted(folders, key=natural_order)
        if FOLDER.fullmatch(path.name) and path.suffix in {"", PARTIAL}
    ]
    names = [str(path) for path in named if path.is_dir()]
    runs = [CompletionItem(name) for name in names if name.startswith(incomplete)]
    return runs or [CompletionItem(incomplete, type="dir")]


def word_items(incomplete: str, words: Mapping[str, str]) -> list[CompletionItem]:
    """The words that start with `incomplete`, ignoring case, with their descriptions."""
    return [
        CompletionItem(word, help=meaning)
        for word, meaning in words.items()
        if word.casefold().startswith(incomplete.casefold())
    ]
