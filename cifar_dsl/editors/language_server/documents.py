"""The open documents of an editor and the files around them, with everything computed from their texts."""

from collections.abc import Iterator
from functools import cache
from itertools import islice, zip_longest
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from pygls.uris import to_fs_path

from cifar_dsl.compiler import Analysis, Library, examine
from cifar_dsl.compiler.files import SpecReader
from cifar_dsl.compiler.library import library_blocks, library_index
from cifar_dsl.compiler.lints import Inspection, fixed, inspect
from cifar_dsl.compiler.lints.inspection import warnings
from cifar_dsl.compiler.names import Definition, Names, definitions_of, resolve_spec
from cifar_dsl.editors.language_server.positions import Positions, plain
from cifar_dsl.editors.language_server.stages import Stages
from cifar_dsl.foundation import limits
from cifar_dsl.foundation.garbage_collection import without_collections
from cifar_dsl.foundation.records import define, field, frozen
from cifar_dsl.foundation.resources import shipped_specs, specs_directory
from cifar_dsl.foundation.spec_files import spec_folders
from cifar_dsl.language.diagnostics import Diagnostic, Reporter, SpecError
from cifar_dsl.language.source import Source
from cifar_dsl.language.syntax import Recovered, nodes, parse_recovering

_MAX_SEARCHED_FOLDERS = 2000  # per workspace folder
_MAX_FIX_ROUNDS = 10  # a fix may enable another
_UNSAVED = Path(Path(__file__).anchor, "<not saved>")  # the folder of documents without a file


def is_shipped(path: Path) -> bool:
    """Whether a file, a library file included, ships with the package."""
    return path.is_relative_to(specs_directory())


@cache
def library_definitions() -> dict[str, tuple[Path, Definition]]:
    """The file and the definition of each library block, by name."""
    index = library_index()
    return {name: (index[name], one) for name, one in definitions_of(library_blocks(index).values()).items()}


@frozen
class _Examined:
    """The result of checking a file: None and `errors` if it is invalid. It depends on `root` and `texts`."""

    root: Path
    texts: tuple[tuple[Path, str | None], ...]
    result: Analysis | Library | None
    errors: tuple[Diagnostic, ...] = ()


@frozen
class _Resolved:
    """The table of names of a file. It depends on `trees`: the file's own, then its bases'."""

    trees: tuple[nodes.Spec | None, ...]
    names: Names


@define
class _Cache:
    """Everything computed for a file; each value is kept with its input, and is recomputed when the input changes.

    Several threads use one cache, so a value never changes: it is read once, and replaced as a whole.
    """

    parsed: tuple[Source, Recovered] | None = None
    resolved: _Resolved | None = None
    examined: _Examined | None = None
    inspection: tuple[_Examined, Inspection] | None = None
    last_valid: Analysis | None = None
    stages: Stages | None = None
    fixed_text: tuple[Inspection, str] | None = None


