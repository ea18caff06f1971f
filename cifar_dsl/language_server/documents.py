"""The files that an editor has open, and what is known of them and of those around them."""

import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from urllib.parse import unquote, urlsplit

from attrs import define, field
from pygls.uris import to_fs_path

from cifar_dsl.diagnostics import SpecError
from cifar_dsl.language_server.sketch import Sketch
from cifar_dsl.limits import EXTENDS_DEPTH
from cifar_dsl.lints import Inspection, inspect
from cifar_dsl.resources import specs_directory
from cifar_dsl.semantics.files import Reader
from cifar_dsl.source import Source, Span
from cifar_dsl.syntax import nodes, parse_spec

_MOST_FOLDERS = 2000  # in an open one that are looked through


def path_of(uri: str) -> Path:
    """The file that a URI names; for what is in no file yet, one that isn't there."""
    return Path(to_fs_path(uri) or unquote(urlsplit(uri).path)).resolve()


@define
class Documents:
    """Texts by the resolved paths of their files: what is open as the editor has it, the rest as it is on disk."""

    folders: list[Path] = field(factory=list)
    open: dict[Path, str] = field(factory=dict)
    _uris: dict[Path, str] = field(factory=dict)
    _inspections: dict[Path, Inspection] = field(factory=dict)

    def put(self, uri: str, text: str) -> Path:
        """Take a text that was opened or changed."""
        path = path_of(uri)
        self.open[path] = text
        self._uris[path] = uri
        self.forget()
        return path

    def close(self, uri: str) -> None:
        """From now on the file is as it is on disk."""
        self.open.pop(path_of(uri), None)
        self._uris.pop(path_of(uri), None)
        self.forget()

    def forget(self) -> None:
        """Something has changed: what was found out before need not be so any more."""
        self._inspections.clear()

    def uri(self, path: Path) -> str:
        """The URI of a file, as the editor says it where it has opened it."""
        return self._uris.get(path) or path.as_uri()

    def root(self, path: Path) -> Path:
        """The folder that the file may not leave with `extends`: the open one around it, else its own."""
        around = [folder for folder in self.folders if path.is_relative_to(folder)]
        return max(around, key=lambda folder: len(folder.parts), default=path.parent)

    def inspection(self, path: Path) -> Inspection:
        """The errors and warnings of a file."""
        if path not in self._inspections:
            self._inspections[path] = inspect(path, self.root(path), texts=self.open)
        return self._inspections[path]

    def source(self, path: Path) -> Source | None:
        """The text of a file; None where it can't be read."""
        try:
            return Reader(self.root(path), self.open).read(path)
        except SpecError:
            return None

    def tree(self, path: Path) -> nodes.Spec | None:
        """The syntax tree of a file; None where it doesn't parse or can't be read."""
        source = self.source(path)
        try:
            return source and parse_spec(source)
        except SpecError:
            return None

    def bases(self, path: Path) -> list[Path]:
        """The files that a file extends, nearest first, as far as they can be found; they need not parse."""
        found = [path]
        while len(found) <= EXTENDS_DEPTH:
            base = self._base(found[-1], self.root(path))
            if base is None or base in found:
                break
            found.append(base)
        return found[1:]

    def _base(self, path: Path, root: Path) -> Path | None:
        source = self.source(path)
        written = Sketch.of(source.text).base if source else ""
        if not source or not written:
            return None
        base = nodes.Base(written.strip('"'), written.startswith('"'), Span(source, 0, 0))
        try:
            return Reader(root).base_path(base, path).resolve()
        except (SpecError, OSError, ValueError):
            return None

    def dependents(self, path: Path) -> list[Path]:
        """The open files that extend a file, directly or not."""
        return [other for other in self.open if other != path and path in self.bases(other)]

    def known(self) -> list[Path]:
        """The specs that are open or lie in the open folders."""
        return list(dict.fromkeys((*self.open, *self._in_folders())))

    def _in_folders(self) -> Iterator[Path]:
        for folder in self.folders:
            walked = islice(os.walk(folder), _MOST_FOLDERS)
            for place, inner, files in walked:
                inner[:] = sorted(name for name in inner if not name.startswith(".") and name != "node_modules")
                yield from (Path(place, name).resolve() for name in sorted(files) if name.endswith(".arch"))

    def is_editable(self, path: Path) -> bool:
        """Whether the user works on this file: it is open, or lies in an open folder."""
        return path in self.open or any(path.is_relative_to(folder) for folder in self.folders)

    def name(self, path: Path) -> str:
        """What messages call a file: its path in the open folder, or its name."""
        for folder in (*self.folders, specs_directory()):
            if path.is_relative_to(folder):
                return str(path.relative_to(folder))
        return path.name
