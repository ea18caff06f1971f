"""The specs that a command line names: files, folders and globs."""

import glob
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from cifar_dsl.foundation.errors import UserError
from cifar_dsl.foundation.records import define, field, frozen
from cifar_dsl.foundation.resources import shipped_specs
from cifar_dsl.foundation.spec_files import SUFFIX, spec_folders
from cifar_dsl.foundation.text import natural_order
from cifar_dsl.language.diagnostics import nearest
from cifar_dsl.language.diagnostics.render import visible


@frozen
class SpecPath:
    """A spec on the command line, and the folder that its `extends` can't leave."""

    path: Path
    root: Path


@define
class NamedSpecs:
    """The specs that `names` expand to, each listed once.

    A folder expands to the specs in it, in natural order, and is their root unless `root` is given. The search
    descends into subfolders if `descends`; otherwise, their specs that no name names are `skipped`. A name of no file
    may be that of a shipped spec, unless files `may_change`. `unreadable` are the errors of folders that can't be read.

    Raises UsageError for a name without specs, UserError for a link that leads out of its folder.
    """

    names: Sequence[str]
    root: Path | None = None
    descends: bool = True
    may_change: bool = False
    specs: list[SpecPath] = field(factory=list, init=False)
    skipped: list[Path] = field(factory=list, init=False)
    unreadable: list[OSError] = field(factory=list, init=False)

    def __attrs_post_init__(self) -> None:
        expanded: dict[Path, SpecPath] = {}
        for name in self.names:
            for item in self._expand(name):
                expanded.setdefault(item.path.absolute(), item)
        self.specs = list(expanded.values())
        self.skipped = [path for path in dict.fromkeys(self.skipped) if path.absolute() not in expanded]

    def _expand(self, name: str) -> list[SpecPath]:
        path, errors = Path(name), len(self.unreadable)
        matches = [path] if path.exists() else _matches(name)
        if not matches and not self.may_change and (shipped := shipped_specs().get(name)):
            matches = [shipped]
        found: list[SpecPath] = []
        for match in sorted(matches, key=natural_order):
            found += self._inside(match) if match.is_dir() else [SpecPath(match, self.root or match.parent)]
        if not found and len(self.unreadable) == errors:
            raise click.UsageError(self._empty(path) if matches else self._missing(path))
        return found

    def _inside(self, folder: Path) -> Iterator[SpecPath]:
        files: list[Path] = []
        for place, found in spec_folders(folder, self.unreadable.append):
            (files if self.descends or place == folder else self.skipped).extend(found)
        for file in sorted(files, key=natural_order):
            _check_inside(file, self.root or folder)
            yield SpecPath(file, self.root or folder)

    def _missing(self, path: Path) -> str:
        if self.may_change and path.name in shipped_specs() and path.parent == Path():
            return f"{path} is a shipped spec, which isn't changed: name a file."
        return missing(path, may_be_shipped=not self.may_change)

    def _empty(self, folder: Path) -> str:
        below = f" itself; its subfolders with specs: {_counted(self.skipped)}" if self.skipped else ""
        return visible(f"There is no spec (*{SUFFIX}) in {folder}{below}.")

    def skipped_in_words(self) -> str | None:
        """The subfolders that were left out, with their numbers of specs; None if there are none."""
        if not self.skipped:
            return None
        return f"specs in subfolders are left out: {_counted(self.skipped)}; to include a folder, name it"


def _matches(pattern: str) -> list[Path]:
    """The files and folders that match a pattern, which a shell left as it is."""
    try:
        return list(map(Path, glob.glob(pattern, recursive=True)))
    except RecursionError:
        raise click.UsageError(visible(f"{pattern} matches folders that are nested too deep.")) from None


def _counted(files: Sequence[Path]) -> str:
    """The folders of the files, each with its number of files; the first eight."""
    shown = [f"{folder} ({count})" for folder, count in Counter(file.parent for file in files).items()]
    return ", ".join(shown[:8]) + (", ..." if len(shown) > 8 else "")


def _check_inside(file: Path, folder: Path) -> None:
    """Refuse a link out of `folder`: a folder from a stranger could expose other files. Raises UserError."""
    if file.is_symlink() and not file.resolve().is_relative_to(folder.resolve()):
        raise UserError(
            f"{file} is a link to a file outside {folder}", "to read that file, name it on the command line"
        )


def spelled(path: Path) -> str:
    """How a command names the spec in a file: a shipped one by its name."""
    return path.stem if shipped_specs().get(path.stem) == path else str(path)


def meant_by(path: Path) -> Path | None:
    """The spec that is probably meant by the path of none: one in that folder, or a shipped one.

    A shipped spec is given by its name. Only a bare name may misspell it: `specs/residual.arch` is one in a checkout.
    """
    siblings = {file.stem: file for file in path.parent.glob(f"*{SUFFIX}")} if path.parent.is_dir() else {}
    stem = path.name.removesuffix(SUFFIX)
    if stem in siblings:
        return siblings[stem]
    if stem in shipped_specs():
        return Path(stem)
    if near := nearest(stem, siblings):
        return siblings[near]
    near = nearest(stem, shipped_specs()) if path.parent == Path() else None
    return Path(near) if near else None


def missing(path: Path, *, may_be_shipped: bool = True) -> str:
    """The message for a file that doesn't exist, with the spec that is probably meant."""
    meant = meant_by(path)
    is_bare = may_be_shipped and path.parent == Path() and not path.suffix
    advice = f" Did you mean {meant}?" if meant and (may_be_shipped or meant.suffix) else ""
    if (
        not advice
        and may_be_shipped
        and path.parent == Path()
        and path.suffix in {"", ".arch"}
        and path.stem.isidentifier()
    ):
        advice = f" `cifar-dsl init {path.stem}` writes one to begin with."
    return visible(f"There is no file {'or shipped spec ' if is_bare else ''}{path}.{advice}")