@define
class Documents:
    """Texts by resolved path: the editor's for open documents, the one on disk for other files.

    Results are cached until the text, or a text that it depends on, changes. Without `checks`, no open document is
    checked on demand: until another thread has checked it, `inspection` is empty and `analysis` the last valid one.
    """

    folders: list[Path] = field(factory=list)
    positions: Positions = field(factory=Positions)
    open: dict[Path, str] = field(factory=dict)
    _uris: dict[Path, str] = field(factory=dict)
    _paths: dict[str, Path] = field(factory=dict)
    _line_ends: dict[Path, str] = field(factory=dict)
    checks: bool = True
    _caches: dict[Path, _Cache] = field(factory=dict)

    def snapshot(self, *, checks: bool) -> "Documents":
        """The documents as they are now, for another thread. Both share the cache, so each profits from the other."""
        return Documents(
            list(self.folders),
            self.positions,
            dict(self.open),
            dict(self._uris),
            dict(self._paths),
            dict(self._line_ends),
            checks,
            self._caches,
        )

    # ---- open documents

    def put(self, uri: str, text: str) -> Path:
        """Store the text of a document that was opened or changed."""
        path = self.path(uri)
        self._paths[uri] = path
        self._uris[path] = uri
        self._line_ends[path] = "\r\n" if "\r\n" in text else "\n"
        self.open[path] = plain(text)
        return path

    def close(self, uri: str) -> Path:
        """Forget the editor's text; the file is read from disk again."""
        path = self.path(uri)
        self._paths.pop(uri, None)
        for by_path in (self.open, self._uris, self._line_ends, self._caches):
            by_path.pop(path, None)
        return path

    # ---- paths and URIs

    def path(self, uri: str) -> Path:
        """The path of a URI; a path that doesn't exist if the URI names no file."""
        if uri in self._paths:
            return self._paths[uri]
        try:
            file = to_fs_path(uri)
            if file and "\0" not in file:
                return Path(file).resolve()
            parts = urlsplit(uri)
            name = (
                f"<{parts.scheme}> {quote(unquote(f'{parts.path}?{parts.query}' if parts.query else parts.path), ' ')}"
            )
        except ValueError:  # it is no URI, or has characters that no file's name has
            name = f"<> {quote(uri, ' ', errors='replace')}"
        return (self.folders[0] if self.folders else _UNSAVED) / name

    def uri(self, path: Path) -> str:
        """The URI of a file, spelled as the editor spells it if the file is open."""
        uri = self._uris.get(path)
        return path.as_uri() if uri is None else uri

    def root(self, path: Path) -> Path:
        """The folder that `extends` can't leave: the innermost workspace folder of the file, or else its own folder."""
        parents = [folder for folder in self.folders if path.is_relative_to(folder)]
        return max(parents, key=lambda folder: len(folder.parts), default=path.parent)

    def name(self, path: Path) -> str:
        """The name of a file in messages: its path in the workspace folder, or its file name."""
        for folder in (*self.folders, specs_directory()):
            if path.is_relative_to(folder):
                return path.relative_to(folder).as_posix()
        return path.name

    def is_editable(self, path: Path) -> bool:
        """Whether edits may change this file: it is in a workspace folder, or it is open and not shipped.

        Without a workspace folder, the files beside an open one may change, too.
        """
        if any(path.is_relative_to(folder) for folder in self.folders) or path.parent in self._own_folders():
            return True
        return path in self.open and not is_shipped(path)

    def _own_folders(self) -> list[Path]:
        """The folders of the open files while the editor has opened none: each is the root of its files."""
        if self.folders:
            return []
        folders = dict.fromkeys(path.parent for path in self.open if not is_shipped(path))
        return [folder for folder in folders if folder.is_dir()]

    # ---- texts, trees and names

    def source(self, path: Path) -> Source | None:
        """The text of a file; None if it can't be read."""
        try:
            return self._read(path)
        except SpecError:
            return None

    def tree(self, path: Path) -> nodes.Spec | None:
        """The syntax tree of the parts of a file that parse; None if none do."""
        source = self.source(path)
        return self._parse(path, source).spec if source else None

    def parses(self, path: Path) -> bool:
        """Whether a file is readable and free of syntax errors."""
        source = self.source(path)
        return source is not None and not self._parse(path, source).errors

    def names(self, path: Path) -> Names:
        """The table of names of a file, for the parts that parse."""
        return self._resolve(path).names

    @without_collections()
    def _resolve(self, path: Path) -> _Resolved:
        trees = (self.tree(path), *map(self.tree, self.bases(path)))
        cached = self._cache(path)
        resolved = cached.resolved
        if resolved is None or any(old is not new for old, new in zip_longest(resolved.trees, trees)):
            inherited = self._inherited(path)
            library = {name: definition for name, (_, definition) in library_definitions().items()}
            names = resolve_spec(trees[0], inherited, Reporter(), library) if trees[0] else Names()
            resolved = cached.resolved = _Resolved(trees, names)
        return resolved

    def _inherited(self, path: Path) -> dict[str, Definition]:
        """The params and blocks of the bases of a file."""
        visible = self.global_definitions(path).items()
        return {name: one for name, (file, one) in visible if file != path and not one.is_of_library}

    def definitions(self, path: Path) -> dict[str, Definition]:
        """The params and blocks that a file defines, by name."""
        tree = self.tree(path)
        return definitions_of(tree.items) if tree else {}

    def global_definitions(self, path: Path) -> dict[str, tuple[Path, Definition]]:
        """The params and blocks visible in a file, each with its file: own, then inherited, then the library's."""
        visible: dict[str, tuple[Path, Definition]] = {}
        for file in (path, *self.bases(path)):
            for name, definition in self.definitions(file).items():
                visible.setdefault(name, (file, definition))
        return library_definitions() | visible

    def chosen(self, path: Path, setting: str) -> list[str]:
        """The names that a setting of `train` chooses, in the file or in the nearest base that sets it."""
        for file in (path, *self.bases(path)):
            tree = self.tree(file)
            for item in tree.items if tree else ():
                for node in item.settings if isinstance(item, nodes.Train) else ():
                    if isinstance(node, nodes.Setting) and [part.text for part in node.target] == [setting]:
                        return nodes.callees(node.chain)
        return []

    def line_end(self, path: Path) -> str:
        """The line ending of an open document; a plain newline for other files."""
        return self._line_ends.get(path, "\n")

    def _read(self, path: Path) -> Source:
        texts = self.open if path in self.open else {}  # with texts, the reader resolves links in every path
        return SpecReader(self.root(path), texts).read(path)

    @without_collections()
    def _parse(self, path: Path, source: Source) -> Recovered:
        cached = self._cache(path)
        parsed = cached.parsed
        if parsed is None or parsed[0] != source:
            parsed = cached.parsed = source, parse_recovering(source)
        return parsed[1]

    def _cache(self, path: Path) -> _Cache:
        return self._caches.setdefault(path, _Cache())

    # ---- diagnostics and analysis

    @without_collections()
    def inspection(self, path: Path) -> Inspection:
        """The errors and warnings of a file."""
        examined = self._examine(path)
        if examined is None:
            return Inspection(None, ())
        if examined.result is None:
            return Inspection(None, examined.errors)
        cached = self._cache(path)
        inspection = cached.inspection
        if inspection is None or inspection[0] is not examined:
            inspection = cached.inspection = examined, Inspection(examined.result, warnings(examined.result))
        return inspection[1]

    def analysis(self, path: Path) -> Analysis | None:
        """The analysis of a spec; while it has errors, that of its last valid version."""
        examined = self._examine(path)
        result = examined.result if examined else None
        return result if isinstance(result, Analysis) else self._cache(path).last_valid

    def fixed_text(self, path: Path) -> str:
        """The text of a file after all safe fixes."""
        inspection = self.inspection(path)
        cached = self._cache(path)
        fixed_text = cached.fixed_text
        if fixed_text is None or fixed_text[0] is not inspection:
            fixed_text = cached.fixed_text = inspection, self._fix(path, inspection)
        return fixed_text[1]

    def _fix(self, path: Path, inspection: Inspection) -> str:
        source = self.source(path)
        text = source.text if source else ""
        for _ in range(_MAX_FIX_ROUNDS):
            fixable = (one.label for one in inspection.diagnostics if any(fix.is_safe for fix in one.fixes))
            sources = (label.span.source for label in fixable if label is not None)
            own = next((source for source in sources if source.name == str(path)), None)
            if own is None:
                break
            text = fixed(own, inspection.diagnostics)
            if text == own.text:
                break
            inspection = inspect(path, self.root(path), texts={**self.open, path: text})
        return text

    def _examine(self, path: Path) -> _Examined | None:
        """The result of checking a file; None for one that this object doesn't check, and no other has."""
        root, texts, cached = self.root(path), self._texts(path), self._cache(path)
        examined = cached.examined
        if examined is None or (examined.root, examined.texts) != (root, texts):
            if path in self.open and not self.checks:
                return None
            try:
                examined = _Examined(root, texts, examine(path, root, texts=self.open))
            except SpecError as error:
                examined = _Examined(root, texts, None, error.diagnostics)
            if isinstance(examined.result, Analysis):
                cached.last_valid = examined.result
            cached.examined = examined
        return examined

    def _texts(self, path: Path) -> tuple[tuple[Path, str | None], ...]:
        sources = ((file, self.source(file)) for file in (path, *self.bases(path)))
        return tuple((file, source.text if source else None) for file, source in sources)

    def outdated(self) -> list[Path]:
        """The open files that were checked with other texts of their bases than those of now."""
        return [path for path in self.open if self._is_outdated(path)]

    def _is_outdated(self, path: Path) -> bool:
        examined, texts = self._cache(path).examined, self._texts(path)
        return examined is not None and examined.texts[0] == texts[0] and examined.texts != texts

    def stages(self, path: Path) -> Stages | None:
        """The shapes and costs of the stages of a file; None if the file was never valid."""
        analysis = self.analysis(path)
        if analysis is None:
            return None
        cached = self._cache(path)
        stages = cached.stages
        if stages is None or stages.analysis is not analysis:
            stages = cached.stages = Stages(analysis)
        return stages

    # ---- related files

    def bases(self, path: Path) -> list[Path]:
        """The files that a file extends, nearest first, up to the first that is missing; they need not parse."""
        chain = [path]
        while len(chain) <= limits.current().extends_depth:
            base = self._base(chain[-1], self.root(path))
            if base is None or base in chain:
                break
            chain.append(base)
        return chain[1:]

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
        """The open files that extend a file, directly or indirectly."""
        return [other for other in self.open if other != path and path in self.bases(other)]

    def workspace_specs(self) -> list[Path]:
        """The specs that are open, or in a workspace folder; without one, also those beside an open one."""
        return list(dict.fromkeys((*self.open, *self._in_folders())))

    def _in_folders(self) -> Iterator[Path]:
        for folder in self.folders:
            for _, files in islice(spec_folders(folder), _MAX_SEARCHED_FOLDERS):
                resolved = (file.resolve() for file in files)
                yield from (file for file in resolved if file.is_relative_to(folder))  # not where a link leads outside
        for folder in self._own_folders():
            for _, files in islice(spec_folders(folder), 1):
                yield from (file for file in files if file.resolve() == file)
