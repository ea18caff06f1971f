"""The files that an editor has open, and what is known of them and of those around them."""

import os
import re
from collections.abc import Iterator
from functools import cache
from itertools import islice, zip_longest
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from attrs import define, field
from pygls.uris import to_fs_path

from cifar_dsl.compiler import Analysis, Library, examine
from cifar_dsl.compiler.files import SpecReader
from cifar_dsl.compiler.library import library_blocks, library_index
from cifar_dsl.compiler.lints import Inspection, fixed, inspect
from cifar_dsl.compiler.lints.inspection import warnings
from cifar_dsl.compiler.names import Definition, Names, definitions_of, resolve_spec
from cifar_dsl.editors.language_server.positions import Positions, plain
from cifar_dsl.editors.language_server.stages import Stages
from cifar_dsl.foundation import limits, resources
from cifar_dsl.foundation.records import frozen
from cifar_dsl.language.diagnostics import Diagnostic, Reporter, SpecError
from cifar_dsl.language.source import Source
from cifar_dsl.language.syntax import Recovered, nodes, parse_recovering

_MOST_FOLDERS = 2000  # in an open one that are looked through
_ROUNDS = 10  # of fixing: a fix may make room for another
_WORD = re.compile(r"\w+")
_NOWHERE = Path(Path(__file__).anchor, "<not saved>")  # the folder of what lies in none

shipped_specs = cache(resources.shipped_specs)  # which looks through the folder


def is_shipped(path: Path) -> bool:
    """Whether a file, of the library too, comes with the package."""
    return path.is_relative_to(resources.specs_directory())


@cache
def library_definitions() -> dict[str, tuple[Path, Definition]]:
    """The blocks of the library, by name, and the file of each."""
    index = library_index()
    return {name: (index[name], one) for name, one in definitions_of(library_blocks(index).values()).items()}


@frozen
class _Examined:
    """What a file was found to be, None where it is wrong, and why; `texts` are those that this depends on."""

    root: Path
    texts: tuple[tuple[Path, str | None], ...]
    found: Analysis | Library | None
    mistakes: tuple[Diagnostic, ...] = ()


@frozen
class _Resolved:
    """The names of a file, and the errors among them; `trees` are those that this depends on, its own first."""

    trees: tuple[nodes.Spec | None, ...]
    names: Names
    errors: tuple[Diagnostic, ...]


@define
class _Known:
    """What was found out about a file, each with that from which it was."""

    parsed: tuple[Source, Recovered] | None = None
    resolved: _Resolved | None = None
    examined: _Examined | None = None
    inspection: tuple[_Examined, Inspection] | None = None
    last_right: Analysis | None = None
    stages: Stages | None = None
    mended: tuple[Inspection, str] | None = None


@define
class Documents:
    """Texts by the resolved paths of their files: what is open as the editor has it, the rest as it is on disk.

    What was found out about a text is kept for as long as this text, and those that it depends on, are the same.
    """

    folders: list[Path] = field(factory=list)
    positions: Positions = field(factory=Positions)
    open: dict[Path, str] = field(factory=dict)
    _uris: dict[Path, str] = field(factory=dict)
    _paths: dict[str, Path] = field(factory=dict)
    _line_ends: dict[Path, str] = field(factory=dict)
    _known: dict[Path, _Known] = field(factory=dict)

    # ---- what is open

    def put(self, uri: str, text: str) -> Path:
        """Take a text that was opened or changed."""
        path = self.path(uri)
        self._paths[uri] = path
        self._uris[path] = uri
        self._line_ends[path] = "\r\n" if "\r\n" in text else "\n"
        self.open[path] = plain(text)
        return path

    def close(self, uri: str) -> Path:
        """From now on the file is as it is on disk."""
        path = self.path(uri)
        self._paths.pop(uri, None)
        for of_paths in (self.open, self._uris, self._line_ends, self._known):
            of_paths.pop(path, None)
        return path

    # ---- names of files

    def path(self, uri: str) -> Path:
        """The file that a URI names; for what is in no file, one that isn't there."""
        if uri in self._paths:
            return self._paths[uri]
        file = to_fs_path(uri)
        if file and "\0" not in file:
            return Path(file).resolve()
        parts = urlsplit(uri)
        name = f"<{parts.scheme}> {quote(unquote(f'{parts.path}?{parts.query}' if parts.query else parts.path), ' ')}"
        return (self.folders[0] if self.folders else _NOWHERE) / name

    def uri(self, path: Path) -> str:
        """The URI of a file, as the editor says it where it has opened it."""
        return self._uris.get(path) or path.as_uri()

    def root(self, path: Path) -> Path:
        """The folder that the file may not leave with `extends`: the open one around it, else its own."""
        around = [folder for folder in self.folders if path.is_relative_to(folder)]
        return max(around, key=lambda folder: len(folder.parts), default=path.parent)

    def name(self, path: Path) -> str:
        """What messages call a file: its path in the open folder, or its name."""
        for folder in (*self.folders, resources.specs_directory()):
            if path.is_relative_to(folder):
                return path.relative_to(folder).as_posix()
        return path.name

    def is_editable(self, path: Path) -> bool:
        """Whether the user works on this file: it lies in an open folder, or is open and does not come with us."""
        if any(path.is_relative_to(folder) for folder in self.folders):
            return True
        return path in self.open and not is_shipped(path)

    # ---- what is in files

    def source(self, path: Path) -> Source | None:
        """The text of a file; None where it can't be read."""
        try:
            return self._read(path)
        except SpecError:
            return None

    def tree(self, path: Path) -> nodes.Spec | None:
        """The syntax tree of all that can be read of a file; None where that is nothing."""
        source = self.source(path)
        return self._parse(path, source).spec if source else None

    def parses(self, path: Path) -> bool:
        """Whether a file can be read and has no syntax errors."""
        source = self.source(path)
        return source is not None and not self._parse(path, source).errors

    def names(self, path: Path) -> Names:
        """What the names of a file stand for, as far as it can be read."""
        return self._resolve(path).names

    def _resolve(self, path: Path) -> _Resolved:
        trees = (self.tree(path), *map(self.tree, self.bases(path)))
        known = self._of(path)
        if known.resolved is None or any(old is not new for old, new in zip_longest(known.resolved.trees, trees)):
            outer = {name: one for name, (place, one) in self.global_definitions(path).items() if place != path}
            reporter = Reporter()
            names = resolve_spec(trees[0], outer, reporter) if trees[0] else Names()
            known.resolved = _Resolved(trees, names, reporter.diagnostics)
        return known.resolved

    def definitions(self, path: Path) -> dict[str, Definition]:
        """The params and blocks that a file defines, by name."""
        tree = self.tree(path)
        return definitions_of(tree.items) if tree else {}

    def global_definitions(self, path: Path) -> dict[str, tuple[Path, Definition]]:
        """The params and blocks that a file may use, and the file of each; those of the library last."""
        found: dict[str, tuple[Path, Definition]] = {}
        for place in (path, *self.bases(path)):
            for name, definition in self.definitions(place).items():
                found.setdefault(name, (place, definition))
        return library_definitions() | found

    def chosen(self, path: Path, setting: str) -> list[str]:
        """The words of a setting of `train`, where it is said: in the file, or in the nearest base that says it."""
        for place in (path, *self.bases(path)):
            tree = self.tree(place)
            for item in tree.items if tree else ():
                for one in item.settings if isinstance(item, nodes.Train) else ():
                    if isinstance(one, nodes.Setting) and [part.text for part in one.target] == [setting]:
                        return nodes.callees(one.chain)
        return []

    def line_end(self, path: Path) -> str:
        """What ends the lines of an open file."""
        return self._line_ends.get(path, "\n")

    def _read(self, path: Path) -> Source:
        texts = self.open if path in self.open else {}  # a reader with texts looks for links in every path
        return SpecReader(self.root(path), texts).read(path)

    def _parse(self, path: Path, source: Source) -> Recovered:
        known = self._of(path)
        if known.parsed is None or known.parsed[0] != source:
            known.parsed = source, parse_recovering(source)
        return known.parsed[1]

    def _of(self, path: Path) -> _Known:
        return self._known.setdefault(path, _Known())

    # ---- what is wrong with them, and what they mean

    def inspection(self, path: Path) -> Inspection:
        """The errors and warnings of a file."""
        examined = self._examine(path)
        if examined.found is None:
            return Inspection(None, examined.mistakes)
        known = self._of(path)
        if known.inspection is None or known.inspection[0] is not examined:
            known.inspection = examined, Inspection(examined.found, warnings(examined.found))
        return known.inspection[1]

    def analysis(self, path: Path) -> Analysis | None:
        """What a spec means or, where it has errors now, what it meant when it was right the last time."""
        found = self._examine(path).found
        return found if isinstance(found, Analysis) else self._of(path).last_right

    def mended(self, path: Path) -> str:
        """The text of a file with all fixes that leave its meaning as it is."""
        inspection = self.inspection(path)
        known = self._of(path)
        if known.mended is None or known.mended[0] is not inspection:
            known.mended = inspection, self._mend(path, inspection)
        return known.mended[1]

    def _mend(self, path: Path, inspection: Inspection) -> str:
        source = self.source(path)
        text = source.text if source else ""
        for _ in range(_ROUNDS):
            safe = (one.label for one in inspection.diagnostics if any(fix.is_safe for fix in one.fixes))
            places = (label.span.source for label in safe if label is not None)
            own = next((place for place in places if place.name == str(path)), None)
            if own is None:
                break
            text = fixed(own, inspection.diagnostics)
            if text == own.text:
                break
            inspection = inspect(path, self.root(path), texts={**self.open, path: text})
        return text

    def _examine(self, path: Path) -> _Examined:
        root, texts, known = self.root(path), self._texts(path), self._of(path)
        if known.examined is None or (known.examined.root, known.examined.texts) != (root, texts):
            try:
                parsed = self._parse(path, self._read(path))
                found = None if parsed.errors else examine(path, root, texts=self.open)
                errors = (*parsed.errors, *self._errors_beside(path, parsed)) if parsed.errors else ()
                known.examined = _Examined(root, texts, found, errors)
            except SpecError as error:
                known.examined = _Examined(root, texts, None, error.diagnostics)
            if isinstance(known.examined.found, Analysis):
                known.last_right = known.examined.found
        return known.examined

    def _errors_beside(self, path: Path, parsed: Recovered) -> Iterator[Diagnostic]:
        """The errors among the names of lines without syntax errors; none that a part which can't be read may cause."""
        resolved = self._resolve(path)
        farthest = resolved.trees[-1]
        if farthest is None or farthest.header.base or not all(map(self.parses, self.bases(path))):
            return
        lines = {error.label.span.line for error in parsed.errors if error.label}
        unread = {word for span in parsed.skipped for word in _WORD.findall(span.text)}
        for error in resolved.errors:
            if error.label and error.label.span.line not in lines and error.label.span.text not in unread:
                yield error

    def _texts(self, path: Path) -> tuple[tuple[Path, str | None], ...]:
        sources = ((file, self.source(file)) for file in (path, *self.bases(path)))
        return tuple((file, source.text if source else None) for file, source in sources)

    def stages(self, path: Path) -> Stages | None:
        """What comes out of the stages of a file; None where it never was right."""
        analysis = self.analysis(path)
        if analysis is None:
            return None
        known = self._of(path)
        if known.stages is None or known.stages.analysis is not analysis:
            known.stages = Stages(analysis)
        return known.stages

    # ---- the files around them

    def bases(self, path: Path) -> list[Path]:
        """The files that a file extends, nearest first, as far as they can be found; they need not parse."""
        found = [path]
        while len(found) <= limits.current().extends_depth:
            base = self._base(found[-1], self.root(path))
            if base is None or base in found:
                break
            found.append(base)
        return found[1:]

    def _base(self, path: Path, root: Path) -> Path | None:
        tree = self.tree(path)
        base = tree.header.base if tree else None
        if base is None:
            return None
        if not base.is_file:
            return shipped_specs().get(base.name)
        try:
            return SpecReader(root).base_path(base, path).resolve()
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
                found = (Path(place, name).resolve() for name in sorted(files) if name.endswith(".arch"))
                yield from (file for file in found if file.is_relative_to(folder))  # a link may lead elsewhere
